"""Nodes: what writes operators and constants into a graph, under names of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from qviz.model.steps import inner_nodes

Given = ir.Value | Tensor | float | int | Sequence[int] | None


class Nodes:
    """Collects operators; `insert` puts them where they belong."""

    def __init__(self, graph: ir.Model) -> None:
        """For the main graph of this model."""
        self._graph = graph
        self._taken = _names(graph)
        self._pending: list[ir.Node] = []
        self.stem = ""  # what the names of new values begin with
        self.quantizers = ""  # the domain of QuantizeLinear and DequantizeLinear
        self.container = ""  # what the codes written last lie in

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        return self._graph.opset_imports.get("", 1)

    def op(
        self, op: str, *given: Given, attributes: Mapping[str, Any] | None = None, domain: str = ""
    ) -> ir.Value:
        """One operator; numbers and tensors among its inputs become constants."""
        inputs = [self._value(op, each) for each in given]
        name = self._free(f"{self.stem}/{op}")
        node = ir.node(op, inputs, dict(attributes or {}), domain=domain, name=name)
        if domain:
            self._graph.opset_imports.setdefault(domain, 1)
        node.outputs[0].name = name
        self._pending.append(node)
        return node.outputs[0]

    def constant(self, wish: str, tensor: Tensor) -> ir.Value:
        """An initializer with a tensor's values."""
        return self.stored(wish, ir.tensor_adapters.TorchTensor(tensor.contiguous()))

    def stored(self, wish: str, tensor: ir.TensorProtocol) -> ir.Value:
        """An initializer as it is stored, of any ONNX type."""
        name = self._free(f"{self.stem}/{wish}")
        tensor.name = name
        value = ir.Value(name=name, const_value=tensor, shape=ir.Shape(tensor.shape.numpy()))
        value.dtype = tensor.dtype
        self._graph.graph.register_initializer(value)
        return value

    def codes(self, tensor: ir.TensorProtocol) -> ir.Value:
        """An initializer that holds the codes of a weight."""
        self.container = tensor.dtype.name.lower()
        return self.stored("codes", tensor)

    def insert(self, after: ir.Node | None) -> None:
        """Put what was written behind a node, or at the start of the graph."""
        first = next(iter(self._graph.graph), None)
        if after is not None:
            self._graph.graph.insert_after(after, self._pending)
        elif first is not None:
            self._graph.graph.insert_before(first, self._pending)
        self._pending = []

    def _value(self, op: str, given: Given) -> ir.Value | None:
        if given is None or isinstance(given, ir.Value):
            return given
        if isinstance(given, Tensor):
            return self.constant(f"{op}_constant", given)
        if isinstance(given, float):
            return self.constant(f"{op}_constant", torch.tensor(given))
        whole = torch.from_numpy(np.asarray(given, dtype=np.int64))
        return self.constant(f"{op}_constant", whole)

    def _free(self, wish: str) -> str:
        name, number = wish, 1
        while name in self._taken:
            number += 1
            name = f"{wish}_{number}"
        self._taken.add(name)
        return name


def _names(graph: ir.Model) -> set[str]:
    """The names of all nodes and values, those of subgraphs included."""
    main = graph.graph
    taken = set(main.initializers) | {value.name or "" for value in main.inputs}
    for outer in main:
        for node in (outer, *inner_nodes(outer)):
            taken.add(node.name or "")
            taken.update(value.name or "" for value in (*node.inputs, *node.outputs) if value)
    return taken
