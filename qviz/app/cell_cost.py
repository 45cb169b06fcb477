"""CellCost: what a layer alone costs, as its cell in the layer table shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CellCost:
    """One layer by the request and scheme that the Sensitivity page showed last.

    By the latest request and its last scheme where the page showed none. `scheme` is in words.
    `value` is the mean KL(p_float ‖ p) in nats; of outputs without classes it is their noise over
    their signal, 10^(-SQNR/10). In the mode all-but it is what the layer's return to float takes
    away. None of the rest is known of a guess but the scheme, role and mode.
    """

    value: float
    share: float  # √(value / the largest of all layers), 0..1: the length of its bar
    unit: Literal["nats", "noise"]
    guessed: bool  # by gradients, from 64 samples at most
    scheme: str
    role: Literal["weights", "inputs", "both"]
    mode: Literal["only", "all-but"]
    sqnr_db: float | None = None  # of the scored output
    flips: int | None = None  # predictions that differ from float
    metric: str = ""
    metric_unit: str = ""
    delta: float | None = None  # of the metric: against float, in the mode all-but the plan
    low: float | None = None  # of a 95 % interval around it
    high: float | None = None
    samples: int = 0
    total: int = 0

    @property
    def exact(self) -> bool:
        """Whether all samples of the part were seen."""
        return 0 < self.samples == self.total
