"""The Distribution view of one slot: its histogram with the grid of its scheme over it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from qviz.app.views import DistributionView, Floats
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.quant.error import SlotError, measure_error
from qviz.quant.grids import Encoding, fake_quantize
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import CHANNEL_HALF, HALF, Points, TensorStats

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
    exact: SlotError | None = None,
) -> DistributionView:
    """Histogram, grid and errors of a slot, or of one of its channels.

    `exact` are errors measured on all values; without them those of the drawn points are shown.
    """
    if channel is not None and not 0 <= channel < stats.channels:
        channel = None
    points, row = _points(stats, encoding, channel)
    minimum, maximum = _extent(stats, channel)
    edges = _edges(stats, points, channel, minimum, maximum)
    counts = _histogram(points.values, points.counts, edges)
    view = empty_view(model, slot, scheme, "")
    common = {
        "edges": edges,
        "counts": counts,
        "minimum": minimum,
        "maximum": maximum,
        "values": stats.count if channel is None else stats.count // max(stats.channels, 1),
        "channels": 0 if _uncounted(stats) else stats.channels,
        "channel": channel,
    }
    if encoding is None:
        return _replaced(view, common)
    grid = encoding if row is None else _one_channel(encoding, row)
    error = exact or measure_error(points, grid)
    single = channel is not None or encoding.axis is None
    shown = 0 if encoding.axis is None or channel is None else channel
    quantized = fake_quantize(points.values, _over_rows(grid))
    return _replaced(
        view,
        {
            **common,
            "quantized_counts": _histogram(quantized, points.counts, edges),
            "levels": encoding.levels(shown).numpy() if single else _NONE,
            "low": float(encoding.low[shown] if single else encoding.low.min()),
            "high": float(encoding.high[shown] if single else encoding.high.max()),
            "clipped": error.clipped,
            "sqnr_db": error.sqnr_db,
            "mse": error.mse,
            "cosine": error.cosine,
            "max_error": error.max_error,
            "scale": float(encoding.scale[shown]) if single else None,
            "zero_point": int(encoding.zero_point[shown]) if single else None,
        },
    )


def _replaced(view: DistributionView, fields: dict[str, object]) -> DistributionView:
    values = {name: getattr(view, name) for name in DistributionView.__slots__}
    return DistributionView(**{**values, **fields})


def _uncounted(stats: TensorStats) -> bool:
    """Channels that can neither be read from kept values nor from channel histograms."""
    return stats.exact is None and stats.channel_bins is None


def _points(
    stats: TensorStats, encoding: Encoding | None, channel: int | None
) -> tuple[Points, int | None]:
    """The values to draw, and which row of the encoding is theirs when it is only one."""
    per_channel = encoding is not None and encoding.axis is not None
    if channel is not None:
        row = channel if per_channel else None
        if stats.exact is not None:
            return Points(stats.exact[channel : channel + 1]), row
        counted = stats.channel_histogram(channel)
        if counted is not None:
            edges, counts = counted
            centres = ((edges[1:] + edges[:-1]) / 2).float()
            return Points(centres.unsqueeze(0), counts.unsqueeze(0)), row
    return stats.points(channel=per_channel, limit=EXACT_LIMIT), None


def _one_channel(encoding: Encoding, channel: int) -> Encoding:
    return Encoding(
        encoding.scale[channel : channel + 1],
        encoding.zero_point[channel : channel + 1],
        encoding.qmin,
        encoding.qmax,
        None,
    )


def _over_rows(encoding: Encoding) -> Encoding:
    """A per-channel grid with its channels along axis 0 of a table of values."""
    if encoding.axis is None:
        return encoding
    return Encoding(encoding.scale, encoding.zero_point, encoding.qmin, encoding.qmax, 0)


def _extent(stats: TensorStats, channel: int | None) -> tuple[float, float]:
    if channel is None:
        return float(stats.minimum.min()), float(stats.maximum.max())
    return float(stats.minimum[channel]), float(stats.maximum[channel])


def _edges(
    stats: TensorStats, points: Points, channel: int | None, minimum: float, maximum: float
) -> Floats:
    """At most about DRAWN_BINS equal bins over the values.

    Activations get a power-of-two width: whole bins of the fine histogram, and a whole number of
    steps for integer data such as pixels, either of which would otherwise show a comb.
    """
    if minimum == maximum:
        pad = abs(minimum) / 2 or 0.5
        return np.array([minimum - pad, maximum + pad])
    width = (maximum - minimum) / DRAWN_BINS
    if points.counts is not None:
        fine = stats.width * (HALF // CHANNEL_HALF if channel is not None else 1)
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
