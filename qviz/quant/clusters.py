"""Clusters: codebooks fitted to the values, by k-means and by Lloyd and Max's iteration."""

from __future__ import annotations

import torch
from torch import Tensor

from qviz.quant.profile import Profile

ROUNDS = 1000  # of Lloyd's iteration, which converges long before on real tensors
SETTLED = 1e-9  # largest move of a level, in units of the spread, that ends it


def kmeans(profile: Profile, levels: int, start: str, seed: int) -> Tensor:
    """Centroids of one row of values, ascending, float64 (Deep Compression, Han et al. 2016, §3).

    `start` is linear (equal steps from the smallest to the largest value), density (equal shares
    of the values) or random (different values drawn by `seed`: Forgy's start). Zeros are values
    like any other: a dense code has to hold them.
    """
    low, high = profile.values[0, 0].double(), profile.values[0, -1].double()
    if start == "linear":
        first = torch.linspace(0.0, 1.0, levels, dtype=torch.float64) * (high - low) + low
    elif start == "density":
        first = _at_shares(profile, (torch.arange(levels, dtype=torch.float64) + 0.5) / levels)
    else:
        first = _drawn(profile, levels, torch.Generator().manual_seed(seed))
    return iterate(profile, first.sort().values)


def lloyd_max(profile: Profile, levels: int) -> Tensor:
    """Levels of least squared error for one row of values, ascending, float64.

    Lloyd (1982) and Max (1960), started where Panter and Dite (1951) place the levels of a fine
    grid: with density proportional to the cube root of the values' own.
    """
    return iterate(profile, _companded(profile, levels))


def iterate(profile: Profile, levels: Tensor) -> Tensor:
    """Lloyd's iteration: thresholds half-way between levels, levels at the means of their cells.

    An empty cell keeps its level.
    """
    spread = float(profile.values[0, -1] - profile.values[0, 0]) or 1.0
    for _ in range(ROUNDS):
        middles = (levels[1:] + levels[:-1]) / 2
        inner = torch.searchsorted(profile.values[0], middles.float())
        ends = torch.cat([torch.tensor([0]), inner, torch.tensor([profile.values.shape[1]])])
        counts = ends.diff().double()
        if profile.counts is not None:
            counts = profile.counts[0][ends].diff()
        sums = profile.sums[0][ends].diff()
        moved = torch.where(counts > 0, sums / counts.clamp(min=1e-300), levels)
        done = float((moved - levels).abs().max()) <= SETTLED * spread
        levels = moved
        if done:
            break
    return levels.sort().values


def _at_shares(profile: Profile, shares: Tensor) -> Tensor:
    """The values below which the given shares of all values lie."""
    n = profile.values.shape[1]
    if profile.counts is None:
        return profile.values[0][(shares * n).long().clamp(max=n - 1)].double()
    at = torch.searchsorted(profile.counts[0], shares * profile.count[0], right=True) - 1
    return profile.values[0][at.clamp(0, n - 1)].double()


def _drawn(profile: Profile, levels: int, generator: torch.Generator) -> Tensor:
    """Values at ranks drawn without replacement; all of them over again where they are too few."""
    n = profile.values.shape[1]
    if profile.counts is None:
        ranks = torch.randperm(n, generator=generator)[:levels]
    else:
        weights = profile.counts[0].diff()
        most = min(levels, int(torch.count_nonzero(weights)))
        ranks = torch.multinomial(weights, most, generator=generator)
    return profile.values[0][ranks[torch.arange(levels) % len(ranks)]].double()


def _companded(profile: Profile, levels: int, cells: int = 512) -> Tensor:
    low, high = profile.values[0, 0].double(), profile.values[0, -1].double()
    edges = torch.linspace(0.0, 1.0, cells + 1, dtype=torch.float64) * (high - low) + low
    at = torch.searchsorted(profile.values[0], edges.float())
    at[-1] = profile.values.shape[1]
    counts = at.double() if profile.counts is None else profile.counts[0][at]
    density = counts.diff().clamp(min=0.0).pow(1.0 / 3.0)
    if float(density.sum()) == 0.0:
        density = torch.ones_like(density)
    total = torch.nn.functional.pad(density.cumsum(0), (1, 0))
    wanted = (torch.arange(levels, dtype=torch.float64) + 0.5) / levels * total[-1]
    right = torch.searchsorted(total, wanted).clamp(1, cells)
    share = (wanted - total[right - 1]) / (total[right] - total[right - 1]).clamp(min=1e-300)
    return edges[right - 1] + share * (edges[right] - edges[right - 1])
