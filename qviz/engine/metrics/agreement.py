"""Metrics without labels: how near the quantized model stays to the float model."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from qviz.engine.metrics.metric import Metric, mean, per_sample
from qviz.engine.metrics.task import Task
from qviz.quant.error import decibels

_KL_VALUES = 1 << 20  # outputs whose divergence is computed at a time


def agreement(task: Task) -> Metric:
    """Share of a sample's predictions that equal the float model's."""

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del labels
        return per_sample(task.predictions(output) == task.predictions(reference))

    return Metric("agreement with float", "%", "higher", rows, mean, proportion=True)


def logit_kl(task: Task) -> Metric:
    """Mean KL(p_float ‖ p) of a sample's predictions in nats."""

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del labels
        return kl_divergence(task, output, reference).unsqueeze(1)

    return Metric("KL to float", "nats", "lower", rows, mean)


def output_sqnr(task: Task) -> Metric:
    """10·log10(Σx² / Σ(x - x̂)²) of the float model's outputs in dB; inf when exact."""
    del task

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del labels
        x, q = reference.double(), output.double()
        return torch.cat([per_sample(x.square()), per_sample((x - q).square())], 1)

    def estimate(rows: Tensor) -> tuple[float, Tensor]:
        signal, noise = (float(part) for part in rows.mean(0))
        if signal == 0.0 or noise == 0.0:
            return sqnr_db(signal, noise), torch.zeros(len(rows), dtype=torch.float64)
        influence = 10.0 / log(10.0) * (rows[:, 0] / signal - rows[:, 1] / noise)
        return sqnr_db(signal, noise), influence

    return Metric("output SQNR", "dB", "higher", rows, estimate)


def sqnr_db(signal: float, noise: float) -> float:
    """10·log10(Σx² / Σ(x-x̂)²) in dB from the two sums; inf when exact."""
    return float(decibels(*torch.tensor([signal, noise], dtype=torch.float64)))


def kl_divergence(task: Task, output: Tensor, reference: Tensor) -> Tensor:
    """KL(p_float ‖ p) = Σ p_float·ln(p_float / p) of a classifier in nats, float64 [n].

    The mean over a sample's positions where it has several.
    """
    per_row = max(reference.numel() // max(len(reference), 1), 1)
    count = max(_KL_VALUES // per_row, 1)  # samples at a time
    pairs = zip(output.split(count), reference.split(count), strict=True)
    return torch.cat([_kl(task, q, p) for q, p in pairs])


def _kl(task: Task, output: Tensor, reference: Tensor) -> Tensor:
    log_q, log_p = task.log_probabilities(output), task.log_probabilities(reference)
    p = log_p.exp()
    found = torch.where(p > 0.0, p * (log_p - log_q), 0.0).sum(-1)
    return found.reshape(len(found), -1).mean(1).clamp(min=0.0)
