"""Both histograms of a plot, float and quantized, as staircases or sticks on one axis."""

from __future__ import annotations

import math

import numpy as np

from qviz.app.slot_views import DistributionView
from qviz.ui import histogram_shape as shape
from qviz.ui.histogram_series import LOG_FLOOR, Series
from qviz.ui.palette import Palette, tint

MARGIN = 1.06  # of the axis above the tallest bin
TALLEST_LEVEL = 2.5  # of the tallest bin: how far a level may rise above it on a linear axis


class HistogramPair:
    """The float histogram, and the quantized one before it."""

    def __init__(self) -> None:
        """Two empty series on a linear axis."""
        self.floats, self.quantized = Series("o"), Series("d")
        self.steps = shape.NO_STEPS  # of the float histogram, as drawn last
        self._log = False

    def set_log(self, log: bool) -> None:
        """Logarithmic or linear counts, from the next drawing on."""
        self._log = self.floats.log = self.quantized.log = log

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.floats.set_colors(palette.float_line, tint(palette.float_fill, 0.55), 1.2)
        self.quantized.set_colors(palette.quantized_line, tint(palette.quantized_fill, 0.22), 1.6)

    def draw(
        self, view: DistributionView, span: tuple[float, float], pixels: float, *, both: bool
    ) -> tuple[float, float]:
        """Draw what lies in `span`, `pixels` wide; returns the axis's lowest and highest height."""
        group = shape.bins_per_step(view, *span, pixels)
        self.steps = floats = shape.float_steps(view, group)
        if shape.is_few(view):
            places = shape.float_sticks(view, group)
            after = shape.quantized_sticks(view, group) if both else _NO_STICKS
            floor, top = self._heights(places[1], after[1])
            self.floats.draw_sticks(*places, floor)
            self.quantized.draw_sticks(*after, floor)
            return floor, top
        if both and shape.is_coarse(view, *span, pixels):
            after = shape.quantized_sticks(view, group)
            floor, top = self._heights(floats.heights, after[1])
            self.floats.draw_steps(floats, floor)
            self.quantized.draw_sticks(*after, floor, thick=True)
            return floor, top
        stairs = shape.quantized_steps(view, group, *span, pixels) if both else shape.NO_STEPS
        if self._log and floats.heights.size:
            stairs = shape.seen(stairs, float(floats.edges[1] - floats.edges[0]))
        floor, top = self._heights(floats.heights, stairs.heights)
        self.floats.draw_steps(floats, floor)
        self.quantized.draw_steps(stairs, floor)
        return floor, top

    def _heights(self, floats: shape.Floats, quantized: shape.Floats) -> tuple[float, float]:
        tallest, highest = float(floats.max(initial=1.0)), float(quantized.max(initial=0.0))
        if self._log:
            tallest = max(tallest, highest)
            return LOG_FLOOR, LOG_FLOOR + MARGIN * (math.log10(max(tallest, 2.0)) - LOG_FLOOR)
        # One level may hold the mass of many bins: let it rise above, but not flatten the rest.
        return 0.0, MARGIN * max(tallest, min(highest, TALLEST_LEVEL * tallest))


_NO_STICKS = (np.zeros(0), np.zeros(0))
