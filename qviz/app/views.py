"""What the window draws, but for the plots of a slot: frozen values made by the Session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qviz.app.cell_cost import CellCost as CellCost
from qviz.app.class_table import Answers as Answers
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
    local_db: float | None = None  # SQNR of its output when it alone is quantized
    accumulated_db: float | None = None  # SQNR of its output in the quantized model
    output_bias: float | None = None  # relative, accumulated
    sensitivity: CellCost | None = None  # what it alone costs; None while unknown


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
    kl: float | None = None  # mean KL(float ‖ quantized) of the outputs, in nats
    kl_samples: int = 0  # over how many
    first_kl: float | None = None  # of the present plan, while its first number is on the way
    first_kl_samples: int = 0
    used: str = ""  # a word on how far the number chose the plan that it is of; "" if it did not
    used_why: str = ""
    stale: bool = False  # the value belongs to an earlier plan (drawn greyed)
    bytes_float: int | None = None
    bytes_quantized: int | None = None
    bops_float: float | None = None
    bops_quantized: float | None = None
    message: str = ""  # what failed, or what to do next
    better: Literal["higher", "lower"] = "higher"  # which direction of the metric is good
    metrics: tuple[MetricChoice, ...] = ()  # what else these samples can tell
    wants_samples: bool = False  # the message asks to open samples
    note: str = ""  # which output is scored and how labels are read, where that is not plain
    output: str = ""  # the one that is scored
    outputs: tuple[OutputChoice, ...] = ()  # what else can be scored; () of a model with one
    classes: tuple[str, ...] = ()  # what classes are called, "3 Dress"
    answers: Answers | None = None  # of one class per labelled sample: for `class_rows`


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """One entry of the menu of metrics; one that `asks` needs a class or a threshold after it."""

    name: str  # the word of `Session.set_metric`, what is asked for goes to its end
    label: str
    tip: str  # meaning, unit and direction
    current: bool
    asks: Literal["", "class", "threshold"] = ""
    answer: str = ""  # what was asked for last, where it is the current one


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """One entry of the menu of the model's outputs."""

    name: str  # the word of `Session.set_output`
    label: str
    tip: str
    current: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a form's menu; `reason` is "" when it can be chosen, else why it cannot."""

    value: str
    label: str
    tip: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form; `value` is None where the slots differ.

    A "range" field holds two numbers as "LOW..HIGH", a "number" field one; a "file" is a path.
    """

    name: str  # the word of `Session.set_field`
    label: str
    kind: Literal["menu", "segments", "number", "range", "text", "file"]
    value: str | None
    choices: tuple[Choice, ...] = ()
    tip: str = ""
    suffix: str = ""
    least: float = 0.0  # of a "number"
    most: float = 0.0
    decimals: int = 0
    hint: str = ""  # what an empty "text" or "file" stands for


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a slot: a word, its value, and what that means.

    A fact without a value is a heading of those below it.
    """

    label: str
    value: str
    tip: str = ""


@dataclass(frozen=True, slots=True)
class SchemeForm:
    """The Inspector's form over a selection of slots."""

    slots: tuple[str, ...]
    title: str
    role: Role | None
    scheme: str  # spelling or "mixed"
    fields: tuple[FormField, ...] = ()  # what the chosen format has, in order
    facts: tuple[Fact, ...] = ()  # shape, parameters, scale, SQNR …
    shared_with: tuple[str, ...] = ()
    overridden: bool = False


SampleKind = Literal["images", "table", "audio", "text", "tokens", "arrays"]


@dataclass(frozen=True, slots=True)
class SampleForm:
    """How the open samples are read: the fields that concern their kind.

    A field without a label goes on the line of the one before it.
    """

    kind: SampleKind
    title: str  # the name of the file or folder
    summary: str  # "2,000 images in 10 classes"
    fields: tuple[FormField, ...]
    notes: tuple[str, ...] = ()  # what reading had to say
    changed: bool = False  # something differs from how the samples are open


@dataclass(frozen=True, slots=True)
class ValueRange:
    """Numbers that a model is given: of one channel, or of a whole input."""

    name: str
    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class InputView:
    """What one input of the model is given of one sample."""

    name: str
    dtype: str
    shape: str  # "3×224×224"
    ranges: tuple[ValueRange, ...]
    constant: bool = False  # the same for all samples


@dataclass(frozen=True, eq=False, slots=True)
class SamplePreview:
    """One sample as the model sees it: a picture, a curve or a line of values."""

    row: int
    count: int
    name: str  # of its file, where it has one of its own
    label: str  # "7 Sneaker"; "" without
    inputs: tuple[InputView, ...] = ()
    picture: NDArray[np.uint8] | None = None  # [height, width, 1 or 3]
    caption: str = ""  # how to read the picture, curve or values
    curve: Floats | None = None
    values: str = ""  # the first numbers
    problem: str = ""  # why the model cannot be given this


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
    synthetic: bool = False  # random inputs, in place of samples
    layers: int = 0
    parameters: int = 0
    parity: str = ""  # "float outputs match onnxruntime: largest relative difference 3e-7"
    parity_ok: bool | None = None
    modified: bool = False  # the plan has unsaved edits
    plan_path: str = ""
    undo_text: str = ""  # "" when there is nothing to undo
    redo_text: str = ""
    no_departure: str = ""  # why no layer is the first to inherit more error than it adds
    samples_count: int = 0
    parts: tuple[tuple[str, int], ...] = field(default_factory=tuple)  # ("tune", 960) …
