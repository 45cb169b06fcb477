"""Axes of the Channels view: values at the side, channel numbers below in the order drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QGraphicsSceneResizeEvent

from qviz.ui.channel_figures import Indices
from qviz.ui.palette import Palette
from qviz.ui.plot_axes import Ticks, ValueAxis, style_axis

SIDE_WIDTH = 56
BOTTOM_HEIGHT = 22
TITLE_HEIGHT = 16  # more, with a title


_placed: Callable[[pg.AxisItem, object], None] = pg.AxisItem.resizeEvent


class SideAxis(ValueAxis):
    """Values to the left of the plot."""

    def __init__(self) -> None:
        """A left axis."""
        pg.AxisItem.__init__(self, "left")

    def resizeEvent(self, event: QGraphicsSceneResizeEvent | None = None) -> None:
        """A title longer than the axis is left out; the menu above a plot says the same."""
        _placed(self, event)
        if self.label is not None and self.labelText:  # there is none once the plot is closed
            self.label.setVisible(self.label.boundingRect().width() <= self.size().height())

    def tickValues(self, low: float, high: float, size: float) -> Ticks:
        """At most about one tick every 28 pixels."""
        return super().tickValues(low, high, size * 50 / 28)


class ChannelAxis(ValueAxis):
    """The channel at every position."""

    def __init__(self) -> None:
        """A bottom axis over no channels."""
        super().__init__()
        self._order: Indices = np.empty(0, dtype=np.int_)

    def set_order(self, order: Indices) -> None:
        """The channel at every position, [channels]."""
        self._order = order
        self.picture = None
        self.update()

    def tickValues(self, low: float, high: float, size: float) -> Ticks:
        """Positions that hold a channel."""
        return [
            (spacing, [v for v in values if v.is_integer() and 0 <= v < self._order.size])
            for spacing, values in super().tickValues(low, high, size)
        ]

    def tickStrings(self, values: list[float], _scale: float, _spacing: float) -> list[str]:
        """The channels' numbers."""
        return [str(self._order[int(v)]) for v in values]


def dress_axis(axis: pg.AxisItem, palette: Palette, title: str) -> None:
    """The looks of all plots and a title ("" for none); labels may reach over the axis' ends."""
    style_axis(axis, palette)
    axis.setStyle(hideOverlappingLabels=False)
    axis.setLabel(title)
    axis.showLabel(bool(title))
    if axis.orientation == "left":
        axis.setStyle(autoExpandTextSpace=False, tickTextWidth=34)
        axis.setWidth(SIDE_WIDTH)
        axis.resizeEvent(None)
        axis.setGrid(28)
    else:
        axis.setHeight(BOTTOM_HEIGHT + (TITLE_HEIGHT if title else 0))
