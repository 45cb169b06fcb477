"""Bins: the fine histogram around zero, whose width is a power of two."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# Bins per side of zero. The width is a power of two chosen so that at least half of a side is
# used: 2,048 bins up to the largest value, 8 per step of an 8-bit grid (errors within 0.05 %).
HALF = 4096
FINEST = -126  # exponent of the narrowest bin: 2**126 and 2**-126 are both float32
CHANNEL_HALF = 128
CACHE_VALUES = 1 << 17  # values binned at a time, so that their indices stay in cache
BLOCK_VALUES = 1 << 20  # values widened at a time, so that a large tensor is never copied whole
CHANNEL_HISTOGRAM_LIMIT = 2048  # channels; beyond it, per-channel histograms cost too much memory


def finite_values(values: Tensor) -> Tensor:
    """The values, with zeros for NaN and infinity."""
    return torch.where(values.isfinite(), values, 0.0)


def float_blocks(rows: Tensor) -> Iterator[tuple[int, Tensor]]:
    """(first row, block of float32) in the order of the values: whole rows, or parts of one."""
    height = max(1, BLOCK_VALUES // rows.shape[1])
    for first in range(0, len(rows), height):
        for part in rows[first : first + height].split(BLOCK_VALUES, dim=1):
            yield first, part.float()


def exponent_for(largest: float) -> int:
    """The power of two whose HALF bins per side just reach `largest`.

    The finest for zeros alone, so that merging them with others widens no bin.
    """
    if largest == 0.0:
        return FINEST
    return max(math.frexp(largest)[1] - (HALF.bit_length() - 1), FINEST)


def bin_of(values: Tensor, exponent: int) -> Tensor:
    """The bin of every value, int64, when bins are 2**exponent wide."""
    return (values * 2.0**-exponent).floor_().to(torch.int64).add_(HALF).clamp_(0, 2 * HALF - 1)


def count_values(rows: Tensor, exponent: int, finite: bool) -> tuple[Tensor, Tensor]:
    """How many values every bin holds, and their sum, a cacheful of values at a time."""
    bins = torch.zeros(2 * HALF, dtype=torch.int64)
    sums = torch.zeros(2 * HALF, dtype=torch.float64)
    for _, block in float_blocks(rows):
        for part in (block if finite else finite_values(block)).reshape(-1).split(CACHE_VALUES):
            index = bin_of(part, exponent)
            bins += torch.bincount(index, minlength=2 * HALF)
            sums.scatter_add_(0, index, part.double())
    return bins, sums


def count_channels(rows: Tensor, exponent: int, finite: bool) -> Tensor | None:
    """The counts of every channel, as many whole channels at a time as fit the cache."""
    if len(rows) > CHANNEL_HISTOGRAM_LIMIT:
        return None
    width = 2 * CHANNEL_HALF
    parts = []
    for given in rows.split(max(1, CACHE_VALUES // rows.shape[1])):
        part = given.float() if finite else finite_values(given.float())
        index = bin_of(part, exponent).div_(HALF // CHANNEL_HALF, rounding_mode="floor")
        index += torch.arange(len(part)).unsqueeze(1) * width
        parts.append(torch.bincount(index.flatten(), minlength=len(part) * width))
    return torch.cat(parts).reshape(-1, width)


def coarsened(bins: Tensor, doublings: int) -> Tensor:
    """Histogram bins (last axis, symmetric about zero) after doubling their width repeatedly."""
    size = bins.shape[-1]
    for _ in range(min(doublings, size.bit_length())):
        pairs = bins.reshape(*bins.shape[:-1], size // 2, 2).sum(-1)
        bins = torch.nn.functional.pad(pairs, (size // 4, size // 4))
    return bins
