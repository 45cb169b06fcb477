"""The error curve over a histogram: the SQNR that a clip at every place would give."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from qviz.app.slot_views import DistributionView
from qviz.ui.palette import Palette
from qviz.ui.plot_axes import DecibelAxis

Floats = NDArray[np.float64]

HEADROOM = 1.08  # above the best point, so that it is seen to be the top
STEP = 5.0  # dB that the axis is rounded to


class ErrorCurve:
    """A line with a dot at the present clip, on an axis of its own."""

    def __init__(self, axis: DecibelAxis) -> None:
        """An empty curve measured on `axis`."""
        self._axis = axis
        self.line = pg.PlotCurveItem(antialias=True, connect="finite")
        self.dots = pg.ScatterPlotItem(size=9, pxMode=True)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.line.setPen(pg.mkPen(palette.curve, width=1.8))
        self.dots.setPen(pg.mkPen(palette.card, width=1.5))
        self.dots.setBrush(pg.mkBrush(palette.curve))

    def draw(
        self, view: DistributionView, clip: tuple[float, float] | None, floor: float, top: float
    ) -> None:
        """Draw the view's curve between two heights; dots at both ends of `clip`."""
        if not has_curve(view):
            self.clear()
            return
        at, found = dots(view, clip)
        worst, best = decibel_range(np.append(_finite(view)[1], found))
        found = np.minimum(found, best)  # no error at all stands at the top
        x, decibels = curve(view, at, found)
        self._axis.set_range(floor, top, worst, best)
        self.line.setData(x, self._axis.height_of(decibels))
        self.dots.setData(at, self._axis.height_of(found))

    def clear(self) -> None:
        """No curve."""
        self.line.setData(np.zeros(0), np.zeros(0))
        self.dots.setData(np.zeros(0), np.zeros(0))


def has_curve(view: DistributionView) -> bool:
    """Whether there is a curve to draw."""
    return bool(np.isfinite(view.curve_db).any())


def curve(view: DistributionView, at: Floats, found: Floats) -> tuple[Floats, Floats]:
    """The curve's points that are finite, with a gap (NaN) at zero between its two sides.

    It goes through the dots, the points `at` which `found` dB were measured.
    """
    x, decibels = _finite(view)
    places = np.searchsorted(x, at)
    x, decibels = np.insert(x, places, at), np.insert(decibels, places, found)
    if x.size == 0 or x[0] >= 0 or x[-1] <= 0:
        return x, decibels
    middle = int(np.searchsorted(x, 0.0))
    return np.insert(x, middle, 0.0), np.insert(decibels, middle, np.nan)


def dots(view: DistributionView, clip: tuple[float, float] | None) -> tuple[Floats, Floats]:
    """The SQNR of the slot at the ends of `clip`, on the sides that the curve has; inf when exact.

    What was measured, not what the curve says: between its points it may rise or fall in steps.
    """
    x, decibels = _finite(view)
    places, found = [], []
    for value in clip or ():
        side = (x < 0) if value < 0 else (x > 0)
        if value != 0 and side.any() and x[side][0] <= value <= x[side][-1]:
            places.append(value)
            on_curve = float(np.interp(value, x[side], decibels[side]))
            found.append(on_curve if view.sqnr_db is None else view.sqnr_db)
    return np.array(places), np.array(found)


def decibel_range(decibels: Floats) -> tuple[float, float]:
    """Whole steps of the axis around what is finite; from 0 dB on, where nothing lies below."""
    finite = decibels[np.isfinite(decibels)]
    least, most = float(finite.min()), float(finite.max())
    worst = min(0.0, STEP * math.floor(least / STEP))
    return worst, max(worst + 2 * STEP, worst + HEADROOM * (most - worst))


def _finite(view: DistributionView) -> tuple[Floats, Floats]:
    known = np.isfinite(view.curve_db)
    return view.curve_x[known], view.curve_db[known]
