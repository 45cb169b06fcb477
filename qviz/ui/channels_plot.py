"""The two linked plots of the Channels view: ranges above, errors below."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from qviz.app.views import ChannelsView
from qviz.ui import channel_figures as figures
from qviz.ui.channel_bars import Bars
from qviz.ui.channel_canvas import ChannelCanvas
from qviz.ui.channel_figures import METRICS, ROUNDING_NOISE
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
        self._view: ChannelsView | None = None
        self._metric = "sqnr"
        self._sort = "index"
        self._order = np.empty(0, dtype=np.int_)
        self._outliers = np.empty(0, dtype=np.int_)  # positions
        self._worst = np.empty(0, dtype=np.int_)  # positions
        self._heights = np.empty(0)  # of the error bars, by position
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
        before = self._view
        fresh = before is None or before.slot != view.slot
        fresh = fresh or (before is not None and before.minimum.size != view.minimum.size)
        if fresh:
            self.current = None
            self._click.stop()
        fresh = fresh or sort != self._sort
        self._view, self._metric, self._sort = view, metric, sort
        self._order = figures.order(view, sort, METRICS[metric])
        self._draw_ranges(view)
        self._draw_errors(view)
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

    def _draw_ranges(self, view: ChannelsView) -> None:
        order = self._order
        self.ranges.set_order(order)
        outliers = view.outliers[order]
        self.ranges.bars.set_bars(
            view.minimum[order], view.maximum[order], outliers.astype(np.int_)
        )
        low, high = (ends[order] if ends.size else ends for ends in (view.low, view.high))
        self._grid.set_bars(low, high)
        for line, ends in zip(self._ends, (low, high), strict=True):
            line.set_bars(ends, ends)
        self._outliers = np.flatnonzero(outliers)
        shown = METRICS[self._metric]
        errors = not figures.why_no_errors(view, shown)
        below = ORDERED.get(self._sort if errors else "", "channel")
        self.ranges.set_titles("range", "" if errors else below)
        self.errors.set_titles(shown.axis, below)

    def _draw_errors(self, view: ChannelsView) -> None:
        metric, order = METRICS[self._metric], self._order
        why = figures.why_no_errors(view, metric)
        values = np.empty(0) if why else metric.values(view)
        self.notice.setText(why)
        self._stack.setCurrentIndex(1 if why else 0)
        self._column.setStretch(2, NOTICE_SHARE if why else ERRORS_SHARE)
        self._noise.setVisible(self._metric == "rmse")
        self.errors.set_order(order)
        if not values.size:
            self._worst, self._heights = np.empty(0, dtype=np.int_), np.zeros(order.size)
            return
        self._worst = np.flatnonzero(figures.worst(view, metric)[order])
        self._heights = heights = figures.bar_heights(values[order])
        tones = figures.tones(view, metric, len(self._palette.ramp))[order]
        self.errors.bars.set_bars(np.minimum(heights, 0.0), np.maximum(heights, 0.0), tones)

    # the ranges of the axes

    def fit(self) -> None:
        """Show all channels."""
        self._click.stop()
        count = self._order.size
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

    def _range_changed(self) -> None:
        if not self._fitting:
            self._zoomed = True
            self._place()

    def _in_sight(self) -> slice:
        left, right = self.ranges.box.viewRange()[0]
        first = min(max(0, int(np.ceil(left - 0.5))), self._order.size - 1)
        return slice(first, max(first + 1, int(np.floor(right + 0.5)) + 1))

    def _place(self) -> None:
        """Heights, marks and the current channel follow what is in sight."""
        view = self._view
        if view is None or not self._order.size:
            return
        sight = self._in_sight()
        channels = self._order[sight]
        ends = [view.minimum[channels], view.maximum[channels]]
        if view.low.size:
            ends += [view.low[channels], view.high[channels]]
        drawn = np.concatenate(ends)
        drawn = drawn[np.isfinite(drawn)]  # a channel of zeros alone has no grid
        self.ranges.set_heights(float(drawn.min()), float(drawn.max()))
        at = self._outliers
        tops = view.maximum[self._order[at]]
        self.ranges.set_marks(at.astype(np.float64), tops, np.ones(at.size, dtype=np.bool_))
        seen = self._heights[sight]
        low, high = min(0.0, float(seen.min())), max(0.0, float(seen.max()))
        if self._metric == "rmse":
            high = max(high, 1.35 * ROUNDING_NOISE)
        self.errors.set_heights(low, high if high > low else 1.0)
        tips = self._heights[self._worst]
        self.errors.set_marks(self._worst.astype(np.float64), tips, tips >= 0)
        self._place_cursor()

    # the current channel

    def _place_cursor(self) -> None:
        position = None if self.current is None else self._position(self.current)
        strength = FOCUSED if self.hasFocus() else RESTING
        for canvas in (self.ranges, self.errors):
            canvas.set_cursor(position, strength)

    def _position(self, channel: int) -> int:
        return int(np.flatnonzero(self._order == channel)[0])

    def set_current(self, channel: int) -> None:
        """Make a channel the current one and bring it into sight."""
        self.current = channel
        position = self._position(channel)
        left, right = self.ranges.box.viewRange()[0]
        if not left <= position - 0.5 <= position + 0.5 <= right:
            half = (right - left) / 2
            self.ranges.box.setXRange(position - half, position + half, padding=0)
        self._place_cursor()
        self.moved.emit(channel)

    def channel_at(self, x: float) -> int | None:
        """The channel drawn at `x`; a marked one nearby comes first where bars are thin."""
        count = self._order.size
        nearest = round(x)
        left, right = self.ranges.box.viewRange()[0]
        reach = SNAP * (right - left) / max(1.0, self.ranges.box.width())
        near = np.concatenate((self._outliers, self._worst))
        near = near[np.abs(near - x) <= reach]
        if near.size:
            nearest = int(near[np.argmin(np.abs(near - x))])
        return int(self._order[nearest]) if 0 <= nearest < count else None

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
        elif key in STEPS and self._order.size:
            at = -1 if self.current is None else self._position(self.current)
            last = self._order.size - 1
            self.set_current(int(self._order[min(max(0, at + STEPS[key]), last)]))
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
