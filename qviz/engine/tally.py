"""Tally: what was seen so far of a plan's outputs beside float's, and the score that it gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices, Part
from qviz.engine.estimates import Estimate, MeanSequence, interval
from qviz.engine.estimates.interval import ALPHA
from qviz.engine.evaluation import Divergence, Evaluation
from qviz.engine.float_run import FloatRun
from qviz.engine.metrics import Metric, Task, metrics_of
from qviz.engine.metrics.agreement import kl_divergence
from qviz.engine.metrics.class_counts import class_counts, keeps_counts
from qviz.engine.pool import Pool, margins

STREAM_ALPHA = 0.01  # of the samples as they come; drawn ones have the rest of the 5 %


class Tally:
    """What has been seen so far of one task under one metric."""

    def __init__(
        self, task: Task, metric: Metric, own: Metric | None, total: int, pool: Pool | None = None
    ) -> None:
        """Nothing yet, of so many samples in all; with a `pool`, float is known on all of them."""
        self.task = task
        self._pool = pool
        alone = pool is None or not pool.draws
        self._changes = MeanSequence(total, alpha=ALPHA if alone else STREAM_ALPHA)  # (1 + Δ) / 2
        self.metric = metric
        self.offered = (*metrics_of(task), *([] if own is None else [own]))
        self.samples: list[Indices] = []
        self.scores: list[Tensor] = []
        self.float_scores: list[Tensor] = []
        self.margins: list[NDArray[np.float64]] = []
        self.classes: list[Tensor] = []  # where a sample has one class
        self.float_classes: list[Tensor] = []
        self.counted = keeps_counts(task, total)
        self.counts: list[Tensor] = []  # where its positions have
        self.float_counts: list[Tensor] = []
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
        if self._pool is not None and self._pool.paired:
            change = self.scores[-1][:, 0] - self.float_scores[-1][:, 0]
            self._changes.add((0.5 + 0.5 * change.double()).clamp(0.0, 1.0).numpy())
        self.margins.append(margins(self.task, reference, labels))
        if not self.task.classes:
            return
        found, expected = self.task.predictions(output), self.task.predictions(reference)
        self.flips += int((found != expected).reshape(len(found), -1).any(1).sum())
        self.kl += float(kl_divergence(self.task, output, reference).sum())
        if found.ndim == 1:
            self.classes.append(found)
            self.float_classes.append(expected)
        if self.counted:
            self.counts.append(class_counts(self.task, found, labels))
            self.float_counts.append(class_counts(self.task, expected, labels))

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
        found = value, low, high
        if self._pool is not None and self.seen < total:
            found, float_value = self._beside_float(self._pool, found, float_value)
        known = self._evaluation(part, found, float_value, len(samples), total)
        return replace(
            known,
            flips=self.flips if classes else None,
            kl=self.kl / self.seen if classes else None,
            kl_samples=self.seen if classes else 0,
            rows=samples,
            predictions=torch.cat(self.classes).numpy() if self.classes else None,
            float_predictions=torch.cat(self.float_classes).numpy() if self.classes else None,
            counts=torch.cat(self.counts).numpy() if self.counts else None,
            float_counts=torch.cat(self.float_counts).numpy() if self.counts else None,
            output=float_run.reading.output,
            outputs=float_run.scorable,
        )

    def _beside_float(
        self, pool: Pool, found: tuple[float, float, float], seen: float
    ) -> tuple[tuple[float, float, float], float]:
        """The score as float's on all samples and the change on those seen, and float's.

        Float's score on those that were seen, `seen`, is a control variate: where it happens to be
        high, the plan's is, too. Of a mean of shares the change has an interval of its own, others
        keep the width that they have without float.
        """
        whole, _ = pool.metric.estimate(pool.scores)
        if pool.paired:
            known = self._changes.estimate()
            ends = (whole + 2.0 * end - 1.0 for end in (known.value, known.low, known.high))
            value, low, high = (min(max(end, 0.0), 1.0) for end in ends)
            return (value, low, high), whole
        moved = tuple(end + whole - seen for end in found)
        if self.metric.unit == "%":
            moved = tuple(min(max(end, 0.0), 1.0) for end in moved)
        value, low, high = moved if np.isfinite(whole - seen) else found
        return (value, low, high), whole

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


def both(one: Evaluation, other: Evaluation) -> Evaluation:
    """One look at a score, and what samples taken in another way know of it, drawn or in order.

    Their errors add up to 5 %, so that the overlap of the intervals holds as one of 95 % does; the
    value is moved into it.
    """
    low, high = max(one.low, other.low), min(one.high, other.high)
    if low > high:
        return one
    value = min(max(one.value, low), high)
    delta = None if one.delta is None else value - one.float_value
    return replace(one, value=value, low=low, high=high, delta=delta)
