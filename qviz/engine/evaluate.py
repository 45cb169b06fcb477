"""Evaluate: what a plan scores on the samples, a chunk at a time, against float."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices, Part, require_samples
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.estimate import interval
from qviz.engine.execute import Encodings, Executor
from qviz.engine.metrics import Metric, Task, find_metric, find_task, metrics_of, propose
from qviz.engine.metrics.agreement import kl_divergence
from qviz.engine.metrics.metric import Better
from qviz.engine.metrics.reading import Reading, declared_axis, find_reading, origin
from qviz.engine.metrics.task import is_single

SHARES_SEEN = 64  # samples whose outputs must all be shares, where the model does not say so


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """A plan's score after `samples` of `total`; values are in the metric's unit.

    For percentages, `delta` is in points. `low` and `high` bound the value over all `total`
    samples (95 %). `kl` is the mean KL(p_float ‖ p) of the samples seen, in nats; None without
    classes. `choices` are the metrics that these samples and outputs have.
    """

    metric: str
    unit: str
    better: Better
    choices: tuple[str, ...]
    part: Part
    value: float
    low: float
    high: float
    float_value: float
    delta: float | None
    flips: int | None
    kl: float | None
    samples: int
    total: int
    rows: Indices = field(repr=False)  # which samples, in the order of `predictions`
    predictions: NDArray[np.int64] | None = field(repr=False)
    float_predictions: NDArray[np.int64] | None = field(repr=False)

    @property
    def exact(self) -> bool:
        """Whether every sample of the part was seen, so that nothing is estimated."""
        return self.samples == self.total


class _Tally:
    """What has been seen so far of one task under one metric."""

    def __init__(self, task: Task, metric: Metric, own: Metric | None) -> None:
        self.task = task
        self.metric = metric
        self.offered = (*metrics_of(task), *([] if own is None else [own]))
        self.samples: list[Indices] = []
        self.scores: list[Tensor] = []
        self.float_scores: list[Tensor] = []
        self.classes: list[Tensor] = []  # where a sample has one class
        self.float_classes: list[Tensor] = []
        self.flips = 0
        self.kl = 0.0

    def add(
        self, output: Tensor, reference: Tensor, labels: Tensor | None, samples: Indices
    ) -> None:
        """Count one chunk."""
        self.samples.append(samples)
        self.scores.append(self.metric.rows(output, reference, labels))
        self.float_scores.append(self.metric.rows(reference, reference, labels))
        if not self.task.classes:
            return
        found, expected = self.task.predictions(output), self.task.predictions(reference)
        self.flips += int((found != expected).reshape(len(found), -1).any(1).sum())
        self.kl += float(kl_divergence(self.task, output, reference).sum())
        if found.ndim == 1:
            self.classes.append(found)
            self.float_classes.append(expected)

    def summary(self, part: Part, total: int) -> Evaluation:
        """The score so far."""
        metric, classes = self.metric, bool(self.task.classes)
        samples = np.concatenate(self.samples)
        scores = torch.cat(self.scores)
        value, influence = metric.estimate(scores)
        float_value, _ = metric.estimate(torch.cat(self.float_scores))
        low, high = interval(
            value,
            influence,
            total,
            proportion=metric.proportion,
            share=metric.unit == "%",
            draws=metric.draws(scores) if metric.draws else None,
        )
        factor = 100.0 if metric.unit == "%" else 1.0
        delta = factor * (value - float_value)
        return Evaluation(
            metric=metric.name,
            unit=metric.unit,
            better=metric.better,
            choices=tuple(choice.name for choice in self.offered),
            part=part,
            value=factor * value,
            low=factor * low,
            high=factor * high,
            float_value=factor * float_value,
            delta=delta if np.isfinite(delta) else None,
            flips=self.flips if classes else None,
            kl=self.kl / len(samples) if classes else None,
            samples=len(samples),
            total=total,
            rows=samples,
            predictions=torch.cat(self.classes).numpy() if self.classes else None,
            float_predictions=torch.cat(self.float_classes).numpy() if self.classes else None,
        )


def evaluate(
    executor: Executor,
    feeder: Feeder,
    encodings: Encodings,
    rows: Indices,
    part: Part,
    *,
    metric: str = "",
    own: Metric | None = None,
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation]:
    """Score encodings on the samples `rows` of a part, yielding after every chunk.

    Without the name of a `metric` the one that fits the labels and outputs is taken; `own` is the
    user's, which is asked for by its name.

    Raises:
        QvizError: an empty part, labels that do not fit the model, a metric that they do not have.
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    require_samples(rows, part, feeder.samples.name)
    seen = rows if limit is None else rows[:limit]
    keys = executor.keys(encodings)
    float_run = _FloatRun(executor, feeder, rows, cancelled)
    labels = feeder.samples.labels
    tally: _Tally | None = None
    executor.memo.next_generation()
    for chunk_rows in feeder.cut(seen):
        with torch.inference_mode():
            chunk = feeder.chunk(chunk_rows)
            reference = float_run.output(chunk)
            outputs = executor.run(chunk, encodings, keys, cancelled)
            output = scored_output(outputs, chunk, float_run.reading)
            if tally is None:
                tally = _begin(float_run.task(reference), reference.ndim, metric, own)
            chosen = None if labels is None else torch.from_numpy(labels[chunk_rows])
            tally.add(output, reference, chosen, chunk_rows)
        yield tally.summary(part, len(rows))


