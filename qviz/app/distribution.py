"""The Distribution view of one slot: its histogram with the grid of its scheme over it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from qviz.app.channel_errors import sample_of
from qviz.app.extents import NO_SCALE
from qviz.app.slot_views import DistributionView
from qviz.app.views import Floats
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.quant.bins import CHANNEL_HALF, HALF
from qviz.quant.encoding import Dynamic, Encoding, Scaled
from qviz.quant.error import SlotError, measure_error
from qviz.quant.points import Points
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

DRAWN_BINS = 240
EXACT_LIMIT = 100_000  # weights with more values are drawn from their fine histogram
_NONE: Floats = np.empty(0)


def empty_view(model: Model, slot: Slot, scheme: Scheme, notice: str) -> DistributionView:
    """A view with nothing to draw and the reason why."""
    return DistributionView(
        slot=slot.name,
        title=model.layers[slot.layer].name,
        role=slot.role,
        scheme=str(scheme),
        edges=_NONE,
        counts=_NONE,
        quantized_counts=None,
        levels=_NONE,
        low=None,
        high=None,
        minimum=0.0,
        maximum=0.0,
        values=0,
        clipped=None,
        sqnr_db=None,
        mse=None,
        cosine=None,
        max_error=None,
        scale=None,
        zero_point=None,
        channels=0,
        channel=None,
        notice=notice,
    )


def distribution_view(
    model: Model,
    slot: Slot,
    scheme: Scheme,
    stats: TensorStats,
    encoding: Encoding | None,
    channel: int | None,
    block: int | None = None,
    exact: SlotError | None = None,
) -> DistributionView:
    """Histogram, grid and errors of a slot, of one of its channels, or of one block.

    `exact` are errors measured on all values; without them those of the drawn points are shown.
    """
    if channel is not None and not 0 <= channel < stats.channels:
        channel = None
    seen = _seen(stats, encoding, channel, block)
    minimum, maximum = _extent(stats, seen)
    edges = _edges(stats, seen, minimum, maximum)
    counts = _histogram(seen.floats.values, seen.floats.counts, edges)
    view = replace(
        empty_view(model, slot, scheme, ""),
        edges=edges,
        counts=counts,
        minimum=minimum,
        maximum=maximum,
        values=_how_many(stats, seen),
        channels=0 if _uncounted(stats) else stats.channels,
        channel=seen.channel,
        blocks=_blocks(stats, encoding),
        block=seen.block,
    )
    if encoding is None or seen.grid is None:
        return view
    return _with_grid(view, scheme, stats, seen, seen.grid, exact)


def _with_grid(
    view: DistributionView,
    scheme: Scheme,
    stats: TensorStats,
    seen: _Seen,
    grid: Scaled,
    exact: SlotError | None,
) -> DistributionView:
    measured = seen.measured or seen.drawn
    error = exact or measure_error(measured, grid)
    quantized = grid.apply(seen.drawn.values)
    drawn = _histogram(quantized, seen.drawn.counts, view.edges)
    used = _used(stats, seen, grid)
    single = grid.scale.numel() == 1 and bool(used.any())
    bounded = bool(used.any()) and (single or grid.block is None) and not grid.unbounded
    low = float(grid.low[used].min()) if bounded else None
    scaled = single and scheme.family not in NO_SCALE
    return replace(
        view,
        quantized_counts=drawn * (view.counts.sum() / max(drawn.sum(), 1.0)),
        levels=grid.levels().numpy() if single else _NONE,
        thresholds=grid.thresholds().numpy() if single else _NONE,
        low=low,
        high=float(grid.high[used].max()) if bounded else None,
        clipped=error.clipped,
        sqnr_db=error.sqnr_db,
        mse=error.mse,
        cosine=error.cosine,
        max_error=error.max_error,
        scale=float(grid.scale.flatten()[0]) if scaled else None,
        zero_point=int(grid.zero_point.flatten()[0]) if scaled else None,
        mirrored=scheme.symmetric and low is not None and low < 0.0,
        can_clip="clip" in scheme.ranges and seen.block is None,
        sampled=error.sampled or 0,
    )


def _used(stats: TensorStats, seen: _Seen, grid: Scaled) -> Tensor:
    """Which scales have more than zeros: those of zeros alone are 1, which says nothing."""
    if grid.scale.numel() > 1:
        if grid.block is not None:
            return torch.ones_like(grid.scale, dtype=torch.bool)
        return torch.maximum(-stats.minimum, stats.maximum) > 0.0
    low, high = _extent(stats, seen)
    return torch.full_like(grid.scale, low != 0.0 or high != 0.0, dtype=torch.bool)


@dataclass(frozen=True, eq=False, slots=True)
class _Seen:
    """The values to draw: in float, and those that the grid is shown on, as a table of rows."""

    floats: Points
    drawn: Points
    grid: Scaled | None  # for the rows of `drawn`
    channel: int | None = None
    block: int | None = None
    measured: Points | None = None  # what errors are of; None: of `drawn`


def _seen(
    stats: TensorStats, encoding: Encoding | None, channel: int | None, block: int | None
) -> _Seen:
    if isinstance(encoding, Dynamic):
        return _seen_as_they_come(stats, encoding.over_rows(), block)
    exact = stats.exact if channel is not None or block is not None else None
    if encoding is not None and encoding.block is not None and stats.kept:
        return _seen_in_blocks(stats, exact, encoding, channel, block)
    grid = None if encoding is None else encoding.over_rows()
    several = grid is not None and grid.scale.shape[0] > 1
    if channel is not None:
        own = None if grid is None else grid.row(channel)
        if exact is not None:
            row = Points(exact[channel : channel + 1])
            return _Seen(row, row, own, channel)
        counted = stats.channel_histogram(channel)
        if counted is not None:
            edges, counts = counted
            centres = ((edges[1:] + edges[:-1]) / 2).float()
            row = Points(centres.unsqueeze(0), counts.unsqueeze(0))
            sample = sample_of(stats)
            measured = None
            if sample is not None:  # as in the Channels view
                measured = Points(sample[channel : channel + 1], sampled=sample.shape[1])
            return _Seen(row, row, own, channel, measured=measured)
    points = stats.points(channel=several, limit=EXACT_LIMIT)
    return _Seen(points, points, grid)


def _seen_in_blocks(
    stats: TensorStats,
    exact: Tensor | None,  # read for a channel or a block only
    encoding: Scaled,
    channel: int | None,
    block: int | None,
) -> _Seen:
    size = encoding.block or 1
    if exact is not None and block is not None and 0 <= block < _blocks(stats, encoding):
        row = channel or 0
        values = Points(exact[row : row + 1, block * size : (block + 1) * size])
        return _Seen(values, values, encoding.one_block(row, block), row, block)
    if exact is not None and channel is not None:
        values = Points(exact[channel : channel + 1])
        return _Seen(values, values, encoding.row(channel), channel)
    floats = stats.points(channel=True, limit=EXACT_LIMIT)
    drawn = stats.leading(EXACT_LIMIT, size)
    if drawn.values.numel() < stats.count:
        drawn = replace(drawn, sampled=drawn.values.numel())
    return _Seen(floats, drawn, encoding.over_rows().leading(drawn.values.shape[1]))


def _seen_as_they_come(stats: TensorStats, encoding: Dynamic, block: int | None) -> _Seen:
    floats = stats.points()
    if stats.sample is None:
        return _Seen(floats, floats, None)
    per_row = -(-stats.sample.shape[1] // encoding.block)
    if block is not None and 0 <= block < len(stats.sample) * per_row:
        start = block % per_row * encoding.block
        row = stats.sample[block // per_row : block // per_row + 1]
        values = Points(row[:, start : start + encoding.block])
        return _Seen(values, values, encoding.rows(values.values), None, block)
    drawn = stats.as_it_lies()
    return _Seen(floats, drawn, encoding.rows(drawn.values))


def _blocks(stats: TensorStats, encoding: Encoding | None) -> int:
    """Blocks to choose from: of a channel of a weight, or of the sample of an activation."""
    if encoding is None or encoding.block is None:
        return 0
    if isinstance(encoding, Scaled):
        return int(encoding.scale.shape[1])
    if stats.sample is None:
        return 0
    return len(stats.sample) * -(-stats.sample.shape[1] // encoding.block)


def _how_many(stats: TensorStats, seen: _Seen) -> int:
    if seen.block is not None:
        return seen.floats.values.numel()
    return stats.count if seen.channel is None else stats.count // max(stats.channels, 1)


def _uncounted(stats: TensorStats) -> bool:
    """Channels that can neither be read from kept values nor from channel histograms."""
    return not stats.kept and stats.channel_bins is None


def _extent(stats: TensorStats, seen: _Seen) -> tuple[float, float]:
    if seen.block is not None:
        return float(seen.floats.values.min()), float(seen.floats.values.max())
    if seen.channel is None:
        return float(stats.minimum.min()), float(stats.maximum.max())
    return float(stats.minimum[seen.channel]), float(stats.maximum[seen.channel])


def _edges(stats: TensorStats, seen: _Seen, minimum: float, maximum: float) -> Floats:
    """At most about DRAWN_BINS equal bins over the values.

    Activations get a power-of-two width: whole bins of the fine histogram, and a whole number of
    steps for integer data such as pixels, either of which would otherwise show a comb.
    """
    if minimum == maximum:
        pad = abs(minimum) / 2 or 0.5
        return np.array([minimum - pad, maximum + pad])
    width = (maximum - minimum) / DRAWN_BINS
    if seen.floats.counts is not None:
        fine = stats.width * (HALF // CHANNEL_HALF if seen.channel is not None else 1)
        width = max(2.0 ** math.ceil(math.log2(width)), fine)
    first = math.floor(minimum / width)
    last = math.floor(maximum / width) + 1
    return np.arange(first, last + 1, dtype=np.float64) * width


def _histogram(values: Tensor, counts: Tensor | None, edges: Floats) -> Floats:
    low, high = float(edges[0]), float(edges[-1])
    width = (high - low) / (len(edges) - 1)
    index = ((values.double() - low) / width).floor_().to(torch.int64)
    index = index.clamp_(0, len(edges) - 2).flatten()
    weights = None if counts is None else counts.double().flatten()
    total = torch.bincount(index, weights=weights, minlength=len(edges) - 1)
    return total.double().numpy()
