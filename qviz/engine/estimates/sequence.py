"""MeanSequence: an interval of the mean of a pool's values in 0..1 that may be watched."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qviz.engine.estimates.candidates import Array, Candidates
from qviz.engine.estimates.estimate import Estimate

MOST = 0.5  # of what a bet may stake


class MeanSequence:
    """Confidence sequence of a mean by hedged betting (Waudby-Smith and Ramdas, 2010.09686).

    Values in 0..1 come in random order without replacement from a pool of `population`, or with
    replacement where it is None. The interval holds at every moment at once with 1 - `alpha`.
    """

    def __init__(
        self, population: int | None = None, *, alpha: float = 0.05, cells: int = 1024
    ) -> None:
        """More `cells` resolve the interval finer: it is rounded outwards to them."""
        self._population = population
        self._alpha = alpha
        self._cells = cells
        self._candidates = Candidates(0.0, 1.0, ways=2, cells=cells)
        self._seen = 0
        self._sum = 0.0
        self._squares = 0.25  # of the distance from the mean so far, and a quarter before any
        self._low, self._high = 0.0, 1.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Take the next values [n].

        Raises:
            ValueError: a value outside 0..1, or more values than the pool has.
        """
        x = np.asarray(values, np.float64)
        if len(x) and not (x.min() >= 0.0 and x.max() <= 1.0):
            raise ValueError("values lie outside 0..1")
        if self._population is not None and self._seen + len(x) > self._population:
            raise ValueError("more values than the pool has")
        for start in range(0, len(x), 256):
            self._take(x[start : start + 256])

    def estimate(self) -> Estimate:
        """What is known so far; exact when the pool has been seen."""
        total = self._population or 0
        mean = self._sum / self._seen if self._seen else 0.5
        if self._seen and self._seen == total:
            return Estimate(mean, mean, mean, total, total, "exact")
        value = min(max(mean, self._low), self._high)
        return Estimate(value, self._low, self._high, self._seen, total, "always valid")

    def _take(self, x: Array) -> None:
        before = self._sum + np.concatenate([[0.0], np.cumsum(x)[:-1]])
        t = np.arange(self._seen + 1, self._seen + len(x) + 1, dtype=np.float64)
        stake = self._stakes(x, before, t)[:, None]
        low, high = self._left(self._candidates.low, before, t)
        up = np.minimum(stake, MOST / np.maximum(high, 1e-12))
        down = np.minimum(stake, MOST / np.maximum(1.0 - low, 1e-12))
        self._candidates.bet(1.0 + up * (x[:, None] - high), 1.0 - down * (x[:, None] - low))
        self._seen += len(x)
        self._sum = float(before[-1] + x[-1])
        self._close()

    def _stakes(self, x: Array, before: Array, t: Array) -> Array:
        """λ_t = √(2·ln(2/alpha) / (σ²_{t-1}·t·ln(1+t))), of what was seen before each draw."""
        mean = (0.5 + before + x) / (t + 1.0)
        squares = self._squares + np.cumsum((x - mean) ** 2)
        earlier = np.concatenate([[self._squares], squares[:-1]])
        self._squares = float(squares[-1])
        return np.sqrt(2.0 * math.log(2.0 / self._alpha) / (earlier / t * t * np.log1p(t)))

    def _left(self, low: Array, before: Array, t: Array) -> tuple[Array, Array]:
        """The mean of what is left in the pool at each draw, were a cell's end the mean of all."""
        ends = low, self._candidates.high
        if self._population is None:
            return ends[0][None], ends[1][None]
        n = self._population
        left = [(n * end[None] - before[:, None]) / (n - t + 1.0)[:, None] for end in ends]
        return left[0], left[1]

    def _close(self) -> None:
        least, most = 0.0, 1.0
        if self._population is not None:
            least = self._sum / self._population
            most = least + 1.0 - self._seen / self._population
        if not self._candidates.keep(self._alpha, least, most):
            # All ruled out, which 1 - alpha never sees: then only what is certain is left.
            self._candidates = Candidates(least, most, ways=2, cells=self._cells)
        self._low = max(float(self._candidates.low[0]), least)
        self._high = min(float(self._candidates.high[-1]), most)
