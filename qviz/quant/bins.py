"""Bins: the fine histogram around zero, whose width is a power of two."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Bins per side of zero. The width is a power of two chosen so that at least half of a side is
# used: 2,048 bins up to the largest value, 8 per step of an 8-bit grid (errors within 0.05 %).
HALF = 4096
FINEST = -126  # exponent of the narrowest bin: 2**126 and 2**-126 are both float32
CHANNEL_HALF = 128
CHANNEL_HISTOGRAM_LIMIT = 2048  # channels; beyond it, per-channel histograms cost too much memory


def finite_values(values: Tensor) -> Tensor:
    """The values, with zeros for NaN and infinity."""
    return torch.where(values.isfinite(), values, 0.0)


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


def coarsened(bins: Tensor, doublings: int) -> Tensor:
    """Histogram bins (last axis, symmetric about zero) after doubling their width repeatedly."""
    size = bins.shape[-1]
    doublings = min(doublings, size.bit_length() - 2)  # two bins are left then, one a side
    if doublings <= 0:
        return bins
    left = size >> doublings
    groups = bins.reshape(*bins.shape[:-1], left, -1).sum(-1)
    return torch.nn.functional.pad(groups, [(size - left) // 2] * 2)
