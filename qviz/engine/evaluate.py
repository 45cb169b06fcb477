"""Evaluate: what a plan scores on the samples, a chunk at a time, against float."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices, Part, require_samples
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.estimate import wilson
from qviz.engine.execute import Encodings, Executor
from qviz.engine.metrics import (
    Metric,
    are_probabilities,
    is_classifier,
    kl_divergence,
    predictions,
    propose,
    sqnr_db,
)
from qviz.errors import QvizError


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """A plan's score after `samples` of `total`; values are in the metric's unit.

    For percentages, `delta` is in points. `low` and `high` bound the value over all `total`
    samples (95 %); they are None for a metric without an interval, until it is exact.
    `kl` is the mean KL(p_float ‖ p) of the samples seen, in nats; None without classes.
    """

    metric: str
    unit: str
    part: Part
    value: float
    low: float | None
    high: float | None
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


@dataclass
class _Tally:
    """What has been seen so far."""

    score: float = 0.0  # sums over the samples
    float_score: float = 0.0
    rows: list[Indices] = field(default_factory=list)
    classes: list[Tensor] = field(default_factory=list)  # where a sample has one class
    float_classes: list[Tensor] = field(default_factory=list)
    flips: int | None = None
    probabilities: bool = False  # whether the float outputs are probabilities, not logits
    kl: float | None = None
    signal: float = 0.0
    noise: float = 0.0


def evaluate(
    executor: Executor,
    feeder: Feeder,
    encodings: Encodings,
    rows: Indices,
    part: Part,
    *,
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation]:
    """Score encodings on the samples `rows` of a part, yielding after every chunk.

    Raises:
        QvizError: an empty part, or labels that do not fit the model.
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    require_samples(rows, part, feeder.samples.name)
    seen = rows if limit is None else rows[:limit]
    float_keys, keys = executor.keys({}), executor.keys(encodings)
    labels = feeder.samples.labels
    metric: Metric | None = None
    tally = _Tally()
    executor.memo.next_generation()
    for chunk_rows in feeder.cut(seen):
        with torch.inference_mode():
            chunk = feeder.chunk(chunk_rows)
            reference = chunk.trimmed(
                _first_output(executor.run(chunk, {}, float_keys, cancelled), chunk)
            )
            if metric is None:
                metric = propose(reference, labels, feeder.samples.name)
                tally.probabilities = is_classifier(reference) and are_probabilities(reference)
            output = chunk.trimmed(
                _first_output(executor.run(chunk, encodings, keys, cancelled), chunk)
            )
            chunk_labels = None if labels is None else torch.from_numpy(labels[chunk_rows])
            _count(tally, metric, output, reference, chunk_labels, chunk_rows)
        yield _summary(tally, metric, part, len(rows))


def _first_output(outputs: dict[str, object], chunk: Chunk) -> Tensor:
    """The first tensor output, with one row per sample."""
    for name, value in outputs.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            if value.ndim and value.shape[0] == len(chunk.rows) + chunk.padded:
                return value.float()
            raise QvizError(
                f"output '{name}'",
                f"its shape {tuple(value.shape)} has no row per sample",
                "Export the model with the batch as the first axis",
            )
    raise QvizError(
        "the model", "it has no floating-point output to score", "Export its logits as an output"
    )


def _count(
    tally: _Tally,
    metric: Metric,
    output: Tensor,
    reference: Tensor,
    labels: Tensor | None,
    rows: Indices,
) -> None:
    tally.rows.append(rows)
    if is_classifier(reference):
        classes, float_classes = predictions(output), predictions(reference)
        differs = (classes != float_classes).reshape(len(classes), -1).any(1)
        tally.flips = (tally.flips or 0) + int(differs.sum())
        divergences = kl_divergence(output, reference, tally.probabilities)
        tally.kl = (tally.kl or 0.0) + float(divergences.sum())
        if classes.ndim == 1:
            tally.classes.append(classes)
            tally.float_classes.append(float_classes)
    if metric.score is None:
        tally.signal += float(reference.double().square().sum())
        tally.noise += float((reference.double() - output.double()).square().sum())
        return
    tally.score += float(metric.score(output, reference, labels).sum())
    tally.float_score += float(metric.score(reference, reference, labels).sum())


def _summary(tally: _Tally, metric: Metric, part: Part, total: int) -> Evaluation:
    rows = np.concatenate(tally.rows)
    classes = torch.cat(tally.classes).numpy() if tally.classes else None
    float_classes = torch.cat(tally.float_classes).numpy() if tally.float_classes else None
    exact = len(rows) == total
    if metric.score is None:
        value = sqnr_db(tally.signal, tally.noise)
        low = high = value if exact else None
        float_value, delta = inf, None
    else:
        mean = tally.score / len(rows)
        low_share, high_share = wilson(mean, len(rows), total)
        value, low, high = 100.0 * mean, 100.0 * low_share, 100.0 * high_share
        float_value = 100.0 * tally.float_score / len(rows)
        delta = value - float_value
    return Evaluation(
        metric=metric.name,
        unit=metric.unit,
        part=part,
        value=value,
        low=low,
        high=high,
        float_value=float_value,
        delta=delta,
        flips=tally.flips,
        kl=None if tally.kl is None else tally.kl / len(rows),
        samples=len(rows),
        total=total,
        rows=rows,
        predictions=classes,
        float_predictions=float_classes,
    )
