"""The grids: an encoding is what a scheme becomes on one tensor, and how values meet it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.quant.scheme import Scheme


@dataclass(frozen=True, eq=False, slots=True)
class Encoding:
    """Affine grid `x̂ = (q - zero_point)·scale`, `q` in [qmin, qmax].

    `scale` is float32 and `zero_point` int32, both of shape [1] (per tensor, `axis` None) or
    [channels] along `axis`. The meaning is that of ONNX QuantizeLinear/DequantizeLinear.
    """

    scale: Tensor
    zero_point: Tensor
    qmin: int
    qmax: int
    axis: int | None

    @property
    def low(self) -> Tensor:
        """Lowest representable value per channel, float64."""
        return (self.qmin - self.zero_point).double() * self.scale.double()

    @property
    def high(self) -> Tensor:
        """Highest representable value per channel, float64."""
        return (self.qmax - self.zero_point).double() * self.scale.double()

    @property
    def key(self) -> bytes:
        """Content hash: equal keys quantize every tensor to the same values."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.qmin} {self.qmax} {self.axis}".encode())
        digest.update(self.scale.numpy().tobytes())
        digest.update(self.zero_point.numpy().tobytes())
        return digest.digest()

    def levels(self, channel: int = 0) -> Tensor:
        """Every value the grid of one channel can take, ascending, float64."""
        index = min(channel, self.scale.numel() - 1)
        codes = torch.arange(self.qmin, self.qmax + 1, dtype=torch.float64)
        return (codes - float(self.zero_point[index])) * float(self.scale[index])


def encode(low: Tensor, high: Tensor, scheme: Scheme, axis: int | None) -> Encoding:
    """The encoding that covers [low, high] (float64, one entry per channel) under a scheme.

    The range is widened to contain 0. Symmetric grids take max(|low|, |high|) over half the
    code span: max/127 for restricted int8, max/127.5 for full range (torch's and onnxruntime's
    convention). A degenerate range gets scale 1 and zero point 0 (onnxruntime's convention).
    """
    qmin, qmax = scheme.code_range
    low, high = low.double().clamp(max=0.0), high.double().clamp(min=0.0)
    if scheme.symmetric:
        scale = torch.maximum(-low, high) / ((qmax - qmin) / 2)
        middle = 0 if scheme.signed else 2 ** (scheme.bits - 1)
        zero = torch.full_like(scale, float(middle))
    else:
        scale = (high - low) / (qmax - qmin)
        zero = torch.round(qmin - low / scale).nan_to_num(0.0).clamp(qmin, qmax)
    degenerate = scale < torch.finfo(torch.float32).tiny
    scale = torch.where(degenerate, 1.0, scale)
    if not scheme.symmetric:
        zero = torch.where(degenerate, float(min(max(0, qmin), qmax)), zero)
    return Encoding(scale.float(), zero.to(torch.int32), qmin, qmax, axis)


def _aligned(values: Tensor, ndim: int, axis: int | None) -> Tensor:
    """Per-channel parameters shaped to broadcast along `axis` of a tensor of `ndim` dimensions."""
    if axis is None:
        return values.reshape(())
    shape = [1] * ndim
    shape[axis] = values.numel()
    return values.reshape(shape)


def quantize(x: Tensor, encoding: Encoding) -> Tensor:
    """Integer codes (int32): divide, round half to even, add the zero point, saturate."""
    scale = _aligned(encoding.scale, x.ndim, encoding.axis)
    zero = _aligned(encoding.zero_point, x.ndim, encoding.axis)
    rounded = torch.round(x.float() / scale)
    # Saturating before the zero point keeps huge quotients inside int32; the result is the same.
    return torch.clamp(rounded, encoding.qmin - zero, encoding.qmax - zero).to(torch.int32) + zero


def dequantize(codes: Tensor, encoding: Encoding) -> Tensor:
    """Real values (float32) of integer codes: (q - zero_point)·scale."""
    scale = _aligned(encoding.scale, codes.ndim, encoding.axis)
    zero = _aligned(encoding.zero_point, codes.ndim, encoding.axis)
    return (codes - zero).float() * scale


def fake_quantize(x: Tensor, encoding: Encoding) -> Tensor:
    """`dequantize(quantize(x))` in four passes over one buffer; same dtype and shape as `x`.

    A zero may keep the sign of what was rounded to it.
    """
    if encoding.axis is None:  # Python scalars are the fast path of torch's kernels
        zero_point = int(encoding.zero_point[0])
        low, high = encoding.qmin - zero_point, encoding.qmax - zero_point
        out = torch.div(x.float(), encoding.scale[0]).round_().clamp_(low, high)
        return out.mul_(encoding.scale[0]).to(x.dtype)
    scale = _aligned(encoding.scale, x.ndim, encoding.axis)
    zero = _aligned(encoding.zero_point, x.ndim, encoding.axis)
    out = torch.div(x.float(), scale).round_()
    out = torch.clamp(out, encoding.qmin - zero, encoding.qmax - zero)
    return out.mul_(scale).to(x.dtype)
