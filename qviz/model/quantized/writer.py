"""What writes float operators in place of an integer one, between the quantizers it stood for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.model import passes
from qviz.model.quantized.layout import lay_out
from qviz.model.quantized.node_parts import constant_codes, number, single
from qviz.model.quantized.quantizer import Quantizer, remember

_CODE_SUFFIX = re.compile(r"_(quantized|Q[248]|Bnb4)$")  # onnxruntime's names for codes


class StaysError(Exception):
    """The node has no float form that keeps its numbers."""


class Writer:
    """Collects the nodes that replace one node and puts them in its place."""

    def __init__(self, graph: ir.Model) -> None:
        """For one pass over the main graph of this model."""
        self._graph = graph
        self._names = {value.name for node in graph.graph for value in node.outputs}
        self._names |= set(graph.graph.initializers) | {v.name for v in graph.graph.inputs}
        self._weights: dict[tuple[object, ...], ir.Value] = {}
        self._nodes: list[ir.Node] = []

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators in this graph."""
        return self._graph.opset_imports.get("", 1)

    def start(self, node: ir.Node) -> None:
        """Begin with the node whose output is to be replaced."""
        self.target = node
        self._nodes = []

    def put(self, result: ir.Value) -> None:
        """Insert what was written; the result takes the place of the target's output.

        The other outputs of the node that gives the result take those of the target's.
        """
        self._graph.graph.insert_before(self.target, self._nodes)
        producer = result.producer()
        others = () if producer is None else producer.outputs[1:]
        for output, made in zip(self.target.outputs, (result, *others), strict=False):
            name = output.name
            if not name:
                continue
            made.type, made.shape = made.type or output.type, made.shape or output.shape
            output.replace_all_uses_with(made, replace_graph_outputs=True)
            output.name, made.name = f"{name}::expanded", name
        self._graph.graph.remove(self.target, safe=True)

    def op(
        self,
        op: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any] | None = None,
        name: str | None = None,
        wish: str = "",
    ) -> ir.Value:
        """One more node; gives its output. The float layer takes the integer node's name."""
        return self.outputs(ir.node(op, inputs, dict(attributes or {}), name=name), wish)[0]

    def outputs(self, node: ir.Node, wish: str = "") -> Sequence[ir.Value]:
        """One more node; gives all its outputs."""
        for output in node.outputs:
            output.name = self._free(wish or _float_name(self.target.outputs[0]))
        self._nodes.append(node)
        return node.outputs

    def constant(self, tensor: Tensor, wish: str) -> ir.Value:
        """One more initializer."""
        return passes.add_constant(self._graph, self._free(wish), tensor)

    def weight(self, codes: ir.Value, floats: Tensor, quantizer: Quantizer | None) -> ir.Value:
        """A float constant in place of constant codes."""
        made = self.constant(floats.contiguous(), _float_name(codes))
        remember(made, quantizer)
        return made

    def operand(
        self, x: ir.Value | None, scale: ir.Value | None, zero: ir.Value | None, axis: int = 0
    ) -> ir.Value:
        """The floats of codes, whose scales lie along `axis` where there are several."""
        if x is None or scale is None:
            raise StaysError
        codes, factor, offset = (constant_codes(value) for value in (x, scale, zero))
        if codes is None or factor is None or (zero is not None and offset is None):
            return self.dequantize(x, scale, zero)
        key = (x, scale, zero, axis)
        if key not in self._weights:
            flat, zeros = torch.broadcast_tensors(
                factor[0].reshape(-1), torch.zeros(1) if offset is None else offset[0].reshape(-1)
            )
            floats = _along(codes[0], flat, zeros, axis)
            held = lay_out(codes[1], floats.shape, flat, zeros, axis)
            self._weights[key] = self.weight(x, floats, held)
        return self._weights[key]

    def dequantize(self, x: ir.Value, scale: ir.Value, zero: ir.Value | None) -> ir.Value:
        """DequantizeLinear with one scale."""
        if self.opset < 10 or not single(scale) or not single(zero):
            raise StaysError
        given = [x, scale] if zero is None else [x, scale, zero]
        return self.op("DequantizeLinear", given, wish=f"{x.name}::dequantized")

    def quantize(self, x: ir.Value, scale: ir.Value | None, zero: ir.Value | None) -> ir.Value:
        """QuantizeLinear with one scale; an absent zero point is that of the target's input."""
        if scale is None or not single(scale) or not single(zero):
            raise StaysError
        if zero is None:
            dtype = self.target.outputs[0].dtype
            if dtype not in (ir.DataType.INT8, ir.DataType.UINT8):
                raise StaysError
            code = torch.int8 if dtype == ir.DataType.INT8 else torch.uint8
            zero = self.constant(torch.zeros((), dtype=code), f"{x.name}::zero_point")
        return self.op("QuantizeLinear", [x, scale, zero])

    def bias(self, bias: ir.Value, scale: Tensor) -> ir.Value:
        """A float bias from int32 sums, whose last axis holds the channels."""
        codes = constant_codes(bias)
        if codes is None:
            raise StaysError
        return self.constant(codes[0].float() * scale.float(), _float_name(bias))

    def biased(self, y: ir.Value, bias: ir.Value | None) -> ir.Value:
        """The result with its bias, where there is one."""
        return y if bias is None else self.op("Add", [y, bias])

    def _free(self, wish: str) -> str:
        """The wished name, or the next one that no value has."""
        name, tried = wish, 1
        while name in self._names:
            tried += 1
            name = f"{wish}_{tried}"
        self._names.add(name)
        return name


# Writes what replaces a node and gives the result; raises StaysError where nothing can.
Rewrite = Callable[[Writer, ir.Node], ir.Value]


def values_of(value: ir.Value | None, *, keep: bool = False) -> Tensor:
    """A constant's values as one row, or as they are with `keep`; the node stays without them."""
    found = constant_codes(value)
    if found is None:
        raise StaysError
    return found[0] if keep else found[0].reshape(-1)


def attributes_of(node: ir.Node) -> dict[str, ir.Attr]:
    """The attributes; a node whose channels lie last stays as it is."""
    if number(node, "channels_last", 0):
        raise StaysError
    return {name: attr for name, attr in node.attributes.items() if name != "channels_last"}


def _along(codes: Tensor, scale: Tensor, zero: Tensor, axis: int) -> Tensor:
    """(codes - zero) · scale in the type of the scale."""
    shape = [1] * codes.dim()
    if scale.numel() > 1:
        shape[axis] = -1
    centred = codes.float() - zero.float().reshape(shape)
    return (centred * scale.float().reshape(shape)).to(scale.dtype)


def _float_name(codes: ir.Value) -> str:
    """The name that onnxruntime's quantizer found before it put its suffix."""
    name = (codes.name or "").removesuffix("::constant")  # which lifting constants adds
    stripped = _CODE_SUFFIX.sub("", name)
    return stripped if stripped != name else f"{name}::float"
