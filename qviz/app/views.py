"""What the window draws: frozen values with numpy arrays, made by the Session; no tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qviz.data.parts import Part as Part
from qviz.errors import QvizError

Floats = NDArray[np.float64]
Role = Literal["weight", "input"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One W or A cell of the layer table: the slots it edits and what they score."""

    slots: tuple[str, ...]
    scheme: str  # the one spelling, such as "int8:channel", or "mixed"
    overridden: bool  # set on this layer, not inherited from the plan's defaults or rules
    sqnr_db: float | None  # None while unknown; inf when exact
    clipped: float | None  # share of values outside the grid, 0..1
    shared_with: tuple[str, ...] = ()  # other layers whose slot must carry the same quantizer


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One row of the layer table."""

    index: int
    name: str
    op: str
    shape: str  # weight shape, "32×16×3×3"; "" without a weight
    parameters: int
    macs: int | None
    weight: Cell | None
    input: Cell | None
    size_bytes: int  # the layer's parameters under the plan
    size_share: float  # of the whole model under the plan, 0..1


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


@dataclass(frozen=True, slots=True)
class Strip:
    """The number strip: what the plan scores and costs."""

    state: Literal["empty", "no samples", "waiting", "running", "cancelled", "done", "failed"]
    metric: str = ""  # "top-1", "agreement with float"
    unit: str = "%"
    part: str = "tune"
    float_value: float | None = None  # in the unit, 0..100 for %
    value: float | None = None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    total: int = 0
    exact: bool = False
    delta: float | None = None  # quantized minus float, in points
    flips: int | None = None
    stale: bool = False  # the value belongs to an earlier plan (drawn greyed)
    bytes_float: int | None = None
    bytes_quantized: int | None = None
    bops_float: float | None = None
    bops_quantized: float | None = None
    message: str = ""  # what failed, or what to do next


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a form's menu; `reason` is "" when it can be chosen, else why it cannot."""

    value: str
    label: str
    tip: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SchemeForm:
    """The Inspector's form over a selection of slots; a field is None where the slots differ."""

    slots: tuple[str, ...]
    title: str
    role: Role | None
    scheme: str  # spelling or "mixed"
    is_float: bool | None
    bits: int | None
    signed: bool | None
    symmetric: bool | None
    narrow: bool | None
    granularity: str | None
    range_method: str | None
    percentile: float | None  # in percent
    clip: tuple[float, float] | None
    bits_choices: tuple[Choice, ...] = ()
    sign_choices: tuple[Choice, ...] = ()  # values "int", "uint"
    symmetry_choices: tuple[Choice, ...] = ()  # "sym", "asym"
    code_range_choices: tuple[Choice, ...] = ()  # "narrow", "full"
    granularity_choices: tuple[Choice, ...] = ()  # "tensor", "channel"
    range_choices: tuple[Choice, ...] = ()  # "minmax", "percentile", "mse", "clip"
    facts: tuple[tuple[str, str], ...] = ()  # label, value: shape, parameters, scale, SQNR …
    shared_with: tuple[str, ...] = ()
    overridden: bool = False


@dataclass(frozen=True, slots=True)
class JobView:
    """One line of the jobs strip."""

    lane: str
    title: str
    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Message:
    """One line for the user."""

    level: Literal["info", "warning", "error"]
    text: str
    error: QvizError | None = None  # what the text says, in its parts


@dataclass(frozen=True, slots=True)
class DocumentView:
    """What is open: the window's title, the header facts and which actions are possible."""

    model_name: str = ""
    model_path: str = ""
    samples_name: str = ""
    samples_path: str = ""
    layers: int = 0
    parameters: int = 0
    parity: str = ""  # "float outputs match onnxruntime: largest relative difference 3e-7"
    parity_ok: bool | None = None
    modified: bool = False  # the plan has unsaved edits
    plan_path: str = ""
    undo_text: str = ""  # "" when there is nothing to undo
    redo_text: str = ""
    samples_count: int = 0
    parts: tuple[tuple[str, int], ...] = field(default_factory=tuple)  # ("tune", 960) …
