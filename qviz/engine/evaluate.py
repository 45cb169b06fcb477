"""Evaluate: what a plan scores on the samples, a chunk at a time, against float."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices, Part, require_samples
from qviz.engine.chunks import Feeder
from qviz.engine.estimates import Estimate, interval
from qviz.engine.evaluation import Divergence as Divergence
from qviz.engine.evaluation import Evaluation as Evaluation
from qviz.engine.execute import Executor
from qviz.engine.float_run import FloatRun, scored_output
from qviz.engine.metrics import Metric, Task, choose_metric, metrics_of
from qviz.engine.metrics.agreement import kl_divergence
from qviz.engine.pool import Pool, first_numbers, margins
from qviz.engine.prefetch import in_order, keep_inputs
from qviz.engine.program import Encodings

FIRST = 256  # samples whose divergence is told before any are drawn for the score


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
        self.seen = 0
        self.flips = 0
        self.kl = 0.0

    def add(
        self, output: Tensor, reference: Tensor, labels: Tensor | None, samples: Indices
    ) -> None:
        """Count one chunk."""
        self.samples.append(samples)
        self.seen += len(samples)
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

    def divergence(self) -> Divergence | None:
        """That of the samples seen; None without classes."""
        return Divergence(self.kl / self.seen, self.seen) if self.task.classes else None

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
            kl=self.kl / self.seen if classes else None,
            kl_samples=self.seen if classes else 0,
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
        known = replace(known, output=pool.reading.output, outputs=pool.scorable)
        told = self.divergence() if self.seen else None
        return known if told is None else replace(known, kl=told.kl, kl_samples=told.samples)

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


class _Run:
    """One plan's way through the samples, tallied as they come."""

    def __init__(
        self,
        executor: Executor,
        feeder: Feeder,
        encodings: Encodings,
        float_run: FloatRun,
        chosen: tuple[str, Metric | None],
        cancelled: Callable[[], bool],
    ) -> None:
        """`chosen`: the name of the metric and the user's own."""
        self.executor = executor
        self.feeder = feeder
        self.encodings = encodings
        self.program = executor.program(encodings)
        self.float_run = float_run
        self.cancelled = cancelled
        self.tally: _Tally | None = None
        self._metric, self._own = chosen

    def add(self, rows: Indices) -> _Tally:
        """Run one chunk; the tally with it."""
        labels = self.feeder.samples.labels
        with torch.inference_mode():
            chunk = self.feeder.chunk(rows)
            reference = self.float_run.output(chunk)
            outputs = self.executor.run(chunk, self.encodings, self.program, self.cancelled)
            found = scored_output(outputs, chunk, self.float_run.reading)
            tally = self.tally
            if tally is None:
                task = self.float_run.task(reference)
                metric = choose_metric(task, reference.ndim, self._metric, self._own)
                tally = self.tally = _Tally(task, metric, self._own)
            tally.add(
                found, reference, None if labels is None else torch.from_numpy(labels[rows]), rows
            )
        return tally

    def drawn(self, rows: Indices, pool: Pool) -> Iterator[Estimate]:
        """The score from few drawn samples, better and better."""
        return first_numbers(
            self.executor, self.feeder, self.encodings, self.program, rows, pool, self.cancelled
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
    looks = evaluate_in_order(
        executor,
        feeder,
        encodings,
        rows,
        part,
        metric=metric,
        own=own,
        output=output,
        limit=limit,
        cancelled=cancelled,
    )
    return (look for look in looks if isinstance(look, Evaluation))


def evaluate_in_order(
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
    watched: Collection[int] = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Divergence | Evaluation]:
    """Like `evaluate`, with the divergence of a first few samples before any score of drawn ones.

    What the `watched` steps read stays in the memo before all else, so that an edit starts there.
    """
    require_samples(rows, part, feeder.samples.name)
    executor.memo.next_generation()
    float_run = FloatRun(executor, feeder, rows, output, cancelled)
    run = _Run(executor, feeder, encodings, float_run, (metric, own), cancelled)
    keep_inputs(executor.memo, run.program, watched)
    asked = (feeder.samples.hash, rows.tobytes(), metric, own, output)
    pool = executor.pools.get(asked)
    chunks = feeder.cut(in_order(rows) if limit is None else rows[:limit])
    first: Evaluation | None = None
    at = 0
    if pool is not None and pool.draws and limit is None:
        tally = _Tally(pool.task, pool.metric, own)
        while pool.task.classes and tally.seen < FIRST:
            tally, at = run.add(chunks[at]), at + 1
        told = tally.divergence() if tally.seen else None
        if told is not None:
            yield told
        for estimate in run.drawn(rows, pool):
            first = tally.estimated(part, estimate, pool)
            yield first
    for chunk_rows in chunks[at:]:
        tally = run.add(chunk_rows)
        summary = tally.summary(part, len(rows), float_run, watched=limit is None)
        if first is not None and not summary.exact:  # the better number, until all is seen
            summary = _with_value_of(first, summary)
        yield summary
    if run.tally is not None and run.tally.seen == len(rows):
        executor.pools[asked] = run.tally.pool(rows, float_run)


def _with_value_of(first: Evaluation, summary: Evaluation) -> Evaluation:
    """A summary with the better number; its own flips once it has seen as many samples."""
    return replace(
        summary,
        value=first.value,
        low=first.low,
        high=first.high,
        float_value=first.float_value,
        delta=first.delta,
        flips=None if summary.samples < first.samples else summary.flips,
        samples=max(first.samples, summary.samples),
    )
