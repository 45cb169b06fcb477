"""From a distribution's fine bins to the steps that fit the pixels of a plot. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qviz.app.views import DistributionView

Floats = NDArray[np.float64]

BIN_PIXELS = 2.0  # a drawn bin of the float histogram is at least this wide
CELL_PIXELS = 3.0  # a drawn step of the quantized histogram
LINE_PIXELS = 5.0  # grid lines closer than this become short marks
RUG_PIXELS = 2.5  # and closer than this are not drawn one by one


@dataclass(frozen=True, slots=True)
class Steps:
    """A histogram outline: n + 1 edges, n heights."""

    edges: Floats
    heights: Floats


NO_STEPS = Steps(np.zeros(1), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Grid:
    """The levels to draw in view, as full lines, as short marks, or (too dense) not at all."""

    kind: Literal["lines", "rug", "none"]
    levels: Floats


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
    cells = _cell_edges(levels)
    mass = _mass_per_level(view.edges, counts, levels)
    cell_pixels = _pixels_apart(levels, left, right, pixels)
    join = max(1, int(np.ceil(CELL_PIXELS / max(cell_pixels, 1e-6))))
    joined = _joined(cells, mass, join)
    return Steps(joined.edges, joined.heights * (_bin_width(view) * group) / np.diff(joined.edges))


def grid(view: DistributionView, left: float, right: float, pixels: float) -> Grid:
    """Which levels to draw when left..right covers `pixels`."""
    first, last = np.searchsorted(view.levels, (left, right))
    shown = view.levels[first:last]
    if shown.size < 2:
        return Grid("lines", shown)
    spacing = _pixels_apart(shown, left, right, pixels)
    if spacing >= LINE_PIXELS:
        return Grid("lines", shown)
    return Grid("rug", shown) if spacing >= RUG_PIXELS else Grid("none", shown[:0])


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


def _pixels_apart(levels: Floats, left: float, right: float, pixels: float) -> float:
    return float((levels[-1] - levels[0]) / (levels.size - 1) / (right - left) * pixels)


def _bin_width(view: DistributionView) -> float:
    return float(view.edges[1] - view.edges[0]) if view.edges.size > 1 else 0.0


def _cell_edges(levels: Floats) -> Floats:
    middles = (levels[1:] + levels[:-1]) / 2
    first = levels[0] - (middles[0] - levels[0])
    last = levels[-1] + (levels[-1] - middles[-1])
    return np.concatenate(([first], middles, [last]))


def _joined(edges: Floats, counts: Floats, group: int) -> Steps:
    if counts.size == 0:
        return NO_STEPS
    starts = np.arange(0, counts.size, group)
    return Steps(np.append(edges[starts], edges[-1]), np.add.reduceat(counts, starts))
