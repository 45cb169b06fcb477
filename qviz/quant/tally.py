"""Tally: one pass over a tensor, a cacheful of values at a time, into its statistics."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from qviz.quant.bins import (
    CHANNEL_HALF,
    CHANNEL_HISTOGRAM_LIMIT,
    FINEST,
    HALF,
    coarsened,
    exponent_for,
    finite_values,
)
from qviz.quant.blocks import CACHE_VALUES, Block, blocks

_FOLD = (HALF // CHANNEL_HALF).bit_length() - 1
# Neighbours, often equal zeros, go to different tables: a processor waits for its last addition.
_WAYS = 2
_TABLE = (torch.arange(CACHE_VALUES) % _WAYS * (2 * HALF)).short()


class Room:
    """Memory for what is computed of a block: new memory for every tensor would cost as much."""

    def __init__(self) -> None:
        """6.5 MB, for tensors of any size."""
        self.ratio = torch.empty(CACHE_VALUES)
        self.short, self.coarse = torch.empty(2, CACHE_VALUES, dtype=torch.int16)
        self.cell = torch.empty(CACHE_VALUES, dtype=torch.int32)
        self.index = torch.empty(CACHE_VALUES, dtype=torch.int64)
        self.ones = torch.ones(CACHE_VALUES, dtype=torch.int64)
        self.values = torch.empty(CACHE_VALUES, dtype=torch.float64)
        # Of a value and the count 1.
        self.pairs = torch.full((CACHE_VALUES,), 1j, dtype=torch.complex128)


class Tally:
    """Range, sums, zeros and bins of all values so far; values that are not finite are 0."""

    def __init__(self, channels: int, *, counted: bool) -> None:
        """Nothing seen yet; `counted` asks for bins of every channel, where these are not many."""
        self.minimum = torch.full((channels,), math.inf)
        self.maximum = torch.full((channels,), -math.inf)
        self.totals, self.squares = torch.zeros(2, channels, dtype=torch.float64)
        self.zeros = 0
        self.finite = True
        self.exponent = FINEST
        # Sums are the real parts, counts the imaginary ones: one addition for both.
        self._fine = torch.zeros(_WAYS, 2 * HALF, dtype=torch.complex128)
        # [channels, 2·CHANNEL_HALF] for planes. Rows go from channel to channel at every value, so
        # for them equal bins of all channels lie together: most values are in a few bins.
        self._counted = counted and channels <= CHANNEL_HISTOGRAM_LIMIT
        self._cells = torch.empty(0, dtype=torch.int64)
        self._planes = True

    def histogram(self) -> tuple[Tensor, Tensor]:
        """(how many values every bin holds, zeros included, int64; their sums, float64)."""
        fine = self._fine.sum(0)
        return fine.imag.long(), fine.real.clone()

    @property
    def channel_bins(self) -> Tensor | None:
        """How many values every bin of a channel holds [channels, 2·CHANNEL_HALF], int64."""
        return self._cells_as(planes=True) if self._counted else None

    def add(self, x: Tensor, room: Room) -> None:
        """All values of x [channels, samples, positions], whatever its layout."""
        for block in blocks(x):
            self._add(block, room)

    def _add(self, block: Block, room: Room) -> None:
        values, here = block.values, block.channels
        low, high = block.reduced(values, torch.amin), block.reduced(values, torch.amax)
        lowest, highest = float(low.min()), float(high.max())
        if not math.isfinite(lowest - highest):
            self.finite, values = False, finite_values(values)
            low, high = block.reduced(values, torch.amin), block.reduced(values, torch.amax)
            lowest, highest = float(low.min()), float(high.max())
        torch.minimum(self.minimum[here], low, out=self.minimum[here])
        torch.maximum(self.maximum[here], high, out=self.maximum[here])
        zeros = np.equal(values.numpy(), 0.0)  # torch counts zeros 30 times slower than numpy
        self.zeros += int(np.count_nonzero(zeros))
        self._widen(exponent_for(max(-lowest, highest)))
        size = values.numel()
        index, wide = room.index[:size], room.values[:size].view_as(values)
        ratio, short = room.ratio[:size].view_as(values), room.short[:size].view_as(values)
        torch.mul(values, 2.0**-self.exponent, out=ratio)
        short.copy_(ratio.floor_()).add_(HALF)  # none leaves the bins
        if self._counted:
            cells = self._cells_as(block.planes)
            coarse, cell = room.coarse[:size].view_as(values), room.cell[:size].view_as(values)
            torch.bitwise_right_shift(short, _FOLD, out=coarse)
            first, apart = cells.stride() if block.planes else cells.stride()[::-1]
            torch.add(block.numbers * first, coarse, alpha=apart, out=cell)
            cells.view(-1).scatter_add_(0, index.copy_(cell.view(-1)), room.ones[:size])
        index.copy_(short.view(-1).add_(_TABLE[:size]))
        pairs = room.pairs[:size]
        pairs.real.copy_(values.view(-1))
        self._fine.view(-1).scatter_add_(0, index, pairs)
        self.totals[here] += block.reduced(wide.copy_(values), torch.sum)
        self.squares[here] += block.reduced(wide.square_(), torch.sum)

    def _cells_as(self, planes: bool) -> Tensor:
        """The bins of the channels, as they lie best for such blocks."""
        if not self._cells.numel():
            shape = (len(self.minimum), 2 * CHANNEL_HALF)
            self._cells = torch.zeros(shape if planes else shape[::-1], dtype=torch.int64)
            self._planes = planes
        if planes != self._planes:
            self._cells, self._planes = self._cells.t().contiguous(), planes
        return self._cells

    def _widen(self, exponent: int) -> None:
        """Bins at least 2**exponent wide."""
        doublings, finest = exponent - self.exponent, self.exponent == FINEST
        if doublings <= 0:
            return
        self.exponent = exponent
        if finest and not bool(self._fine.any()):
            return  # there is nothing yet
        self._fine = coarsened(self._fine, doublings)
        if self._counted:
            self._cells = coarsened(self._cells_as(planes=True), doublings)
