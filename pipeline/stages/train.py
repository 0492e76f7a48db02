"""Fit the model, and export the whole pipeline, encoding included, to one ONNX graph."""

import io
from collections import Counter

import joblib
import numpy as np
import pandas as pd
from baseline import ridge_predictions
from clinical.artefacts import Artefact, Artefacts
from clinical.kinds import Value
from clinical.params import Params
from clinical.reference import Combination, Reference
from clinical.registry import REFERENCE_PROPERTY
from encoding import dumped, table_of
from export import as_onnx
from families import REGRESSOR, family_of, model_of, on_one_thread
from intervals import conformal, predicted_when_left_out
from pydantic import TypeAdapter
from rows import Rows
from sklearn.metrics import r2_score, root_mean_squared_error
from stage import stage
from state import Chosen, Combined, CrossScores, Preprocessed, Trained, Validated


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
    features, target, asked = table_of(training), training.target(), table_of(held_out)
    hyperparameters = chosen.hyperparameters or params.model

    family = family_of(hyperparameters, params)
    model = model_of(family, encoder)
    with on_one_thread():
        left_out = predicted_when_left_out(model, features, target, params)
        model.fit(features, target)
    family.settle(model[REGRESSOR])
    served = np.clip(left_out, *params.scale)
    baseline = ridge_predictions(
        encoder.transform(features), target, encoder.transform(asked), params
    )
    reference = artefacts.write_json(
        "reference.json",
        Reference(
            combinations=with_support(recorded, training, params),
            interval=conformal(target - left_out, params),
            background=background(training, params),
            contract=params.contract_digest,
        ),
    )
    predictions: list[float] = model.predict(asked).tolist()
    return Trained(
        model=artefacts.write("model.joblib", dumped(model)),
        onnx=artefacts.write(
            "model.onnx", as_onnx(model, family, provenance(validated, reference, params), params)
        ),
        reference=reference,
        predictions=artefacts.write_json("predictions.json", [*predictions]),
        baseline=artefacts.write_json("baseline.json", [*baseline]) if baseline else None,
        average=float(target.mean()),
        hyperparameters=hyperparameters,
        cross_validation=CrossScores(
            folds=params.intervals.folds,
            rmse=float(root_mean_squared_error(target, served)),
            r2=float(r2_score(target, served)),
        ),
    )


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
