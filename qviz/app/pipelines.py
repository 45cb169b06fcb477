"""Pipelines: the generators that lanes run, from files to numbers."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from qviz.app.document import Document, Findings
from qviz.app.jobs import Step, Token
from qviz.data.fit import with_values
from qviz.data.npy_pairs import map_array
from qviz.data.parts import Part, Split, split_samples, unsplit
from qviz.data.read_npz import from_arrays, read_archive
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import LABELS, Array, Samples
from qviz.data.synthetic import synthetic_samples
from qviz.engine.calibrate import calibrate, weight_statistics
from qviz.engine.chunks import feeder, input_specs
from qviz.engine.evaluate import evaluate
from qviz.engine.execute import Executor
from qviz.engine.layer_errors import LayerError, layer_errors
from qviz.engine.trace import FloatRun, check_float, check_labels, trace_float, tried_specs
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.parity import Parity, check_operators
from qviz.model.read_model import PYTHON, needs_inputs, read_model
from qviz.plan.plan import Plan
from qviz.plan.resolve import resolve, schemes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.error import SlotError, measure_error, points_for
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

TELL_S = 0.25  # how often weights measured so far are told of
OUTPUT_SAMPLES = 64  # on which errors of layer outputs are measured


@dataclass(frozen=True, eq=False, slots=True)
class ModelRead:
    """A model file was read."""

    model: Model


@dataclass(frozen=True, eq=False, slots=True)
class WeightsMeasured:
    """Statistics of the weights, by sharing group."""

    statistics: Mapping[str, TensorStats]


@dataclass(frozen=True, eq=False, slots=True)
class SamplesRead:
    """A samples file was read, fits the model, and was split."""

    samples: Samples
    split: Split
    reading: Reading = AS_PROPOSED
    values: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # for the user


@dataclass(frozen=True, eq=False, slots=True)
class FloatChecked:
    """The float model was run: its MACs, and how it compares with onnxruntime."""

    macs: Mapping[int, int] | None
    parity: Parity | None
    note: str


@dataclass(frozen=True, eq=False, slots=True)
class SlotMeasured:
    """What a scheme became on a slot group, and its error."""

    group: str
    scheme: Scheme
    encoding: Encoding
    error: SlotError
    source: TensorStats  # the statistics it was found from


@dataclass(frozen=True, eq=False, slots=True)
class OutputsMeasured:
    """What a plan does to every layer's output, on a few samples."""

    plan: str  # the plan's key
    layers: tuple[LayerError, ...]
    calibrated: int  # of the findings it was measured from


def open_model(
    path: Path, samples: Path | None, seed: int, run_code: bool, token: Token
) -> Iterator[Step]:
    """Read a model, measure its weights, check it on synthetic inputs.

    `samples` are what a model without declared shapes is tried on; a Python program, which runs
    only with `run_code`, gives its own.

    Raises:
        QvizError: an unreadable file, or a program that the user did not agree to run.
    """
    yield Step(0, 0)
    model, own = _read(path, samples, run_code)
    check_operators(model)
    yield Step(0, 0, ModelRead(model))
    yield from _measure_weights(model, frozenset(), token)
    if own is not None and samples is None:
        yield from _take_samples(SamplesRead(own, split_samples(own, seed)), model, token)
        return
    run = _try_out(model, token)
    yield Step(1, 1, _checked(model, None, run))
    if samples is None:
        yield from _take_synthetic(model, run)


def open_synthetic(model: Model, findings: Findings, token: Token) -> Iterator[Step]:
    """Synthetic inputs for a model whose samples could not be opened."""
    yield from _measure_weights(model, findings.statistics, token)
    yield from _take_synthetic(model, _try_out(model, token))


def _take_synthetic(model: Model, run: FloatRun | str) -> Iterator[Step]:
    if isinstance(run, FloatRun):
        synthetic = synthetic_samples(tried_specs(model, run))
        yield Step(1, 1, SamplesRead(synthetic, unsplit(synthetic)))


