"""Points: the values that errors are measured on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Points:
    """Weighted sample values: `values` [channels, n] float32, `counts` [channels, n] float64."""

    values: Tensor
    counts: Tensor | None = None  # None: every value counts once
    sampled: int | None = None  # how many values these stand on; None: all of the tensor's


def share_of(exact: Tensor, taken: Tensor) -> Points:
    """Some columns of all rows, weighted to stand for the rest."""
    share = exact.shape[1] / taken.shape[1]
    counts = torch.full(taken.shape, share, dtype=torch.float64)
    return Points(taken, counts, None if share == 1.0 else taken.numel())
