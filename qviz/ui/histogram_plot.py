"""The plot of one histogram (all of pyqtgraph is here and in the axes)."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from qviz.app.views import DistributionView
from qviz.ui import histogram_shape as shape
from qviz.ui.fonts import ui_font
from qviz.ui.number_format import significant
from qviz.ui.palette import LIGHT, Palette, tint
from qviz.ui.plot_axes import CountAxis, ValueAxis
from qviz.ui.refresh import FRAME_MS

LOG_FLOOR = math.log10(0.6)  # the logarithmic axis starts below 1, so that one value still shows
PADDING = 0.04  # of the value range, on both sides
RUG_HEIGHT = 0.05  # of the axis


class HistogramPlot(QWidget):
    """Draws a DistributionView. Clip lines emit `dragged` at display rate, then `released`."""

    dragged = Signal(float, float)
    released = Signal(float, float)

    def __init__(self, value_label: str, parent: QWidget | None = None) -> None:
        """An empty plot whose horizontal axis is called `value_label`."""
        self._counts_axis = CountAxis()
        self._values_axis = ValueAxis()
        super().__init__(parent)
        self._value_label = value_label
        self._palette = LIGHT
        self._view: DistributionView | None = None
        self._log = False
        self._overlay = True
        self._mirrored = False
        self._zoomed = False
        self._fitting = False
        self._held: pg.InfiniteLine | None = None
        self.canvas = pg.PlotWidget(
            axisItems={"left": self._counts_axis, "bottom": self._values_axis}
        )
        self.canvas.setFrameShape(QFrame.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.box = self.canvas.getPlotItem().getViewBox()
        self._make_items()
        self._drag_timer = QTimer(self)
        self._drag_timer.setSingleShot(True)
        self._drag_timer.setInterval(FRAME_MS)
        self._drag_timer.timeout.connect(self._send_drag)

    def _make_items(self) -> None:
        plot = self.canvas.getPlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setContentsMargins(0, 6, 8, 0)
        self.box.setMouseEnabled(x=True, y=False)
        self.box.disableAutoRange()
        self.box.sigXRangeChanged.connect(self._range_changed)
        self.box.sigResized.connect(self._redraw)
        self.canvas.sceneObj.sigMouseClicked.connect(self._clicked)
        self._outside = tuple(
            pg.LinearRegionItem(movable=False, pen=pg.mkPen(None)) for _ in range(2)
        )
        self._float = pg.PlotCurveItem(antialias=True)
        self._quantized = pg.PlotCurveItem(antialias=True)
        self._grid = pg.PlotCurveItem(antialias=False, connect="pairs")
        self.clips = tuple(self._clip_line() for _ in range(2))
        for depth, item in enumerate(
            (*self._outside, self._grid, self._float, self._quantized, *self.clips)
        ):
            item.setZValue(depth)
            plot.addItem(item, ignoreBounds=True)

    def _clip_line(self) -> pg.InfiniteLine:
        line = pg.InfiniteLine(angle=90, movable=True)
        line.addMarker("v", position=1.0, size=9)
        line.setCursor(Qt.CursorShape.SizeHorCursor)
        line.sigDragged.connect(self._clip_dragged)
        line.sigPositionChangeFinished.connect(self._clip_released)
        return line

    # what to draw

    def show_view(self, view: DistributionView, *, mirrored: bool) -> None:
        """Draw `view`; `mirrored` couples the clip lines around zero (a symmetric scheme)."""
        before = self._view
        self._view = view
        self._mirrored = mirrored
        if before is None or (before.slot, before.channel) != (view.slot, view.channel):
            self._zoomed = False
        self._place_clips()
        if self._held is None and not self._zoomed:
            self.fit()
        else:
            self._redraw()

    def set_log(self, log: bool) -> None:
        """Logarithmic or linear counts."""
        self._log = log
        self._counts_axis.log = log
        self._redraw()

    def set_overlay(self, overlay: bool) -> None:
        """With or without the quantized histogram, its grid and the clip lines."""
        self._overlay = overlay
        self._place_clips()
        self._redraw()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.canvas.setBackground(palette.card)
        counts: pg.AxisItem = self._counts_axis
        values: pg.AxisItem = self._values_axis
        for axis, text in ((counts, "count"), (values, self._value_label)):
            axis.enableAutoSIPrefix(False)
            axis.setTickFont(_tick_font())
            axis.setPen(pg.mkPen(palette.line_strong))
            axis.setTickPen(pg.mkPen(palette.line_strong))
            axis.setTextPen(palette.text_faint)
            axis.setStyle(tickLength=-4, tickTextOffset=4)
            axis.labelStyle = {"color": palette.text_faint}
            axis.label.setFont(_tick_font())
            axis.setLabel(text)
        counts.setStyle(autoExpandTextSpace=False, tickTextWidth=30)
        counts.setWidth(52)
        values.setHeight(38)
        counts.setGrid(28)
        self._color_items(palette)

    def _color_items(self, palette: Palette) -> None:
        self._float.setPen(pg.mkPen(palette.float_line, width=1.2))
        self._float.setBrush(tint(palette.float_fill, 0.55))
        self._quantized.setPen(pg.mkPen(palette.quantized_line, width=1.6))
        self._quantized.setBrush(tint(palette.quantized_fill, 0.22))
        self._grid.setPen(pg.mkPen(tint(palette.quantized_line, 0.38), width=1))
        for region in self._outside:
            region.setBrush(tint(palette.bad, 0.07))
        for line in self.clips:
            line.setPen(pg.mkPen(palette.text_soft, width=1.2))
            line.setHoverPen(pg.mkPen(palette.accent, width=3))

    # the horizontal range

    def fit(self) -> None:
        """Show the whole distribution and its grid."""
        view = self._view
        if view is None or view.counts.size == 0:
            return
        ends = [view.minimum, view.maximum]
        if self._overlay and view.low is not None and view.high is not None:
            ends += [view.low, view.high]
        low, high = min(ends), max(ends)
        pad = PADDING * ((high - low) or 1.0)
        self._zoomed = False
        self._fitting = True
        self.box.setLimits(xMin=low - 20 * pad, xMax=high + 20 * pad, minXRange=pad / 20)
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
        left, right = self.box.viewRange()[0]
        pixels = max(1.0, float(self.box.width()))
        group = shape.bins_per_step(view, left, right, pixels)
        floats = shape.float_steps(view, group)
        quantized = (
            shape.quantized_steps(view, group, left, right, pixels)
            if self._overlay
            else shape.NO_STEPS
        )
        floor, top = self._heights(floats, quantized)
        self._draw_steps(self._float, floats, floor)
        self._draw_steps(self._quantized, quantized, floor)
        self._draw_grid(view, left, right, pixels, floor, top)
        self.box.setYRange(floor, top, padding=0)

    def _heights(self, floats: shape.Steps, quantized: shape.Steps) -> tuple[float, float]:
        tallest = float(floats.heights.max(initial=1.0))
        if quantized.heights.size:
            # One level may hold the mass of many bins: let it rise above, but not flatten the rest.
            tallest = max(tallest, min(float(quantized.heights.max()), 2.5 * tallest))
        if self._log:
            return LOG_FLOOR, LOG_FLOOR + 1.06 * (math.log10(max(tallest, 2.0)) - LOG_FLOOR)
        return 0.0, 1.06 * tallest

    def _draw_steps(self, curve: pg.PlotCurveItem, steps: shape.Steps, floor: float) -> None:
        heights = steps.heights
        if self._log and heights.size:
            heights = np.log10(np.maximum(heights, 10**LOG_FLOOR))
        x, y = shape.outline(shape.Steps(steps.edges, heights), floor)
        curve.setData(x, y)
        curve.setFillLevel(floor)

    def _draw_grid(
        self,
        view: DistributionView,
        left: float,
        right: float,
        pixels: float,
        floor: float,
        top: float,
    ) -> None:
        drawn = shape.grid(view, left, right, pixels)
        if not self._overlay or drawn.levels.size == 0:
            self._grid.setData(_nothing(), _nothing())
            return
        height = top if drawn.kind == "lines" else floor + RUG_HEIGHT * (top - floor)
        self._grid.setData(np.repeat(drawn.levels, 2), np.tile((floor, height), drawn.levels.size))

    # clip lines

    def _place_clips(self) -> None:
        view = self._view
        shown = self._overlay and view is not None and view.low is not None
        for item in (*self.clips, *self._outside):
            item.setVisible(shown)
        if view is None or view.low is None or view.high is None or not shown:
            return
        for line, value, side in zip(
            self.clips, (view.low, view.high), ("low", "high"), strict=True
        ):
            if line is not self._held:
                line.setPos(value)
            line.setMovable(value != 0.0)
            line.setToolTip(f"Clips at {significant(value)}: drag to change the {side} end")
        low, high = self.clip()
        far = 100 * (abs(low) + abs(high) + view.maximum - view.minimum)
        self._outside[0].setRegion((low - far, low))
        self._outside[1].setRegion((high, high + far))

    def clip(self) -> tuple[float, float]:
        """Where the clip lines stand."""
        low, high = (float(line.value()) for line in self.clips)
        if self._mirrored and self._held is self.clips[0] and high > 0:
            return low, -low
        if self._mirrored and self._held is self.clips[1] and low < 0:
            return -high, high
        return low, high

    def _clip_dragged(self, line: pg.InfiniteLine) -> None:
        self._held = line
        # Zero stays on the grid: the ends cannot cross it.
        value = float(line.value())
        line.setPos(min(value, 0.0) if line is self.clips[0] else max(value, 0.0))
        if not self._drag_timer.isActive():
            self._drag_timer.start()

    def _send_drag(self) -> None:
        low, high = self.clip()
        if low < high:
            self.dragged.emit(low, high)

    def _clip_released(self, _line: pg.InfiniteLine) -> None:
        self._drag_timer.stop()
        low, high = self.clip()
        self._held = None
        if low < high:
            self.released.emit(low, high)
        else:
            self._place_clips()


def _nothing() -> NDArray[np.float64]:
    return np.zeros(0)


def _tick_font() -> QFont:
    return ui_font(11)
