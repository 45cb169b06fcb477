"""LSTM and attention of onnxruntime's domain, whose products run on codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.model.quantized.layout import lay_out
from qviz.model.quantized.node_parts import FLOAT_STATE, ORT, constant_codes, inputs_of
from qviz.model.quantized.quantizer import Quantizer
from qviz.model.quantized.writer import Rewrite, StaysError, Writer, values_of


def _attention(w: Writer, node: ir.Node) -> ir.Value:
    """QAttention: only the product with the weight runs on codes, the rest in float."""
    x, weight, bias, xs, ws, mask, xz, wz, past = inputs_of(node, 9)
    inputs = [w.operand(x, xs, xz), w.operand(weight, ws, wz, axis=-1), bias, mask, past]
    made = ir.node(
        "Attention",
        inputs if past is not None else inputs[: 4 if mask is not None else 3],
        node.attributes,
        domain=ORT,
        name=node.name,
        num_outputs=len(node.outputs),
    )
    return w.outputs(made)[0]


def _lstm(w: Writer, node: ir.Node) -> ir.Value:
    """DynamicQuantizeLSTM: its input is quantized on the spot; the state stays in float here."""
    x, weight, state_weight, *others = inputs_of(node, 12)
    biases, (ws, wz, rs, rz) = others[:5], others[5:]
    if w.opset < 11:
        raise StaysError
    weights = [_recurrent_weight(w, weight, ws, wz), _recurrent_weight(w, state_weight, rs, rz)]
    quantize = ir.node("DynamicQuantizeLinear", [x], num_outputs=3)
    floats = w.dequantize(*w.outputs(quantize, f"{node.outputs[0].name}::input"))
    inputs = [floats, *weights, *biases]
    made = ir.node("LSTM", inputs, node.attributes, name=node.name, num_outputs=3)
    made.meta[FLOAT_STATE] = True
    return w.outputs(made)[0]


def _recurrent_weight(
    w: Writer, codes: ir.Value | None, scale: ir.Value | None, zero: ir.Value | None
) -> ir.Value:
    """Codes [directions, inputs, 4·hidden], scales [directions] or [directions, 4·hidden].

    LSTM's weight is [directions, 4·hidden, inputs].
    """
    found = constant_codes(codes)
    if codes is None or found is None or found[0].dim() != 3:
        raise StaysError
    values, code = found
    directions, _, rows = values.shape
    scales = values_of(scale).float().reshape(directions, 1, -1)
    zeros = torch.zeros_like(scales) if zero is None else values_of(zero).reshape(scales.shape)
    floats = ((values.float() - zeros) * scales).transpose(1, 2)
    held = _by_rows(code, floats, scales.squeeze(1), zeros.squeeze(1), rows)
    return w.weight(codes, floats, held)


def _by_rows(code: str, floats: Tensor, scale: Tensor, zero: Tensor, rows: int) -> Quantizer | None:
    """Scales of the rows, of which each direction has its own."""
    directions, _, inputs = floats.shape
    if directions == 1:
        return lay_out(code, floats.shape, scale[0], zero[0], axis=1)
    scale, zero = (x.expand(directions, rows).flatten() for x in (scale, zero))
    held = lay_out(code, (directions * rows, inputs), scale, zero)
    return None if held is None else replace(held, axis=(0, 1))


FUSED_LAYERS: Mapping[tuple[str, str], Rewrite] = {
    (ORT, "QAttention"): _attention,
    (ORT, "DynamicQuantizeLSTM"): _lstm,
}
