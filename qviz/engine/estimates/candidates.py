"""Candidates: the means that the values seen so far have not ruled out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TINY = 1e-300


class Candidates:
    """Cells [low, high] of possible means, each with the log of the money won by bets against it.

    A bet against a cell must be fair or worse for every mean in it: then the money won against the
    true mean is a nonnegative supermartingale, which ever reaches 20 with a chance of 5 % at most
    (Ville 1939), and cells where it has may be left out for good. Cells are halved as others fall,
    and halves keep the money: memory is constant, the resolution follows the interval.
    """

    def __init__(self, low: float, high: float, *, ways: int = 1, cells: int = 1024) -> None:
        """Equal cells from `low` to `high`; `ways` of betting share the money."""
        self._fewest = cells // 2
        edges = np.linspace(low, high, cells + 1)
        self.low: Array = edges[:-1].copy()
        self.high: Array = edges[1:].copy()
        self._money: Array = np.zeros((ways, cells))
        self._most: Array = np.zeros((ways, cells))  # that it was since cells were last left out

    def bet(self, *gains: Array) -> None:
        """Multiply each way's money by its gains [draws, cells], one array a way, draw by draw."""
        for way, gain in enumerate(gains):
            products = np.multiply.accumulate(np.maximum(gain, TINY), axis=0)
            most = self._money[way] + np.log(products.max(0))
            self._most[way] = np.maximum(self._most[way], most)
            self._money[way] += np.log(np.maximum(products[-1], TINY))

    def keep(self, alpha: float, low: float, high: float) -> bool:
        """Leave out what is ruled out, or outside the possible `low`..`high`; False if all is.

        Money is spread evenly over the ways of betting; one of them alone must win enough.
        """
        limit = np.log(len(self._money) / alpha)
        kept = (self._most.max(0) < limit) & (self.high >= low) & (self.low <= high)
        found = np.flatnonzero(kept)
        if not len(found):
            return False
        within = slice(found[0], found[-1] + 1)  # what lies between is kept: an interval is shown
        self.low, self.high = self.low[within], self.high[within]
        self._money = self._money[:, within]
        self._most = self._money.copy()
        while len(self.low) < self._fewest:
            self._halve()
        return True

    def _halve(self) -> None:
        middle = (self.low + self.high) / 2.0
        self.low = np.stack([self.low, middle], 1).ravel()
        self.high = np.stack([middle, self.high], 1).ravel()
        self._money = np.repeat(self._money, 2, axis=1)
        self._most = np.repeat(self._most, 2, axis=1)
