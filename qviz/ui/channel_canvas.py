"""One plot over the channels: bars, marks and the current channel, zoomed along x only."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QFrame, QGraphicsItem, QVBoxLayout, QWidget

from qviz.app.views import Floats
from qviz.ui.channel_axes import ChannelAxis, SideAxis, dress_axis
from qviz.ui.channel_bars import Bars
from qviz.ui.channel_figures import Indices, Mask
from qviz.ui.palette import LIGHT, Palette, tint

MARK_SIZE = 8
LABEL_ROOM = 8.0  # pixels: half a tick's label


class ChannelCanvas(QWidget):
    """Tells where the mouse is and was clicked, as a position along x."""

    pointed = Signal(float)
    clicked = Signal(float)
    fit_wanted = Signal()

    def __init__(self, name: str) -> None:
        """An empty plot; `name` is what a screen reader calls it."""
        self._side, self._below = SideAxis(), ChannelAxis()
        self.palette_used = LIGHT
        super().__init__()
        self.setAccessibleName(name)
        self.canvas = pg.PlotWidget(axisItems={"left": self._side, "bottom": self._below})
        self.canvas.setFrameShape(QFrame.Shape.NoFrame)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys go to both plots together
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.plot = self.canvas.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setContentsMargins(0, 4, 8, 0)
        self.box = self.plot.getViewBox()
        self.box.setMouseEnabled(x=True, y=False)
        self.box.disableAutoRange()
        self.cursor_bar = Bars(self.box, 1.0, least=3.0)
        self.bars = Bars(self.box, 0.7)
        self.zero = pg.InfiniteLine(angle=0, pos=0.0)
        self.marks = pg.ScatterPlotItem(size=MARK_SIZE, pen=None)
        self.add(self.cursor_bar, 0)
        self.add(self.bars, 3)
        self.add(self.zero, 2)  # below the bars, or it would hide the small ones
        self.add(self.marks, 5)
        self.canvas.sceneObj.sigMouseMoved.connect(self._moved)
        self.canvas.sceneObj.sigMouseClicked.connect(self._clicked)

    def add(self, item: QGraphicsItem, depth: int) -> None:
        """Draw `item` at a depth; it does not change the range."""
        item.setZValue(depth)
        self.plot.addItem(item, ignoreBounds=True)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.palette_used = palette
        self.canvas.setBackground(palette.card)
        self.zero.setPen(pg.mkPen(palette.line_strong, width=1))
        self.marks.setBrush(palette.bad)
        dress_axis(self._side, palette, self._side.labelText)
        dress_axis(self._below, palette, self._below.labelText)

    def set_titles(self, side: str, below: str) -> None:
        """What the axes show."""
        dress_axis(self._side, self.palette_used, side)
        dress_axis(self._below, self.palette_used, below)

    def set_order(self, order: Indices) -> None:
        """The channel at every position."""
        self._below.set_order(order)

    def set_heights(self, low: float, high: float) -> None:
        """The range of y, with room for marks."""
        span, height = (high - low) or 1.0, max(4 * LABEL_ROOM, self.box.height())
        mark = max(0.1, (MARK_SIZE + 6) / height)
        below = mark if low < 0 else LABEL_ROOM / height  # or the 0 would not be shown
        self.box.setYRange(low - below * span, high + mark * span, padding=0)

    def set_marks(self, x: Floats, y: Floats, above: Mask) -> None:
        """Triangles that point at (x, y), each [n], from above or from below."""
        (bottom, top), height = self.box.viewRange()[1], max(1.0, self.box.height())
        away = (top - bottom) / height * (MARK_SIZE / 2 + 2)
        symbols = np.where(above, "t", "t1").tolist()
        self.marks.setData(x=x, y=y + np.where(above, away, -away), symbol=symbols)

    def set_cursor(self, position: int | None, strength: float) -> None:
        """Light up one position over the whole height."""
        if position is None:
            self.cursor_bar.set_bars(np.empty(0), np.empty(0))
            return
        bottom, top = self.box.viewRange()[1]
        self.cursor_bar.set_colors([tint(self.palette_used.accent, strength)])
        self.cursor_bar.set_bars(np.array([bottom]), np.array([top]), start=position)

    def _moved(self, point: QPointF) -> None:
        if self.box.sceneBoundingRect().contains(point):
            self.pointed.emit(self.box.mapSceneToView(point).x())

    def _clicked(self, event: MouseClickEvent) -> None:
        if event.double():
            self.fit_wanted.emit()
        elif event.button() == Qt.MouseButton.LeftButton and self._inside(event):
            self.clicked.emit(self.box.mapSceneToView(event.scenePos()).x())

    def _inside(self, event: MouseClickEvent) -> bool:
        return bool(self.box.sceneBoundingRect().contains(event.scenePos()))
