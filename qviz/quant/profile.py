"""Profile: sorted values with running sums, from which the error of any grid follows exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qviz.quant.error import decibels
from qviz.quant.points import Points
from qviz.quant.rounding import rounded_up


@dataclass(frozen=True, eq=False, slots=True)
class Profile:
    """Values sorted per row, with running counts and sums (both start at 0).

    Between two thresholds every value goes to the same level l, so the squared error there is
    Σx² - 2·l·Σx + l²·n: the error of a grid takes one search per threshold, whatever the number of
    values.
    """

    values: Tensor  # [rows, n] float32, ascending
    counts: Tensor | None  # [rows, n + 1] float64; None: every value counts once
    sums: Tensor  # [rows, n + 1] float64
    square: Tensor  # [rows] Σx², float64
    count: Tensor  # [rows] how many values, float64

    def squared_errors(self, levels: Tensor, thresholds: Tensor) -> Tensor:
        """Σ(x-x̂)² of many grids (float64): levels [rows, grids, k] -> [rows, grids].

        `thresholds` is [rows, grids, k - 1], float64; a value on one goes to the level above.
        """
        rows, grids, inner = thresholds.shape
        found = torch.searchsorted(self.values, rounded_up(thresholds).reshape(rows, -1))
        n = self.values.shape[1]
        first = torch.zeros((rows, grids, 1), dtype=torch.int64)
        ends = torch.cat([first, found.reshape(rows, grids, inner), first + n], dim=2)
        flat = ends.reshape(rows, -1)
        sums = self.sums.gather(1, flat).reshape(ends.shape).diff(dim=2)
        if self.counts is None:
            counts = ends.diff(dim=2).double()
        else:
            counts = self.counts.gather(1, flat).reshape(ends.shape).diff(dim=2)
        cost = (levels * (levels * counts - 2.0 * sums)).sum(2)
        return (cost + self.square.unsqueeze(1)).clamp_(min=0.0)

    def sqnr_db(self, errors: Tensor) -> Tensor:
        """10·log10(Σx² / error) of [rows, grids] squared errors, rows added up: [grids]."""
        return decibels(self.square.sum(), errors.sum(0))


def profile(points: Points) -> Profile:
    """Sort every row of `points` and add up."""
    if points.counts is None:
        # numpy's sort of float32 is several times faster than torch's, which keeps the order.
        values = torch.from_numpy(np.sort(points.values.numpy(), axis=1))
        wide = values.double()
        sums = _running(wide)
        count = torch.full((len(values),), float(values.shape[1]), dtype=torch.float64)
        return Profile(values, None, sums, wide.square_().sum(1), count)
    values, order = points.values.sort(1)
    counts = points.counts.gather(1, order)
    wide = values.double()
    square = (wide.square() * counts).sum(1)
    return Profile(values, _running(counts), _running(wide * counts), square, counts.sum(1))


def _running(values: Tensor) -> Tensor:
    return torch.nn.functional.pad(values.cumsum(1), (1, 0))
