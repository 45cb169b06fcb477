"""Metrics of how often classes are hit, labelled and predicted."""

from __future__ import annotations

import torch
from torch import Tensor

from qviz.engine.metrics.metric import Estimate, Metric, Rows, of_means
from qviz.engine.metrics.task import Task


def _confusion(task: Task) -> Rows:
    """Rows [n, 3C]: per class its hits, its labels and its predictions."""
    if task.kind == "multilabel":
        return _of_decisions(task)

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        wanted = task.truth(labels).reshape(len(output), -1)
        found = task.predictions(output).reshape(len(output), -1)
        counted = wanted >= 0
        kept = wanted.clamp(min=0)

        def tally(classes: Tensor, which: Tensor) -> Tensor:
            counts = torch.zeros(len(output), task.classes, dtype=torch.float64)
            return counts.scatter_add_(1, classes, which.double())

        return torch.cat(
            [tally(kept, counted & (kept == found)), tally(kept, counted), tally(found, counted)], 1
        )

    return rows


def _of_decisions(task: Task) -> Rows:
    """The same where a sample has or has not each of C classes."""

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        wanted, found = task.truth(labels), task.predictions(output) == 1
        return torch.cat([found & (wanted == 1), wanted == 1, found & (wanted >= 0)], 1).double()

    return rows


def _parts(means: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    hits, labelled, predicted = means.chunk(3)
    return hits, labelled, predicted


def _fewest(rows: Tensor) -> int:
    """Of rows [n, 3C]: the number of samples with the rarest of the labels present."""
    samples = (rows.chunk(3, 1)[1] > 0).sum(0)
    present = samples[samples > 0]
    return int(present.min()) if len(present) else 0


def _ratio(name: str, rows: Rows, estimate: Estimate, denominator: int) -> Metric:
    """A share of the samples that have a one in the rows' column `denominator`."""

    def draws(rows: Tensor) -> int:
        return int((rows[:, denominator] > 0).sum())

    return Metric(name, "%", "higher", rows, estimate, proportion=True, draws=draws)


def _recalls(means: Tensor) -> Tensor:
    hits, labelled, _ = _parts(means)
    present = labelled > 0
    return hits[present] / labelled[present]


def _mean_seen(hits: Tensor, of: Tensor, seen: Tensor) -> Tensor:
    """The mean of hits / of over the classes that are seen; 0 where a class has none of these."""
    return (hits[seen] / torch.where(of > 0, of, 1.0)[seen]).mean()


def recall(task: Task, of: int | None = None) -> Metric:
    """Hits / labels of a class (sensitivity); without one, the mean over the classes labelled.

    That mean is the balanced accuracy. NaN for a class without labels.
    """

    def value(means: Tensor) -> Tensor:
        hits, labelled, _ = _parts(means)
        if of is None:
            return _recalls(means).mean()
        return hits[of] / labelled[of]

    name, rows, estimate = f"recall:{of}", _confusion(task), of_means(value)
    if of is None:
        return Metric("mean recall", "%", "higher", rows, estimate, draws=_fewest)
    return _ratio(name, rows, estimate, task.counted_classes + of)


def worst_recall(task: Task) -> Metric:
    """The recall of the class that is recognised least."""

    def value(means: Tensor) -> Tensor:
        found = _recalls(means)
        return found.min() if len(found) else found.mean()  # NaN

    return Metric("worst recall", "%", "higher", _confusion(task), of_means(value), draws=_fewest)


def precision(task: Task, of: int | None = None) -> Metric:
    """Hits / predictions of a class; without one, the mean over those labelled or predicted.

    NaN for a class that is not predicted; in the mean it counts as 0, as scikit-learn's macro
    average does.
    """

    def value(means: Tensor) -> Tensor:
        hits, labelled, predicted = _parts(means)
        if of is None:
            return _mean_seen(hits, predicted, labelled + predicted > 0)
        return hits[of] / predicted[of]

    name, rows, estimate = f"precision:{of}", _confusion(task), of_means(value)
    if of is None:
        return Metric("mean precision", "%", "higher", rows, estimate, draws=_fewest)
    return _ratio(name, rows, estimate, 2 * task.counted_classes + of)


def f1(task: Task, of: int | None = None) -> Metric:
    """2·hits / (labels + predictions) of a class; without one, the mean over all that have some.

    A class that is predicted but not labelled counts as 0, as in scikit-learn's macro average.
    """

    def value(means: Tensor) -> Tensor:
        hits, labelled, predicted = _parts(means)
        which = labelled + predicted > 0 if of is None else torch.arange(len(hits)) == of
        return (2.0 * hits[which] / (labelled[which] + predicted[which])).mean()

    name = "F1" if of is None else f"F1:{of}"
    return Metric(name, "%", "higher", _confusion(task), of_means(value), draws=_fewest)


def micro_f1(task: Task) -> Metric:
    """2·hits / (labels + predictions) over all classes together; NaN without either."""

    def value(means: Tensor) -> Tensor:
        hits, labelled, predicted = (part.sum() for part in _parts(means))
        return 2.0 * hits / (labelled + predicted)

    def draws(rows: Tensor) -> int:
        _, labelled, predicted = rows.chunk(3, 1)
        return int((labelled + predicted).any(1).sum())

    return Metric("micro F1", "%", "higher", _confusion(task), of_means(value), draws=draws)


def mean_iou(task: Task) -> Metric:
    """Mean over the classes of hits / (labels or predictions), counted over all positions."""

    def value(means: Tensor) -> Tensor:
        hits, labelled, predicted = _parts(means)
        union = labelled + predicted - hits
        some = union > 0
        return (hits[some] / union[some]).mean()

    return Metric("mean IoU", "%", "higher", _confusion(task), of_means(value), draws=_fewest)


def at_threshold(task: Task, positive: bool, threshold: float) -> Metric:
    """Sensitivity (share of class 1 with p ≥ threshold) or specificity (of class 0, p below).

    NaN without samples of the class.
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        chosen = task.shares(output)[:, 1] >= threshold
        member = (task.truth(labels) == 1) == positive
        return torch.stack([(member & (chosen == positive)).double(), member.double()], 1)

    def value(means: Tensor) -> Tensor:
        return means[0] / means[1]

    name = "sensitivity" if positive else "specificity"
    return _ratio(f"{name}@{threshold:g}", rows, of_means(value), 1)
