"""QuantizeLinear and DequantizeLinear that follow one another, as the quantizer they are."""

from __future__ import annotations

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.model.quantized.layout import lay_out
from qviz.model.quantized.node_parts import (
    constant_codes,
    constant_sizes,
    inputs_of,
    is_op,
    whole,
)
from qviz.model.quantized.quantizer import Quantizer


def paired(node: ir.Node) -> tuple[ir.Value, Quantizer] | None:
    """The value before QuantizeLinear and DequantizeLinear that undo each other."""
    quantize = node.inputs[0].producer() if node.inputs[0] is not None else None
    if quantize is None or not is_op(quantize, "QuantizeLinear"):
        return None
    value, *ours = inputs_of(quantize, 3)[:3]  # absent inputs may follow
    _, *theirs = inputs_of(node, 3)
    axis = whole(quantize, "axis", 1)
    odd = whole(quantize, "precision", 0) or not whole(quantize, "saturate", 1)
    blocks = whole(quantize, "block_size", 0) or whole(node, "block_size", 0)
    if value is None or odd or blocks or axis != whole(node, "axis", 1):
        return None
    scale, zero = (constant_codes(parameter) for parameter in ours)
    if scale is None or not all(map(_same, ours, theirs)):
        return None
    code = ir.DataType(whole(quantize, "output_dtype", 0) or ir.DataType.UINT8).name.lower()
    code, zeros = (code, None) if zero is None else (zero[1], zero[0])
    if not bool((scale[0] > 0).all()) or scale[0].dim() > 1:
        return None
    if value.is_initializer() or scale[0].numel() == 1:
        quantizer = lay_out(code, constant_sizes(value), scale[0], zeros, axis)
    else:
        quantizer = _along(value, code, scale[0], zeros, axis)
    return None if quantizer is None else (value, quantizer)


def _along(
    value: ir.Value, code: str, scale: Tensor, zero_point: Tensor | None, axis: int
) -> Quantizer:
    """Per-channel scales of a computed value, whose sizes nobody may know."""
    rank = len(value.shape) if value.shape is not None else 0
    zero = torch.zeros_like(scale) if zero_point is None else zero_point
    placed = axis + rank if axis < 0 else axis
    return Quantizer(code, scale.float(), zero.to(torch.int32), placed if rank else axis)


def _same(ours: ir.Value | None, theirs: ir.Value | None) -> bool:
    """Whether both are absent or equal constants."""
    if ours is None or theirs is None:
        return ours is theirs
    left, right = constant_codes(ours), constant_codes(theirs)
    if left is None or right is None:
        return False
    numbers = [codes.double().squeeze() for codes, _ in (left, right)]  # [1] is one number too
    return left[1] == right[1] and torch.equal(*numbers)
