"""Effect: what a change of encodings does to the model's outputs, sample by sample and in all."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, sqrt

import torch
from torch import Tensor

from qviz.engine.estimates import tango
from qviz.engine.estimates.interval import Z95
from qviz.engine.metrics import Metric, Task, kl_divergence, loss_of, sqnr_db
from qviz.engine.metrics.agreement import agreement

_VALUES = 1 << 20  # outputs whose squares are added up at a time


@dataclass(frozen=True, slots=True)
class Effect:
    """A change's effect after `samples` of `total` samples.

    `kl` is the mean KL(p_float ‖ p) in nats and `flips` the samples whose prediction differs from
    float; None without classes. `loss` and `delta` are changes against what the sweep starts from:
    of the cross-entropy in nats, or the MSE, and of the metric in its unit (points for %), between
    `low` and `high` (95 %, for this number of samples); None where they have no finite number.
    """

    kl: float | None
    sqnr_db: float
    flips: int | None
    loss: float | None
    delta: float | None
    low: float | None
    high: float | None
    samples: int
    total: int


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """What a candidate gave for each sample: float64 columns, and the metric's rows."""

    kl: Tensor  # [n]; 0 without classes
    flipped: Tensor  # bool [n]
    signal: Tensor  # [n] Σx² of the float output
    noise: Tensor  # [n] Σ(x - x̂)²
    losses: Tensor  # [n, j] of the loss; [n, 0] without one
    scores: Tensor  # [n, k] of the metric

    @classmethod
    def of(
        cls, task: Task, metric: Metric, output: Tensor, reference: Tensor, labels: Tensor | None
    ) -> Rows:
        """Rows of outputs [n, …] against the float model's."""
        signal, noise = _sums(output, reference)
        if task.classes:
            kl = kl_divergence(task, output, reference)
            found, expected = task.predictions(output), task.predictions(reference)
            flipped = (found != expected).reshape(len(found), -1).any(1)
        else:
            kl, flipped = torch.zeros_like(signal), torch.zeros(len(signal), dtype=torch.bool)
        loss = loss_of(task)
        losses = signal.new_zeros((len(signal), 0))
        if loss is not None:
            losses = loss.rows(output, reference, labels).double()
        scores = metric.rows(output, reference, labels).double()
        return cls(kl, flipped, signal, noise, losses, scores)

    @property
    def columns(self) -> tuple[Tensor, ...]:
        """All columns, in the order of the fields."""
        return self.kl, self.flipped, self.signal, self.noise, self.losses, self.scores

    def joined(self, more: Rows) -> Rows:
        """These samples, then more."""
        pairs = zip(self.columns, more.columns, strict=True)
        return Rows(*(torch.cat(pair) for pair in pairs))

    def first(self, count: int) -> Rows:
        """The first samples alone."""
        return Rows(*(column[:count] for column in self.columns))


def _sums(output: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Σx² and Σ(x - x̂)² of each sample, float64 [n]."""
    count = max(_VALUES * len(reference) // max(reference.numel(), 1), 1)  # samples at a time
    signal, noise = [], []
    for q, x in zip(output.split(count), reference.split(count), strict=True):
        wide = x.double().reshape(len(x), -1)
        signal.append(wide.square().sum(1))
        noise.append((wide - q.reshape(len(q), -1)).square().sum(1))
    return torch.cat(signal), torch.cat(noise)


def effect_of(rows: Rows, base: Rows, task: Task, metric: Metric, total: int) -> Effect:
    """Sum up the rows of a candidate against those of what the sweep starts from."""
    n = len(rows.kl)
    loss = loss_of(task)
    dearer = None
    if loss is not None:
        dearer = loss.estimate(rows.losses)[0] - loss.estimate(base.losses)[0]
    value, influence = metric.estimate(rows.scores)
    start, start_influence = metric.estimate(base.scores)
    delta: float | None = value - start
    low: float | None = None
    high: float | None = None
    if delta is None or not isfinite(delta):
        delta = None
    else:
        influence = influence - start_influence
        ends = _interval(rows, base, metric, delta, influence, total)
        ends = _possible(ends, rows, base, task, metric, total)
        low, high = (metric.factor * end if isfinite(end) else None for end in ends)
        delta *= metric.factor
    return Effect(
        kl=float(rows.kl.mean()) if task.classes else None,
        sqnr_db=sqnr_db(float(rows.signal.sum()), float(rows.noise.sum())),
        flips=int(rows.flipped.sum()) if task.classes else None,
        loss=None if dearer is None or not isfinite(dearer) else dearer,
        delta=delta,
        low=low,
        high=high,
        samples=n,
        total=total,
    )


def _possible(
    ends: tuple[float, float], rows: Rows, base: Rows, task: Task, metric: Metric, total: int
) -> tuple[float, float]:
    """An interval without changes of a share that no outcome of the other samples could give.

    Each of them changes by 1 at most; an agreement that starts from float itself only falls.
    """
    n = len(rows.kl)
    if n >= total or not metric.proportion:
        return ends
    least, most = -1.0, 1.0
    if metric.counts_all(rows.scores) and metric.counts_all(base.scores):
        seen = float((rows.scores[:, 0] - base.scores[:, 0]).sum())
        whole = metric.name == agreement(task).name and not bool(base.noise.any())
        least, most = (seen - (total - n)) / total, (seen + (0 if whole else total - n)) / total
    return max(ends[0], least), min(ends[1], most)


def _interval(
    rows: Rows, base: Rows, metric: Metric, delta: float, influence: Tensor, total: int
) -> tuple[float, float]:
    """Of the change over all samples: Tango's where each is right or wrong, else ± z·s/√n.

    Where no sample differs s is 0, and a share may still change by 3/n (rule of three).
    """
    n = len(influence)
    if n >= total:
        return delta, delta
    if metric.counts_all(rows.scores) and metric.counts_all(base.scores):
        change = rows.scores[:, 0] - base.scores[:, 0]
        if bool((change.abs().round() == change.abs()).all()):
            better, worse = int((change > 0).sum()), int((change < 0).sum())
            return tango(better, worse, n)
    if n < 2:
        return -inf, inf
    finite = (total - n) / (total - 1)
    spread = Z95 * float(influence.std()) * sqrt(finite / n)
    if metric.unit == "%" and spread == 0.0:
        spread = 3.0 * finite / n
    return delta - spread, delta + spread
