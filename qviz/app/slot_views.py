"""What the window draws of one slot: frozen values with numpy arrays, no tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qviz.app.views import Floats, Role


@dataclass(frozen=True, slots=True)
class DistributionView:
    """The histogram of one slot with its grid. Arrays are float64; counts are per bin."""

    slot: str
    title: str
    role: Role
    scheme: str
    edges: Floats  # n + 1
    counts: Floats  # n; empty when there is nothing to draw, and then `notice` says why
    quantized_counts: Floats | None  # same bins, after quantization; None for float
    levels: Floats  # every value the grid can take, ascending; empty for float
    low: float | None  # lowest and highest representable value; None for float
    high: float | None
    minimum: float
    maximum: float
    values: int  # how many values were counted
    clipped: float | None
    sqnr_db: float | None
    mse: float | None
    cosine: float | None
    max_error: float | None
    scale: float | None
    zero_point: int | None
    channels: int  # how many channels can be chosen; 0 when it has no channel axis
    channel: int | None  # the one shown; None for the whole tensor
    notice: str = ""
    thresholds: Floats = field(default_factory=lambda: np.empty(0))  # where the level changes
    blocks: int = 0  # blocks of the channel that can be chosen; 0 without block scales
    block: int | None = None  # the one shown
    mirrored: bool = False  # both ends of the range move together
    can_clip: bool = False  # the ends of the range can be dragged
    curve_x: Floats = field(default_factory=lambda: np.empty(0))  # a clip at x …
    curve_db: Floats = field(default_factory=lambda: np.empty(0))  # … gives this SQNR
    ranges: tuple[RangeLine, ...] = ()  # what every range method chooses
    widths: tuple[WidthBar, ...] = ()  # the SQNR of every width of the format's family
    synthetic: bool = False  # the values are of random inputs
    key: tuple[object, ...] = ()  # equal for views that show the same
    sampled: int = 0  # how many values the errors are of; 0 when of all


@dataclass(frozen=True, slots=True)
class RangeLine:
    """What a range method chooses; a click on it adopts it."""

    method: str  # the word of the form's field "range"
    label: str  # "min-max", "99.99 %", "least error", "KL" …
    low: float
    high: float
    sqnr_db: float
    current: bool
    tip: str


@dataclass(frozen=True, slots=True)
class WidthBar:
    """The SQNR of the slot at another width of its format's family."""

    format: str  # the word of the form's field "format"
    bits: int
    label: str  # "4", or "E4M3" where widths repeat
    sqnr_db: float
    current: bool


@dataclass(frozen=True, slots=True)
class ChannelsView:
    """One slot channel by channel, all arrays [channels] float64; empty with a `notice`."""

    slot: str
    title: str
    role: Role
    scheme: str
    minimum: Floats
    maximum: Floats
    low: Floats  # of the channel's grid, NaN for zeros alone; empty for float and dynamic scales
    high: Floats
    sqnr_db: Floats  # inf when exact; empty while unknown, or where values are not kept
    bias: Floats  # relative
    clipped: Floats  # share, 0..1
    rmse_steps: Floats  # RMSE over step; empty without a uniform step
    outliers: NDArray[np.bool_]  # channels whose largest |x| is far above the others'
    mse: Floats = field(default_factory=lambda: np.empty(0))
    cosine: Floats = field(default_factory=lambda: np.empty(0))
    max_error: Floats = field(default_factory=lambda: np.empty(0))
    dead: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    outlier_rule: str = ""  # in words
    dead_rule: str = ""
    notice: str = ""
    error_notice: str = ""  # why there are no errors per channel
    error_source: str = ""  # what the errors were measured on, where that is not all values