def _read(path: Path, samples: Path | None, run_code: bool) -> tuple[Model, Samples | None]:
    """The model, and the samples that a Python program gives."""
    if path.suffix.lower() != PYTHON:
        first = None if samples is None or not needs_inputs(path) else _first_rows(samples)
        return read_model(path, first), None
    if not run_code:
        raise refused(path)
    from qviz.model.read_python import read_python  # torch's exporter takes a second to load

    program = read_python(path)
    arrays = {
        name: _joined(path, name, [batch[name] for batch in program.batches])
        for name in program.batches[0]
    }
    return program.model, from_arrays(path, arrays, input_specs(program.model))


def _joined(path: Path, name: str, parts: Sequence[Array]) -> Array:
    """An array of all batches; a scalar is the same in each of them."""
    sizes = {part.shape[1:] for part in parts}
    if all(part.ndim for part in parts) and len(sizes) == 1:
        return np.concatenate(parts)
    if all(np.array_equal(part, parts[0]) for part in parts):
        return parts[0]
    raise QvizError(
        path.name,
        f"its batches give '{name}' in shapes or values that cannot be joined",
        "Give every batch rows of the same shape, and the same value for what is a scalar",
    )


def refused(path: Path) -> QvizError:
    """A Python file that the user did not agree to run."""
    return QvizError(
        path.name,
        "it is a Python program: to open it is to run it, with all your rights",
        "If you trust it, open it with --run-code, or agree when the window asks",
    )


def _first_rows(samples: Path) -> list[torch.Tensor]:
    """Two rows of every array of the samples but the labels; scalars are no rows."""
    if samples.suffix.lower() == ".npy":
        return [torch.from_numpy(np.array(map_array(samples)[:2]))]
    arrays = read_archive(samples)
    return [
        torch.from_numpy(array[:2])
        for name, array in arrays.items()
        if name != LABELS and array.ndim
    ]


def _measure_weights(model: Model, known: Container[str], token: Token) -> Iterator[Step]:
    """Statistics of the weights whose groups are not `known`."""
    groups = {slot.group for slot in model.slots.values() if slot.role == "weight"}
    missing = {group for group in groups if group not in known}
    statistics: dict[str, TensorStats] = {}
    told = time.monotonic()
    for done, (group, stats) in enumerate(weight_statistics(model, missing), 1):
        if token.cancelled():
            return
        statistics[group] = stats
        now = time.monotonic()
        found = WeightsMeasured(dict(statistics)) if now - told > TELL_S else None
        yield Step(done, len(missing) + 1, found)
        if found is not None:
            told = now
            statistics.clear()
    if statistics:
        yield Step(len(missing), len(missing) + 1, WeightsMeasured(statistics))


def open_samples(
    path: Path,
    model: Model,
    reading: Reading,
    values: Mapping[str, float],
    seed: int,
    findings: Findings,
    token: Token,
) -> Iterator[Step]:
    """Read samples, see that they fit the model, split them, check the float model on a few.

    The weights come first where opening the model was cut short before they were measured.

    Raises:
        QvizError: an unreadable file, or samples that do not fit the model.
    """
    if not model.runs:
        raise QvizError(
            Path(model.path).name,
            "it holds weights without a graph, so that no samples can run through it",
            "Open the network itself, as ONNX or torch.export program, to see its accuracy",
        )
    yield Step(0, 0)
    yield from _measure_weights(model, findings.statistics, token)
    inputs = input_specs(model)
    samples = with_values(read_samples(path, inputs, reading), inputs, values)
    split = split_samples(samples, seed)
    yield from _take_samples(SamplesRead(samples, split, reading, values), model, token)


def _take_samples(read: SamplesRead, model: Model, token: Token) -> Iterator[Step]:
    samples = read.samples
    check_labels(model, samples)
    told = (*samples.notes, *feeder(model, samples, None).fitted.notes)
    yield Step(1, 2, replace(read, notes=told))
    yield Step(2, 2, _checked(model, samples, _try_out(model, token, samples)))


