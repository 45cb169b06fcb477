"""Result: what sweeps have found, layer by layer and scheme by scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from qviz.app.sensitivity.request import Request
from qviz.data.parts import Part
from qviz.engine.metrics.metric import Better


@dataclass(frozen=True, slots=True)
class Cost:
    """What one layer costs under one scheme; None while unknown, or where there is none.

    `guess` is the KL in nats that gradients expect. `kl` is the mean KL(p_float ‖ p) in nats,
    `sqnr_db` that of the scored output (inf when exact), `flips` the predictions that differ from
    float. `loss` and `delta` are changes against the float model (or, in the mode all-but, the
    plan): of the cross-entropy in nats, or the MSE, and of the metric in its unit, points for %,
    within `low` and `high` (95 %) over all `total` samples.
    """

    layer: int  # its index
    scheme: str
    guess: float | None = None
    kl: float | None = None
    sqnr_db: float | None = None
    flips: int | None = None
    loss: float | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    total: int = 0

    @property
    def measured(self) -> bool:
        """Whether any sample was seen."""
        return self.samples > 0

    @property
    def exact(self) -> bool:
        """Whether all samples of the part were seen."""
        return 0 < self.samples == self.total

    @property
    def damage(self) -> float:
        """What layers are ranked by: the measured KL, else its guess; without classes -SQNR."""
        if self.kl is not None:
            return self.kl
        if self.sqnr_db is not None:
            return -self.sqnr_db
        return -inf if self.guess is None else self.guess


@dataclass(frozen=True, slots=True)
class LayerCosts:
    """One layer and its costs in the order of the request's schemes."""

    index: int
    name: str
    op: str
    parameters: int
    costs: tuple[Cost, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """A finding in plain words, and the numbers that it rests on."""

    layer: int  # its index
    scheme: str
    text: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a request found, layers in the order of the graph.

    `start` is what the sweep starts from: of the plan in the mode all-but, else of float.
    """

    request: Request
    part: Part
    metric: str
    unit: str
    better: Better
    layers: tuple[LayerCosts, ...]
    start: Cost | None
    wanted: int  # samples that were asked for, of each candidate
    total: int  # samples in the part
    findings: tuple[Observation, ...] = ()  # in plain words, with the evidence
    note: str = ""  # why there is no guess

    @property
    def complete(self) -> bool:
        """Whether every candidate has seen all samples that were asked for."""
        return all(c.samples >= self.wanted for layer in self.layers for c in layer.costs)

    def ranking(self, scheme: str | None = None) -> tuple[LayerCosts, ...]:
        """Layers from the one that costs most to the one that costs least.

        By the KL under a scheme, of the request's last by default; SQNR without classes. In the
        mode all-but a layer costs much whose return to float leaves little.
        """
        order = self.request.schemes
        at = len(order) - 1 if scheme is None else order.index(scheme)
        return tuple(sorted(self.layers, key=self._cost_at(at), reverse=True))

    def _cost_at(self, at: int) -> Callable[[LayerCosts], tuple[bool, float]]:
        restored = self.request.mode == "all-but"

        def key(layer: LayerCosts) -> tuple[bool, float]:
            cost = layer.costs[at]
            if restored and cost.measured:
                return True, -cost.damage
            return not restored and cost.damage > -inf, cost.damage

        return key
