"""Accuracy: the share of answers that are right, at samples or at their positions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qviz.engine.metrics.metric import Metric, of_means
from qviz.engine.metrics.task import Task

Marks = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]


def top_k(task: Task, k: int) -> Metric:
    """Share of samples (or of their positions) whose label is among the k most likely classes.

    Of classes that are equally likely the first counts as the likelier, as in the predictions.
    """

    def marks(output: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        found = task.predictions(output)
        wanted = task.truth(labels).reshape(found.shape)
        if k == 1:
            return found == wanted, wanted >= 0
        return _rank(task.class_scores(output), wanted.clamp(min=0)) < k, wanted >= 0

    return _share_right(f"top-{k}", marks)


def hamming_accuracy(task: Task) -> Metric:
    """Share of a sample's yes-or-no labels that are predicted: 1 - Hamming loss."""
    return _share_right("Hamming accuracy", _decisions(task))


def exact_match(task: Task) -> Metric:
    """Share of samples all of whose yes-or-no labels are predicted (subset accuracy)."""
    decisions = _decisions(task)

    def marks(output: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        right, counted = decisions(output, labels)
        return (right | ~counted).all(1), counted.any(1)

    return _share_right("exact match", marks)


def _decisions(task: Task) -> Marks:
    """Which labels [n, C] are predicted, and which are known."""

    def marks(output: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        wanted = task.truth(labels)
        return task.predictions(output) == wanted, wanted >= 0

    return marks


def _share_right(name: str, marks: Marks) -> Metric:
    """The mean over samples of the share of each one's counted positions that are right.

    Samples without a counted position weigh nothing; NaN where all are such.
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        right, counted = (marked.reshape(len(output), -1) for marked in marks(output, labels))
        share = (right & counted).sum(1) / counted.sum(1).clamp(min=1).double()
        return torch.stack([share, counted.any(1).double()], 1)

    def value(means: Tensor) -> Tensor:
        return means[0] / means[1]

    def draws(rows: Tensor) -> int:
        return int(rows[:, 1].sum())

    return Metric(name, "%", "higher", rows, of_means(value), proportion=True, draws=draws)


def _rank(scores: Tensor, classes: Tensor) -> Tensor:
    """How many classes come before the given ones in a stable descending order, NaN first."""
    own, given = scores.gather(-1, classes.unsqueeze(-1)), classes.unsqueeze(-1)
    earlier = torch.arange(scores.shape[-1]) < given
    return torch.where(earlier, ~(scores < own), ~(scores <= own)).sum(-1)
