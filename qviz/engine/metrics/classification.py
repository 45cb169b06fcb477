"""Metrics of one class per sample, and of one per position."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qviz.engine.metrics.metric import Estimate, Metric, Rows, mean, of_means, per_sample
from qviz.engine.metrics.task import Task

BINS = 15  # of the calibration error, edges (lo, hi], as Guo et al. 2017


def top_k(task: Task, k: int) -> Metric:
    """Share of samples (or of their positions) whose label is among the k most likely classes.

    Of classes that are equally likely the first counts as the likelier, as in the predictions.
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        found = task.predictions(output)
        wanted = _given(labels).reshape(found.shape)
        hit = found == wanted
        if k > 1:
            hit = _rank(task.class_scores(output), wanted.clamp(min=0)) < k
        if hit.ndim == 1:
            return per_sample(hit)
        counted = wanted >= 0
        shares = (hit & counted).flatten(1).sum(1) / counted.flatten(1).sum(1).clamp(min=1)
        return shares.double().unsqueeze(1)

    return Metric(f"top-{k}", "%", "higher", rows, mean, proportion=True)


def _rank(scores: Tensor, classes: Tensor) -> Tensor:
    """How many classes come before the given ones in a stable descending order, NaN first."""
    own, given = scores.gather(-1, classes.unsqueeze(-1)), classes.unsqueeze(-1)
    earlier = torch.arange(scores.shape[-1]) < given
    return torch.where(earlier, ~(scores < own), ~(scores <= own)).sum(-1)


def _given(labels: Tensor | None) -> Tensor:
    if labels is None:
        raise ValueError("this metric needs labels")
    return labels


def _confusion(task: Task) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """Rows [n, 3C]: per class its hits, its labels and its predictions."""

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        wanted = _given(labels).reshape(len(output), -1)
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


def recall(task: Task, of: int | None = None) -> Metric:
    """Hits / labels of a class (sensitivity); without one, the mean over the classes present.

    NaN for a class without labels.
    """

    def value(means: Tensor) -> Tensor:
        hits, labelled, _ = _parts(means)
        if of is None:
            return _recalls(means).mean()
        return hits[of] / labelled[of]

    name, rows, estimate = f"recall:{of}", _confusion(task), of_means(value)
    if of is None:
        return Metric("mean recall", "%", "higher", rows, estimate, draws=_fewest)
    return _ratio(name, rows, estimate, task.classes + of)


def worst_recall(task: Task) -> Metric:
    """The recall of the class that is recognised least."""

    def value(means: Tensor) -> Tensor:
        found = _recalls(means)
        return found.min() if len(found) else found.mean()  # NaN

    return Metric("worst recall", "%", "higher", _confusion(task), of_means(value), draws=_fewest)


def precision(task: Task, of: int | None = None) -> Metric:
    """Hits / predictions of a class; without one, the mean over the classes predicted.

    NaN for a class that is not predicted.
    """

    def value(means: Tensor) -> Tensor:
        hits, _, predicted = _parts(means)
        if of is None:
            some = predicted > 0
            return (hits[some] / predicted[some]).mean()
        return hits[of] / predicted[of]

    name, rows, estimate = f"precision:{of}", _confusion(task), of_means(value)
    if of is None:
        return Metric("mean precision", "%", "higher", rows, estimate, draws=_fewest)
    return _ratio(name, rows, estimate, 2 * task.classes + of)


def f1(task: Task, of: int | None = None) -> Metric:
    """2·hits / (labels + predictions) of a class; without one, the mean over those present."""

    def value(means: Tensor) -> Tensor:
        hits, labelled, predicted = _parts(means)
        which = labelled > 0 if of is None else torch.arange(task.classes) == of
        return (2.0 * hits[which] / (labelled[which] + predicted[which])).mean()

    name = "F1" if of is None else f"F1:{of}"
    return Metric(name, "%", "higher", _confusion(task), of_means(value), draws=_fewest)


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
        member = (_given(labels) == 1) == positive
        return torch.stack([(member & (chosen == positive)).double(), member.double()], 1)

    def value(means: Tensor) -> Tensor:
        return means[0] / means[1]

    name = "sensitivity" if positive else "specificity"
    return _ratio(f"{name}@{threshold:g}", rows, of_means(value), 1)


