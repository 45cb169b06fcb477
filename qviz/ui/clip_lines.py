"""The two ends of the grid in a histogram: lines to drag where a clip can be set by hand."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from qviz.app.views import DistributionView
from qviz.ui.number_format import significant
from qviz.ui.palette import LIGHT, Palette, tint
from qviz.ui.refresh import FRAME_MS


class ClipLines(QObject):
    """Emits `dragged` at display rate while a line is held, then `released`."""

    dragged = Signal(float, float)
    released = Signal(float, float)

    def __init__(self, parent: QObject) -> None:
        """Two hidden lines, and the grounds outside them."""
        super().__init__(parent)
        self._view: DistributionView | None = None
        self._palette = LIGHT
        self._held: pg.InfiniteLine | None = None
        self.grounds = tuple(
            pg.LinearRegionItem(movable=False, pen=pg.mkPen(None)) for _ in range(2)
        )
        self.lines = tuple(self._line() for _ in range(2))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._send)

    def _line(self) -> pg.InfiniteLine:
        line = pg.InfiniteLine(angle=90, movable=True)
        line.sigDragged.connect(self._dragged)
        line.sigPositionChangeFinished.connect(self._released)
        return line

    @property
    def held(self) -> bool:
        """Whether the user drags a line now."""
        return self._held is not None

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        for ground in self.grounds:
            ground.setBrush(tint(palette.bad, 0.07))
        self._style()

    def show_view(self, view: DistributionView | None, *, shown: bool) -> None:
        """Stand at the ends of the view's grid; hidden for float and for scales per block."""
        self._view = view
        shown = shown and view is not None and view.low is not None and view.high is not None
        for item in (*self.lines, *self.grounds):
            item.setVisible(shown)
        if view is None or view.low is None or view.high is None:
            return
        for line, value in zip(self.lines, (view.low, view.high), strict=True):
            if line is not self._held:
                line.setPos(value)
        self._style()
        low, high = self.clip()
        far = 100 * (abs(low) + abs(high) + view.maximum - view.minimum)
        self.grounds[0].setRegion((low - far, low))
        self.grounds[1].setRegion((high, high + far))

    def _style(self) -> None:
        """Thick with a handle where it can be dragged; thin where it only marks the end."""
        colors, view = self._palette, self._view
        for line, side in zip(self.lines, ("low", "high"), strict=True):
            value = float(line.value())
            # A clip set by hand is one of the tensor or its channels, not of the block drawn.
            whole = view is not None and view.can_clip and view.block is None
            movable = whole and value != 0.0
            line.setMovable(movable)
            line.clearMarkers()
            if movable:
                line.addMarker("v", position=1.0, size=9)
                line.setCursor(Qt.CursorShape.SizeHorCursor)
                line.setToolTip(f"Clips at {significant(value)}: drag to change the {side} end")
            else:
                line.unsetCursor()
                line.setToolTip(f"The {side} end of the grid: {significant(value)}")
            pen = colors.text_soft if movable else colors.text_faint
            line.setPen(pg.mkPen(pen, width=1.2 if movable else 1.0))
            line.setHoverPen(pg.mkPen(colors.accent, width=3))

    def clip(self) -> tuple[float, float]:
        """Where the lines stand."""
        low, high = (float(line.value()) for line in self.lines)
        if self._view is not None and self._view.mirrored:
            if self._held is self.lines[0] and high > 0:
                return low, -low
            if self._held is self.lines[1] and low < 0:
                return -high, high
        return low, high

    def _dragged(self, line: pg.InfiniteLine) -> None:
        self._held = line
        # Zero stays on the grid: the ends cannot cross it.
        value = float(line.value())
        line.setPos(min(value, 0.0) if line is self.lines[0] else max(value, 0.0))
        if not self._timer.isActive():
            self._timer.start()

    def _send(self) -> None:
        low, high = self.clip()
        if low < high:
            self.dragged.emit(low, high)

    def _released(self, _line: pg.InfiniteLine) -> None:
        self._timer.stop()
        low, high = self.clip()
        self._held = None
        if low < high:
            self.released.emit(low, high)
        else:
            self.show_view(self._view, shown=True)
