"""ACIQ: the clip of least squared error if the values are Gaussian or Laplacian, in closed form.

Banner, Nahshan, Hoffer and Soudry, "Post training 4-bit quantization of convolutional networks
for rapid-deployment" (2019). The step is taken as 2a/2^M with uniform rounding noise.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import torch
from scipy.optimize import brentq
from torch import Tensor

from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

Law = Literal["gauss", "laplace"]


@cache
def clip_factor(law: Law, bits: int) -> float:
    """Best clip in units of σ (Gauss) or of b (Laplace) for `bits` over both signs.

    Where the derivative of the mean squared error vanishes: for Laplace of
    2b²·exp(-a/b) + a²/(3·4^M), for Gauss of 2[(a²+1)·Q(a) - a·φ(a)] + a²/(3·4^M).
    """
    step = 2.0 / (3.0 * 4.0**bits)

    def gauss(a: float) -> float:
        tail = 0.5 * math.erfc(a / math.sqrt(2.0))
        density = math.exp(-a * a / 2.0) / math.sqrt(2.0 * math.pi)
        return 4.0 * (a * tail - density) + step * a

    def laplace(a: float) -> float:
        return -2.0 * math.exp(-a) + step * a

    return float(brentq(gauss if law == "gauss" else laplace, 1e-6, 60.0, xtol=1e-14))


def cut(
    stats: TensorStats,
    scheme: Scheme,
    full: tuple[Tensor, Tensor],
    law: Law,
    channels: bool,
) -> tuple[Tensor, Tensor]:
    """(low, high) around the mean; values of one sign are half of a law centred at zero.

    σ and b = mean|x - mean| come from the statistics, not from the paper's estimate by extremes.
    A one-sided range has the whole grid for one half, which is one bit more.
    """
    if not channels:
        half = bool(_one_sided(full, scheme).all())
        centre, spread = _spread(stats, law, half)
        reach = clip_factor(law, scheme.bits + half) * spread
        centres = torch.tensor([centre], dtype=torch.float64)
        return _between(full, centres, torch.tensor([reach], dtype=torch.float64))
    halves = _one_sided(full, scheme)
    centres, spreads = _channel_spreads(stats, law, halves)
    two_sided, one_sided = (clip_factor(law, scheme.bits + more) for more in (0, 1))
    return _between(full, centres, torch.where(halves, one_sided, two_sided) * spreads)


def _one_sided(full: tuple[Tensor, Tensor], scheme: Scheme) -> Tensor:
    """Which ranges hold values of one sign under a grid that is free to follow them."""
    return ((full[0] >= 0.0) | (full[1] <= 0.0)) & (not scheme.symmetric)


def _channel_spreads(stats: TensorStats, law: Law, halves: Tensor) -> tuple[Tensor, Tensor]:
    """(centres, σ or b) of every channel, `halves` of them one-sided: see `_spread`."""
    exact = stats.exact
    if exact is None:
        raise ValueError("an activation's values are not kept")
    filled = torch.count_nonzero(exact, 1).clamp(min=1) / exact.shape[1]
    shares = torch.where(halves, filled, 1.0)
    centres = torch.where(halves, 0.0, stats.mean)
    if law == "gauss":
        spreads = ((stats.square - centres.square()).clamp(min=0.0) / shares).sqrt()
    else:
        spreads = (exact.double() - centres.unsqueeze(1)).abs().mean(1) / shares
    return centres, spreads


def _between(full: tuple[Tensor, Tensor], centres: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(full[0], centres - reach)
    high = torch.minimum(full[1], centres + reach)
    return low, high


def _spread(stats: TensorStats, law: Law, one_sided: bool) -> tuple[float, float]:
    """(centre, σ or b); one-sided values are taken without their zeros, about zero."""
    if one_sided:
        filled = max(stats.count - stats.zeros, 1)
        share = stats.count / filled
        if law == "gauss":
            return 0.0, math.sqrt(float(stats.square.mean()) * share)
        return 0.0, abs(float(stats.mean.mean())) * share
    centre = float(stats.mean.mean())
    if law == "gauss":
        return centre, stats.deviation
    points = stats.points()
    distance = (points.values.double() - centre).abs()
    if points.counts is None:
        return centre, float(distance.mean())
    return centre, float((distance * points.counts).sum() / points.counts.sum())
