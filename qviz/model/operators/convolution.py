"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from qviz.model.model import Step
from qviz.model.operators.registry import operator
from qviz.model.operators.window import Window, pad_window, read_window

_CONV: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_CONV_TRANSPOSE: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


@operator("Conv")
def conv(step: Step, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """Cross-correlation of x (N, C, ...) with w (M, C/group, ...)."""
    if x.dim() == 4 and x.device.type == "cpu":
        # oneDNN runs depthwise convolutions a quarter faster in this layout, others as fast; the
        # layout then passes on from layer to layer.
        x = x.contiguous(memory_format=torch.channels_last)
    window = read_window(step, x.shape[2:], w.shape[2:])
    padding: Any = window.begins
    if not window.symmetric:
        x, padding = pad_window(x, window, 0.0), 0
    group = step.attributes.get("group", 1)
    function = _CONV[len(window.kernel)]
    return function(x, w, b, window.strides, padding, window.dilations, group)


@operator("ConvTranspose")
def conv_transpose(step: Step, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """Transposed convolution of x (N, C, ...) with w (C, M/group, ...)."""
    rank = w.dim() - 2
    window = read_window(step, x.shape[2:], w.shape[2:])
    extra = tuple(step.attributes.get("output_padding") or (0,) * rank)
    window = _transposed_padding(step, x, window, extra)
    group = step.attributes.get("group", 1)
    function = _CONV_TRANSPOSE[rank]
    small = all(
        e < max(s, d) for e, s, d in zip(extra, window.strides, window.dilations, strict=True)
    )
    if window.symmetric and small:
        return function(x, w, b, window.strides, window.begins, extra, group, window.dilations)
    y = function(x, w, None, window.strides, 0, 0, group, window.dilations)
    nothing = (0,) * rank
    y = pad_window(y, replace(window, begins=nothing, ends=extra), 0.0)
    begins, ends = (tuple(-n for n in side) for side in (window.begins, window.ends))
    y = pad_window(y, replace(window, begins=begins, ends=ends), 0.0)
    return y if b is None else y + b.reshape(-1, *(1,) * rank)


def _transposed_padding(step: Step, x: Tensor, window: Window, extra: tuple[int, ...]) -> Window:
    """Padding from output_shape or auto_pad, as the ConvTranspose specification derives it."""
    auto_pad = step.attributes.get("auto_pad", "NOTSET")
    wanted = step.attributes.get("output_shape")
    if not wanted:
        if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
            return window
        wanted = [n * s for n, s in zip(x.shape[2:], window.strides, strict=True)]
    wanted = wanted[-len(window.kernel) :]
    totals = [
        s * (n - 1) + e + extent - out
        for n, s, e, extent, out in zip(
            x.shape[2:], window.strides, extra, window.extents, wanted, strict=True
        )
    ]
    # A negative total asks for more than there is: the surplus is added at the end.
    halves = tuple(total // 2 if total > 0 else total for total in totals)
    rests = tuple(total - half for total, half in zip(totals, halves, strict=True))
    if auto_pad == "SAME_UPPER" and min(totals) >= 0:
        halves, rests = rests, halves
    return Window(window.kernel, window.strides, window.dilations, rests, halves)
