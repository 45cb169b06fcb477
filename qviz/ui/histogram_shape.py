"""From a distribution's fine bins to the steps that fit the pixels of a plot. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qviz.app.slot_views import DistributionView
from qviz.ui.grid_lines import cell_bounds, is_uniform

Floats = NDArray[np.float64]

BIN_PIXELS = 2.0  # a drawn bin of the float histogram is at least this wide
CELL_PIXELS = 3.0  # a drawn step of the quantized histogram
REACH = 0.3  # of the values' extent: the grid is shown so far beyond them
FAR = 3.0  # a grid that ends farther out than this does not widen the plot at all
STICK_PIXELS = 6.0  # levels this far apart are drawn one by one …
STICK_PART = 0.85  # … where they are over this part of the grid
LEAST = 0.5  # of a value that a level holds, where a bin is shared by several
FEW = 256  # so many values are drawn as sticks, one for every bin that holds any


@dataclass(frozen=True, slots=True)
class Steps:
    """A histogram outline: n + 1 edges, n heights."""

    edges: Floats
    heights: Floats


NO_STEPS = Steps(np.zeros(1), np.zeros(0))


def fit_range(view: DistributionView, *, with_grid: bool) -> tuple[float, float]:
    """The values to show: those of the tensor, and the ends of a grid that is not far outside.

    A grid that ends a little farther out than REACH is cut there; zero is always near enough.
    """
    low, high = view.minimum, view.maximum
    extent = (high - low) or abs(high) or 1.0
    if not with_grid or view.low is None or view.high is None:
        return low, high
    if low - view.low <= FAR * extent or view.low >= 0:
        low = min(low, max(view.low, min(low - REACH * extent, 0.0)))
    if view.high - high <= FAR * extent or view.high <= 0:
        high = max(high, min(view.high, max(high + REACH * extent, 0.0)))
    return low, high


def bins_per_step(view: DistributionView, left: float, right: float, pixels: float) -> int:
    """How many fine bins one drawn bin joins when left..right covers `pixels`."""
    width = _bin_width(view)
    if width <= 0 or right <= left:
        return 1
    return max(1, round(BIN_PIXELS * (right - left) / (width * max(pixels, 1.0))))


def float_steps(view: DistributionView, group: int) -> Steps:
    """The float histogram with `group` fine bins joined into each drawn one (counts added)."""
    return _joined(view.edges, view.counts, group)


def quantized_steps(
    view: DistributionView, group: int, left: float, right: float, pixels: float
) -> Steps:
    """The quantized histogram as a staircase with the float histogram's area.

    Every level's values are spread over the level's rounding cell, so a step's height compares
    with the float bins it replaces; cells narrower than some pixels are joined.
    """
    counts = view.quantized_counts
    if counts is None or counts.size == 0:
        return NO_STEPS
    levels = view.levels
    if levels.size < 2:
        return _joined(view.edges, counts, group)
    bounds = cell_bounds(view)
    cells = _cells(levels, bounds)
    mass = (
        _mass_per_level(view.edges, counts, levels)
        if _drawn_in_place(view, bounds)
        else _mass_per_cell(view, bounds)
    )
    steps = _joined_cells(cells, mass, pixels / (right - left), is_uniform(levels))
    widths = np.maximum(np.diff(steps.edges), 1e-6 * _bin_width(view))
    return Steps(steps.edges, steps.heights * (_bin_width(view) * group) / widths)


def seen(steps: Steps, width: float) -> Steps:
    """The steps, those that hold half a value or more at least 1 high.

    `width` is that of the bins that the heights compare with. On a logarithmic axis a value that
    is spread over a wide cell would otherwise lie below the axis.
    """
    holds = steps.heights * np.diff(steps.edges) >= 0.5 * width
    return Steps(steps.edges, np.where(holds, np.maximum(steps.heights, 1.0), steps.heights))


def is_coarse(view: DistributionView, left: float, right: float, pixels: float) -> bool:
    """Whether the levels between left and right have room to be drawn one by one."""
    levels = view.levels
    if view.quantized_counts is None or levels.size < 2 or right <= left:
        return False
    gaps = np.diff(np.clip(levels, left, right))
    wide = gaps >= STICK_PIXELS * (right - left) / pixels
    return bool(gaps[wide].sum() >= STICK_PART * gaps.sum())


def without_grid(view: DistributionView) -> DistributionView:
    """The float values alone."""
    nothing = np.zeros(0)
    return replace(view, quantized_counts=None, levels=nothing, thresholds=nothing)


def is_few(view: DistributionView) -> bool:
    """Whether the values are drawn one by one."""
    return 0 < view.values <= FEW


def float_sticks(view: DistributionView, group: int) -> tuple[Floats, Floats]:
    """Where the bins that hold values are, and how many they hold."""
    return _sticks(float_steps(view, group))


def quantized_sticks(view: DistributionView, group: int) -> tuple[Floats, Floats]:
    """The same after quantization, at the levels themselves where there is one grid."""
    counts = view.quantized_counts
    if counts is None or counts.size == 0:
        return np.zeros(0), np.zeros(0)
    levels = view.levels
    bounds = cell_bounds(view) if levels.size > 1 else np.zeros(0)
    if levels.size > 1 and not _drawn_in_place(view, bounds):
        mass = _mass_per_cell(view, bounds)
        return levels[mass >= LEAST], mass[mass >= LEAST]
    if 1 < levels.size <= counts.size:
        mass = _mass_per_level(view.edges, counts, levels)
        return levels[mass >= LEAST], mass[mass >= LEAST]
    return _sticks(_joined(view.edges, counts, group))


def outline(steps: Steps, floor: float) -> tuple[Floats, Floats]:
    """The staircase as x and y of one polyline that starts and ends on `floor`."""
    if steps.heights.size == 0:
        return np.zeros(0), np.zeros(0)
    x = np.repeat(steps.edges, 2)
    y = np.empty(x.size)
    y[0] = y[-1] = floor
    y[1:-1] = np.repeat(np.maximum(steps.heights, floor), 2)
    return x, y


def _mass_per_level(edges: Floats, counts: Floats, levels: Floats) -> Floats:
    """Counts per level, from counts per bin: a bin's mass is shared by the levels inside it."""
    bins = np.searchsorted(edges, levels, side="right") - 1
    inside = (bins >= 0) & (bins < counts.size)
    owners = np.bincount(bins[inside], minlength=counts.size)
    mass = np.zeros(levels.size)
    mass[inside] = (counts / np.maximum(owners, 1))[bins[inside]]
    # Values that rounding moved past a bin's edge leave a filled bin without a level.
    orphans = np.flatnonzero((owners == 0) & (counts > 0))
    centers = (edges[orphans] + edges[orphans + 1]) / 2
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, centers)
    np.add.at(mass, nearest, counts[orphans])
    return mass


