"""Where every channel is drawn: its position, the height of its error, and what is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qviz.app.slot_views import ChannelsView
from qviz.ui import channel_figures as figures
from qviz.ui.channel_figures import METRICS, ROUNDING_NOISE

Floats = NDArray[np.float64]
Indices = NDArray[np.int_]

RMSE_ROOM = 1.35  # of the height at which rounding alone is marked


@dataclass(frozen=True, eq=False, slots=True)
class ChannelPlaces:
    """The channels of a view in the order they are drawn; positions count from 0 along x."""

    view: ChannelsView
    metric: str
    order: Indices  # the channel at every position
    outliers: Indices  # positions
    worst: Indices  # positions
    heights: Floats  # of the errors, by position
    why: str  # there are no errors; "" where there are

    @staticmethod
    def of(view: ChannelsView, metric: str, sort: str) -> ChannelPlaces:
        """Sorted by `sort`, with the errors of `metric`."""
        shown = METRICS[metric]
        order, why = figures.order(view, sort, shown), figures.why_no_errors(view, shown)
        values = np.empty(0) if why else shown.values(view)
        worst, heights = np.empty(0, dtype=np.int_), np.zeros(order.size)
        if values.size:
            worst = np.flatnonzero(figures.worst(view, shown)[order])
            heights = figures.bar_heights(values[order])
        outliers = np.flatnonzero(view.outliers[order])
        return ChannelPlaces(view, metric, order, outliers, worst, heights, why)

    def position(self, channel: int) -> int:
        """Where a channel is drawn."""
        return int(np.flatnonzero(self.order == channel)[0])

    def channel_at(self, x: float, reach: float) -> int | None:
        """The channel drawn at `x`; a marked one within `reach` comes first."""
        nearest = round(x)
        near = np.concatenate((self.outliers, self.worst))
        near = near[np.abs(near - x) <= reach]
        if near.size:
            nearest = int(near[np.argmin(np.abs(near - x))])
        return int(self.order[nearest]) if 0 <= nearest < self.order.size else None

    def in_sight(self, left: float, right: float) -> slice:
        """The positions between two ends of the axis, at least one."""
        first = min(max(0, int(np.ceil(left - 0.5))), self.order.size - 1)
        return slice(first, max(first + 1, int(np.floor(right + 0.5)) + 1))

    def range_ends(self, sight: slice) -> tuple[float, float]:
        """The lowest and the highest value of the channels in sight, with their grids."""
        view, channels = self.view, self.order[sight]
        ends = [view.minimum[channels], view.maximum[channels]]
        if view.low.size:
            ends += [view.low[channels], view.high[channels]]
        drawn = np.concatenate(ends)
        drawn = drawn[np.isfinite(drawn)]  # a channel of zeros alone has no grid
        return float(drawn.min()), float(drawn.max())

    def error_ends(self, sight: slice) -> tuple[float, float]:
        """The lowest and the highest error in sight, zero among them."""
        seen = self.heights[sight]
        low, high = min(0.0, float(seen.min())), max(0.0, float(seen.max()))
        if self.metric == "rmse":
            high = max(high, RMSE_ROOM * ROUNDING_NOISE)
        return low, high if high > low else 1.0

    def tones(self, ramp: Sequence[str]) -> Indices:
        """How the error at every position is drawn, see `channel_figures.tones`."""
        return figures.tones(self.view, METRICS[self.metric], len(ramp))[self.order]
