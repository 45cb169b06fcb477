"""oneDNN: layers of codes on the processor's 8-bit instructions.

torch's oneDNN operators multiply uint8 by int8 and add up in int32, as an integer runtime does
(Jacob et al. 2017, 1712.05877, §2.2); scales and bias follow in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from qviz.engine.chains import RELU, Clip
from qviz.engine.kernels.codes import Bytes, WeightCodes
from qviz.engine.kernels.layer import Convolution, Product
from qviz.model.operators.window import Window, pad_window

_MOST_SHAPES = 8  # of inputs, for which a convolution keeps packed weights


@cache
def works() -> bool:
    """Whether this build of torch has the operators and this processor adds up exactly with them.

    Without VNNI instructions pairs of products are added in 16 bits, where 2·255·127 saturates.
    """
    codes = torch.full((1, 64, 3, 3), 255, dtype=torch.uint8)
    window = Window((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    square, row = (torch.full(s, 127, dtype=torch.int8) for s in ((16, 64, 3, 3), (16, 576)))
    taken, one = Bytes(1.0, 0, 255), torch.ones(1)
    try:
        conv = OneDnnConvolution(
            Convolution(taken, WeightCodes(square, one), None, 1, lambda _: window)
        )
        product = OneDnnProduct(Product(taken, WeightCodes(row, one), None))
        sums = conv.run(codes)[0, :, 1, 1], product.run(codes.view(1, 576))
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return all(bool((found == 255.0 * 127.0 * 576.0).all()) for found in sums)


def can_run(layer: Convolution) -> bool:
    """Whether oneDNN gives a convolution the very bits that `ExactConvolution` gives it.

    Where several outputs have one input channel each, it rounds groups in another order, and with
    unequal strides it takes wrong inputs for outputs that are one wide.
    """
    codes = layer.weight.codes
    if codes.shape[1] > 1 or len(codes) == layer.groups:
        return True
    strides = layer.window((1,) * (codes.ndim - 2)).strides
    return layer.groups == 1 and len(set(strides)) == 1


class OneDnnConvolution:
    """A convolution whose weights are packed for each shape of input it meets."""

    def __init__(self, layer: Convolution) -> None:
        """Nothing is packed before the first input comes."""
        self.taken = layer.taken
        self._layer = layer
        self._flat = layer.weight.codes.ndim == 3  # over one axis: the other has length one
        self._codes = layer.weight.codes.unsqueeze(2) if self._flat else layer.weight.codes
        self._scale = layer.weight.scale
        self._zero = torch.zeros(self._scale.numel(), dtype=torch.int64)
        self._packed: dict[tuple[int, ...], Tensor] = {}

    def run(self, codes: Tensor, clip: Clip | None = None, given: Bytes | None = None) -> Tensor:
        """The output after `clip`: float32, or codes as `given` says."""
        window = self._layer.window(codes.shape[2:])
        strides, pads, dilations = window.strides, window.begins, window.dilations
        if not _pads_right(window, codes.shape[2:]):
            codes = pad_window(codes, window, self.taken.zero)  # the code of zero is `zero`
            pads = (0,) * len(pads)
        if self._flat:
            codes = codes.unsqueeze(2)
            strides, pads, dilations = (1, *strides), (0, *pads), (1, *dilations)
        codes = codes.contiguous(memory_format=torch.channels_last)
        taken, groups = self.taken, self._layer.groups
        shape = (*codes.shape, *pads)
        packed = self._packed.get(shape)
        if packed is None:
            if len(self._packed) >= _MOST_SHAPES:  # samples of many sizes: weights are not small
                self._packed.clear()
            packed = self._packed[shape] = torch.ops.onednn.qconv_prepack(
                self._codes, self._scale, taken.scale, taken.zero,
                strides, pads, dilations, groups, codes.shape,
            )  # fmt: skip
        out: Tensor = torch.ops.onednn.qconv2d_pointwise(
            codes, taken.scale, taken.zero, packed, self._scale, self._zero, self._layer.bias,
            strides, pads, dilations, groups, *_given(given), *_activation(clip), "",
        )  # fmt: skip
        return out.squeeze(2) if self._flat else out


class OneDnnProduct:
    """A product with a matrix of weights."""

    def __init__(self, layer: Product) -> None:
        """Packs the weights."""
        self.taken = layer.taken
        self._layer = layer
        self._packed: Tensor = torch.ops.onednn.qlinear_prepack(layer.weight.codes, None)
        self._zero = torch.zeros(layer.weight.scale.numel(), dtype=torch.int64)

    def run(self, codes: Tensor, clip: Clip | None = None, given: Bytes | None = None) -> Tensor:
        """The output after `clip`: float32, or codes as `given` says."""
        weight = self._layer.weight
        out: Tensor = torch.ops.onednn.qlinear_pointwise(
            codes.reshape(-1, codes.shape[-1]), self.taken.scale, self.taken.zero,
            self._packed, weight.scale, self._zero, self._layer.bias,
            *_given(given), *_activation(clip), "",
        )  # fmt: skip
        return out.reshape(*codes.shape[:-1], len(weight.codes))


def _pads_right(window: Window, size: Sequence[int]) -> bool:
    """Whether oneDNN can pad: windows of nothing but padding give wrong values, or crash it."""
    axes = zip(window.begins, window.extents, window.dilations, size, strict=True)
    return window.symmetric and all(
        pad == 0 or (pad < extent and dilation <= length) for pad, extent, dilation, length in axes
    )


def _given(given: Bytes | None) -> tuple[float, int, torch.dtype]:
    return (1.0, 0, torch.float32) if given is None else (given.scale, given.zero, torch.uint8)


def _activation(clip: Clip | None) -> tuple[str, list[float]]:
    if clip is None:
        return "none", []
    return ("relu", []) if clip == RELU else ("hardtanh", [clip.low, clip.high])
