"""The plot of one histogram: puts its series, grid, lines and curve on one pair of axes."""

from __future__ import annotations

from dataclasses import replace

import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from qviz.app.slot_views import DistributionView
from qviz.ui import histogram_shape as shape
from qviz.ui.clip_lines import ClipLines
from qviz.ui.error_curve import ErrorCurve, has_curve
from qviz.ui.grid_items import GridItems
from qviz.ui.grid_lines import clip_by_hand
from qviz.ui.histogram_pair import HistogramPair
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.plot_axes import CountAxis, DecibelAxis, ValueAxis, style_axis
from qviz.ui.range_lines import RangeLines, near
from qviz.ui.range_marks import MOST_ROWS
from qviz.ui.readout import Readout, read_out

PADDING = 0.04  # of the value range, on both sides
LOW_HEIGHT = 240  # pixels; below it there is no caption of the values
LEAST_HEIGHT = 130  # below it there is one row of labels
NEAR_PIXELS = 4.0  # a line of a range method is named when the cursor is so near


class HistogramPlot(QWidget):
    """Draws a DistributionView. Clip lines emit `dragged` at display rate, then `released`."""

    dragged = Signal(float, float)
    released = Signal(float, float)
    returned = Signal()  # a line was let go where it was taken
    range_picked = Signal(str)  # a range method
    drawn = Signal()  # what is drawn may have changed

    def __init__(self, value_label: str, parent: QWidget | None = None) -> None:
        """An empty plot whose horizontal axis is called `value_label`."""
        self._counts_axis = CountAxis()
        self._values_axis = ValueAxis()
        self._decibel_axis = DecibelAxis()
        super().__init__(parent)
        self._value_label = value_label
        self._palette = LIGHT
        self._view: DistributionView | None = None
        self._overlay = True
        self._curve_wanted = True
        self._zoomed = False
        self._fitting = False
        self.shows_thresholds = False
        self.canvas = pg.PlotWidget(
            axisItems={
                "left": self._counts_axis,
                "bottom": self._values_axis,
                "right": self._decibel_axis,
            }
        )
        self.canvas.setFrameShape(QFrame.Shape.NoFrame)
        self.ranges = RangeLines()
        self.ranges.marks.picked.connect(self.range_picked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.ranges.marks)
        layout.addWidget(self.canvas, 1)
        self.box = self.canvas.getPlotItem().getViewBox()
        self.readout = Readout(self.canvas, self._words_at)
        self._make_items()
        self._listen()

    def _make_items(self) -> None:
        self.ends = ClipLines(self)
        self.clips = self.ends.lines
        self.grid = GridItems()
        self.series = HistogramPair()
        self.curve = ErrorCurve(self._decibel_axis)
        items = (
            *self.ends.grounds,
            self.grid.levels,
            self.series.floats.curve,
            self.series.floats.heads,
            self.series.quantized.curve,
            self.series.quantized.heads,
            self.grid.thresholds,
            self.ranges.others,
            self.ranges.current,
            self.curve.line,
            *self.grid.beyond,
            *self.clips,
            self.curve.dots,
        )
        plot = self.canvas.getPlotItem()
        for depth, item in enumerate(items):
            item.setZValue(depth)
            plot.addItem(item, ignoreBounds=True)

    def _listen(self) -> None:
        plot = self.canvas.getPlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setContentsMargins(0, 6, 8, 0)
        plot.hideAxis("right")
        self.box.setMouseEnabled(x=True, y=False)
        self.box.disableAutoRange()
        self.box.sigXRangeChanged.connect(self._range_changed)
        self.box.sigResized.connect(self._redraw)
        self.canvas.sceneObj.sigMouseClicked.connect(self._clicked)
        self.ends.dragged.connect(self.dragged)
        self.ends.released.connect(self.released)
        self.ends.returned.connect(self.returned)

    # what to draw

    def show_view(self, view: DistributionView) -> None:
        """Draw `view`."""
        before = self._view
        if self.ends.held and before is not None and not view.ranges:
            view = _with_ranges(view, before)
        self._view = view
        if before is None or _place(before) != _place(view):
            self._zoomed = False
        self.ends.show_view(view, shown=self._overlay)
        if not self.ends.held and not self._zoomed:
            self.fit()
        else:
            self._redraw()

    def set_log(self, log: bool) -> None:
        """Logarithmic or linear counts."""
        self._counts_axis.log = log
        self.series.set_log(log)
        self._redraw()

    def set_overlay(self, overlay: bool) -> None:
        """With or without all that quantization brings: histogram, grid, lines and curve."""
        self._overlay = overlay
        self.ends.show_view(self._view, shown=overlay)
        self._redraw()

    def set_curve(self, shown: bool) -> None:
        """With or without the error curve."""
        self._curve_wanted = shown
        self._redraw()

    @property
    def shows_curve(self) -> bool:
        """Whether there is an error curve and it is wanted."""
        view = self._view
        return self._curve_wanted and self._overlay and view is not None and has_curve(view)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.canvas.setBackground(palette.card)
        self._style_axes(palette)
        for part in (self.series, self.ends, self.grid, self.curve, self.ranges):
            part.set_palette(palette)
        self._redraw()

    def _style_axes(self, palette: Palette) -> None:
        counts: pg.AxisItem = self._counts_axis
        decibels: pg.AxisItem = self._decibel_axis
        for axis in (counts, self._values_axis, decibels):
            style_axis(axis, palette)
        counts.setStyle(autoExpandTextSpace=False, tickTextWidth=30)
        counts.setWidth(52)
        counts.setLabel("count")
        counts.setGrid(28)
        decibels.setStyle(autoExpandTextSpace=False, tickTextWidth=34)
        decibels.setWidth(40)
        decibels.setTextPen(palette.curve)
        self._caption_values()

    def _caption_values(self) -> None:
        axis: pg.AxisItem = self._values_axis
        roomy = self.height() >= LOW_HEIGHT
        axis.setLabel(self._value_label)
        axis.showLabel(roomy)
        axis.setHeight(36 if roomy else 19)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A low plot does with fewer words."""
        super().resizeEvent(event)
        self.ranges.marks.set_most_rows(MOST_ROWS if self.height() >= LEAST_HEIGHT else 1)
        self._caption_values()
        self._redraw()

    # the horizontal range

    def fit(self) -> None:
        """Show the whole distribution, and its grid where it ends near the values."""
        view = self._view
        if view is None or view.counts.size == 0:
            return
        low, high = shape.fit_range(view, with_grid=self._overlay)
        pad = PADDING * ((high - low) or 1.0)
        out = [low, high] + [end for end in (view.low, view.high) if end is not None]
        self._zoomed = False
        self._fitting = True
        self.box.setLimits(xMin=min(out) - 20 * pad, xMax=max(out) + 20 * pad, minXRange=pad / 20)
        self.box.setXRange(low - pad, high + pad, padding=0)
        self._fitting = False
        self._redraw()

    def _clicked(self, event: MouseClickEvent) -> None:
        if event.double():
            self.fit()

    def _range_changed(self) -> None:
        if not self._fitting:
            self._zoomed = True
            self._redraw()

    # drawing

    def _redraw(self) -> None:
        view = self._view
        if view is None or view.counts.size == 0:
            return
        self.canvas.getPlotItem().showAxis("right", self.shows_curve)
        self.readout.hide()
        left, right = self.box.viewRange()[0]
        span, pixels = (left, right), max(1.0, float(self.box.width()))
        floor, top = self.series.draw(view, span, pixels, both=self._overlay)
        self.shows_thresholds = False
        if self._overlay:
            self.shows_thresholds = self.grid.draw(view, span, pixels, floor, top)
        else:
            self.grid.clear()
        if self.shows_curve:
            self.curve.draw(view, self._clip(view), floor, top)
        else:
            self.curve.clear()
        self.box.setYRange(floor, top, padding=0)
        frame = self.box.sceneBoundingRect()
        if self._overlay:
            set_now = self.ends.held or clip_by_hand(view) is not None
            hand = self.ends.clip() if set_now and view.low is not None else None
            heights = (floor, top)
            self.ranges.draw(view, span, frame, heights, hand, held=self.ends.held)
        else:
            self.ranges.clear()
        self.drawn.emit()

    def _clip(self, view: DistributionView) -> tuple[float, float] | None:
        """The range that the curve's dots stand at: the method's in use, else the clip lines'."""
        if view.low is None:
            return None
        found = next((line for line in view.ranges if line.current), None)
        if self.ends.held or found is None:
            return self.ends.clip()
        return found.low, found.high

    def _words_at(self, value: float) -> str:
        view = self._view
        hovered = any(line.mouseHovering for line in self.clips) or self.ends.held
        if view is None or view.counts.size == 0 or hovered:
            return ""
        if not self._overlay:
            return read_out(shape.without_grid(view), self.series.steps, value)
        within = NEAR_PIXELS * float(self.box.viewPixelSize()[0])
        return read_out(view, self.series.steps, value, near(view, value, within))


def _place(view: DistributionView) -> tuple[str, int | None, int | None]:
    return view.slot, view.channel, view.block


def _with_ranges(view: DistributionView, before: DistributionView) -> DistributionView:
    """Keep the labels while a line is dragged, so that the plot does not jump."""
    return replace(view, ranges=before.ranges)
