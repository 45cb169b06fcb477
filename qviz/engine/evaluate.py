"""Evaluate: what a plan scores on the samples, a chunk at a time, against float."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices, Part, require_samples
from qviz.engine.chunks import Feeder
from qviz.engine.estimates import Estimate, interval
from qviz.engine.execute import Executor
from qviz.engine.float_run import FloatRun, scored_output
from qviz.engine.metrics import Metric, Task, choose_metric, metrics_of
from qviz.engine.metrics.agreement import kl_divergence
from qviz.engine.metrics.metric import Better
from qviz.engine.pool import Pool, first_numbers, margins
from qviz.engine.program import Encodings


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
    note: str = ""  # what the user should know of how the labels are read
    ignored: int | None = None  # a label that is left out, besides negative ones
    output: str = ""  # the one that is scored
    outputs: tuple[str, ...] = ()  # all that could be

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
        self.margins: list[NDArray[np.float64]] = []
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
        self.margins.append(margins(self.task, reference, labels))
        if not self.task.classes:
            return
        found, expected = self.task.predictions(output), self.task.predictions(reference)
        self.flips += int((found != expected).reshape(len(found), -1).any(1).sum())
        self.kl += float(kl_divergence(self.task, output, reference).sum())
        if found.ndim == 1:
            self.classes.append(found)
            self.float_classes.append(expected)

    def pool(self, rows: Indices, float_run: FloatRun) -> Pool:
        """What float gave for all samples, in the order of `rows`."""
        places = np.argsort(np.concatenate(self.samples), kind="stable")
        order = places[np.argsort(np.argsort(rows, kind="stable"), kind="stable")]
        scores = torch.cat(self.float_scores)[torch.from_numpy(order)]
        between = np.concatenate(self.margins)[order]
        read = float_run.reading, float_run.scorable
        return Pool(self.task, self.metric, scores, between, *read)

    def summary(self, part: Part, total: int, float_run: FloatRun, *, watched: bool) -> Evaluation:
        """The score so far; its interval holds at every look if `watched`."""
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
            watched=watched,
        )
        known = self._evaluation(part, (value, low, high), float_value, len(samples), total)
        return replace(
            known,
            flips=self.flips if classes else None,
            kl=self.kl / len(samples) if classes else None,
            rows=samples,
            predictions=torch.cat(self.classes).numpy() if self.classes else None,
            float_predictions=torch.cat(self.float_classes).numpy() if self.classes else None,
            output=float_run.reading.output,
            outputs=float_run.scorable,
        )

    def estimated(self, part: Part, estimate: Estimate, pool: Pool) -> Evaluation:
        """A score from drawn samples, which by themselves stand for nothing else."""
        float_value, _ = pool.metric.estimate(pool.scores)
        found = estimate.value, estimate.low, estimate.high
        known = self._evaluation(part, found, float_value, estimate.seen, estimate.total)
        return replace(known, output=pool.reading.output, outputs=pool.scorable)

    def _evaluation(
        self,
        part: Part,
        found: tuple[float, float, float],
        float_value: float,
        seen: int,
        total: int,
    ) -> Evaluation:
        """A value, its low and its high end, and nothing about single samples."""
        metric, factor = self.metric, self.metric.factor
        value, low, high = found
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
            flips=None,
            kl=None,
            samples=seen,
            total=total,
            rows=np.zeros(0, np.int64),
            predictions=None,
            float_predictions=None,
            note=self.task.note,
            ignored=self.task.ignored,
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
    output: str = "",
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation]:
    """Score encodings on the samples `rows` of a part, yielding after every chunk.

    Without the name of a `metric` the one that fits the labels and outputs is taken; `own` is the
    user's, which is asked for by its name. `output` names the one to score, else it is chosen.

    Raises:
        QvizError: an empty part, labels that do not fit the model, a metric that they do not have,
            an output that cannot be scored.
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    require_samples(rows, part, feeder.samples.name)
    program = executor.program(encodings)
    executor.memo.next_generation()
    asked = (feeder.samples.hash, rows.tobytes(), metric, own, output)
    pool = executor.pools.get(asked)
    first: Evaluation | None = None
    if pool is not None and pool.draws and limit is None:
        drawn = _Tally(pool.task, pool.metric, own)
        for estimate in first_numbers(executor, feeder, encodings, program, rows, pool, cancelled):
            first = drawn.estimated(part, estimate, pool)
            yield first
    seen = _shuffled(rows) if limit is None else rows[:limit]
    float_run = FloatRun(executor, feeder, rows, output, cancelled)
    labels = feeder.samples.labels
    tally: _Tally | None = None
    for chunk_rows in feeder.cut(seen):
        with torch.inference_mode():
            chunk = feeder.chunk(chunk_rows)
            reference = float_run.output(chunk)
            outputs = executor.run(chunk, encodings, program, cancelled)
            found = scored_output(outputs, chunk, float_run.reading)
            if tally is None:
                task = float_run.task(reference)
                tally = _Tally(task, choose_metric(task, reference.ndim, metric, own), own)
            chosen = None if labels is None else torch.from_numpy(labels[chunk_rows])
            tally.add(found, reference, chosen, chunk_rows)
        summary = tally.summary(part, len(rows), float_run, watched=limit is None)
        if first is not None and not summary.exact:  # the better number, until all is seen
            summary = _with_value_of(first, summary)
        yield summary
    if tally is not None and len(seen) == len(rows):
        executor.pools[asked] = tally.pool(rows, float_run)


def _with_value_of(first: Evaluation, summary: Evaluation) -> Evaluation:
    """A summary with the better number; its own flips once it has seen as many samples."""
    fewer = summary.samples < first.samples
    return replace(
        summary,
        value=first.value,
        low=first.low,
        high=first.high,
        float_value=first.float_value,
        delta=first.delta,
        flips=None if fewer else summary.flips,
        kl=None if fewer else summary.kl,
        samples=max(first.samples, summary.samples),
    )


def _shuffled(rows: Indices) -> Indices:
    """The same order for the same samples: what comes first stands for all of a sorted file."""
    return np.random.default_rng(len(rows)).permutation(rows)
