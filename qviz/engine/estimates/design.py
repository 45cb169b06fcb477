"""Design: which samples to run next, and what those run so far say about all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qviz.engine.estimates.candidates import Array, Candidates
from qviz.engine.estimates.estimate import Estimate
from qviz.engine.estimates.strata import Strata

Indices = NDArray[np.int64]

MOST = 0.98  # of what a bet may stake
BLOCK = 8  # draws after which bets are made anew
FLOORS = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2])  # of a stratum's standard deviation
TILTS = np.array([0.0, 0.5, 1.0])  # towards the smaller group


class Design:
    """The mean of a pool's values in 0..1, from few samples and a known reference of every sample.

    value = mean(reference) + mean(value - reference), the second of samples drawn without
    replacement, more often where the `margins` [N] are small and where changes have been seen. Each
    draw gives an unbiased (importance-weighted) observation, so bets against every candidate mean
    are fair whatever the allocation, and the interval holds at every moment at once: Shekhar, Xu,
    Lipton, Liang and Ramdas, Risk-limiting financial audits via weighted sampling without
    replacement (2305.06884), with Waudby-Smith and Ramdas' bets (2010.09686).
    """

    def __init__(
        self,
        reference: NDArray[np.float64],
        margins: NDArray[np.float64],
        seed: int = 0,
        *,
        alpha: float = 0.05,
        target: float = 0.01,
    ) -> None:
        """`target` is the half-width to reach first; then smaller ones, each 0.7 of the last.

        Raises:
            ValueError: an empty pool, arrays of different lengths, a reference outside 0..1.
        """
        known = np.array(reference, np.float64)
        if known.ndim != 1 or not len(known) or known.shape != np.shape(margins):
            raise ValueError("reference and margins must be two arrays [N] of at least one sample")
        if not (known.min() >= 0.0 and known.max() <= 1.0):
            raise ValueError("a reference lies outside 0..1")
        distance = np.abs(np.nan_to_num(np.asarray(margins, np.float64)))
        self._rng = np.random.default_rng(seed)
        self._reference = known
        self._strata = Strata(known, distance, self._rng)
        self._alpha = alpha
        self._target = target
        self._undrawn = self._strata.sizes.copy()
        self._pending: list[_Drawn] = []
        self._observed = _Observed()
        self._changed = 0.0  # Σ of the changes seen
        self._seen = 0
        self._low, self._high = self._possible(self._undrawn)
        self._candidates = Candidates(self._low, self._high)

    @property
    def total(self) -> int:
        """How many samples the pool has."""
        return len(self._reference)

    def next(self, count: int) -> Indices:
        """The next samples to run, places in the pool; fewer at its end, then none.

        Depends on the seed, on the values added so far and on the counts asked for. More may be
        asked for before values are added.
        """
        chances = self._chances()
        drawn = _draw(self._undrawn, chances, min(count, int(self._undrawn.sum())), self._rng)
        before = self._undrawn - _counted(drawn, len(chances))
        first = self._strata.sizes - self._undrawn
        self._undrawn = self._undrawn - np.bincount(drawn, minlength=len(chances))
        within = (first + _counted(drawn, len(chances)))[np.arange(len(drawn)), drawn]
        rows = [self._strata.members[h][i] for h, i in zip(drawn, within, strict=True)]
        found = np.array(rows, dtype=np.int64)
        if len(found):
            self._pending.append(_Drawn(found, drawn, before, chances))
        return found

    def add(self, rows: Indices, values: NDArray[np.float64]) -> None:
        """Take the values [n] in 0..1 of samples that `next` gave, in its order.

        Raises:
            ValueError: other samples than the next ones given, or values outside 0..1.
        """
        x = np.asarray(values, np.float64)
        if len(x) != len(rows) or (len(x) and not (x.min() >= 0.0 and x.max() <= 1.0)):
            raise ValueError("values must be one number in 0..1 for each sample")
        start = 0
        while start < len(x):
            if not self._pending:
                raise ValueError("more samples than were given")
            drawn, rest = self._pending[0].split(min(BLOCK, len(x) - start))
            stop = start + len(drawn.rows)
            if not np.array_equal(drawn.rows, rows[start:stop]):
                raise ValueError("the samples are not the next ones given")
            self._pending[:1] = [] if rest is None else [rest]
            self._bet(drawn, x[start:stop] - self._reference[drawn.rows])
            start = stop
        while self._high - self._low <= 2.0 * self._target and self._seen < self.total:
            self._target *= 0.7

    def estimate(self) -> Estimate:
        """The mean of all values, as far as it is known; exact when all have been added."""
        base, total = float(self._reference.mean()), self.total
        if self._seen == total:
            value = base + self._changed / total
            return Estimate(value, value, value, total, total, "exact")
        low, high = max(base + self._low, 0.0), min(base + self._high, 1.0)
        value = min(max(base + self._observed.mean, low), high)
        return Estimate(value, low, high, self._seen, total, "always valid")

    def _bet(self, drawn: _Drawn, changes: Array) -> None:
        """Bet on each draw against every candidate, with what was known before it."""
        mean, variance = self._strata.expected()
        total = self.total
        before = self._changed + np.concatenate([[0.0], np.cumsum(changes)[:-1]])
        weight = drawn.left @ drawn.chances / total
        expected = drawn.left @ mean / total
        observed = expected + (changes - mean[drawn.strata]) * weight / drawn.chances[drawn.strata]
        spread = weight * (drawn.left @ (variance / drawn.chances)) / total
        least, most = _range(drawn, self._strata.lowest - mean, self._strata.highest - mean)
        self._observed.add(before / total + observed, drawn.left.sum(1) / total)

        low = self._candidates.low - before[:, None] / total  # the mean of what is left, over N
        high = self._candidates.high - before[:, None] / total
        edge = np.clip(expected[:, None] - (low + high) / 2.0, -self._target, self._target)
        stake = edge / (spread[:, None] + edge**2)
        stake = np.minimum(
            stake, MOST / np.maximum(high - (expected + weight * least)[:, None], 1e-12)
        )
        stake = np.maximum(
            stake, -MOST / np.maximum((expected + weight * most)[:, None] - low, 1e-12)
        )
        self._candidates.bet(1.0 + stake * (observed[:, None] - np.where(stake > 0.0, high, low)))

        self._changed = float(before[-1] + changes[-1])
        self._seen += len(changes)
        self._strata.add(drawn.strata, changes)
        left = drawn.left[-1].copy()
        left[drawn.strata[-1]] -= 1
        self._close(*self._possible(left))

    def _close(self, least: float, most: float) -> None:
        if not self._candidates.keep(self._alpha, least, most):
            # All ruled out, which 1 - alpha never sees: then only what is certain is left.
            self._candidates = Candidates(least, most)
        self._low = max(float(self._candidates.low[0]), least)
        self._high = min(float(self._candidates.high[-1]), most)

    def _possible(self, left: NDArray[np.int64]) -> tuple[float, float]:
        """The least and most that the mean change can be with those samples left."""
        least, most = left @ self._strata.lowest, left @ self._strata.highest
        return (self._changed + least) / self.total, (self._changed + most) / self.total

    def _chances(self) -> Array:
        """How likely a sample of each stratum [k] is to be drawn, against one of another.

        In proportion to its standard deviation (Neyman 1934) and a floor, which bounds how much
        one draw can say: of a few floors, the one from which the target is soonest reached.
        """
        mean, variance = self._strata.expected()
        left = self._undrawn.astype(np.float64)
        inside = left > 0
        if not inside.any():
            return np.ones(len(left))
        typical = np.sqrt(left @ variance / left.sum())
        tilted = self._strata.share ** (-TILTS[:, None] / 2.0)
        floors = (FLOORS[:, None, None] * tilted * typical).reshape(-1, len(left))
        options = np.sqrt(variance) + floors
        weight = options @ left / self.total
        spread = weight * ((variance / options) @ left) / self.total
        needed = np.zeros(len(options))
        for bound in (mean - self._strata.lowest, self._strata.highest - mean):
            reach = weight * (bound / options)[:, inside].max(1)
            stake = np.minimum(
                self._target / (spread + self._target**2), MOST / (reach + self._target)
            )
            gain = stake * self._target - stake**2 * (spread + self._target**2) / 2.0
            needed += 1.0 / gain
        return np.asarray(options[needed.argmin()])


@dataclass(frozen=True, eq=False, slots=True)
class _Drawn:
    """Samples in the order drawn [n], and what each was drawn from."""

    rows: Indices
    strata: Indices
    left: NDArray[np.int64]  # [n, k] samples left of each stratum before the draw
    chances: Array  # [k]

    def split(self, count: int) -> tuple[_Drawn, _Drawn | None]:
        """The first `count` of them, and the rest if any."""
        parts = [
            _Drawn(self.rows[cut], self.strata[cut], self.left[cut], self.chances)
            for cut in (slice(None, count), slice(count, None))
        ]
        return parts[0], parts[1] if len(parts[1].rows) else None


class _Observed:
    """The mean of unbiased observations, by weights fixed beforehand: unbiased at any count.

    An observation's spread falls with the share of the pool that is left, hence 1/share².
    """

    def __init__(self) -> None:
        self._sum = 0.0
        self._weight = 0.0

    def add(self, observations: Array, share: Array) -> None:
        self._sum += float((observations / share**2).sum())
        self._weight += float((1.0 / share**2).sum())

    @property
    def mean(self) -> float:
        return self._sum / self._weight if self._weight else 0.0


def _draw(left: NDArray[np.int64], chances: Array, count: int, rng: np.random.Generator) -> Indices:
    """The strata [count] of samples drawn one after the other, each sample by its chance.

    The first `count` of exponential clocks, one per sample (Efraimidis and Spirakis 2006); a
    stratum's own come in order, its i-th after 1/(left - i) of its mean.
    """
    waiting = left[:, None] - np.arange(count)
    gaps = rng.standard_exponential(waiting.shape) / (np.maximum(waiting, 1) * chances[:, None])
    times = np.where(waiting > 0, np.cumsum(gaps, 1), np.inf)
    return np.argsort(times, axis=None, kind="stable")[:count] // max(count, 1)


def _counted(drawn: Indices, strata: int) -> NDArray[np.int64]:
    """How many of each stratum [n, k] came before each draw."""
    came = drawn[:, None] == np.arange(strata)
    return np.asarray(np.cumsum(came, 0) - came)


def _range(drawn: _Drawn, lowest: Array, highest: Array) -> tuple[Array, Array]:
    """The least and most of change / chance [n] that the next draw can give."""
    inside = drawn.left > 0
    least = np.where(inside, lowest / drawn.chances, np.inf).min(1)
    most = np.where(inside, highest / drawn.chances, -np.inf).max(1)
    return least, most
