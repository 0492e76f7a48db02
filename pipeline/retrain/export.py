"""Export a fitted pipeline, encoding included, to one equivalent ONNX graph."""

from typing import Any

from clinical.params import Params
from onnx import ModelProto
from onnx.helper import set_model_props
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.pipeline import Pipeline

from retrain.families import ENCODER, REGRESSOR, Family
from retrain.graph import OPSET, Graph

# skl2onnx's names of the tensor types.
TENSORS = {"int64": Int64TensorType, "float": FloatTensorType, "string": StringTensorType}

CONVERTED = {**OPSET, "ai.onnx.ml": 3}  # the newest versions that skl2onnx supports


def as_onnx(
    model: Pipeline, family: Family[Any], properties: dict[str, str], params: Params
) -> bytes:
    """Export a fitted pipeline of a family; its inputs are the features, (n, 1) each.

    The graph takes the same branches as scikit-learn, because the thresholds of a settled regressor
    are float32, too. skl2onnx changes names that are not identifiers.
    """
    inputs = [(name, TENSORS[kind.tensor]([None, 1])) for name, kind in params.features.items()]
    graph = to_onnx(
        model[ENCODER], initial_types=inputs, target_opset=CONVERTED, name="clinical_outcomes"
    )
    name_inputs(graph, list(params.features))
    family.finish(Graph(graph), model[REGRESSOR])
    set_model_props(graph, properties)
    # skl2onnx lists them in the order of a set, which differs between processes: the same model
    # would get another version.
    graph.opset_import.sort(key=lambda opset: opset.domain)
    serialized: bytes = graph.SerializeToString()
    return serialized


def name_inputs(graph: ModelProto, names: list[str]) -> None:
    """Name the inputs of a graph, which are in this order, like the columns."""
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
