"""Extents: how far a slot's grid reaches, leaving out the scales of values that are all zero.

A scale of zeros alone is 1 by convention: its grid says nothing of the tensor.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qviz.quant.encoding import Scaled, blocked
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

NO_SCALE = ("float", "cast", "kmeans", "lloyd")  # families whose values are their own levels
BELOW = 1e-5  # keeps a power of two from being rounded up to the next


def used_scales(stats: TensorStats, encoding: Scaled) -> Tensor:
    """Which scales have a value other than zero to scale, bool in the shape of `scale`."""
    largest = torch.maximum(-stats.minimum, stats.maximum)
    scale = encoding.scale
    if encoding.block is None:
        return largest > 0.0 if scale.numel() == len(largest) else (largest.max() > 0.0).expand(1)
    exact = stats.exact if bool((scale == 1.0).any()) else None
    if exact is None:
        return torch.ones_like(scale, dtype=torch.bool)
    return blocked(exact, encoding.block).abs().amax(-1) > 0.0


def grid_ends(stats: TensorStats, encoding: Scaled) -> tuple[Tensor, Tensor]:
    """(lowest, highest) representable value, float64 [rows]; of a row's widest block.

    NaN for rows of zeros alone.
    """
    used = used_scales(stats, encoding)
    low = torch.where(used, encoding.low, torch.nan).reshape(len(used), -1)
    high = torch.where(used, encoding.high, torch.nan).reshape(len(used), -1)
    anything = used.reshape(len(used), -1).any(1)
    least = low.nan_to_num(torch.inf).amin(1)
    most = high.nan_to_num(-torch.inf).amax(1)
    return torch.where(anything, least, torch.nan), torch.where(anything, most, torch.nan)


def present_range(stats: TensorStats, scheme: Scheme, encoding: Scaled) -> tuple[float, float]:
    """The range that a clip by hand must name to leave the grid as it is."""
    ends = [end[~end.isnan()] for end in grid_ends(stats, encoding)]
    if not ends[0].numel():
        return -1.0, 1.0
    low, high = float(ends[0].min()), float(ends[1].max())
    if scheme.symmetric and scheme.code_range == "full" and scheme.row.integer and scheme.signed:
        high = (high - low) / 2  # the scale is max/127.5, between the ends of -128 and 127
        low = -high
    if scheme.pow2:
        low, high = low * (1.0 - BELOW), high * (1.0 - BELOW)
    return low, high
