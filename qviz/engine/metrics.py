"""Metrics: per-sample scores of a model's outputs, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log10

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.errors import QvizError

Labels = NDArray[np.int64]
Score = Callable[[Tensor, Tensor, Tensor | None], Tensor]

_KL_VALUES = 1 << 20  # outputs whose divergence is computed at a time


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name, unit, and the per-sample score in 0..1 of (output, float output, labels).

    `score` is None for output SQNR, which is a ratio of sums over all samples.
    """

    name: str
    unit: str
    score: Score | None


METRICS: dict[str, Metric] = {}


def metric(name: str, unit: str) -> Callable[[Score], Score]:
    """Register a per-sample score as a metric."""

    def register(score: Score) -> Score:
        METRICS[name] = Metric(name, unit, score)
        return score

    return register


def predictions(output: Tensor) -> Tensor:
    """Predicted classes: [n, C] -> [n]; [n, T, C] -> [n, T]; [n, C, H, W] -> [n, H, W]."""
    return _classes_last(output).argmax(-1)


def _classes_last(output: Tensor) -> Tensor:
    """[n, C] and [n, T, C] as they are, [n, C, H, W] as [n, H, W, C]; last axes of one dropped."""
    while output.ndim > 2 and output.shape[-1] == 1:
        output = output.squeeze(-1)
    return output.movedim(1, -1) if output.ndim == 4 else output


@metric("top-1", "%")
def top1(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
    """1 where the predicted class is the label."""
    del reference
    if labels is None:
        raise ValueError("top-1 needs labels")
    return (predictions(output) == labels).double()


@metric("agreement with float", "%")
def agreement(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
    """Share of a sample's predictions that equal the float model's."""
    del labels
    same = (predictions(output) == predictions(reference)).double()
    return same.reshape(len(same), -1).mean(1)


def sqnr_db(signal: float, noise: float) -> float:
    """10·log10(Σx² / Σ(x-x̂)²) in dB from the two sums; inf when exact."""
    if noise == 0.0:
        return inf
    return -inf if signal == 0.0 else 10.0 * (log10(signal) - log10(noise))


OUTPUT_SQNR = Metric("output SQNR", "dB", None)
METRICS[OUTPUT_SQNR.name] = OUTPUT_SQNR


def is_classifier(output: Tensor) -> bool:
    """Whether an output of shape [n, classes, …] has at least two classes to choose from."""
    classes = _classes_last(output)
    if classes.ndim not in (2, 3, 4) or not classes.is_floating_point():
        return False
    return classes.shape[-1] >= 2


def are_probabilities(output: Tensor) -> bool:
    """Whether a classifier's outputs already are probabilities: none negative, each sum 1."""
    classes = _classes_last(output)
    return bool((classes >= 0.0).all()) and bool((classes.sum(-1) - 1.0).abs().max() <= 1e-2)


def kl_divergence(output: Tensor, reference: Tensor, probabilities: bool) -> Tensor:
    """KL(p_float ‖ p) = Σ p_float·ln(p_float / p) of a classifier in nats, float64 [n].

    p is the softmax over the classes, or the output itself where those are `probabilities`, zeros
    then raised to the smallest normal float32. The mean over a sample's positions where it has
    several.
    """
    per_sample = max(reference.numel() // max(len(reference), 1), 1)
    count = max(_KL_VALUES // per_sample, 1)  # samples at a time
    pairs = zip(output.split(count), reference.split(count), strict=True)
    return torch.cat([_kl(q, p, probabilities) for q, p in pairs])


def _kl(output: Tensor, reference: Tensor, probabilities: bool) -> Tensor:
    log_q, log_p = (_log_probabilities(v, probabilities) for v in (output, reference))
    p = log_p.exp()
    found = torch.where(p > 0.0, p * (log_p - log_q), 0.0).sum(-1)
    return found.reshape(len(found), -1).mean(1).clamp(min=0.0)


def _log_probabilities(output: Tensor, probabilities: bool) -> Tensor:
    """Float64, classes last. The softmax of the logarithms of probabilities is themselves."""
    classes = _classes_last(output).double()
    if probabilities:
        classes = classes.clamp(min=torch.finfo(torch.float32).tiny).log()
    return classes.log_softmax(-1)


def propose(output: Tensor, labels: Labels | None, samples_name: str) -> Metric:
    """The metric that fits an output and the labels.

    Raises:
        QvizError: labels outside the classes that the model can predict.
    """
    if not is_classifier(output):
        return OUTPUT_SQNR
    if labels is None or predictions(output).ndim != 1:
        return METRICS["agreement with float"]
    classes = torch.flatten(output, 1).shape[1]
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        bad = low if low < 0 else high
        row = int(np.flatnonzero(labels == bad)[0])
        raise QvizError(
            samples_name,
            f"label {bad} of sample {row} is out of range: the model has {classes} classes, "
            f"0 to {classes - 1}",
            "Correct the labels, or open the model they belong to",
        )
    return METRICS["top-1"]
