"""Fit the forest, and export the whole pipeline, encoding included, to one ONNX graph."""

import io

import joblib
import pandas as pd
from clinical.artefacts import Artefacts
from clinical.params import Params
from clinical.registry import COMBINATIONS_PROPERTY
from onnx.helper import set_model_props
from skl2onnx import to_onnx
from skl2onnx.common.data_types import Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline
from stage import stage
from state import Combined, Preprocessed, Trained

from stages.preprocess import dumped

OPSET = {"": 21, "ai.onnx.ml": 3}

type Target = pd.Series[float]


@stage()
def train(
    preprocessed: Preprocessed, combined: Combined, artefacts: Artefacts, params: Params
) -> Trained:
    """Write the model as scikit-learn and as ONNX, and what scikit-learn says of held-out rows."""
    encoder: ColumnTransformer = joblib.load(io.BytesIO(artefacts.read(preprocessed.encoder)))
    training = pd.read_csv(io.BytesIO(artefacts.read(preprocessed.training)))
    held_out = pd.read_csv(io.BytesIO(artefacts.read(preprocessed.held_out)))
    features, target = list(params.features.names), params.features.target
    model = fitted(encoder, training[features], training[target], params)
    predictions: list[float] = model.predict(held_out[features]).tolist()
    return Trained(
        model=artefacts.write("model.joblib", dumped(model)),
        onnx=artefacts.write("model.onnx", as_onnx(model, combined, params)),
        predictions=artefacts.write_json("predictions.json", [*predictions]),
        average=float(training[target].mean()),
    )


def fitted(
    encoder: ColumnTransformer, features: pd.DataFrame, target: Target, params: Params
) -> Pipeline:
    """Fit the forest of params.yaml on encoded training rows."""
    forest = RandomForestRegressor(**params.model.model_dump(), random_state=params.seed)
    forest.fit(encoder.transform(features), target)
    return Pipeline([("encoder", encoder), ("forest", forest)])


def as_onnx(model: Pipeline, combined: Combined, params: Params) -> bytes:
    """Export a fitted pipeline; its inputs are the raw features, (n, 1) each.

    Thresholds become float32, which holds the middle between two whole numbers exactly: the
    graph takes the same branches as scikit-learn, as long as numbers stay whole. The graph carries
    the digest of the combinations that are served with it, so that the two are one version.
    """
    numeric = params.features.numeric
    inputs = [
        (name, (Int64TensorType if name in numeric else StringTensorType)([None, 1]))
        for name in params.features.names
    ]
    graph = to_onnx(model, initial_types=inputs, target_opset=OPSET, name="clinical_outcomes")
    set_model_props(graph, {COMBINATIONS_PROPERTY: combined.combinations.sha256})
    # skl2onnx lists them in the order of a set, which changes from process to process: the same
    # model would be another version.
    graph.opset_import.sort(key=lambda opset: opset.domain)
    serialized: bytes = graph.SerializeToString()
    return serialized
