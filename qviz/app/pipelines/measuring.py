"""Measuring pipelines: weights, inputs, slots, a plan's score and its errors layer by layer."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from qviz.app.document import Document, Findings
from qviz.app.jobs import Step, Token
from qviz.data.parts import Part
from qviz.engine.calibrate import calibrate, weight_statistics
from qviz.engine.chunks import feeder
from qviz.engine.execute import Executor
from qviz.engine.layer_errors import LayerError, layer_errors
from qviz.model.finite import not_finite
from qviz.model.model import Model
from qviz.plan.cost import has_wide_scales
from qviz.plan.plan import Plan
from qviz.plan.resolve import resolve, schemes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.error import SlotError, measure_error, points_for
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

Key = tuple[str, Scheme]  # group, scheme

TELL_S = 0.25  # how often weights measured so far are told of
OUTPUT_SAMPLES = 64  # on which errors of layer outputs are measured


@dataclass(frozen=True, eq=False, slots=True)
class WeightsMeasured:
    """Statistics of the weights, by sharing group."""

    statistics: Mapping[str, TensorStats]


@dataclass(frozen=True, eq=False, slots=True)
class SlotMeasured:
    """What a scheme became on a slot group, and its error."""

    group: str
    scheme: Scheme
    encoding: Encoding
    error: SlotError | None  # None while it is not measured
    source: TensorStats  # the statistics it was found from
    wide_scales: bool  # its groups need float32 scales


@dataclass(frozen=True, eq=False, slots=True)
class SlotsMeasured:
    """Several slots at once."""

    slots: tuple[SlotMeasured, ...]


@dataclass(frozen=True, eq=False, slots=True)
class OutputsMeasured:
    """What a plan does to every layer's output, on a few samples."""

    plan: str  # the plan's key
    layers: tuple[LayerError, ...]
    calibrated: int  # of the findings it was measured from


def measure_weights(model: Model, known: Container[str], token: Token) -> Iterator[Step]:
    """Statistics of the weights whose groups are not `known`.

    Raises:
        QvizError: when all are measured, that some hold NaN or infinite values.
    """
    values = {slot.group: slot.value for slot in model.slots.values()}
    bad: list[str] = []
    groups = {slot.group for slot in model.slots.values() if slot.role == "weight"}
    missing = {group for group in groups if group not in known}
    statistics: dict[str, TensorStats] = {}
    told = time.monotonic()
    for done, (group, stats) in enumerate(weight_statistics(model, missing), 1):
        if token.cancelled():
            return
        statistics[group] = stats
        if not stats.finite:
            bad.append(values[group])
        now = time.monotonic()
        found = WeightsMeasured(dict(statistics)) if now - told > TELL_S else None
        yield Step(done, len(missing) + 1, found)
        if found is not None:
            told = now
            statistics.clear()
    if statistics:
        yield Step(len(missing), len(missing) + 1, WeightsMeasured(statistics))
    if bad:
        raise not_finite(Path(model.path), bad)


def calibrate_inputs(
    executor: Executor, document: Document, findings: Findings, token: Token
) -> Iterator[Step]:
    """Stream the calibration part into statistics of the input slots."""
    samples, split = document.samples, document.split
    if samples is None or split is None:
        return
    feed = feeder(executor.model, samples, findings.macs_per_sample)
    rows = split.calibration
    for found in calibrate(executor.model, executor.runtime, feed, rows, token.cancelled):
        yield Step(found.samples, found.total, found)


def find_encodings(
    model: Model, plan: Plan, findings: Findings, first: frozenset[str], token: Token
) -> Iterator[Step]:
    """What the plan's slots become, told now and then; of the groups `first` the errors, too."""
    missing = [
        key
        for key in _wanted(model, plan, findings)
        if key not in (findings.errors if key[0] in first else findings.encodings)
    ]
    missing.sort(key=lambda key: key[0] not in first)
    found: list[SlotMeasured] = []
    told = time.monotonic()
    for done, (group, scheme) in enumerate(missing, 1):
        if token.cancelled():
            return
        stats = findings.statistics[group]
        near = group in first
        found.append(measure_slot(stats, group, scheme) if near else _encoded(stats, group, scheme))
        if near or done == len(missing) or time.monotonic() - told > TELL_S:
            yield Step(0, 0, SlotsMeasured(tuple(found)))
            found.clear()
            told = time.monotonic()


def measure_errors(
    model: Model, plan: Plan, findings: Findings, groups: Container[str] | None, token: Token
) -> Iterator[Step]:
    """Errors that are not known yet, of some groups or of all."""
    wanted = _wanted(model, plan, findings)
    missing = [key for key in wanted if key not in findings.errors]
    if groups is not None:
        missing = [key for key in missing if key[0] in groups]
    for done, key in enumerate(missing, 1):
        if token.cancelled():
            return
        found = measure_slot(findings.statistics[key[0]], *key, findings.encodings.get(key))
        yield Step(done, len(missing), SlotsMeasured((found,)))


def _wanted(model: Model, plan: Plan, findings: Findings) -> list[Key]:
    """Group and scheme of every slot that is quantized and whose values are known."""
    wanted: dict[Key, None] = {}
    for name, scheme in schemes(model, plan).items():
        group = model.slots[name].group
        if not scheme.is_float and group in findings.statistics:
            wanted[(group, scheme)] = None
    return list(wanted)


def measure_slot(
    stats: TensorStats, group: str, scheme: Scheme, encoding: Encoding | None = None
) -> SlotMeasured:
    """One encoding, unless it is known, and its error."""
    found = _encoded(stats, group, scheme, encoding)
    encoding = found.encoding
    return replace(found, error=measure_error(points_for(stats, encoding), encoding))


def _encoded(
    stats: TensorStats, group: str, scheme: Scheme, encoding: Encoding | None = None
) -> SlotMeasured:
    encoding = find_encoding(stats, scheme) if encoding is None else encoding
    return SlotMeasured(group, scheme, encoding, None, stats, has_wide_scales(encoding))


def measure_layers(
    executor: Executor, document: Document, findings: Findings, token: Token
) -> Iterator[Step]:
    """The errors of all slots, then of all outputs, where they are not known."""
    yield from measure_errors(executor.model, document.plan, findings, None, token)
    if document.plan.key not in findings.outputs and not token.cancelled():
        yield from measure_outputs(executor, document, findings, token)


def measure_outputs(
    executor: Executor, document: Document, findings: Findings, token: Token
) -> Iterator[Step]:
    """Local and accumulated errors of every layer's output under the plan."""
    samples, split, model = document.samples, document.split, executor.model
    if samples is None or split is None or not findings.calibration_done:
        return
    encodings = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    part: Part = "tune" if samples.synthetic else document.part
    rows = split.indices(part)[:OUTPUT_SAMPLES]
    if not len(rows):
        return
    feed = feeder(model, samples, findings.macs_per_sample)
    for found in layer_errors(model, executor.runtime, feed, rows, encodings, token.cancelled):
        done = found.samples == found.total
        measured = OutputsMeasured(document.plan.key, found.layers, findings.calibrated)
        yield Step(found.samples, found.total, measured if done else None)
