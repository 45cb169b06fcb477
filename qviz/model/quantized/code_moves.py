"""What stands between quantizers and layers: operators that move or pick codes, tables of codes.

Also the quantizers of onnxruntime's own domain, which become ONNX's.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qviz.model.quantized.node_parts import ORT, constant_codes, inputs_of, single
from qviz.model.quantized.writer import Rewrite, StaysError, Writer, values_of

# Operators that only move or pick values do to codes what they do to the values themselves.
_PICKS = {"DepthToSpace", "Flatten", "MaxPool", "Reshape", "Slice", "SpaceToDepth"}
_PICKS |= {"Squeeze", "Transpose", "Unsqueeze"}


def _pick(w: Writer, node: ir.Node) -> ir.Value:
    """What moves or picks codes that were just made does so before they are made."""
    x = node.inputs[0]
    quantize = x.producer() if x is not None else None
    if quantize is None or (quantize.domain, quantize.op_type) != ("", "QuantizeLinear"):
        raise StaysError
    source, scale, zero = inputs_of(quantize, 3)
    others = [value for value in node.outputs[1:] if value.uses() or value.is_graph_output()]
    if others or not single(scale) or float(values_of(scale)[0]) <= 0:
        raise StaysError
    picked = w.op(node.op_type, [source, *node.inputs[1:]], node.attributes, name=node.name)
    given = [picked, scale] if zero is None else [picked, scale, zero]
    return w.op("QuantizeLinear", given, quantize.attributes)


def _gathered(w: Writer, node: ir.Node) -> ir.Value:
    """DequantizeLinear of rows of a table of codes: rows of a table of floats."""
    x, scale, zero = inputs_of(node, 3)
    gather = x.producer() if x is not None else None
    if gather is None or (gather.domain, gather.op_type) != ("", "Gather"):
        raise StaysError
    table = gather.inputs[0]
    if constant_codes(table) is None or constant_codes(scale) is None or not single(scale):
        raise StaysError
    floats = w.operand(table, scale, zero)
    return w.op("Gather", [floats, gather.inputs[1]], gather.attributes, name=gather.name)


def _standard(w: Writer, node: ir.Node) -> ir.Value:
    """QuantizeLinear or DequantizeLinear of onnxruntime's domain, whose 8-bit codes are ONNX's."""
    x, scale, zero = inputs_of(node, 3)
    code = constant_codes(zero)
    plain = code is not None and code[1] in ("int8", "uint8") and single(scale)
    if not plain or w.opset < 13 or set(node.attributes) - {"axis"}:
        raise StaysError
    return w.op(node.op_type, [x, scale, zero], name=node.name)


CODE_MOVES: Mapping[tuple[str, str], Rewrite] = {
    **{("", op): _pick for op in _PICKS},
    ("", "DequantizeLinear"): _gathered,
    (ORT, "QuantizeLinear"): _standard,
    (ORT, "DequantizeLinear"): _standard,
}
