"""Codes: quantized tensors as the bytes that integer kernels take."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.quant.encoding import MOST_LEVELS, Encoding, Scaled
from qviz.quant.grids import Integers

_BLOCK = 1 << 17  # values quantized at a time, so that all passes but the first find them in cache
# Scales that have an inverse, and whose levels are all float32 numbers.
_SCALES = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max / MOST_LEVELS
_MAGIC = 1.5 * 2.0**23  # added to a small float it leaves the nearest integer in the lowest bits


class NotANumberError(Exception):
    """A value is NaN, which no code stands for: the floating-point path has to run."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Codes u in 0 … top of an activation, uint8: x̂ = (u - zero)·scale."""

    scale: float  # a float32 value
    zero: int
    top: int

    @classmethod
    def of(cls, encoding: Encoding | None) -> Bytes | None:
        """The codes of one scale for the whole tensor and at most 256 levels; else None."""
        if not isinstance(encoding, Scaled) or not isinstance(encoding.grid, Integers):
            return None
        grid = encoding.grid
        plain = encoding.block is None and encoding.step is None and grid.rounding == "even"
        if not plain or encoding.scale.numel() != 1:
            return None
        scale = float(encoding.scale[0])
        zero, top = int(encoding.zero_point[0]) - grid.qmin, grid.qmax - grid.qmin
        if not 0 <= zero <= top <= 255 or not _SCALES[0] <= scale <= _SCALES[1]:
            return None
        return cls(scale, zero, top)

    @property
    def key(self) -> bytes:
        """Content hash."""
        return hashlib.blake2b(repr(self).encode(), digest_size=16).digest()

    def quantize(self, x: Tensor) -> Tensor:
        """Codes of float32 values, in the layout that kernels are fastest in.

        What `Scaled.codes` gives: the quotient rounded to even, saturated, the zero point added.

        Raises:
            NotANumberError: a value is NaN.
        """
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
            flat = x.permute(0, 2, 3, 1).reshape(-1)
        else:
            x = x.contiguous()
            flat = x.reshape(-1)
        if not bool(flat.sum().isfinite()) and bool(flat.isnan().any()):
            raise NotANumberError
        out = torch.empty(flat.shape, dtype=torch.uint8)
        buffer = torch.empty(min(_BLOCK, flat.numel()))
        low, high = float(-self.zero), float(self.top - self.zero)
        for values, codes in zip(flat.split(_BLOCK), out.split(_BLOCK), strict=True):
            ratio = torch.div(values, self.scale, out=buffer[: values.numel()])
            ratio.clamp_(low, high).add_(_MAGIC)
            codes.copy_(ratio.view(torch.int32))  # keeps the lowest byte, modulo 256 as codes are
        if self.zero:
            out.add_(self.zero)
        if x.ndim == 4:
            n, c, h, w = x.shape
            return out.view(n, h, w, c).permute(0, 3, 1, 2)
        return out.view(x.shape)


@dataclass(frozen=True, eq=False, slots=True)
class WeightCodes:
    """A weight as int8 [out, …]: ŵ = codes·scale, `scale` float32 [1] or [out]."""

    codes: Tensor
    scale: Tensor


def weight_codes(weight: Tensor, encoding: Encoding | None, out_axis: int) -> WeightCodes | None:
    """A weight under an encoding, its output channels first; None where int8 cannot hold it."""
    if not isinstance(encoding, Scaled) or not isinstance(encoding.grid, Integers):
        return None
    if encoding.block is not None or encoding.step is not None or weight.dtype != torch.float32:
        return None
    per_channel = encoding.scale.numel() > 1
    axis = encoding.axis
    if per_channel and (not isinstance(axis, int) or axis % weight.ndim != out_axis):
        return None
    codes = encoding.codes(weight).movedim(out_axis, 0)
    zero = encoding.zero_point.reshape(-1, *[1] * (weight.ndim - 1))
    centred = codes - zero
    if int(centred.min()) < -128 or int(centred.max()) > 127:
        return None
    return WeightCodes(centred.to(torch.int8).contiguous(), encoding.scale.reshape(-1))
