"""Tally: one pass over a tensor, a cacheful of values at a time, into its statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator

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

CACHE_VALUES = 1 << 17  # values at a time, so that all passes but the first find them in cache
_MOST_CHANNELS = (1 << 15) // (2 * CHANNEL_HALF)  # at a time: int16 can number their bins
_FOLD = (HALF // CHANNEL_HALF).bit_length() - 1
# Neighbours, often equal zeros, go to different tables: a processor waits for its last addition.
_WAYS = 2
_TABLE = (torch.arange(CACHE_VALUES) % _WAYS * (2 * HALF)).short()
_FIRST_BIN = (torch.arange(_MOST_CHANNELS) * (2 * CHANNEL_HALF)).short().unsqueeze(1)


class Room:
    """Memory for what is computed of a block: new memory for every tensor would cost as much."""

    def __init__(self) -> None:
        """3 MB, for tensors of any size."""
        self.ratio = torch.empty(CACHE_VALUES)
        self.short, self.coarse = torch.empty(2, CACHE_VALUES, dtype=torch.int16)
        self.index = torch.empty(CACHE_VALUES, dtype=torch.int64)
        self.wide = torch.empty(CACHE_VALUES, dtype=torch.float64)
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
        self.channel_bins: Tensor | None = None
        if counted and channels <= CHANNEL_HISTOGRAM_LIMIT:
            self.channel_bins = torch.zeros(channels, 2 * CHANNEL_HALF, dtype=torch.int64)

    def histogram(self) -> tuple[Tensor, Tensor]:
        """(how many values every bin holds, zeros included, int64; their sums, float64)."""
        fine = self._fine.sum(0)
        return fine.imag.long(), fine.real.clone()

    def add(self, x: Tensor, room: Room) -> None:
        """All values of x [channels, samples, positions], whatever its layout."""
        for first, block in _blocks(x):
            self._add(slice(first, first + len(block)), block, room)

    def _add(self, here: slice, block: Tensor, room: Room) -> None:
        low, high = block.amin(1), block.amax(1)
        lowest, highest = float(low.min()), float(high.max())
        if not math.isfinite(lowest - highest):
            self.finite, block = False, finite_values(block)
            low, high = block.amin(1), block.amax(1)
            lowest, highest = float(low.min()), float(high.max())
        torch.minimum(self.minimum[here], low, out=self.minimum[here])
        torch.maximum(self.maximum[here], high, out=self.maximum[here])
        zeros = np.equal(block.numpy(), 0.0)  # torch counts zeros 30 times slower than numpy
        self.zeros += int(np.count_nonzero(zeros))
        self._widen(exponent_for(max(-lowest, highest)))
        size = block.numel()
        ratio, short = room.ratio[:size].view_as(block), room.short[:size].view_as(block)
        index, wide = room.index[:size], room.wide[:size].view_as(block)
        torch.mul(block, 2.0**-self.exponent, out=ratio)
        short.copy_(ratio.floor_()).add_(HALF)  # none leaves the bins
        if self.channel_bins is not None:
            bins, coarse = self.channel_bins[here], room.coarse[:size].view_as(block)
            torch.bitwise_right_shift(short, _FOLD, out=coarse).add_(_FIRST_BIN[: len(block)])
            bins += torch.bincount(coarse.flatten(), minlength=bins.numel()).view_as(bins)
        pairs = room.pairs[:size]
        values = pairs.real.view_as(block).copy_(block)
        index.copy_(short.view(-1).add_(_TABLE[:size]))
        self._fine.view(-1).scatter_add_(0, index, pairs)
        self.totals[here] += values.sum(1)
        self.squares[here] += torch.square(values, out=wide).sum(1)

    def _widen(self, exponent: int) -> None:
        """Bins at least 2**exponent wide."""
        doublings = exponent - self.exponent
        if doublings <= 0:
            return
        self.exponent = exponent
        self._fine = coarsened(self._fine, doublings)
        if self.channel_bins is not None:
            self.channel_bins = coarsened(self.channel_bins, doublings)


def _blocks(x: Tensor) -> Iterator[tuple[int, Tensor]]:
    """(first channel, [channels, n] float32, contiguous) of x [channels, samples, positions].

    Whole planes where the values of a channel lie together.
    """
    channels, samples, positions = x.shape
    height = math.ceil(channels / math.ceil(channels / _MOST_CHANNELS))
    if x.stride(2) == 1:
        height = max(1, min(height, CACHE_VALUES // positions))
    width = min(positions, CACHE_VALUES // height)
    depth = max(1, CACHE_VALUES // (height * width))
    for first in range(0, channels, height):
        for sample in range(0, samples, depth):
            part = x[first : first + height, sample : sample + depth]
            for piece in part.split(width, dim=2):
                yield first, piece.float().reshape(len(piece), -1).contiguous()
