"""A quantizer as a file holds it, and the note of it that a constant of the graph carries."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.quant.axes import Axes

_QUANTIZER = "quantizer"  # in a constant's `meta`: its Quantizer, or None where none can hold it


@dataclass(frozen=True, eq=False, slots=True)
class Quantizer:
    """A quantizer as a file holds it, in terms of the tensor that the layer reads.

    `scale` is float32 and `zero_point` int32 of shape [1], [channels] along `axis`, or
    [channels, blocks] for blocks of `block` consecutive values of a channel. `code` is the type of
    the codes in ONNX's spelling ("int8", "uint4", "float8e4m3fn"), or "nf4".
    """

    code: str
    scale: Tensor
    zero_point: Tensor
    axis: Axes = None  # negative where the tensor's rank is unknown
    block: int | None = None

    def same_as(self, other: Quantizer) -> bool:
        """Whether both give the same values."""
        ours, theirs = (self.code, self.axis, self.block), (other.code, other.axis, other.block)
        return (
            ours == theirs
            and torch.equal(self.scale, other.scale)
            and torch.equal(self.zero_point, other.zero_point)
        )


def remember(constant: ir.Value, quantizer: Quantizer | None) -> None:
    """Note on a constant what quantizer the file has for it; None where none can hold it."""
    constant.meta[_QUANTIZER] = quantizer


def remembered(value: ir.Value) -> Quantizer | None:
    """The quantizer noted on a constant."""
    quantizer = value.meta.get(_QUANTIZER)
    return quantizer if isinstance(quantizer, Quantizer) else None


def carries_quantizer(value: ir.Value | None) -> bool:
    """Whether the constant is a weight whose scales the file gave."""
    return value is not None and remembered(value) is not None


def lost_quantizer(value: ir.Value) -> bool:
    """Whether the constant was made from codes whose scales no Quantizer can hold."""
    return value.meta.get(_QUANTIZER, False) is None


def lowest_code(code: str) -> int | None:
    """The lowest code of an integer type; None for other types."""
    if code.startswith("uint"):
        return 0
    return -(2 ** (int(code[3:]) - 1)) if code.startswith("int") else None
