"""Opening pipelines: from files to a model that was tried out, and samples that fit it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from qviz.app.document import Findings
from qviz.app.jobs import Step, Token
from qviz.app.pipelines.measuring import measure_weights
from qviz.app.pipelines.model_file import read_model_file
from qviz.data.fit import with_values
from qviz.data.parts import Split, split_samples, unsplit
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import Samples
from qviz.data.synthetic import synthetic_samples
from qviz.engine.chunks import input_specs
from qviz.engine.next_tokens import with_next_tokens
from qviz.engine.trace import FloatRun, check_float, check_samples, trace_float, tried_specs
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.parity import Parity, check_mode, check_operators


@dataclass(frozen=True, eq=False, slots=True)
class ModelRead:
    """A model file was read."""

    model: Model


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
    model, own = read_model_file(path, samples, run_code)
    check_operators(model)
    check_mode(model)
    yield Step(0, 0, ModelRead(model))
    yield from measure_weights(model, frozenset(), token)
    if own is not None and samples is None:
        own = with_next_tokens(model, own)
        yield from _take_samples(SamplesRead(own, split_samples(own, seed)), model, token)
        return
    run = _try_out(model, token)
    if samples is None:
        yield Step(1, 1, _checked(model, None, run))
        yield from _take_synthetic(model, run)
    elif isinstance(run, FloatRun):
        yield Step(1, 1, FloatChecked(run.macs, None, ""))  # samples are what it is checked on


def open_synthetic(model: Model, findings: Findings, token: Token) -> Iterator[Step]:
    """Synthetic inputs for a model whose samples could not be opened."""
    yield from measure_weights(model, findings.statistics, token)
    run = _try_out(model, token)
    yield Step(0, 0, _checked(model, None, run))
    yield from _take_synthetic(model, run)


def _take_synthetic(model: Model, run: FloatRun | str) -> Iterator[Step]:
    if isinstance(run, FloatRun):
        synthetic = synthetic_samples(tried_specs(model, run))
        yield Step(1, 1, SamplesRead(synthetic, unsplit(synthetic)))


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
    yield from measure_weights(model, findings.statistics, token)
    inputs = input_specs(model)
    samples = with_values(read_samples(path, inputs, reading), inputs, values)
    if reading.next_token:
        samples = with_next_tokens(model, samples)
    split = split_samples(samples, seed)
    yield from _take_samples(SamplesRead(samples, split, reading, values), model, token)


def _take_samples(read: SamplesRead, model: Model, token: Token) -> Iterator[Step]:
    samples = read.samples
    notes = check_samples(model, samples)
    yield Step(1, 2, replace(read, notes=(*samples.notes, *notes)))
    yield Step(2, 2, _checked(model, samples, _try_out(model, token, samples)))


def _try_out(model: Model, token: Token, samples: Samples | None = None) -> FloatRun | str:
    """One float run, on synthetic inputs without samples; or why there is none."""
    if not model.runs:
        return "a file of weights has nothing to run"
    try:
        return trace_float(model, samples, token.cancelled)
    except QvizError as error:
        return f"not run yet: {error.cause}. {error.cure}"


def _checked(model: Model, samples: Samples | None, run: FloatRun | str) -> FloatChecked:
    if isinstance(run, str):
        return FloatChecked(None, None, run)
    return FloatChecked(run.macs, check_float(model, samples, run), "")
