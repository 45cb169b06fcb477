"""Sample: some values of an activation, as they lie, taken evenly from all of its batches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLE_VALUES = 1 << 15  # at most
LONGEST = 1 << 11  # longer rows are cut, so that there are many of them
CUT = 1 << 8  # into pieces of this length
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
BLOCK = 32  # that begin at a multiple of this, as blocks of values do


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One out of every `every` rows of values along the channel axis, of `seen` rows."""

    rows: Tensor  # [rows, n] float32, finite
    every: int  # a power of two
    seen: int

    def then(self, later: Sample) -> Sample:
        """Both together, thinned alike until they fit; rows of another length are left out."""
        if self.rows.shape[1] != later.rows.shape[1]:
            return self
        every = max(self.every, later.every)
        rows = torch.cat([self._thinned(every), later._thinned(every, self.seen)])
        while rows.numel() > SAMPLE_VALUES:
            rows, every = rows[::2], 2 * every
        return Sample(rows, every, self.seen + later.seen)

    def _thinned(self, every: int, before: int = 0) -> Tensor:
        """One out of every `every` rows, counted from `before` rows earlier on."""
        first = math.ceil(-before % every / self.every)
        return self.rows[first :: every // self.every]


def evenly(numbers: Tensor) -> Tensor:
    """A place in 0 … 1 for every number, spread evenly over any run of them (Weyl's sequence)."""
    return numbers.double() * GOLDEN % 1.0


def draw(x: Tensor, axis: int | None) -> Sample | None:
    """A sample of one batch, always the same one; None of no values. What is not finite is 0."""
    if x.numel() == 0:
        return None
    wide = x.detach().reshape(1, -1) if x.ndim < 2 else x.detach()
    last = wide.movedim(-1 if axis is None or x.ndim < 2 else axis, -1)
    width = last.shape[-1]
    parts, length = (math.ceil(width / CUT), CUT) if width > LONGEST else (1, width)
    seen = last[..., 0].numel() * parts
    every = 1
    while math.ceil(seen / every) * length > SAMPLE_VALUES:
        every *= 2
    first = torch.arange(0, seen, every)
    # Equal steps would follow the rows and columns of an image.
    step = (evenly(torch.arange(len(first))) * every).long()
    at = (first + step).clamp(max=seen - 1)
    places = torch.unravel_index(at.div(parts, rounding_mode="floor"), last.shape[:-1])
    begin = at % parts * (width - length) // max(parts - 1, 1) // BLOCK * BLOCK
    taken = last[places].gather(1, begin.unsqueeze(1) + torch.arange(length)).float()
    return Sample(torch.where(taken.isfinite(), taken, 0.0), every, seen)
