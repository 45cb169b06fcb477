"""Metrics: per-sample scores of a model's outputs, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.errors import QvizError

Labels = NDArray[np.int64]
Score = Callable[[Tensor, Tensor, Tensor | None], Tensor]


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
    while output.ndim > 2 and output.shape[-1] == 1:
        output = output.squeeze(-1)
    return output.argmax(-1 if output.ndim == 3 else 1)


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


OUTPUT_SQNR = Metric("output SQNR", "dB", None)
METRICS[OUTPUT_SQNR.name] = OUTPUT_SQNR


def is_classifier(output: Tensor) -> bool:
    """Whether an output of shape [n, classes, …] has at least two classes to choose from."""
    while output.ndim > 2 and output.shape[-1] == 1:
        output = output.squeeze(-1)
    if output.ndim not in (2, 3, 4) or not output.is_floating_point():
        return False
    return output.shape[-1 if output.ndim == 3 else 1] >= 2


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