def _begin(task: Task, dims: int, metric: str, own: Metric | None) -> _Tally:
    if own is not None and metric == own.name:
        return _Tally(task, own, own)
    return _Tally(task, find_metric(task, metric) if metric else propose(task, dims), own)


def scored_output(
    outputs: Mapping[str, object], chunk: Chunk, reading: Reading | None = None
) -> Tensor:
    """An output [n, …], float32, padding left out: the first that has an entry per sample.

    The batch may be the second axis, as recurrent networks have it. A `reading` says which output
    and axis, so that all chunks are read alike.

    Raises:
        QvizError: no such output, or none with an entry per sample.
    """
    count = len(chunk.rows) + chunk.padded
    chosen = None if reading is None else outputs.get(reading.output)
    if reading is None or not isinstance(chosen, Tensor) or chosen.shape[reading.axis] != count:
        reading = find_reading(outputs, count)
        chosen = outputs[reading.output]
    if not isinstance(chosen, Tensor):
        raise TypeError(f"output '{reading.output}' is no tensor")
    return chunk.trimmed(chosen.movedim(reading.axis, 0)).float()


class _FloatRun:
    """The float model's outputs, read alike for all chunks."""

    def __init__(
        self, executor: Executor, feeder: Feeder, rows: Indices, cancelled: Callable[[], bool]
    ) -> None:
        self._executor = executor
        self._feeder = feeder
        self._rows = rows
        self._cancelled = cancelled
        self._keys = executor.keys({})
        self.reading: Reading | None = None

    def output(self, chunk: Chunk) -> Tensor:
        """The output that is scored [n, …]; the first chunk decides how it is read."""
        outputs = self._outputs(chunk)
        if self.reading is None:
            self.reading = self._read(outputs, chunk)
        return scored_output(outputs, chunk, self.reading)

    def task(self, example: Tensor) -> Task:
        """What is asked of the model; `example` is what it gave for the first samples."""
        subject, labels = self._feeder.samples.name, self._feeder.samples.labels
        task = find_task(example, labels, subject)
        if not task.probabilities or self.reading is None:
            return task
        made_by = origin(self._executor.model, self.reading.output)
        one = task.single or is_single(example)
        if made_by == "logits":
            return replace(task, probabilities=False)
        if made_by == "softmax" or (made_by == "sigmoid" and one):
            return task
        tried = (find_task(output, labels, subject).probabilities for output in self._more(example))
        return replace(task, probabilities=all(tried))

    def _outputs(self, chunk: Chunk) -> Mapping[str, object]:
        return self._executor.run(chunk, {}, self._keys, self._cancelled)

    def _read(self, outputs: Mapping[str, object], chunk: Chunk) -> Reading:
        found = find_reading(outputs, len(chunk.rows) + chunk.padded)
        if found.certain:
            return found
        columns = self._feeder.fitted.columns
        axis = declared_axis(self._executor.model, found.output, columns)
        if axis is None and self._feeder.fixed_batch is None and len(chunk.rows) > 1:
            fewer = self._feeder.chunk(chunk.rows[:-1])  # the axis that shrinks with the batch
            axis = find_reading(self._outputs(fewer), len(fewer.rows)).axis
        return found if axis is None else Reading(found.output, axis)

    def _more(self, example: Tensor) -> Iterator[Tensor]:
        """Outputs of the next chunks, until enough samples were seen to call them all shares."""
        seen = len(example)
        for rows in self._feeder.cut(self._rows)[1:]:
            if seen >= SHARES_SEEN:
                return
            seen += len(rows)
            yield self.output(self._feeder.chunk(rows))
