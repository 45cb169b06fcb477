"""The two linked plots of the Channels view: ranges above, errors below."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from qviz.app.slot_views import ChannelsView
from qviz.ui.channel_bars import Bars
from qviz.ui.channel_canvas import ChannelCanvas
from qviz.ui.channel_figures import METRICS, ROUNDING_NOISE
from qviz.ui.channel_places import ChannelPlaces
from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette, tint
from qviz.ui.parts import label

SNAP = 4.0  # pixels: a click near a marked channel means that one
RANGES_SHARE, ERRORS_SHARE, NOTICE_SHARE = 4, 3, 1  # of the height
FOCUSED, RESTING = 0.34, 0.16  # strength of the current channel's light
ORDERED = {"range": "channel, widest range first", "error": "channel, worst error first"}
STEPS = {  # keys that move the current channel
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_PageUp: -10,
    Qt.Key.Key_PageDown: 10,
    Qt.Key.Key_Home: -(10**9),
    Qt.Key.Key_End: 10**9,
}


class ChannelsPlot(QWidget):
    """Draws a ChannelsView. Channels are numbers of the tensor, positions their places along x."""

    pointed = Signal(int)  # a channel under the mouse, -1 for none
    moved = Signal(int)  # another channel is the current one
    opened = Signal(int)  # the user wants to see this channel

    def __init__(self) -> None:
        """Two empty plots."""
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._palette = LIGHT
        self._places: ChannelPlaces | None = None
        self._sort = "index"
        self._zoomed = False
        self._fitting = False
        self.current: int | None = None
        self.ranges = ChannelCanvas("Range of every channel")
        self.errors = ChannelCanvas("Error of every channel")
        self.between = QHBoxLayout()  # for the choice of the error
        self.notice = label("", 13, tone="faint")
        self.notice.setWordWrap(True)
        self.notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.notice.setContentsMargins(24, 8, 24, 16)
        self._grid = Bars(self.ranges.box, 1.0)
        self._ends = tuple(Bars(self.ranges.box, 1.0) for _ in range(2))
        self._noise = pg.InfiniteLine(
            angle=0,
            pos=ROUNDING_NOISE,
            label="1/√12: rounding alone",
            labelOpts={"position": 1.0, "anchors": [(1.0, 1.0), (1.0, 1.0)]},
        )
        self._assemble()
        self._click = QTimer(self)
        self._click.setSingleShot(True)
        self._click.timeout.connect(self._open)

    def _assemble(self) -> None:
        errors = QWidget()
        self._stack = QStackedLayout(errors)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(self.errors)
        self._stack.addWidget(self.notice)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.ranges, RANGES_SHARE)
        column.addLayout(self.between)
        column.addWidget(errors, ERRORS_SHARE)
        self.ranges.add(self._grid, 1)
        for line in self._ends:
            self.ranges.add(line, 4)
        self.errors.add(self._noise, 4)
        self.errors.plot.setXLink(self.ranges.plot)
        for canvas in (self.ranges, self.errors):
            canvas.pointed.connect(self._point)
            canvas.clicked.connect(self._clicked)
            canvas.fit_wanted.connect(self.fit)
            canvas.box.sigResized.connect(self._place)
        self.ranges.box.sigXRangeChanged.connect(self._range_changed)

    # what is drawn

    def show_view(self, view: ChannelsView, metric: str, sort: str) -> None:
        """Draw `view`; the zoom and the current channel stay with their slot."""
        before = None if self._places is None else self._places.view
        fresh = before is None or before.slot != view.slot
        fresh = fresh or (before is not None and before.minimum.size != view.minimum.size)
        if fresh:
            self.current = None
            self._click.stop()
        fresh = fresh or sort != self._sort
        self._sort = sort
        self._places = places = ChannelPlaces.of(view, metric, sort)
        self._draw_ranges(places)
        self._draw_errors(places)
        if fresh or not self._zoomed:
            self.fit()
        else:
            self._place()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        for canvas in (self.ranges, self.errors):
            canvas.set_palette(palette)
        self.ranges.bars.set_colors([tint(palette.float_line, 0.9), tint(palette.bad, 0.95)])
        self._grid.set_colors([tint(palette.quantized_fill, 0.2)])
        for line in self._ends:
            line.set_colors([tint(palette.quantized_line, 1.0)])
        calm, exact = tint(palette.text_faint, 0.5), tint(palette.good, 0.45)
        ramp = [tint(color, 1.0) for color in palette.ramp]
        self.errors.bars.set_colors([calm, exact, *ramp])
        self._noise.setPen(pg.mkPen(palette.text_soft, width=1, style=Qt.PenStyle.DashLine))
        self._noise.label.setFont(ui_font(11))
        self._noise.label.setColor(palette.text_soft)
        self._place_cursor()

    def _draw_ranges(self, places: ChannelPlaces) -> None:
        view, order = places.view, places.order
        self.ranges.set_order(order)
        self.ranges.bars.set_bars(
            view.minimum[order], view.maximum[order], view.outliers[order].astype(np.int_)
        )
        low, high = (ends[order] if ends.size else ends for ends in (view.low, view.high))
        self._grid.set_bars(low, high)
        for line, ends in zip(self._ends, (low, high), strict=True):
            line.set_bars(ends, ends)
        below = ORDERED.get("" if places.why else self._sort, "channel")
        self.ranges.set_titles("range", below if places.why else "")
        self.errors.set_titles(METRICS[places.metric].axis, below)

    def _draw_errors(self, places: ChannelPlaces) -> None:
        self.notice.setText(places.why)
        self._stack.setCurrentIndex(1 if places.why else 0)
        self._column.setStretch(2, NOTICE_SHARE if places.why else ERRORS_SHARE)
        self._noise.setVisible(places.metric == "rmse")
        self.errors.set_order(places.order)
        if places.why:
            return
        heights, tones = places.heights, places.tones(self._palette.ramp)
        self.errors.bars.set_bars(np.minimum(heights, 0.0), np.maximum(heights, 0.0), tones)

    # the ranges of the axes

    def fit(self) -> None:
        """Show all channels."""
        self._click.stop()
        count = self._count()
        if not count:
            return
        self._zoomed = False
        self._fitting = True
        pad = max(0.1, 0.01 * count)
        left, right = -0.5 - pad, count - 0.5 + pad
        # A least range that is wider than the limits would have pyqtgraph correct it for ever.
        least = min(3.0, 0.5 * (right - left))
        for canvas in (self.ranges, self.errors):
            canvas.box.setLimits(xMin=left, xMax=right, minXRange=least)
        self.ranges.box.setXRange(left, right, padding=0)
        self._fitting = False
        self._place()

    def _count(self) -> int:
        return 0 if self._places is None else self._places.order.size

    def _range_changed(self) -> None:
        if not self._fitting:
            self._zoomed = True
            self._place()

    def _place(self) -> None:
        """Heights, marks and the current channel follow what is in sight."""
        places = self._places
        if places is None or not places.order.size:
            return
        sight = places.in_sight(*self.ranges.box.viewRange()[0])
        self.ranges.set_heights(*places.range_ends(sight))
        at = places.outliers
        tops = places.view.maximum[places.order[at]]
        self.ranges.set_marks(at.astype(np.float64), tops, np.ones(at.size, dtype=np.bool_))
        self.errors.set_heights(*places.error_ends(sight))
        tips = places.heights[places.worst]
        self.errors.set_marks(places.worst.astype(np.float64), tips, tips >= 0)
        self._place_cursor()

    # the current channel

    def _place_cursor(self) -> None:
        places, channel = self._places, self.current
        position = None if places is None or channel is None else places.position(channel)
        strength = FOCUSED if self.hasFocus() else RESTING
        for canvas in (self.ranges, self.errors):
            canvas.set_cursor(position, strength)

    def set_current(self, channel: int) -> None:
        """Make a channel the current one and bring it into sight."""
        places = self._places
        if places is None:
            return
        self.current = channel
        position = places.position(channel)
        left, right = self.ranges.box.viewRange()[0]
        if not left <= position - 0.5 <= position + 0.5 <= right:
            half = (right - left) / 2
            self.ranges.box.setXRange(position - half, position + half, padding=0)
        self._place_cursor()
        self.moved.emit(channel)

    def channel_at(self, x: float) -> int | None:
        """The channel drawn at `x`; a marked one nearby comes first where bars are thin."""
        if self._places is None:
            return None
        left, right = self.ranges.box.viewRange()[0]
        reach = SNAP * (right - left) / max(1.0, self.ranges.box.width())
        return self._places.channel_at(x, reach)

    def _point(self, x: float) -> None:
        channel = self.channel_at(x)
        self.pointed.emit(-1 if channel is None else channel)

    def _clicked(self, x: float) -> None:
        channel = self.channel_at(x)
        if channel is None:
            return
        self.setFocus()
        self.set_current(channel)
        # Only a zoomed plot has a use for a double click: there the first click waits for it.
        hints = QGuiApplication.styleHints()
        self._click.start(hints.mouseDoubleClickInterval() if self._zoomed else 0)

    def _open(self) -> None:
        if self.current is not None:
            self.opened.emit(self.current)

    # keys and focus

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrows move the current channel, Enter opens it."""
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open()
        elif key in STEPS and self._places is not None and self._count():
            at = -1 if self.current is None else self._places.position(self.current)
            order = self._places.order
            self.set_current(int(order[min(max(0, at + STEPS[key]), order.size - 1)]))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The current channel lights up."""
        super().focusInEvent(event)
        self._place_cursor()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The current channel rests."""
        super().focusOutEvent(event)
        self._place_cursor()

    def leaveEvent(self, event: QEvent) -> None:
        """No channel is under the mouse."""
        super().leaveEvent(event)
        self.pointed.emit(-1)
