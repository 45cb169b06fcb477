"""Metrics of how well scores put the samples of a class above the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from qviz.engine.metrics.metric import Metric
from qviz.engine.metrics.task import Task

Curve = Callable[[Tensor, Tensor], tuple[float, Tensor]]


def auroc(task: Task) -> Metric:
    """P(score of a positive > score of a negative), ties one half; influences after DeLong 1988.

    More than two classes: the mean over the classes present of each against the rest; multilabel:
    over the classes that some samples have and some have not.
    """
    return _mean_over_classes(task, "AUROC", _area, needs_negatives=True)


def mean_average_precision(task: Task) -> Metric:
    """Mean over the classes present of Σ (R_k - R_{k-1})·P_k over all thresholds k."""
    return _mean_over_classes(task, "mean average precision", _average_precision)


def _mean_over_classes(
    task: Task, name: str, curve: Curve, *, needs_negatives: bool = False
) -> Metric:
    count = 1 if task.kind == "classes" and task.classes == 2 else task.counted_classes

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        truth = task.truth(labels).double().reshape(len(output), -1)
        return torch.cat([_scores(task, output), truth], 1)

    def curves(rows: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Per class its samples' scores, which are positive, and which samples those are."""
        scores, truth = rows[:, :count], rows[:, count:]
        for c in range(count):
            if task.kind == "multilabel":
                known, positive = truth[:, c] >= 0, truth[:, c] == 1
            else:
                positive = truth[:, 0] == (1 if count == 1 else c)
                known = torch.ones_like(positive)
            kept = positive[known]
            if kept.any() and not (needs_negatives and kept.all()):
                yield scores[known, c], kept, known

    def estimate(rows: Tensor) -> tuple[float, Tensor]:
        values, influence = [], torch.zeros(len(rows), dtype=torch.float64)
        for scores, positive, known in curves(rows):
            value, own = curve(scores, positive)
            values.append(value)
            influence[known] += own * (len(rows) / len(own))
        if not values:
            return float("nan"), influence
        return sum(values) / len(values), influence / len(values)

    def fewest(rows: Tensor) -> int:
        """Samples of the rarest class, or of its others where the curve needs them."""
        truth = rows[:, count:]
        if task.kind == "multilabel":
            have, lack = (truth == 1).sum(0), (truth == 0).sum(0)
        else:
            have = truth.unique(return_counts=True)[1]
            lack = len(rows) - have
        sizes = torch.minimum(have, lack) if needs_negatives else have
        return int(sizes[sizes > 0].min()) if bool((sizes > 0).any()) else 0

    return Metric(name, "%", "higher", rows, estimate, draws=fewest)


def _scores(task: Task, output: Tensor) -> Tensor:
    """What ranks the samples [n, classes], or [n, 1] of two classes."""
    if task.kind == "multilabel":
        return task.class_scores(output)[..., 1].double()
    if task.classes == 2:
        scores = task.class_scores(output).double()
        return scores[:, 1:] - scores[:, :1]
    # Logits of one sample may all be higher than another's: only their softmax compares.
    return task.shares(output)


def _area(scores: Tensor, positive: Tensor) -> tuple[float, Tensor]:
    """The area under the curve and every sample's influence on it, from mid-ranks."""
    above, below = scores[positive], scores[~positive]
    wins = _share_below(below, above)  # of each positive over the negatives
    losses = 1.0 - _share_below(above, below)  # of each negative against the positives
    area = wins.mean()
    influence = torch.empty(len(scores), dtype=torch.float64)
    influence[positive] = (wins - area) * (len(scores) / len(above))
    influence[~positive] = (losses - area) * (len(scores) / len(below))
    return float(area), influence


def _share_below(pool: Tensor, values: Tensor) -> Tensor:
    """Share of `pool` below each value, ties one half."""
    ordered = pool.sort().values
    less = torch.searchsorted(ordered, values.contiguous(), right=False)
    not_more = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (less + not_more).double() / (2.0 * len(pool))


def _average_precision(scores: Tensor, positive: Tensor) -> tuple[float, Tensor]:
    """The mean over positives i of precision_i, that of all samples with a score of at least s_i.

    The influence of a sample j is the derivative of that mean as j's weight grows: its own part
    where it is positive, and what it does to precision_i of each positive i that it is not below,
    (y_j - precision_i) / (samples with at least s_i).
    """
    n, found = len(scores), scores[positive].sort().values
    reached = (n - torch.searchsorted(scores.sort().values, scores)).double()
    precision = (len(found) - torch.searchsorted(found, scores)) / reached
    value = precision[positive].mean()
    order = scores[positive].argsort()
    less = (n / reached[positive][order]).cumsum(0)
    much = (n * precision[positive] / reached[positive])[order].cumsum(0)
    below = torch.searchsorted(found, scores, right=True)  # positives that a sample is not below
    y = positive.double()
    shift = y * _before(less, below) - _before(much, below)
    return float(value), (n * y * (precision - value) + shift) / len(found)


def _before(sums: Tensor, counts: Tensor) -> Tensor:
    """The sum of the first `counts` terms, of their running sums."""
    return torch.cat([sums.new_zeros(1), sums])[counts]