def _mass_per_cell(view: DistributionView, bounds: Floats) -> Floats:
    """Counts per level from the float histogram; a bin on a threshold is shared by its two sides.

    For levels outside the drawn bins, where `quantized_counts` has no place for them.
    """
    below = np.concatenate(([0.0], np.cumsum(view.counts)))
    return np.diff(np.interp(bounds, view.edges, below), prepend=0.0, append=below[-1])


def _drawn_in_place(view: DistributionView, bounds: Floats) -> bool:
    """Whether the levels that values take lie in the histogram's bins."""
    used = view.levels[np.searchsorted(bounds, (view.minimum, view.maximum), side="right")]
    slack = _bin_width(view)
    return bool(used[0] >= view.edges[0] - slack and used[1] <= view.edges[-1] + slack)


def _sticks(steps: Steps) -> tuple[Floats, Floats]:
    filled = steps.heights > 0
    return ((steps.edges[1:] + steps.edges[:-1]) / 2)[filled], steps.heights[filled]


def _bin_width(view: DistributionView) -> float:
    return float(view.edges[1] - view.edges[0]) if view.edges.size > 1 else 0.0


def _cells(levels: Floats, bounds: Floats) -> Floats:
    """Edges of the rounding cells; the outer two reach as far out as they reach in."""
    first = min(levels[0], bounds[0]) - abs(bounds[0] - levels[0])
    last = max(levels[-1], bounds[-1]) + abs(levels[-1] - bounds[-1])
    return np.concatenate(([first], bounds, [last]))


def _joined_cells(cells: Floats, mass: Floats, scale: float, uniform: bool) -> Steps:
    """Cells joined until they are some pixels wide (`scale` is pixels per unit)."""
    if uniform:
        apart = float((cells[-1] - cells[0]) / mass.size) * scale
        return _joined(cells, mass, max(1, int(np.ceil(CELL_PIXELS / max(apart, 1e-6)))))
    _, starts = np.unique(np.floor(cells[:-1] * scale / CELL_PIXELS), return_index=True)
    return Steps(np.append(cells[starts], cells[-1]), np.add.reduceat(mass, starts))


def _joined(edges: Floats, counts: Floats, group: int) -> Steps:
    if counts.size == 0:
        return NO_STEPS
    starts = np.arange(0, counts.size, group)
    return Steps(np.append(edges[starts], edges[-1]), np.add.reduceat(counts, starts))
