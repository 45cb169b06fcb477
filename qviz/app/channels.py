"""The Channels view: one slot channel by channel."""

from __future__ import annotations

import numpy as np

from qviz.app.details import SlotDetails
from qviz.app.views import ChannelsView, Floats
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

FENCE = 1.5  # interquartile ranges beyond the third quartile (Tukey's outer values)
OUTLIER_RULE = "largest |x| above the third quartile of all channels + 1.5 × the quartile range"
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
    if stats is None:
        return ChannelsView(
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
    minimum, maximum = stats.minimum.numpy(), stats.maximum.numpy()
    low, high = _grid_ends(encoding, stats.channels)
    errors = details.channels
    size = np.maximum(np.abs(minimum), np.abs(maximum))
    first, third = np.quantile(size, [0.25, 0.75])
    steps = None if errors is None else errors.rmse_steps
    return ChannelsView(
        slot=slot.name,
        title=model.layers[slot.layer].name,
        role=slot.role,
        scheme=str(scheme),
        minimum=minimum,
        maximum=maximum,
        low=low,
        high=high,
        sqnr_db=_NONE if errors is None else errors.values["sqnr_db"].numpy(),
        bias=_NONE if errors is None else errors.values["bias"].numpy(),
        clipped=_NONE if errors is None else errors.clipped.numpy(),
        rmse_steps=_NONE if steps is None else steps.numpy(),
        outliers=size > third + FENCE * (third - first),
        outlier_rule=OUTLIER_RULE,
        error_notice=_why_no_errors(scheme, stats, details),
    )


def _grid_ends(encoding: Encoding | None, channels: int) -> tuple[Floats, Floats]:
    """Ends of every channel's grid; of its widest block where it has blocks."""
    if not isinstance(encoding, Scaled) or encoding.unbounded:
        return _NONE, _NONE
    low = encoding.low.reshape(encoding.low.shape[0], -1).amin(1)
    high = encoding.high.reshape(encoding.high.shape[0], -1).amax(1)
    return low.expand(channels).numpy(), high.expand(channels).numpy()


def _why_no_errors(scheme: Scheme, stats: TensorStats, details: SlotDetails) -> str:
    if scheme.is_float:
        return "This slot stays in float: choose a format to see errors"
    if not stats.kept:
        return "Activations stream through: their ranges are kept per channel, not their errors"
    return "" if details.channels is not None else "Measuring the channels…"