def auroc(task: Task) -> Metric:
    """P(score of a positive > score of a negative), ties one half; influences after DeLong 1988.

    More than two classes: the mean over the classes present of each against the rest.
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        # Logits of one sample may all be higher than another's: only their softmax compares.
        scores = task.shares(output) if task.classes > 2 else task.class_scores(output).double()
        return torch.cat([scores, _given(labels).double().unsqueeze(1)], 1)

    def estimate(rows: Tensor) -> tuple[float, Tensor]:
        scores, labels = rows[:, :-1], rows[:, -1]
        which = [1] if task.classes == 2 else range(task.classes)
        one = [
            _area(scores[:, c] - scores[:, 0] if task.classes == 2 else scores[:, c], labels == c)
            for c in which
            if bool((labels == c).any()) and not bool((labels == c).all())
        ]
        if not one:
            return float("nan"), torch.zeros(len(rows), dtype=torch.float64)
        value = sum(area for area, _ in one) / len(one)
        return value, torch.stack([influence for _, influence in one]).mean(0)

    def fewest(rows: Tensor) -> int:
        return int(rows[:, -1].unique(return_counts=True)[1].min())

    return Metric("AUROC", "%", "higher", rows, estimate, draws=fewest)


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


def calibration_error(task: Task) -> Metric:
    """ECE: the top class's |Σ confidence - Σ correct| / n, summed over 15 bins (lo, hi].

    From few samples it reads too high, since chance in a bin adds to it whatever its sign; the
    interval does not correct for that.
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        sure, found = task.shares(output).max(-1)
        gap = sure - (found == _given(labels)).double()
        bins = (sure * BINS).ceil().long().clamp(1, BINS) - 1
        return torch.zeros(len(gap), BINS, dtype=torch.float64).scatter_(
            1, bins.unsqueeze(1), gap.unsqueeze(1)
        )

    return Metric("ECE", "%", "lower", rows, of_means(lambda means: means.abs().sum()))


def cross_entropy(task: Task, *, perplexity: bool = False) -> Metric:
    """Mean −ln p(label) per token or sample, in nats; perplexity is its exponential."""

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        shares = task.log_probabilities(output)
        wanted = _given(labels).reshape(shares.shape[:-1])
        chosen = shares.gather(-1, wanted.clamp(min=0).unsqueeze(-1))
        counted = (wanted >= 0).double()
        loss = -(chosen.squeeze(-1) * counted)
        return torch.stack(
            [loss.reshape(len(loss), -1).sum(1), counted.reshape(len(loss), -1).sum(1)], 1
        )

    def value(means: Tensor) -> Tensor:
        nats = means[0] / means[1]
        return nats.exp() if perplexity else nats

    name, unit = ("perplexity", "") if perplexity else ("cross-entropy", "nats")
    return Metric(name, unit, "lower", rows, of_means(value))


def ctc_exact_match(task: Task, blank: int = 0) -> Metric:
    """Share of samples whose best path, repeats merged and blanks dropped, is the label.

    Labels are padded at the end with negative numbers (Graves et al. 2006, best path decoding).
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        paths, wanted = task.predictions(output), _given(labels)
        hits = [
            _read(path, blank) == label[label >= 0].tolist()
            for path, label in zip(paths, wanted, strict=True)
        ]
        return torch.tensor(hits, dtype=torch.float64).unsqueeze(1)

    return Metric("CTC exact match", "%", "higher", rows, mean, proportion=True)


def _read(path: Tensor, blank: int) -> list[int]:
    merged = torch.unique_consecutive(path)
    return [int(symbol) for symbol in merged if symbol != blank]
