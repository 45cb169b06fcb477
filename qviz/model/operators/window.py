"""Sliding windows: kernel, strides, dilations and padding, as Conv and the pools declare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from qviz.model.model import Step
from qviz.model.operators.registry import UnsupportedError


@dataclass(frozen=True)
class Window:
    """One entry per spatial axis; `begins` and `ends` are the padding before and after."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """Input positions one window spans, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def symmetric(self) -> bool:
        """Whether torch's own padding argument can express this padding."""
        return self.begins == self.ends and min(self.begins, default=0) >= 0


def read_window(step: Step, size: Sequence[int], kernel: Sequence[int]) -> Window:
    """The window of a step over an input of this spatial size, auto_pad resolved."""
    rank = len(kernel)
    if rank not in (1, 2, 3):
        raise UnsupportedError(f"{rank} spatial axes")
    strides = tuple(step.attributes.get("strides") or (1,) * rank)
    dilations = tuple(step.attributes.get("dilations") or (1,) * rank)
    pads = tuple(step.attributes.get("pads") or (0,) * (2 * rank))
    window = Window(tuple(kernel), strides, dilations, pads[:rank], pads[rank:])
    auto_pad = step.attributes.get("auto_pad", "NOTSET")
    if auto_pad == "NOTSET":
        return window
    if auto_pad == "VALID":
        totals = [0] * rank
    else:
        totals = [
            max((-(-n // s) - 1) * s + extent - n, 0)
            for n, s, extent in zip(size, strides, window.extents, strict=True)
        ]
    halves = tuple(total // 2 for total in totals)
    rests = tuple(total - half for total, half in zip(totals, halves, strict=True))
    begins, ends = (rests, halves) if auto_pad == "SAME_LOWER" else (halves, rests)
    return Window(window.kernel, strides, dilations, begins, ends)


def pad_window(x: torch.Tensor, window: Window, value: float) -> torch.Tensor:
    """Pad the spatial axes explicitly; negative padding crops."""
    pads = [
        amount
        for pair in zip(reversed(window.begins), reversed(window.ends), strict=True)
        for amount in pair
    ]
    return functional.pad(x, pads, value=value) if any(pads) else x
