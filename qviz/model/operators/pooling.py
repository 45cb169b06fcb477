"""Pooling with ONNX's window semantics: explicit padding, ceil_mode, count_include_pad."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from qviz.model.model import Step
from qviz.model.operators.registry import UnsupportedError, operator
from qviz.model.operators.window import Window, pad_window, read_window

_MAX: dict[int, Callable[..., Tensor]] = {
    1: functional.max_pool1d,
    2: functional.max_pool2d,
    3: functional.max_pool3d,
}


@operator("MaxPool")
def max_pool(step: Step, x: Tensor) -> Tensor:
    """Largest value of each window; padding never wins."""
    if len([name for name in step.outputs if name]) > 1 or step.attributes.get("storage_order", 0):
        raise UnsupportedError("indices of MaxPool")
    window = _window(step, x)
    floating = x.dtype.is_floating_point
    lowest = -torch.inf if floating else torch.iinfo(x.dtype).min
    function = _MAX[len(window.kernel)]
    small = all(2 * b <= k for b, k in zip(window.begins, window.kernel, strict=True))
    if window.symmetric and small:
        return function(x, window.kernel, window.strides, window.begins, window.dilations)
    x = pad_window(x, window, lowest)
    return function(x, window.kernel, window.strides, 0, window.dilations)


@operator("AveragePool")
def average_pool(step: Step, x: Tensor) -> Tensor:
    """Mean of each window, over the padding too when count_include_pad is set."""
    window = _window(step, x)
    if any(d != 1 for d in window.dilations):
        raise UnsupportedError("dilated AveragePool")
    declared = read_window(step, x.shape[2:], window.kernel)
    include = bool(step.attributes.get("count_include_pad", 0))
    if not any(window.begins + window.ends):
        return _window_sum(x, window) / math.prod(window.kernel)
    total = _window_sum(x, window)
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
    if include:
        ones = pad_window(ones, declared, 1.0)
        rest = tuple(w - d for w, d in zip(window.ends, declared.ends, strict=True))
        none = tuple(0 for _ in rest)
        return total / _window_sum(ones, replace(window, begins=none, ends=rest))
    return total / _window_sum(ones, window)


@operator("LpPool")
def lp_pool(step: Step, x: Tensor) -> Tensor:
    """p-norm of each window."""
    window = _window(step, x)
    if any(d != 1 for d in window.dilations):
        raise UnsupportedError("dilated LpPool")
    p = float(step.attributes.get("p", 2))
    return _window_sum(x.abs().pow(p), window).pow(1.0 / p)


@operator("GlobalAveragePool")
def global_average_pool(_step: Step, x: Tensor) -> Tensor:
    """Mean over all spatial axes."""
    return x.mean(dim=tuple(range(2, x.dim())), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(_step: Step, x: Tensor) -> Tensor:
    """Maximum over all spatial axes."""
    return x.amax(dim=tuple(range(2, x.dim())), keepdim=True)


@operator("GlobalLpPool")
def global_lp_pool(step: Step, x: Tensor) -> Tensor:
    """p-norm over all spatial axes."""
    p = float(step.attributes.get("p", 2))
    return x.abs().pow(p).sum(dim=tuple(range(2, x.dim())), keepdim=True).pow(1.0 / p)


def _window(step: Step, x: Tensor) -> Window:
    """The window, its end padding stretched or cropped so that floor gives ONNX's output size."""
    window = read_window(step, x.shape[2:], step.attributes["kernel_shape"])
    padded = [sum(n) for n in zip(x.shape[2:], window.begins, window.ends, strict=True)]
    if any(n < extent for n, extent in zip(padded, window.extents, strict=True)):
        raise UnsupportedError("a window larger than the padded input")
    if not step.attributes.get("ceil_mode", 0):
        return window
    ends = []
    for axis, size in enumerate(x.shape[2:]):
        begin, end, stride = window.begins[axis], window.ends[axis], window.strides[axis]
        extent = window.extents[axis]
        count = -(-(size + begin + end - extent) // stride) + 1
        if (count - 1) * stride >= size + begin:  # a window may not start in the end padding
            count -= 1
        ends.append(max((count - 1) * stride + extent - size - begin, end))
    return replace(window, ends=tuple(ends))


def _window_sum(x: Tensor, window: Window) -> Tensor:
    """Sum of each window over zero padding."""
    x = pad_window(x, window, 0.0)
    if len(window.kernel) == 1:
        kernel, stride = (1, *window.kernel), (1, *window.strides)
        return functional.avg_pool2d(x.unsqueeze(2), kernel, stride, divisor_override=1).squeeze(2)
    if len(window.kernel) == 2:
        return functional.avg_pool2d(x, window.kernel, window.strides, divisor_override=1)
    return functional.avg_pool3d(x, window.kernel, window.strides, divisor_override=1)
