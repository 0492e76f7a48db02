"""Fit the forest, and export the whole pipeline, encoding included, to one ONNX graph."""

import io
import math
from collections import Counter

import joblib
import numpy as np
import pandas as pd
from clinical.artefacts import Artefact, Artefacts
from clinical.kinds import Value
from clinical.params import Params
from clinical.reference import Combination, Conformal, Reference
from clinical.registry import REFERENCE_PROPERTY
from forest import dumped, folds, forest_of, table_of, with_float32_thresholds
from onnx import ModelProto
from onnx.helper import set_model_props
from pydantic import TypeAdapter
from rows import Rows
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline
from stage import stage
from state import Chosen, Combined, CrossScores, Preprocessed, Trained, Validated

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]

OPSET = {"": 21, "ai.onnx.ml": 3}

# What skl2onnx calls the tensors that kinds have.
TENSORS = {"int64": Int64TensorType, "float": FloatTensorType, "string": StringTensorType}


@stage()
def train(  # noqa: PLR0913, PLR0917 - what a model and its reference are made of
    validated: Validated,
    preprocessed: Preprocessed,
    combined: Combined,
    chosen: Chosen,
    artefacts: Artefacts,
    params: Params,
) -> Trained:
    """Write the model as scikit-learn and as ONNX, and what serving has to say around a score."""
    encoder = joblib.load(io.BytesIO(artefacts.read(preprocessed.encoder)))
    training = Rows(artefacts.read(preprocessed.training), params)
    held_out = Rows(artefacts.read(preprocessed.held_out), params)
    recorded = TypeAdapter(list[dict[str, Value]]).validate_json(
        artefacts.read(combined.combinations)
    )
    features, target = table_of(training), training.target()
    hyperparameters = chosen.hyperparameters or params.model

    model = Pipeline([("encoder", encoder), ("forest", forest_of(hyperparameters, params))])
    left_out = predicted_when_left_out(model, features, target, params)
    model.fit(features, target)
    with_float32_thresholds(model.named_steps["forest"])
    reference = artefacts.write_json(
        "reference.json",
        Reference(
            combinations=with_support(recorded, training, params),
            interval=conformal(target - left_out, params),
            background=background(training, params),
            contract=params.contract_digest,
        ),
    )
    predictions: list[float] = model.predict(table_of(held_out)).tolist()
    return Trained(
        model=artefacts.write("model.joblib", dumped(model)),
        onnx=artefacts.write(
            "model.onnx", as_onnx(model, provenance(validated, reference, params), params)
        ),
        reference=reference,
        predictions=artefacts.write_json("predictions.json", [*predictions]),
        average=float(target.mean()),
        hyperparameters=hyperparameters,
        cross_validation=CrossScores(
            folds=params.intervals.folds,
            rmse=float(root_mean_squared_error(target, left_out)),
            r2=float(r2_score(target, left_out)),
        ),
    )


def predicted_when_left_out(
    model: Pipeline, features: pd.DataFrame, target: Array, params: Params
) -> Array:
    """Predict every training row (n,) by a model that was fitted on the other folds."""
    predicted: Array = cross_val_predict(
        model, features, target, cv=folds(params.intervals.folds, params)
    )
    return predicted


def conformal(residuals: Array, params: Params) -> Conformal:
    """Make an interval of residuals (n,) of rows that were left out of the fit."""
    return Conformal(
        coverage=params.intervals.coverage,
        half_width=interval_half_width(residuals, params.intervals.coverage, params.width),
        residuals=len(residuals),
        folds=params.intervals.folds,
    )


def interval_half_width(residuals: Array, coverage: float, widest: float) -> float:
    """Find how far around a score to go for a fraction of recorded scores to lie within.

    It is the (n + 1) x coverage-th smallest residual (n,), rounded up; where that is more than
    there are, the whole scale, `widest`. Source: Vovk, Cross-conformal predictors, 2015; Lei et
    al., Distribution-Free Predictive Inference for Regression, 2018.
    """
    rank = math.ceil((len(residuals) + 1) * coverage)
    if rank > len(residuals):
        return widest
    return float(np.sort(np.abs(residuals))[rank - 1])


def with_support(
    recorded: list[dict[str, Value]], training: Rows, params: Params
) -> tuple[Combination, ...]:
    """Count in how many training rows each recorded combination is."""
    columns = params.roles.recorded_together
    counted = Counter(training.together(columns))
    return tuple(
        Combination(values=one, training_rows=counted[tuple(one[column] for column in columns)])
        for one in recorded
    )


def background(training: Rows, params: Params) -> tuple[dict[str, Value], ...]:
    """Draw the training rows that explanations compare with."""
    drawn = pd.Series(range(training.number)).sample(
        min(params.explanations.background_rows, training.number), random_state=params.seed
    )
    columns = {name: training.values(name) for name in params.features}
    return tuple({name: values[row] for name, values in columns.items()} for row in drawn)


def provenance(validated: Validated, reference: Artefact, params: Params) -> dict[str, str]:
    """Say what a graph was made of, so that whatever is not the same is not the same version."""
    return {
        "dataset_sha256": validated.dataset.sha256,
        "params_sha256": params.pipeline_digest,
        REFERENCE_PROPERTY: reference.sha256,
    }


def as_onnx(model: Pipeline, properties: dict[str, str], params: Params) -> bytes:
    """Export a fitted pipeline; its inputs are the features, (n, 1) each.

    The graph takes the same branches as scikit-learn: its thresholds are float32, and so are those
    of the forest by now. skl2onnx leaves out which way a missing number goes, and writes names that
    are no identifiers in another way.
    """
    inputs = [(name, TENSORS[kind.tensor]([None, 1])) for name, kind in params.features.items()]
    graph = to_onnx(model, initial_types=inputs, target_opset=OPSET, name="clinical_outcomes")
    name_inputs(graph, list(params.features))
    if any(kind.nullable for kind in params.features.values()):
        send_missing(graph, model.named_steps["forest"])
    set_model_props(graph, properties)
    # skl2onnx lists them in the order of a set, which changes from process to process: the same
    # model would be another version.
    graph.opset_import.sort(key=lambda opset: opset.domain)
    serialized: bytes = graph.SerializeToString()
    return serialized


def name_inputs(graph: ModelProto, names: list[str]) -> None:
    """Call the inputs of a graph, which are in this order, as the columns are called."""
    meant = dict(zip((one.name for one in graph.graph.input), names, strict=True))
    for one in graph.graph.input:
        one.name = meant[one.name]
    for node in graph.graph.node:
        node.input[:] = [meant.get(name, name) for name in node.input]
    (output,) = graph.graph.output
    scores = output.name
    while scores in names:  # skl2onnx calls them `variable`, as a column may be called too
        scores += "_"
    for node in graph.graph.node:
        node.output[:] = [scores if name == output.name else name for name in node.output]
    output.name = scores


def send_missing(graph: ModelProto, forest: RandomForestRegressor) -> None:
    """Let missing numbers go at each node of a graph where they go in the forest."""
    (ensemble,) = (node for node in graph.graph.node if node.op_type == "TreeEnsembleRegressor")
    (tracks,) = (one for one in ensemble.attribute if one.name == "nodes_missing_value_tracks_true")
    left = np.concatenate([tree.tree_.missing_go_to_left for tree in forest.estimators_])
    tracks.ints[:] = left.astype(np.int64).tolist()
