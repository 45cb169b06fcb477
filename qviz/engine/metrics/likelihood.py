"""Metrics of the probabilities that classes are given."""

from __future__ import annotations

import torch
from torch import Tensor

from qviz.engine.metrics.metric import Metric, of_means
from qviz.engine.metrics.task import Task

BINS = 15  # of the calibration error, edges (lo, hi], as Guo et al. 2017


def calibration_error(task: Task) -> Metric:
    """ECE: the top class's |Σ confidence - Σ correct| / n, summed over 15 bins (lo, hi].

    From few samples it reads too high, since chance in a bin adds to it whatever its sign; the
    interval does not correct for that.
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        sure, found = task.shares(output).max(-1)
        gap = sure - (found == task.truth(labels)).double()
        bins = (sure * BINS).ceil().long().clamp(1, BINS) - 1
        return torch.zeros(len(gap), BINS, dtype=torch.float64).scatter_(
            1, bins.unsqueeze(1), gap.unsqueeze(1)
        )

    return Metric("ECE", "%", "lower", rows, of_means(lambda means: means.abs().sum()))


def cross_entropy(task: Task, *, perplexity: bool = False) -> Metric:
    """Mean −ln p(label) per label that is counted, in nats; perplexity is its exponential."""

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        shares = task.log_probabilities(output)
        wanted = task.truth(labels).reshape(shares.shape[:-1])
        chosen = shares.gather(-1, wanted.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        counted = wanted >= 0
        loss = -chosen.masked_fill(~counted, 0.0)  # also where nothing is known: NaN · 0 is NaN
        return torch.stack(
            [loss.reshape(len(loss), -1).sum(1), counted.reshape(len(loss), -1).sum(1).double()], 1
        )

    def value(means: Tensor) -> Tensor:
        nats = means[0] / means[1]
        return nats.exp() if perplexity else nats

    name, unit = ("perplexity", "") if perplexity else ("cross-entropy", "nats")
    return Metric(name, unit, "lower", rows, of_means(value))
