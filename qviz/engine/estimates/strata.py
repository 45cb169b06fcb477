"""Strata: a pool cut by what float made of its samples, and how often each part changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qviz.engine.estimates.candidates import Array

HALVINGS = 7  # the lowest stratum of a group is its lowest 1/64 by margin
SCALES = 24
FLAT = (0.25, 0.5, 0.75, 0.95)
PRIOR = 8.0  # samples that the fitted curve counts for in a stratum


class Strata:
    """Samples grouped by their reference (right, wrong, in between), then by margin, halving.

    `lowest` and `highest` [k] bound a sample's change, its value less its reference. `sizes` [k],
    `share` [k] the part of the pool that a stratum's group is, `members` its samples shuffled.
    """

    def __init__(self, reference: Array, margins: Array, rng: np.random.Generator) -> None:
        """Cut a pool [N]; `margins` are at least 0, the least sure samples at 0."""
        groups = [reference == 1.0, reference == 0.0, (reference != 1.0) & (reference != 0.0)]
        self.members: list[NDArray[np.int64]] = []
        shares, directions = [], []
        for group, direction in zip(groups, (-1.0, 1.0, 0.0), strict=True):
            within = rng.permutation(np.flatnonzero(group))
            ordered = within[np.argsort(margins[within], kind="stable")]
            for part in _halved(ordered):
                self.members.append(rng.permutation(part))
                shares.append(len(ordered) / len(reference))
                directions.append(direction)
        self.sizes = np.array([len(part) for part in self.members])
        self.share = np.array(shares)
        self.lowest = np.array([-reference[part].max() for part in self.members])
        self.highest = np.array([1.0 - reference[part].min() for part in self.members])
        self._direction = np.array(directions)  # of a change; 0 where both are possible
        self._curves = _flip_curves(margins, self.members)
        self._seen = np.zeros(len(self.members))
        self._moved = np.zeros(len(self.members))  # Σ|d|
        self._sum = np.zeros(len(self.members))
        self._squares = np.zeros(len(self.members))

    def add(self, strata: NDArray[np.int64], changes: Array) -> None:
        """Count the changes [n] of samples of the given strata [n]."""
        for total, values in (
            (self._seen, np.ones_like(changes)),
            (self._moved, np.abs(changes)),
            (self._sum, changes),
            (self._squares, changes**2),
        ):
            np.add.at(total, strata, values)

    def expected(self) -> tuple[Array, Array]:
        """The mean change of each stratum's samples and its variance [k], by what was seen.

        Changes fade with the margin as 1/(1 + e^(margin/s)) or not at all; such curves are averaged
        in each group by how well they explain what was seen there, and count for 8 samples beside a
        stratum's own. Only the width of intervals rests on it, never whether they hold.
        """
        curve = np.empty(len(self._seen))
        for group in (self._direction == way for way in (-1.0, 1.0, 0.0)):
            curves = self._curves[:, group]
            moved = self._moved[group]
            fit = np.log(curves) @ moved + np.log1p(-curves) @ (self._seen[group] - moved)
            weights = np.exp(fit - fit.max())
            curve[group] = weights @ curves / weights.sum()
        count = self._seen + PRIOR
        moved = (self._moved + PRIOR * curve) / count
        size = (self._squares.sum() + 1.0) / (self._moved.sum() + 1.0)  # of a change
        squares = (self._squares + PRIOR * size * curve) / count
        mean = np.where(self._direction == 0.0, self._sum / count, self._direction * moved)
        return mean, np.maximum(squares - mean**2, 1e-9)


def _halved(ordered: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The upper half, the upper half of the rest, and so on; from the lowest."""
    cuts = sorted({len(ordered) >> level for level in range(1, HALVINGS)} - {0})
    return [part for part in np.split(ordered, cuts) if len(part)]


def _flip_curves(margins: Array, members: list[NDArray[np.int64]]) -> Array:
    """How often samples may change in each stratum [curves, k].

    For scales s of the margin the mean of 1/(1 + e^(margin/s)), and some that know no margin.
    """
    flat = np.repeat(np.array(FLAT)[:, None], len(members), 1)
    positive = margins[margins > 0.0]
    if not len(positive):
        return flat
    scales = np.geomspace(np.quantile(positive, 0.004), np.quantile(positive, 0.7), SCALES)
    curves = 1.0 / (1.0 + np.exp(np.minimum(margins / scales[:, None], 60.0)))
    return np.concatenate([np.stack([curves[:, part].mean(1) for part in members], 1), flat])
