"""Metrics of values that should come near the labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qviz.engine.metrics.metric import Metric, mean, of_means, per_sample
from qviz.engine.metrics.task import Task

ROUNDING = 1e-14  # of the mean square, in the difference of two means


def _errors(output: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """(labels - output, labels) in the labels' shape, float64."""
    if labels is None:
        raise ValueError("this metric needs labels")
    wanted = labels.double()
    return wanted - output.double().reshape(wanted.shape), wanted


def squared_error(task: Task) -> Metric:
    """MSE: mean of (y - ŷ)²."""
    del task
    return Metric("MSE", "", "lower", lambda x, _, y: per_sample(_errors(x, y)[0].square()), mean)


def absolute_error(task: Task) -> Metric:
    """MAE: mean of |y - ŷ|."""
    del task
    return Metric("MAE", "", "lower", lambda x, _, y: per_sample(_errors(x, y)[0].abs()), mean)


def r_squared(task: Task) -> Metric:
    """R² = 1 - Σ(y - ŷ)² / Σ(y - ȳ)²; NaN where all labels are the same, as of one sample."""
    del task

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        error, wanted = _errors(output, labels)
        return torch.cat(
            [per_sample(error.square()), per_sample(wanted), per_sample(wanted.square())], 1
        )

    def value(means: Tensor) -> Tensor:
        spread = means[2] - means[1].square()
        known = spread > ROUNDING * means[2]
        return 1.0 - means[0] / torch.where(known, spread, math.nan)

    return Metric("R²", "", "higher", rows, of_means(value))


def peak_signal_to_noise(task: Task) -> Metric:
    """PSNR: the mean over samples of 10·log10(peak² / MSE) in dB, 100 dB at most.

    The bound keeps an exact sample from making the mean infinite.
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        noise = per_sample(_errors(output, labels)[0].square())
        return 10.0 * (2.0 * math.log10(task.peak) - noise.clamp(min=task.peak**2 * 1e-10).log10())

    return Metric("PSNR", "dB", "higher", rows, mean)
