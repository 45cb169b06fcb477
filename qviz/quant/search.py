"""Search: the range of least squared error under a scheme's own grid."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qviz.quant.encoding import Scaled
from qviz.quant.error import bins_suffice, squared_error
from qviz.quant.grids import Grid, Integers
from qviz.quant.points import Points
from qviz.quant.profile import Profile, profile
from qviz.quant.scale import grid_of, scale_for
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

Range = tuple[Tensor, Tensor]
Cost = Callable[[Tensor, Tensor], Tensor]  # low, high [rows, trials] -> squared errors

OCTAVES = 8  # ranges down to 1/256 of the values' own are tried, four per octave
BEYOND = 2  # octaves above it, for grids whose levels thin out: their scale matters, not their end
DENSE = 20  # ranges per octave around the values' own for these: their errors repeat every octave
STEPS = (1 / 20, 1 / 100, 1 / 500)  # of an octave, tried ± 5 times around the best so far
WORTH_SORTING = 40  # values per level from which sorting beats quantizing them for every trial
FEW = 1 << 18  # values of a weight up to which they are all looked at
CELLS = 1 << 21  # thresholds looked up at once


def best_range(
    stats: TensorStats, scheme: Scheme, full: Range, *, channels: bool
) -> tuple[Tensor, Tensor]:
    """(low, high) of least squared error, per channel or for the tensor, never worse than `full`.

    Every range has one free factor; an asymmetric one around zero has one at each end, which
    are tried in pairs and then refined in turn. The histogram decides of an activation and of a
    large weight; where it is too coarse for the grid it would choose, the sample or all values do.
    """
    if stats.kept and (channels or stats.count <= FEW):
        return search_range(stats.points(channel=channels), scheme, full)
    binned = stats.points(limit=FEW)
    low, high = search_range(binned, scheme, full)
    grid = grid_of(scheme)
    scale, zero = scale_for(low, high, scheme, grid)
    if bins_suffice(binned, Scaled(grid, scale, zero, None), stats.inside_bins):
        return low, high
    return search_range(stats.points() if stats.kept else stats.sampled_points(), scheme, full)


def search_range(points: Points, scheme: Scheme, full: Range) -> tuple[Tensor, Tensor]:
    """The same on weighted values, one range per row."""
    grid = grid_of(scheme)
    cost = squared_error_of(points, scheme, grid)
    integers = isinstance(grid, Integers)
    free = integers and not scheme.symmetric and bool(((full[0] < 0) & (full[1] > 0)).any())
    reach = _reach(scheme)
    own = torch.tensor([1.0 / reach], dtype=torch.float64)
    factors = torch.cat([_octaves(0 if integers else BEYOND), own])
    if not integers:
        factors = torch.cat([factors, 2.0 ** (torch.arange(-DENSE, DENSE + 1).double() / DENSE)])
    low, high = (reach * end.double().unsqueeze(1) for end in full)
    best = _least(cost, low * factors, high * factors)
    if free:
        coarse = 2.0 ** -(torch.arange(9, dtype=torch.float64) / 2)
        pairs = torch.cartesian_prod(coarse, coarse)
        found = _least(cost, low * pairs[:, 0], high * pairs[:, 1])
        best = _least(cost, torch.cat([best[0], found[0]], 1), torch.cat([best[1], found[1]], 1))
    for step in STEPS:
        near = 2.0 ** (torch.arange(-5, 6, dtype=torch.float64) * step)
        still = torch.ones_like(near)
        for down, up in ((near, still), (still, near)) if free else ((near, near),):
            lows, highs = best[0] * down, best[1] * up
            if integers:
                lows, highs = torch.maximum(lows, low), torch.minimum(highs, high)
            best = _least(cost, lows, highs)
    return best[0].squeeze(1), best[1].squeeze(1)


def _reach(scheme: Scheme) -> float:
    """How far the range may exceed the values' own so that the highest code still meets them."""
    if scheme.family != "integer" or not scheme.symmetric or not scheme.signed:
        return 1.0
    qmin, qmax = scheme.code_bounds
    return max(1.0, (-qmin if scheme.code_range == "wide" else (qmax - qmin) / 2) / max(qmax, 1))


def _octaves(beyond: int) -> Tensor:
    return 2.0 ** (torch.arange(4 * beyond, -4 * OCTAVES - 1, -1, dtype=torch.float64) / 4)


def _least(cost: Cost, low: Tensor, high: Tensor) -> Range:
    """The trial of least cost in every row, the first where several are; [rows, 1] each."""
    at = cost(low, high).argmin(1, keepdim=True)
    return low.gather(1, at), high.gather(1, at)


def squared_error_of(points: Points, scheme: Scheme, grid: Grid) -> Cost:
    """The cost of ranges on weighted values: from their sorted sums, or by quantizing them."""
    many = points.values.shape[1] >= WORTH_SORTING * len(grid.levels)
    if not many and (points.counts is None or len(points.values) > 1):
        return _directly(points, scheme, grid)
    return cost_from_sums(profile(points), scheme, grid)


def cost_from_sums(values: Profile, scheme: Scheme, grid: Grid) -> Cost:
    """The cost of ranges from sorted values, whatever their number."""
    levels = grid.levels
    at_once = max(1, CELLS // (len(levels) * values.values.shape[0]))

    def cost(low: Tensor, high: Tensor) -> Tensor:
        scale, zero = scale_for(low, high, scheme, grid)
        found = []
        for s, z in zip(scale.split(at_once, 1), zero.split(at_once, 1), strict=True):
            wide, shift = s.double().unsqueeze(2), z.double().unsqueeze(2)
            found.append(values.squared_errors((levels - shift) * wide, grid.cuts(shift) * wide))
        return torch.cat(found, 1)

    return cost


def _directly(points: Points, scheme: Scheme, grid: Grid) -> Cost:
    def cost(low: Tensor, high: Tensor) -> Tensor:
        scale, zero = scale_for(low, high, scheme, grid)
        columns = []
        for at in range(scale.shape[1]):
            trial = Scaled(grid, scale[:, at], zero[:, at], axis=0)
            columns.append(squared_error(points, trial))
        return torch.stack(columns, 1)

    return cost
