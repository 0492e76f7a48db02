"""Export a fitted pipeline, encoding included, to one ONNX graph that answers as it does."""

import numpy as np
from clinical.params import Params
from onnx import ModelProto
from onnx.helper import set_model_props
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline

OPSET = {"": 21, "ai.onnx.ml": 3}

# What skl2onnx calls the tensors that kinds have.
TENSORS = {"int64": Int64TensorType, "float": FloatTensorType, "string": StringTensorType}


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
