"""The grid in a histogram: its levels, its thresholds, and where it goes beyond the plot."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont

from qviz.app.slot_views import DistributionView
from qviz.ui.fonts import ui_font
from qviz.ui.grid_lines import grid
from qviz.ui.number_format import significant
from qviz.ui.palette import Palette, tint

Floats = NDArray[np.float64]

MARK_HEIGHT = 0.05  # of a level that has no room for a line, as a part of the plot
THRESHOLD_HEIGHT = 0.6


class GridItems:
    """Lines at levels, dotted lines at thresholds, and words at the ends that are out of view."""

    def __init__(self) -> None:
        """Empty until `draw`."""
        self.levels = pg.PlotCurveItem(antialias=False, connect="pairs")
        self.thresholds = pg.PlotCurveItem(antialias=False, connect="pairs")
        self.beyond = (pg.TextItem(anchor=(0, 0)), pg.TextItem(anchor=(1, 0)))
        for item in self.beyond:
            item.setFont(_font())

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.levels.setPen(pg.mkPen(tint(palette.quantized_line, 0.42), width=1))
        pen = pg.mkPen(tint(palette.text_soft, 0.75), width=1)
        pen.setStyle(Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([1, 3])
        self.thresholds.setPen(pen)
        for item in self.beyond:
            item.setColor(palette.text_faint)
            item.fill = pg.mkBrush(tint(palette.card, 0.8))

    def draw(
        self,
        view: DistributionView,
        span: tuple[float, float],
        pixels: float,
        floor: float,
        top: float,
    ) -> bool:
        """Draw what fits between the values `span`; whether any threshold is shown."""
        shown = grid(view, *span, pixels)
        places = np.concatenate((shown.lines, shown.marks))
        short = floor + MARK_HEIGHT * (top - floor)
        heights = np.concatenate((np.full(shown.lines.size, top), np.full(shown.marks.size, short)))
        _upright(self.levels, places, floor, heights)
        reach = np.full(shown.thresholds.size, floor + THRESHOLD_HEIGHT * (top - floor))
        _upright(self.thresholds, shown.thresholds, floor, reach)
        self._draw_beyond(view, span, top)
        return bool(shown.thresholds.size)

    def _draw_beyond(self, view: DistributionView, span: tuple[float, float], top: float) -> None:
        left, right = self.beyond
        low_out = view.low is not None and bool(view.low < span[0])
        high_out = view.high is not None and bool(view.high > span[1])
        left.setVisible(low_out)
        right.setVisible(high_out)
        left.setText(f"← grid from {significant(view.low, 3)}")
        right.setText(f"grid to {significant(view.high, 3)} →")
        left.setPos(span[0], top)
        right.setPos(span[1], top)

    def clear(self) -> None:
        """No grid."""
        nothing = np.zeros(0)
        for item in (self.levels, self.thresholds):
            item.setData(nothing, nothing)
        for words in self.beyond:
            words.hide()


def _upright(item: pg.PlotCurveItem, places: Floats, floor: float, tops: Floats) -> None:
    ends = np.column_stack((np.full(places.size, floor), tops)).ravel()
    item.setData(np.repeat(places, 2), ends)


def _font() -> QFont:
    return ui_font(11)
