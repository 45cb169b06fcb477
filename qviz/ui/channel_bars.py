"""Bars of many channels in one graphics item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QGraphicsObject, QStyleOptionGraphicsItem, QWidget

from qviz.app.views import Floats

LEAST_HEIGHT = 2.0  # pixels: a channel of one value still shows
Tones = NDArray[np.int_]


class Bars(QGraphicsObject):
    """One vertical bar per position 0, 1, 2 …; where many share a pixel they are drawn as one."""

    def __init__(self, box: pg.ViewBox, share: float, least: float = 1.0) -> None:
        """Bars of `box`: each takes `share` of its position's width, at least `least` pixels."""
        super().__init__()
        self._box = box
        self._share = share
        self._least = least
        self._start = 0
        self._low: Floats = np.empty(0)
        self._high: Floats = np.empty(0)
        self._there = np.empty(0, dtype=np.bool_)
        self._tones: Tones = np.empty(0, dtype=np.int_)
        self._colors: tuple[QColor, ...] = ()
        self._bounds = QRectF()
        box.sigTransformChanged.connect(self.prepareGeometryChange)

    def set_bars(
        self, low: Floats, high: Floats, tones: Tones | None = None, start: int = 0
    ) -> None:
        """Bars from `low` to `high` (each [n]) from position `start`; later tones lie on top.

        Where an end is NaN there is no bar.
        """
        self.prepareGeometryChange()
        self._start = start
        self._low, self._high = low, high
        self._tones = np.zeros(low.size, dtype=np.int_) if tones is None else tones
        self._there = np.isfinite(low) & np.isfinite(high)
        self._bounds = QRectF()
        if self._there.any():
            bottom, top = float(low[self._there].min()), float(high[self._there].max())
            self._bounds = QRectF(start - 1.0, bottom, low.size + 1.0, top - bottom)
        self.update()

    def set_colors(self, colors: Sequence[QColor]) -> None:
        """The color of every tone."""
        self._colors = tuple(colors)
        self.update()

    def boundingRect(self) -> QRectF:
        """All bars, with some room for the least width and height, which are in pixels."""
        wide, tall = self._pixel()
        return self._bounds.adjusted(-4 * wide, -4 * tall, 4 * wide, 4 * tall)

    def _pixel(self) -> tuple[float, float]:
        """Width and height of a pixel in the axes' units."""
        box = self._box
        if box.width() < 1 or box.height() < 1:
            return 0.0, 0.0
        (left, right), (bottom, top) = box.viewRange()
        return (right - left) / box.width(), (top - bottom) / box.height()

    def paint(
        self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None
    ) -> None:
        """Fill the bars in sight, tone by tone."""
        wide, tall = self._pixel()
        if wide == 0.0:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        left, right = self._box.viewRange()[0]
        first = max(0, int(np.floor(left)) - self._start)
        last = max(first, int(np.ceil(right)) + 1 - self._start)
        for tone, color in enumerate(self._colors):
            drawn = self._there[first:last] & (self._tones[first:last] == tone)
            at = first + np.flatnonzero(drawn)
            if at.size:
                painter.setBrush(color)
                painter.drawRects(self._rectangles(at, wide, LEAST_HEIGHT * tall))

    def _rectangles(self, at: NDArray[np.int_], wide: float, least: float) -> list[QRectF]:
        low, high = self._low[at], self._high[at]
        x = (at + self._start).astype(np.float64)
        if wide > 1.0:  # several positions in a pixel
            pixels = np.floor(x / wide)
            starts = np.flatnonzero(np.diff(pixels, prepend=-np.inf))
            low = np.minimum.reduceat(low, starts)
            high = np.maximum.reduceat(high, starts)
            x = (pixels[starts] + 0.5) * wide
        width = max(self._share, self._least * wide)
        lift = np.maximum(0.0, least - (high - low)) / 2
        rows = np.stack((x - width / 2, low - lift, high - low + 2 * lift), axis=1).tolist()
        return [QRectF(edge, bottom, width, height) for edge, bottom, height in rows]
