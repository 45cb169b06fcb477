"""Which levels and thresholds of a grid fit the pixels of a plot. Pure numpy."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qviz.app.slot_views import DistributionView

Floats = NDArray[np.float64]

LINE_PIXELS = 5.0  # levels closer than this become short marks
RUG_PIXELS = 2.5  # marks closer than this are thinned; a grid that is denser everywhere has none
STEP_PIXELS = 14.0  # the half-way thresholds of a uniform grid show from here on
_NONE: Floats = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Grid:
    """The levels in view as full lines or as short marks, and the thresholds between them."""

    lines: Floats
    marks: Floats
    thresholds: Floats


def grid(view: DistributionView, left: float, right: float, pixels: float) -> Grid:
    """What to draw of the view's grid when left..right covers `pixels`."""
    scale = pixels / (right - left) if right > left else 0.0
    shown = _within(view.levels, left, right)
    room = _room(shown) * scale
    wide = room >= LINE_PIXELS
    marks = _NONE if room.size == 0 or room.max() < RUG_PIXELS else _thinned(shown[~wide], scale)
    return Grid(shown[wide], marks, _thresholds(view, left, right, scale))


def cell_bounds(view: DistributionView) -> Floats:
    """Where the level changes: the view's thresholds, else the half-way points."""
    if view.thresholds.size == view.levels.size - 1:
        return view.thresholds
    return (view.levels[1:] + view.levels[:-1]) / 2


def level_of(view: DistributionView, value: float) -> float | None:
    """The level that `value` becomes; None without one grid."""
    if view.levels.size == 0:
        return None
    return float(view.levels[np.searchsorted(cell_bounds(view), value, side="right")])


def clip_by_hand(view: DistributionView) -> tuple[float, float] | None:
    """The clip that the scheme spells, set by hand; None where a method finds the range.

    A symmetric grid reaches to the wider end on both sides.
    """
    found = re.search(r"\bclip=([^:]+?)\.\.([^:]+)", view.scheme)
    if found is None:
        return None
    low, high = float(found[1]), float(found[2])
    wide = max(-low, high)
    return (-wide, wide) if view.mirrored else (low, high)


def counted_within(view: DistributionView) -> tuple[float, float]:
    """What is not counted as clipped: the grid and, outside its ends, half a step.

    Infinite without ends, and where nothing is clipped although values lie outside: DoReFa's
    weights are squeezed into the grid. Of several scales the widest grid's ends stand, without
    the half step.
    """
    if view.low is None or view.high is None:
        return -math.inf, math.inf
    low, high = view.low, view.high
    if view.levels.size >= 2:
        low -= float(view.levels[1] - view.levels[0]) / 2
        high += float(view.levels[-1] - view.levels[-2]) / 2
    squeezed = view.clipped == 0 and (view.minimum < low or view.maximum > high)
    return (-math.inf, math.inf) if squeezed else (low, high)


def is_uniform(levels: Floats) -> bool:
    """Whether all levels are equally far apart."""
    if levels.size < 3:
        return True
    gaps = np.diff(levels)
    return bool(np.ptp(gaps) <= 1e-3 * gaps.mean())


def _thresholds(view: DistributionView, left: float, right: float, scale: float) -> Floats:
    if view.thresholds.size == 0:
        return _NONE
    shown = _within(view.thresholds, left, right)
    least = STEP_PIXELS if is_uniform(view.thresholds) and _halfway(view) else LINE_PIXELS
    return shown[_room(shown) * scale >= least]


def _halfway(view: DistributionView) -> bool:
    """Whether the thresholds say no more than the levels do."""
    if view.thresholds.size != view.levels.size - 1 or not is_uniform(view.levels):
        return False
    middles = (view.levels[1:] + view.levels[:-1]) / 2
    step = np.diff(view.levels).max(initial=0.0)
    return bool(np.abs(middles - view.thresholds).max(initial=0.0) <= 1e-3 * step)


def _within(values: Floats, left: float, right: float) -> Floats:
    first = np.searchsorted(values, left, side="left")
    return values[first : np.searchsorted(values, right, side="right")]


def _room(values: Floats) -> Floats:
    """The distance of every value to the nearest other one; infinite for a single value."""
    if values.size == 0:
        return _NONE
    gaps = np.diff(values)
    room: Floats = np.minimum(np.append(np.inf, gaps), np.append(gaps, np.inf))
    return room


def _thinned(values: Floats, scale: float) -> Floats:
    """At most one of `values` in every RUG_PIXELS."""
    _, first = np.unique(np.floor(values * scale / RUG_PIXELS), return_index=True)
    return values[first]
