"""Exact: layers of codes in floating point, for processors whose 8-bit instructions saturate.

Codes and their sums are whole numbers, which float32 holds up to 2^24 and float64 up to 2^53. What
follows the sums takes oneDNN's steps in oneDNN's order, so that both give the same bits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from qviz.engine.chains import Clip
from qviz.engine.kernels.codes import Bytes, WeightCodes
from qviz.engine.kernels.layer import Convolution, Product
from qviz.model.operators.window import pad_window


class ExactConvolution:
    """A convolution of whole numbers."""

    def __init__(self, layer: Convolution) -> None:
        """Holds the weights as floating-point numbers."""
        self.taken = layer.taken
        self._layer = layer
        self._weight = _whole(layer.weight.codes, layer.taken)

    def run(self, codes: Tensor, clip: Clip | None = None, given: Bytes | None = None) -> Tensor:
        """The output after `clip`: float32, or codes as `given` says."""
        x = codes.to(self._weight.dtype).sub_(self.taken.zero)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        window = self._layer.window(x.shape[2:])
        padding = window.begins
        if not window.symmetric:
            x, padding = pad_window(x, window, 0.0), (0,) * len(padding)
        convolve = functional.conv1d if x.ndim == 3 else functional.conv2d
        groups = self._layer.groups
        sums = convolve(x, self._weight, None, window.strides, padding, window.dilations, groups)
        return _finish(sums, 1, self._layer.weight, self._layer.bias, self.taken, clip, given)


class ExactProduct:
    """A product of whole numbers."""

    def __init__(self, layer: Product) -> None:
        """Holds the weights as floating-point numbers."""
        self.taken = layer.taken
        self._layer = layer
        self._weight = _whole(layer.weight.codes, layer.taken)

    def run(self, codes: Tensor, clip: Clip | None = None, given: Bytes | None = None) -> Tensor:
        """The output after `clip`: float32, or codes as `given` says."""
        sums = functional.linear(codes.to(self._weight.dtype).sub_(self.taken.zero), self._weight)
        return _finish(sums, -1, self._layer.weight, self._layer.bias, self.taken, clip, given)


def _whole(weight: Tensor, taken: Bytes) -> Tensor:
    """Weights in the narrowest type that holds every sum of products with the codes."""
    largest = max(taken.zero, taken.top - taken.zero)
    sums = weight.reshape(len(weight), -1).abs().to(torch.int64).sum(1).max()
    return weight.float() if int(sums) * largest < 1 << 24 else weight.double()


def _finish(
    sums: Tensor,
    axis: int,
    weight: WeightCodes,
    bias: Tensor | None,
    taken: Bytes,
    clip: Clip | None,
    given: Bytes | None,
) -> Tensor:
    """Scale, add the bias, limit and quantize: each step rounded to float32, as oneDNN does."""
    shape = [1] * sums.ndim
    shape[axis] = -1
    out = sums.float().mul_(taken.scale).mul_(weight.scale.reshape(shape))
    if bias is not None:
        out.add_(bias.reshape(shape))
    if clip is not None:
        out.clamp_(clip.low, clip.high)
    if given is None:
        return out
    inverse = float(1.0 / torch.tensor(given.scale))
    return out.mul_(inverse).add_(given.zero).round_().clamp_(0, 255).to(torch.uint8)
