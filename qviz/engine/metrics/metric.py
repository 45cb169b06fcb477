"""Metric: rows of numbers per sample, and the value that a set of rows amounts to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Better = Literal["higher", "lower"]
Rows = Callable[[Tensor, Tensor, Tensor | None], Tensor]
Estimate = Callable[[Tensor], tuple[float, Tensor]]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured, in which unit, and which direction is better.

    `rows` gives float64 [n, k] of (output, float output, labels) of n samples; `estimate` turns
    all rows seen into the value and every sample's influence on it [n]: the value's standard
    error is the influences' standard deviation / √n. `proportion`: the value is the mean of one
    share in 0..1 of each of the samples that `draws` counts; all samples where it is None.
    """

    name: str
    unit: str  # "%" values are shares, shown times 100
    better: Better
    rows: Rows
    estimate: Estimate
    proportion: bool = False
    draws: Callable[[Tensor], int] | None = None  # of all rows: how many samples a share rests on

    @property
    def factor(self) -> float:
        """What the value is shown times: 100 for shares."""
        return 100.0 if self.unit == "%" else 1.0

    def counts_all(self, rows: Tensor) -> bool:
        """Whether rows [n, k] are of a mean of shares in 0..1 to which every sample adds one."""
        shares, weights = rows[:, 0], rows[:, 1:]
        return (
            self.proportion
            and bool((weights == 1.0).all())
            and bool(((shares >= 0.0) & (shares <= 1.0)).all())
        )


def mean(rows: Tensor) -> tuple[float, Tensor]:
    """The mean of one number per sample."""
    values = rows[:, 0]
    value = values.mean()
    return float(value), values - value


def of_means(function: Callable[[Tensor], Tensor]) -> Estimate:
    """A function of the rows' means [k]; influences by the delta method (its gradient)."""

    def estimate(rows: Tensor) -> tuple[float, Tensor]:
        centre = rows.mean(0)
        with torch.inference_mode(False), torch.enable_grad():
            point = centre.clone().requires_grad_()
            value = function(point)
            (slope,) = torch.autograd.grad(value, point)
        return float(value.detach()), (rows - centre) @ slope

    return estimate


def per_sample(values: Tensor) -> Tensor:
    """The mean over everything but the first axis, as rows [n, 1]."""
    return values.double().reshape(len(values), -1).mean(1, keepdim=True)
