"""Where the scales of a constant lie, as a file stores it and once its values are rearranged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.model.quantized.quantizer import Quantizer

_MOVES = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def lay_out(
    code: str,
    shape: Sequence[int],
    scale: Tensor,
    zero_point: Tensor | None,
    axis: int = 0,
    block: int = 0,
) -> Quantizer | None:
    """DequantizeLinear's scale, for a constant of this shape; None where no Quantizer can hold it.

    A negative scale turns the codes round (c → qmin + qmax - c), which keeps every value; a scale
    of zero, which some writers store for blocks of zeros, becomes one.
    """
    scale = scale.to(torch.float32)
    zero = torch.zeros_like(scale) if zero_point is None else zero_point.to(torch.float32)
    if zero.numel() != scale.numel() or not bool(torch.isfinite(scale).all()):
        return None
    placed = _placed(shape, scale, axis, block)
    if placed is None or not torch.equal(zero, zero.round()):
        return None
    channel, blocks = placed
    scale, zero = (_rows(x, channel, blocks) for x in (scale, zero.reshape(scale.shape)))
    zero = torch.where(scale < 0, _code_sum(code) - zero, zero).to(torch.int32)
    scale = torch.where(scale == 0, 1.0, scale.abs())
    held = block if blocks > 1 else None
    return Quantizer(code, scale.contiguous(), zero.contiguous(), channel, held)


def _placed(
    shape: Sequence[int], scale: Tensor, axis: int, block: int
) -> tuple[int | None, int] | None:
    """Channel axis and blocks of a channel; None where blocks are not runs of one channel."""
    if scale.numel() == 1:
        return None, 1
    axis = axis + len(shape) if axis < 0 else axis
    if not 0 <= axis < len(shape):
        return None
    if scale.dim() == 1 and not block:
        return (axis, 1) if scale.numel() == shape[axis] else None
    blocks = -(-shape[axis] // block) if block else 0
    wanted = [blocks if place == axis else size for place, size in enumerate(shape)]
    others = [place for place, size in enumerate(shape) if place != axis and size > 1]
    if list(scale.shape) != wanted or len(others) > 1:
        return None
    return (others[0] if others else None), blocks


def _rows(parameter: Tensor, channel: int | None, blocks: int) -> Tensor:
    """[1], [channels] or [channels, blocks]."""
    moved = parameter
    if channel is not None and parameter.dim() > 1:
        moved = parameter.movedim(channel, 0)
    return moved.reshape(-1, blocks) if blocks > 1 else moved.reshape(-1)


def _code_sum(code: str) -> int:
    """Lowest plus highest code."""
    if code.startswith("int"):
        return -1
    return 2 ** int(code[4:]) - 1 if code.startswith("uint") else 0


def moves(node: ir.Node) -> bool:
    """Whether the node gives the values of its first input, in another order or shape."""
    return node.domain == "" and node.op_type in _MOVES


def moved_quantizer(
    node: ir.Node, quantizer: Quantizer, before: tuple[int, ...], after: tuple[int, ...]
) -> Quantizer | None:
    """The quantizer of a rearranged constant; None where its channels are no axis any more."""
    axis = quantizer.axis
    if node.op_type in ("Identity", "Cast") or (axis is None and quantizer.block is None):
        return quantizer
    if node.op_type == "Transpose":
        given = node.attributes.get("perm")
        order = list(reversed(range(len(before)))) if given is None else list(given.as_ints())
        if isinstance(axis, tuple):
            return None
        others = [place for place in order if place != axis and before[place] > 1]
        if quantizer.block is not None and others != sorted(others):
            return None  # a block's values no longer follow one another
        return quantizer if axis is None else replace(quantizer, axis=order.index(axis))
    if axis is None:
        return quantizer
    if isinstance(axis, tuple):
        return None
    ahead = math.prod(before[:axis])
    for place, size in enumerate(after):
        if size == before[axis] and math.prod(after[:place]) == ahead:
            return replace(quantizer, axis=place)
    return None
