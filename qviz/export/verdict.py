"""Verdict: whether the exported file gives the numbers of the window, and the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CLOSE = 1e-4  # of the largest scored output: how far float rounding may carry an output
Reason = Literal["tie", "quantizer", "operator"]


@dataclass(frozen=True, slots=True)
class Flip:
    """A sample whose prediction differs: the classes of both, or of how many positions."""

    sample: int  # its number among all samples
    ours: int | None  # None where a sample has several predictions
    theirs: int | None
    positions: int  # how many predictions of it differ
    tie: bool | None  # whether some value of it took another code; None: not looked at


@dataclass(frozen=True, slots=True)
class RunDifference:
    """What onnxruntime gives over all samples, beside our numbers for the same plan.

    `relative` is max|a - b| over the scored output, relative to its largest value; `beyond` counts
    the samples beyond 1e-4 of it. `failure` says why there are no numbers.
    """

    optimised: bool
    value: float
    relative: float
    beyond: int
    flips: tuple[Flip, ...]
    failure: str = ""


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """One layer's output in onnxruntime against ours, optimisations off.

    `lsb`: the largest difference in steps of the quantizer that follows, None without one.
    `relative`: the same over the rms of the output. `local`: over its largest value, when the layer
    is fed onnxruntime's own inputs. `codes`: how many of its `values` quantized inputs took another
    code, of which the two numbers are at most `ulps` float32 units in the last place apart.
    """

    index: int
    name: str
    op: str
    lsb: float | None
    relative: float
    local: float
    codes: int
    values: int
    ulps: float
    wrong: int  # inputs that the file's quantizer gives another code than ours does


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """The first layer whose output differs by more than float rounding, and why."""

    layer: str
    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Optimiser:
    """A graph optimiser of onnxruntime, and how much of the difference is left without it."""

    name: str
    relative: float  # with all optimisers but this one, against optimisations off
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what was exported gives our numbers, and what that rests on."""

    ok: bool
    text: str
    reasons: tuple[str, ...]  # why not; () where ok
    remarks: tuple[str, ...]  # ties set aside, what optimisations change
    metric: str
    unit: str
    samples: int
    ours: float
    off: RunDifference
    on: RunDifference
    layers: tuple[LayerDifference, ...]
    layer_samples: int  # on how many samples the layers were compared
    first: FirstDifference | None
    optimisers: tuple[Optimiser, ...]  # those that make the difference, worst first
    integer_nodes: int  # operators on integer kernels in the optimised graph
