"""Pad in all its modes and for any axes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from qviz.model.model import Step
from qviz.model.operators.axes import positive
from qviz.model.operators.registry import UnsupportedError, operator


@operator("Pad")
def pad(
    step: Step,
    x: Tensor,
    pads: Tensor | None = None,
    value: Tensor | None = None,
    axes: Tensor | None = None,
) -> Tensor:
    """Pad or, with negative amounts, crop."""
    amounts = list(step.attributes["pads"] if pads is None else pads.tolist())
    chosen = range(x.dim()) if axes is None else [positive(a, x.dim()) for a in axes.tolist()]
    half = len(amounts) // 2
    pairs = dict(zip(chosen, zip(amounts[:half], amounts[half:], strict=True), strict=True))
    mode = step.attributes.get("mode", "constant")
    if mode == "constant":
        fill = step.attributes.get("value", 0.0) if value is None else value.item()
        flat = [n for axis in reversed(range(x.dim())) for n in pairs.get(axis, (0, 0))]
        return functional.pad(x, flat, value=fill)
    for axis, (begin, end) in pairs.items():
        if begin or end:
            x = x.index_select(axis, _source(mode, x.shape[axis], begin, end))
    return x


def _source(mode: str, size: int, begin: int, end: int) -> Tensor:
    """For each padded position, the position of the input it repeats."""
    place = torch.arange(-begin, size + end)
    if mode == "edge":
        return place.clamp(0, size - 1)
    if mode == "wrap":
        return place % size
    if mode != "reflect":
        raise UnsupportedError(f"padding mode {mode}")
    if size == 1:
        return torch.zeros_like(place)
    period = 2 * (size - 1)
    place = place % period
    return torch.minimum(place, period - place)
