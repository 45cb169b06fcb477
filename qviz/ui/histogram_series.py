"""One histogram of a plot, in float or quantized: a filled staircase, or sticks for few values."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from qviz.ui.histogram_shape import Steps, outline

Floats = NDArray[np.float64]

LOG_FLOOR = math.log10(0.6)  # the logarithmic axis starts below 1, so that one value still shows
HEAD = 6  # pixels of the head of a stick
STICK = 2.0  # pixels of a stick that stands for a level


class Series:
    """A curve item and the heads of its sticks."""

    def __init__(self, symbol: str) -> None:
        """`symbol` tells the heads of two series apart without their color."""
        self.curve = pg.PlotCurveItem(antialias=True)
        self.heads = pg.ScatterPlotItem(size=HEAD, pxMode=True, symbol=symbol)
        self.log = False
        self._fill = QColor()
        self._pen = self._thick = pg.mkPen(None)

    def set_colors(self, line: str, fill: QColor, width: float) -> None:
        """Take the theme's colors; `width` is the line's, in pixels."""
        self._pen = pg.mkPen(line, width=width)
        self._thick = pg.mkPen(line, width=max(STICK, width))
        self.heads.setPen(pg.mkPen(line, width=1.2))
        self.heads.setBrush(pg.mkBrush(line))
        self._fill = fill
        self.curve.setBrush(fill)

    def draw_steps(self, steps: Steps, floor: float) -> None:
        """A staircase filled down to `floor`."""
        x, y = outline(Steps(steps.edges, self._height(steps.heights)), floor)
        self.curve.setPen(self._pen)
        self.curve.setBrush(self._fill)
        self.curve.setFillLevel(floor)
        self.curve.setData(x, y, connect="all")
        self.heads.setData(np.zeros(0), np.zeros(0))

    def draw_sticks(self, x: Floats, counts: Floats, floor: float, *, thick: bool = False) -> None:
        """A stick with a head at every place that holds values."""
        top = np.maximum(self._height(counts), floor)
        self.curve.setPen(self._thick if thick else self._pen)
        self.curve.setBrush(None)
        self.curve.setFillLevel(None)
        ends = np.column_stack((np.full(top.size, floor), top)).ravel()
        self.curve.setData(np.repeat(x, 2), ends, connect="pairs")
        self.heads.setData(x, top)

    def _height(self, counts: Floats) -> Floats:
        return np.log10(np.maximum(counts, 10**LOG_FLOOR)) if self.log else counts
