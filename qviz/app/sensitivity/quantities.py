"""Quantities: what of a layer's cost is shown, how it is spelled, and how bad a value of it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, isinf, log10
from typing import Literal

from qviz.app.sensitivity.result import Cost, Sensitivity

QuantityName = Literal["kl", "sqnr", "loss", "metric", "flips"]
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
BEST_DB, WORST_DB = 45.0, 5.0  # an SQNR of the calm end of the colors, and of the other


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity: its words, its value in a cost, and the value below which nothing is felt."""

    name: QuantityName
    label: str
    tip: str
    value: Callable[[Cost], float | None]
    relative: bool  # the value is a change already
    felt: float  # the least value at the worst end of the colors; 0 for none
    decades: int = 0  # that the colors tell apart; 0 for a linear scale


QUANTITIES: dict[QuantityName, Quantity] = {
    row.name: row
    for row in (
        Quantity(
            "kl",
            "KL",
            "How far the predicted distributions are from the float model's: mean KL, in nats",
            lambda cost: cost.kl,
            relative=False,
            felt=1e-3,
            decades=4,
        ),
        Quantity(
            "sqnr",
            "SQNR",
            "Signal to quantization noise of the scored output, in dB; more is better",
            lambda cost: cost.sqnr_db,
            relative=False,
            felt=3.0,
        ),
        Quantity(
            "loss",
            "Loss",
            "Change of the loss on the labels: cross-entropy in nats, or the mean squared error",
            lambda cost: cost.loss,
            relative=True,
            felt=1e-3,
            decades=4,
        ),
        Quantity(
            "metric",
            "Metric",
            "Change of the metric, with its 95 % interval",
            lambda cost: cost.delta,
            relative=True,
            felt=0.0,
            decades=2,
        ),
        Quantity(
            "flips",
            "Flips",
            "Predictions that differ from the float model's",
            lambda cost: None if cost.flips is None else float(cost.flips),
            relative=False,
            felt=1.0,
            decades=3,
        ),
    )
}


def amount(found: Sensitivity, cost: Cost, name: QuantityName) -> float | None:
    """What is shown of a cost, its guess where nothing is measured; None while unknown.

    In the mode all-but it is the change against the plan.
    """
    restored = found.request.mode == "all-but"
    if not cost.measured:
        if name != "kl" or cost.guess is None:
            return None
        return -cost.guess if restored else cost.guess
    quantity = QUANTITIES[name]
    value = quantity.value(cost)
    if value is None or quantity.relative or not restored:
        return value
    start = None if found.start is None else quantity.value(found.start)
    if start is None:
        return None
    return 0.0 if isinf(value) and isinf(start) else value - start


def damage(found: Sensitivity, value: float, name: QuantityName) -> float:
    """What layers are ranked by: large where quantizing the layer costs much."""
    up_is_bad = name in ("kl", "loss", "flips") or (name == "metric" and found.better == "lower")
    restored = found.request.mode == "all-but"
    return value if up_is_bad != restored else -value


@dataclass(frozen=True, slots=True)
class ColorScale:
    """Where damages lie between the calm end of the colors, 0, and the other, 1."""

    low: float
    high: float
    decades: int

    def position(self, value: float) -> float:
        """0..1; logarithmic over the decades, linear without any."""
        if not self.decades:
            return _within((value - self.low) / (self.high - self.low))
        return _within(1.0 + log10(value / self.high) / self.decades) if value > 0.0 else 0.0


def color_scale(found: Sensitivity, damages: list[float], name: QuantityName) -> ColorScale:
    """One scale for all schemes, so that columns compare."""
    if name == "sqnr" and found.request.mode == "only":
        return ColorScale(-BEST_DB, -WORST_DB, 0)
    felt, decades = QUANTITIES[name].felt, QUANTITIES[name].decades
    if name == "metric" and found.unit == "%":
        felt = 0.1
    high = max([felt, *(value for value in damages if isfinite(value))])
    high = high or 1.0
    return ColorScale(high / 10**decades if decades else 0.0, high, decades)


def _within(position: float) -> float:
    return min(1.0, max(0.0, position))


def label(found: Sensitivity, name: QuantityName) -> str:
    """What a quantity is called: the metric by its name, and which loss it is without classes."""
    if name == "metric" and found.metric:
        return found.metric
    return "MSE" if name == "loss" and not _with_classes(found) else QUANTITIES[name].label


def _with_classes(found: Sensitivity) -> bool:
    costs = [cost for layer in found.layers for cost in layer.costs]
    return any(cost.kl is not None for cost in costs) or not any(cost.measured for cost in costs)


def unit(found: Sensitivity, name: QuantityName) -> str:
    """What values are counted in; "" for a plain number."""
    if name == "metric":
        return "points" if found.unit == "%" else found.unit
    units: dict[QuantityName, str] = {
        "kl": "nats",
        "sqnr": "dB",
        "loss": "nats" if _with_classes(found) else "",
        "flips": "",
    }
    return units[name]


def spelled(value: float | None, name: QuantityName, *, change: bool, digits: int = 2) -> str:
    """A value in a few characters; a `change` has a sign, small ones `digits` that matter."""
    if value is None:
        return NONE
    if isinf(value):
        return "exact" if value == inf else f"{MINUS}\N{INFINITY}"
    size = abs(value)
    if name == "flips":
        text = f"{size:,.0f}"
    elif name == "sqnr":
        text = f"{size:.1f}" if digits > 1 or size < 1.0 else f"{size:.0f}"
    else:
        text = _few(size, digits)
    if value < 0.0 and text.strip("0.,"):
        return MINUS + text
    return "+" + text if change and value > 0.0 and text.strip("0.,") else text


def _few(size: float, digits: int) -> str:
    """1.2e-5, 0.0012, 0.35, 5.9, 84, 1,234."""
    if size == 0.0:
        return "0"
    if size >= 1e5:
        return f"{size:.1e}".replace("e+0", "e").replace("e+", "e")
    if size >= 100.0:
        return f"{size:,.0f}"
    if size >= 10.0:
        return f"{size:.1f}" if digits > 1 else f"{size:.0f}"
    if size >= 1e-3:
        return f"{size:#.{digits}g}".rstrip(".")
    number, power = f"{size:.{digits - 1}e}".split("e")
    return f"{number}e{int(power)}".replace("-", MINUS)
