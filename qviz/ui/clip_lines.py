"""The clip lines of a histogram: to drag where a clip can be set by hand."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from qviz.app.slot_views import DistributionView
from qviz.ui.grid_lines import clip_by_hand, counted_within
from qviz.ui.number_format import significant
from qviz.ui.palette import LIGHT, Palette, tint
from qviz.ui.refresh import FRAME_MS

CLIPPED = "Counted as clipped: beyond the outermost level by more than half a step"
Clip = tuple[float, float]


class ClipLines(QObject):
    """Emits `dragged` at display rate while a line is held, then `released`.

    A line that is let go where it was taken emits `returned` instead: nothing has changed.
    """

    dragged = Signal(float, float)
    released = Signal(float, float)
    returned = Signal()

    def __init__(self, parent: QObject) -> None:
        """Two hidden lines, and the grounds outside them."""
        super().__init__(parent)
        self._view: DistributionView | None = None
        self._palette = LIGHT
        self._held: pg.InfiniteLine | None = None
        self._start: Clip = (0.0, 0.0)  # the clip when the line was taken
        self._taken_at = 0.0  # where the line stood then
        self.grounds = tuple(
            pg.LinearRegionItem(movable=False, pen=pg.mkPen(None)) for _ in range(2)
        )
        for ground in self.grounds:
            ground.setToolTip(CLIPPED)
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
        """Stand at the clip set by hand, else at the ends of the grid; hidden for float.

        While one line is held the other stays where it is, unless both move together.
        """
        self._view = view
        shown = shown and view is not None and view.low is not None and view.high is not None
        for item in (*self.lines, *self.grounds):
            item.setVisible(shown)
        if view is None or view.low is None or view.high is None:
            return
        places = self.clip() if self.held else stand_at(view)
        for line, value in zip(self.lines, places, strict=True):
            if line is not self._held:
                line.setPos(value)
        self._style()
        low, high = counted_within(view)
        if not math.isfinite(low):
            for ground in self.grounds:
                ground.hide()
            return
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

    def clip(self) -> Clip:
        """The clip: of a line that is held, its place and the other end as it was."""
        low, high = (float(line.value()) for line in self.lines)
        if self._held is None:
            return low, high
        if self._is_back():
            return self._start
        if self._held is self.lines[0]:
            mirrored = self._mirrored and self._start[1] > 0
            return low, -low if mirrored else self._start[1]
        mirrored = self._mirrored and self._start[0] < 0
        return -high if mirrored else self._start[0], high

    @property
    def _mirrored(self) -> bool:
        return self._view is not None and self._view.mirrored

    def _is_back(self) -> bool:
        """Whether the line that is held stands on the pixel where it was taken."""
        if self._held is None:
            return False
        box = self._held.getViewBox()
        pixel = 0.0 if box is None else float(box.viewPixelSize()[0])
        return abs(float(self._held.value()) - self._taken_at) <= pixel

    def _take(self, line: pg.InfiniteLine) -> None:
        view = self._view
        at = 0 if line is self.lines[0] else 1
        self._taken_at = float(line.startPosition.x())
        ends = [float(other.value()) for other in self.lines]
        ends[at] = self._taken_at
        hand = None if view is None else clip_by_hand(view)
        self._start = hand or (ends[0], ends[1])
        self._held = line

    def _dragged(self, line: pg.InfiniteLine) -> None:
        if self._held is None:
            self._take(line)
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
        back = self._is_back()
        self._held = None
        if low < high and not back:
            self.released.emit(low, high)
        else:
            self.returned.emit()


def stand_at(view: DistributionView) -> Clip:
    """Where the lines stand: at the clip set by hand, else at the ends of the grid.

    Where every channel has its own range, a clip wider than all of them changes nothing: the
    ends of the widest are shown.
    """
    low, high = view.low or 0.0, view.high or 0.0
    hand = clip_by_hand(view)
    if hand is None or not view.can_clip:
        return low, high
    return hand if view.levels.size else (max(hand[0], low), min(hand[1], high))
