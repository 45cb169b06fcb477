"""Tally: outputs of one run against ours, sample by sample."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.metrics import Metric, Task
from qviz.export.verdict import CLOSE, Flip, RunDifference


class Tally:
    """Collects what onnxruntime gives, chunk by chunk, beside our own outputs."""

    def __init__(self, task: Task, metric: Metric, *, optimised: bool) -> None:
        """For one task and metric."""
        self.failure = ""
        self._optimised = optimised
        self._task = task
        self._metric = metric
        self._rows: list[Indices] = []
        self._scores: list[Tensor] = []
        self._apart: list[NDArray[np.float64]] = []
        self._flips: list[Flip] = []

    def add(
        self, ours: Tensor, theirs: Tensor, reference: Tensor, labels: Tensor | None, rows: Indices
    ) -> None:
        """Count one chunk; `reference` is what the float model gives."""
        self._rows.append(rows)
        self._scores.append(self._metric.rows(theirs, reference, labels))
        self._apart.append(_apart(ours, theirs))
        if self._task.classes:
            self._add_flips(self._task.predictions(ours), self._task.predictions(theirs), rows)

    def _add_flips(self, ours: Tensor, theirs: Tensor, rows: Indices) -> None:
        differ = (ours != theirs).reshape(len(ours), -1).sum(1).tolist()
        for at, positions in enumerate(differ):
            if not positions:
                continue
            single = ours[at].numel() == 1
            ours_at, theirs_at = (int(x[at]) if single else None for x in (ours, theirs))
            self._flips.append(Flip(int(rows[at]), ours_at, theirs_at, positions, None))

    def deviating(self, largest: float) -> Indices:
        """The samples that flip or lie beyond 1e-4, the worst first."""
        if not self._rows:
            return np.zeros(0, np.int64)
        rows, apart = np.concatenate(self._rows), np.concatenate(self._apart)
        flips = np.isin(rows, [flip.sample for flip in self._flips])
        order = np.lexsort((-apart, ~flips))
        return rows[order][(flips | (apart > CLOSE * largest))[order]]

    def difference(self, largest: float) -> RunDifference:
        """All that was counted; `largest` is the largest absolute value of our scored output."""
        if self.failure or not self._rows:
            return RunDifference(self._optimised, math.nan, math.nan, 0, (), self.failure)
        value, _ = self._metric.estimate(torch.cat(self._scores))
        apart = np.concatenate(self._apart)
        worst = float(apart.max())
        relative = worst / largest if largest else (math.inf if worst else 0.0)
        beyond = int((apart > CLOSE * largest).sum())
        value *= self._metric.factor
        return RunDifference(self._optimised, value, relative, beyond, tuple(self._flips))


def _apart(ours: Tensor, theirs: Tensor) -> NDArray[np.float64]:
    """max|a - b| of every sample, infinite where only one of them is a number."""
    if ours.shape != theirs.shape:
        return np.full(len(ours), math.inf)
    a, b = (value.reshape(len(value), -1).double() for value in (ours, theirs))
    same = (a == b) | (a.isnan() & b.isnan())
    apart = torch.where(same, 0.0, (a - b).abs()).nan_to_num(nan=math.inf)
    found: NDArray[np.float64] = apart.amax(1).numpy()
    return found
