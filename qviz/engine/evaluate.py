"""Evaluate: what a plan scores on the samples, a chunk at a time, against float."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices, Part, require_samples
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.estimate import interval
from qviz.engine.execute import Encodings, Executor
from qviz.engine.metrics import Labels, Metric, Task, find_metric, find_task, metrics_of, propose
from qviz.engine.metrics.agreement import kl_divergence
from qviz.engine.metrics.metric import Better
from qviz.errors import QvizError


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

    def __init__(self, task: Task, metric: Metric) -> None:
        self.task = task
        self.metric = metric
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
        value, influence = metric.estimate(torch.cat(self.scores))
        float_value, _ = metric.estimate(torch.cat(self.float_scores))
        low, high = interval(value, influence, total, proportion=metric.proportion)
        factor = 100.0 if metric.unit == "%" else 1.0
        delta = factor * (value - float_value)
        return Evaluation(
            metric=metric.name,
            unit=metric.unit,
            better=metric.better,
            choices=tuple(choice.name for choice in metrics_of(self.task)),
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
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation]:
    """Score encodings on the samples `rows` of a part, yielding after every chunk.

    Without the name of a `metric` the one that fits the labels and outputs is taken.

    Raises:
        QvizError: an empty part, labels that do not fit the model, a metric that they do not have.
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    require_samples(rows, part, feeder.samples.name)
    seen = rows if limit is None else rows[:limit]
    float_keys, keys = executor.keys({}), executor.keys(encodings)
    labels = feeder.samples.labels
    tally: _Tally | None = None
    executor.memo.next_generation()
    for chunk_rows in feeder.cut(seen):
        with torch.inference_mode():
            chunk = feeder.chunk(chunk_rows)
            reference = scored_output(executor.run(chunk, {}, float_keys, cancelled), chunk)
            output = scored_output(executor.run(chunk, encodings, keys, cancelled), chunk)
            if tally is None:
                tally = _begin(reference, labels, feeder.samples.name, metric)
            chosen = None if labels is None else torch.from_numpy(labels[chunk_rows])
            tally.add(output, reference, chosen, chunk_rows)
        yield tally.summary(part, len(rows))


def _begin(output: Tensor, labels: Labels | None, subject: str, metric: str) -> _Tally:
    task = find_task(output, labels, subject)
    return _Tally(task, find_metric(task, metric) if metric else propose(task, output.ndim))


def scored_output(outputs: Mapping[str, object], chunk: Chunk) -> Tensor:
    """The first floating-point output [n, …], float32, padding left out.

    The batch may be the second axis, as recurrent networks have it.

    Raises:
        QvizError: no such output, or none with an entry per sample.
    """
    count = len(chunk.rows) + chunk.padded
    for name, value in outputs.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            axis = next((axis for axis, n in enumerate(value.shape[:2]) if n == count), None)
            if axis is not None:
                return chunk.trimmed(value.movedim(axis, 0)).float()
            raise QvizError(
                f"output '{name}'",
                f"its shape {tuple(value.shape)} has no entry per sample",
                "Export the model with a batch axis",
            )
    raise QvizError(
        "the model", "it has no floating-point output to score", "Export its logits as an output"
    )
