"""Estimate: a value over a whole pool of samples, known from those seen so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["exact", "always valid", "asymptotic"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value over `total` samples of which `seen` were seen; `low` and `high` hold it (95 %).

    `kind`: "exact" once all are seen; "always valid" holds at every look at once, proven for any
    samples; "asymptotic" holds at every look in the limit of many samples.
    """

    value: float
    low: float
    high: float
    seen: int
    total: int
    kind: Kind

    @property
    def exact(self) -> bool:
        """Whether nothing is estimated."""
        return self.kind == "exact"