def _try_out(model: Model, token: Token, samples: Samples | None = None) -> FloatRun | str:
    """One float run, on synthetic inputs without samples; or why there is none."""
    if not model.runs:
        return "a file of weights has nothing to run"
    try:
        return trace_float(model, samples, token.cancelled)
    except QvizError as error:
        return f"not run yet: {error.cause}"


def _checked(model: Model, samples: Samples | None, run: FloatRun | str) -> FloatChecked:
    if isinstance(run, str):
        return FloatChecked(None, None, run)
    return FloatChecked(run.macs, check_float(model, samples, run), "")


def calibrate_inputs(
    executor: Executor, document: Document, findings: Findings, token: Token
) -> Iterator[Step]:
    """Stream the calibration part into statistics of the input slots."""
    samples, split = document.samples, document.split
    if samples is None or split is None:
        return
    feed = feeder(executor.model, samples, _macs_per_sample(findings))
    rows = split.calibration
    for found in calibrate(executor.model, executor.runtime, feed, rows, token.cancelled):
        yield Step(found.samples, found.total, found)


def _macs_per_sample(findings: Findings) -> int | None:
    return None if findings.macs is None else sum(findings.macs.values())


def measure_slots(
    model: Model, plan: Plan, findings: Findings, first: frozenset[str], token: Token
) -> Iterator[Step]:
    """Encodings and errors that are not known yet, the groups `first` before the others."""
    wanted: dict[tuple[str, Scheme], None] = {}
    for name, scheme in schemes(model, plan).items():
        group = model.slots[name].group
        if not scheme.is_float and group in findings.statistics:
            wanted[(group, scheme)] = None
    missing = [key for key in wanted if key not in findings.errors]
    missing.sort(key=lambda key: key[0] not in first)
    for done, (group, scheme) in enumerate(missing, 1):
        if token.cancelled():
            return
        yield Step(done, len(missing), measure_slot(findings.statistics[group], group, scheme))


def measure_slot(stats: TensorStats, group: str, scheme: Scheme) -> SlotMeasured:
    """One encoding and its error."""
    encoding = find_encoding(stats, scheme)
    error = measure_error(points_for(stats, encoding), encoding)
    return SlotMeasured(group, scheme, encoding, error, stats)


def evaluate_plan(
    executor: Executor,
    document: Document,
    findings: Findings,
    first: frozenset[str],
    token: Token,
    limit: int | None = None,
) -> Iterator[Step]:
    """Measure what the plan's slots become, then score the plan on the document's part."""
    model = executor.model
    known = dict(findings.encodings)
    for step in measure_slots(model, document.plan, findings, first, token):
        if isinstance(step.payload, SlotMeasured):
            known[(step.payload.group, step.payload.scheme)] = step.payload.encoding
        yield Step(0, 0, step.payload)
    samples = document.scored
    if samples is None or document.split is None or not findings.calibration_done:
        return
    encodings = resolve(model, document.plan, findings.statistics, known).encodings
    rows = document.split.indices(document.part)
    for evaluation in evaluate(
        executor,
        feeder(model, samples, _macs_per_sample(findings)),
        encodings,
        rows,
        document.part,
        metric=document.metric,
        own=document.own_metric,
        limit=limit,
        cancelled=token.cancelled,
    ):
        target = len(rows) if limit is None else min(limit, len(rows))
        yield Step(evaluation.samples, target, evaluation)


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
    feed = feeder(model, samples, _macs_per_sample(findings))
    for found in layer_errors(model, executor.runtime, feed, rows, encodings, token.cancelled):
        done = found.samples == found.total
        measured = OutputsMeasured(document.plan.key, found.layers, findings.calibrated)
        yield Step(found.samples, found.total, measured if done else None)
