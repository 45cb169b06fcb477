"""The Channels view: one slot channel by channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qviz.app.channel_errors import sample_of
from qviz.app.details import SlotDetails
from qviz.app.extents import grid_ends
from qviz.app.slot_views import ChannelsView
from qviz.app.views import Floats
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

FENCE = 1.5  # interquartile ranges beyond the third quartile (Tukey's outer values)
DEAD = 1e-6  # of the largest channel: below it a channel carries nothing
OUTLIER_RULE = "largest |x| above the third quartile of all channels + 1.5 × the quartile range"
DEAD_RULE = "largest |x| below a millionth of the largest channel's"
_NONE: Floats = np.empty(0)


def channels_view(
    model: Model,
    slot: Slot,
    scheme: Scheme,
    stats: TensorStats | None,
    encoding: Encoding | None,
    details: SlotDetails,
    notice: str,
) -> ChannelsView:
    """Ranges, grid and errors of every channel; without statistics just the notice."""
    if stats is not None and stats.channels < 2:
        stats, notice = None, "This tensor has no channels to compare"
    view = ChannelsView(
        slot=slot.name,
        title=model.layers[slot.layer].name,
        role=slot.role,
        scheme=str(scheme),
        minimum=_NONE,
        maximum=_NONE,
        low=_NONE,
        high=_NONE,
        sqnr_db=_NONE,
        bias=_NONE,
        clipped=_NONE,
        rmse_steps=_NONE,
        outliers=np.empty(0, dtype=np.bool_),
        notice=notice,
    )
    if stats is None:
        return view
    minimum, maximum = stats.minimum.numpy(), stats.maximum.numpy()
    low, high = _grid_ends(stats, encoding)
    size = np.maximum(np.abs(minimum), np.abs(maximum))
    dead = size <= DEAD * size.max()
    return replace(
        _with_errors(view, stats, details),
        minimum=minimum,
        maximum=maximum,
        low=low,
        high=high,
        dead=dead,
        dead_rule=DEAD_RULE,
        outliers=_outliers(size, dead),
        outlier_rule=OUTLIER_RULE,
        error_notice=_why_no_errors(scheme, stats, details),
    )


def _with_errors(view: ChannelsView, stats: TensorStats, details: SlotDetails) -> ChannelsView:
    errors = details.channels
    if errors is None:
        return view
    values = {name: found.numpy() for name, found in errors.values.items()}
    steps = errors.rmse_steps
    sample = None if stats.kept else sample_of(stats)
    source = ""
    if sample is not None:
        source = f"on a sample of {sample.shape[1]:,} values per channel"
    return replace(
        view,
        sqnr_db=values["sqnr_db"],
        mse=values["mse"],
        cosine=values["cosine"],
        max_error=values["max_error"],
        bias=values["bias"],
        clipped=errors.clipped.numpy(),
        rmse_steps=_NONE if steps is None else steps.numpy(),
        error_source=source,
    )


def _outliers(size: Floats, dead: NDArray[np.bool_]) -> NDArray[np.bool_]:
    alive = size[~dead]
    if not alive.size:
        return dead & False
    first, third = np.quantile(alive, [0.25, 0.75])
    outer: NDArray[np.bool_] = size > third + FENCE * (third - first)
    return outer


def _grid_ends(stats: TensorStats, encoding: Encoding | None) -> tuple[Floats, Floats]:
    """Ends of every channel's grid; of its widest block where it has blocks."""
    if not isinstance(encoding, Scaled) or encoding.unbounded:
        return _NONE, _NONE
    low, high = grid_ends(stats, encoding)
    return low.expand(stats.channels).numpy(), high.expand(stats.channels).numpy()


def _why_no_errors(scheme: Scheme, stats: TensorStats, details: SlotDetails) -> str:
    if scheme.is_float:
        return "This slot stays in float: choose a format to see errors"
    if not stats.kept and sample_of(stats) is None:
        return "No values of this input were kept to measure its channels on"
    return "" if details.channels is not None else "Measuring the channels…"
