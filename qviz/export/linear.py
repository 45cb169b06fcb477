"""QuantizeLinear and DequantizeLinear: ONNX's own, or onnxruntime's where the opset lacks them."""

from __future__ import annotations

import onnx_ir as ir

from qviz.export.nodes import Nodes


def quantize_linear(nodes: Nodes, x: ir.Value, scale: ir.Value, zeros: ir.Value) -> ir.Value:
    """The codes of a value, of the type of `zeros`."""
    return nodes.op("QuantizeLinear", x, scale, zeros, domain=nodes.quantizers)


def dequantize_linear(
    nodes: Nodes,
    codes: ir.Value,
    scale: ir.Value,
    zeros: ir.Value | None = None,
    axis: int | None = None,
    block: int | None = None,
) -> ir.Value:
    """(code - zero point) · scale, with scales along an axis, or of blocks along it."""
    attributes = {}
    if axis is not None:
        attributes["axis"] = axis
    if block is not None:
        attributes["block_size"] = block
    given = (codes, scale) if zeros is None else (codes, scale, zeros)
    return nodes.op("DequantizeLinear", *given, attributes=attributes, domain=nodes.quantizers)
