"""Placement: how values are quantized where they are, on the CPU or on another device."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from qviz.quant.encoding import Dynamic, Encoding, Scaled
from qviz.quant.grids import NarrowFloat


def placed(encoding: Encoding, place: torch.device) -> Encoding:
    """An encoding for values on a device.

    One scale stays on the CPU, where torch reads it as a number without waiting for the device.
    """
    if place.type == "cpu" or not isinstance(encoding, Scaled):
        return encoding
    if encoding.scale.numel() == 1 and encoding.block is None:
        return encoding
    if _only_on_cpu(encoding, place):
        return encoding
    step = None if encoding.step is None else encoding.step.to(place)
    scale, zero = encoding.scale.to(place), encoding.zero_point.to(place)
    return replace(encoding, scale=scale, zero_point=zero, step=step)


def quantized(encoding: Encoding, x: Tensor) -> Tensor:
    """Quantize and dequantize with a `placed` encoding; the result is where `x` is."""
    if _only_on_cpu(encoding, x.device):
        return encoding.apply(x.cpu()).to(x.device)
    return encoding.apply(x)


def _only_on_cpu(encoding: Encoding, place: torch.device) -> bool:
    """MPS knows no 8-bit floats, and not the operators that find the scales of blocks."""
    narrow = isinstance(encoding, Dynamic) or isinstance(encoding.grid, NarrowFloat)
    return place.type == "mps" and narrow
