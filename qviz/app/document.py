"""Document: what is open and what the user decided. Findings: what was measured about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qviz.app.details import SlotDetails
from qviz.app.looks import NO_LOOKS, Looks
from qviz.data.parts import Part, Split
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import Samples
from qviz.engine.layer_errors import LayerError
from qviz.engine.metrics import Metric
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.parity import Parity
from qviz.plan.branches import ONE_BRANCH, Branches
from qviz.plan.plan import Plan, Remarks
from qviz.quant.encoding import Encoding
from qviz.quant.error import SlotError
from qviz.quant.scheme import Scheme
from qviz.quant.spelling import parse_scheme
from qviz.quant.statistics import TensorStats

PARTS: tuple[Part, ...] = ("tune", "all", "confirm")
DEFAULT_PLAN = Plan(weight=parse_scheme("int8:channel"), input=parse_scheme("uint8"))


@dataclass(frozen=True, eq=False)
class Document:
    """The model, the samples and the plan; edits make a new one."""

    model: Model | None = None
    samples: Samples | None = None
    split: Split | None = None
    reading: Reading = AS_PROPOSED  # how files became samples
    values: Mapping[str, float] = field(default_factory=dict)  # the user's, for constant inputs
    plan: Plan = DEFAULT_PLAN
    part: Part = "all"
    metric: str = ""  # the one that fits the labels and outputs, unless the user chose another
    output: str = ""  # of the model's, the one that fits the labels unless the user chose another
    own_metric: Metric | None = None  # from the user's Python file
    seed: int = 0
    looks: Looks = NO_LOOKS  # which plans' numbers were shown, and on which samples
    plan_path: str = ""
    saved_plan: str = DEFAULT_PLAN.key  # key of the plan as last opened or saved
    saved_remarks: Remarks = DEFAULT_PLAN.remarks  # those of that plan
    branches: Branches = ONE_BRANCH
    saved_branches: Branches = ONE_BRANCH  # as last opened or saved with a project
    project_path: str = ""  # of the open project

    @property
    def remarked(self) -> bool:
        """Whether tags, notes, locks or branches are not saved; the plan's schemes aside."""
        remarks, branches = self.plan.remarks, self.branches
        return remarks != self.saved_remarks or branches != self.saved_branches

    @property
    def scored(self) -> Samples | None:
        """The samples that accuracy can be measured on: the user's, not synthetic inputs."""
        return None if self.samples is None or self.samples.synthetic else self.samples


@dataclass(frozen=True, eq=False, slots=True)
class NearErrors:
    """SQNR in dB of the outputs of layers that are looked at, each quantized alone."""

    plan: str  # the plan's key
    local_db: Mapping[int, float]  # by the layer's index
    calibrated: int  # of the findings it was measured from


@dataclass(frozen=True, eq=False)
class Findings:
    """Measured facts. `statistics` by sharing group; the others by group and scheme."""

    statistics: Mapping[str, TensorStats] = field(default_factory=dict)
    encodings: Mapping[tuple[str, Scheme], Encoding] = field(default_factory=dict)
    errors: Mapping[tuple[str, Scheme], SlotError] = field(default_factory=dict)
    wide: frozenset[tuple[str, Scheme]] = frozenset()  # whose groups need float32 scales
    outputs: Mapping[str, tuple[LayerError, ...]] = field(default_factory=dict)  # by plan key
    near: NearErrors | None = None  # known before `outputs` are
    details: Mapping[tuple[str, Scheme], SlotDetails] = field(default_factory=dict)
    macs: Mapping[int, int] | None = None  # per sample, by layer index
    parity: Parity | None = None
    parity_note: str = ""
    calibrated: int = 0  # calibration samples streamed so far
    calibrating: int = 0  # of how many
    calibration_done: bool = False

    @property
    def macs_per_sample(self) -> int | None:
        """Of all layers; None while shapes are unknown."""
        return None if self.macs is None else sum(self.macs.values())


def known_part(part: str) -> Part:
    """A part that can be scored; raises QvizError for any other word."""
    for known in PARTS:
        if known == part:
            return known
    raise QvizError(f"part '{part}'", "there is no such part", "Use tune, all or confirm")
