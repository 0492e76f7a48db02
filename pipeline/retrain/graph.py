"""Append nodes to an ONNX graph, with unique names."""

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto
from onnx.helper import make_node, make_tensor_value_info, np_dtype_to_tensor_dtype
from onnx.numpy_helper import from_array

OPSET = {"": 21, "ai.onnx.ml": 5}  # the newest versions of operators that a graph may have
# Attributes that operators take as tensors, rather than as lists.
AS_TENSORS = {"nodes_splits", "nodes_modes", "leaf_weights"}

type Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


class Graph:
    """A graph with one output (n, d), to which nodes are appended."""

    def __init__(self, model: ModelProto) -> None:
        self._graph, self._opsets = model.graph, model.opset_import
        self._names = {one.name for one in [*self._graph.input, *self._graph.initializer]}
        for node in self._graph.node:
            self._names |= {*node.input, *node.output}

    @property
    def last(self) -> str:
        """The name of the output."""
        return str(self._graph.output[0].name)

    def constant(self, values: Array) -> str:
        """Add a constant array, and return its name."""
        name = self._unused("constant")
        self._graph.initializer.append(from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with one output, and return the output's name.

        attributes: numbers or arrays.
        """
        name = self._unused(operator)
        self._import(domain)
        written = {key: _attribute(key, value) for key, value in attributes.items()}
        self._graph.node.append(
            make_node(operator, list(inputs), [name], name=name, domain=domain, **written)
        )
        return name

    def as_float32(self, name: str) -> str:
        return self.node("Cast", name, to=TensorProto.FLOAT)

    def as_float64(self, name: str) -> str:
        return self.node("Cast", name, to=TensorProto.DOUBLE)

    def end(self, name: str, kind: type[np.floating[Any]] = np.float64) -> None:
        """Make a floating-point tensor (n, 1) the output."""
        dtype = np_dtype_to_tensor_dtype(np.dtype(kind))
        del self._graph.output[:]
        self._graph.output.append(make_tensor_value_info(name, dtype, [None, 1]))

    def _import(self, domain: str) -> None:
        """Import a domain's newest operators; skl2onnx imports the oldest possible ones."""
        known = [one for one in self._opsets if one.domain == domain]
        for one in known or [self._opsets.add(domain=domain)]:
            one.version = OPSET[domain]

    def _unused(self, stem: str) -> str:
        number = len(self._names)
        while f"{stem}_{number}" in self._names:
            number += 1
        self._names.add(f"{stem}_{number}")
        return f"{stem}_{number}"


def _attribute(key: str, value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, np.ndarray):
        return value
    return from_array(value) if key in AS_TENSORS else value.tolist()
