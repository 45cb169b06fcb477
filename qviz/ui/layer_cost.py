"""What a layer alone costs, in figures and words."""

from __future__ import annotations

from collections.abc import Sequence

from qviz.app.sensitivity.quantities import spelled
from qviz.app.views import CellCost, LayerRow
from qviz.ui import number_format as text

_ROLES = {"weights": "weights", "inputs": "inputs", "both": "weights and inputs"}


def cost_words(cost: CellCost | None) -> str:
    """0.012, 1.2e−4, ~0.012 of a guess, 1.2 % of noise; "" while unknown."""
    if cost is None:
        return ""
    mark = "~" if cost.guessed else ""
    if cost.unit == "noise":
        return f"{mark}{_figure(100 * cost.value)} %"
    return f"{mark}{_figure(cost.value)}"


def _figure(value: float) -> str:
    """Two digits, always two, and short: the cells are read one below the other."""
    size = abs(value)
    if size >= 0.001:
        shown = f"{value:#.2g}".rstrip(".") if size < 99.5 else f"{value:.0f}"
    else:
        digits, exponent = f"{value:.1e}".split("e")
        shown = f"{digits}e{int(exponent)}" if value else "0"
    return shown.replace("-", text.MINUS)


def measured_words(rows: Sequence[LayerRow]) -> str:
    """What was measured of the rows, in a line; "" where nothing was."""
    cost = next((row.sensitivity for row in rows if row.sensitivity), None)
    if cost is None:
        return ""
    what = _trial(cost).replace("this layer", "each layer")
    return f"Shown: {what}"


def cost_tip(cost: CellCost | None) -> str:
    """Everything that is known of a cost, a line each."""
    if cost is None:
        return "The sensitivity is not measured"
    trial = _trial(cost)
    lines = [trial[0].upper() + trial[1:], _amount(cost)]
    if not cost.guessed:
        lines += [_flips(cost), _change(cost), _seen(cost)]
    return "\n".join(line for line in lines if line)


def _trial(cost: CellCost) -> str:
    role = _ROLES[cost.role]
    if cost.mode == "all-but":
        return f"the plan with the {role} of this layer alone left in float"
    what = "this layer alone" if cost.role == "both" else f"the {role} of this layer alone"
    return f"{what} at {cost.scheme}, all else in float"


def _amount(cost: CellCost) -> str:
    what = "noise" if cost.unit == "noise" else "KL"
    mark = "~" if cost.guessed else ""
    amount = f"{mark}{spelled(cost.value, 'kl', change=False, digits=3)} nats"
    if cost.unit == "noise":
        amount = f"{cost_words(cost)} of the signal"
    if cost.mode == "all-but":
        found = f"Takes {amount} of the plan's KL away"
        if cost.unit == "noise":
            found = f"Takes noise of {amount} away from the plan"
    else:
        found = f"{what[0].upper()}{what[1:]} {amount}"
    if cost.guessed:
        return f"{found}, guessed from gradients until it is measured"
    if cost.unit == "noise" and cost.mode == "only":
        return f"{found} (SQNR {text.decibels(cost.sqnr_db, unit=True)})"
    return found


def _flips(cost: CellCost) -> str:
    if cost.flips is None:
        return ""
    many = text.counted(cost.samples, "prediction")
    differ = text.word(cost.samples, "differs", "differ")
    return f"{text.count(cost.flips)} of {many} {differ} from float"


def _change(cost: CellCost) -> str:
    """The change of the metric, with its interval until it is exact."""
    if cost.delta is None:
        return ""
    unit = " points" if cost.metric_unit == "%" else f" {cost.metric_unit}".rstrip()

    def spell(value: float) -> str:
        return spelled(value, "metric", change=True)

    against = "the plan" if cost.mode == "all-but" else "float"
    line = f"{cost.metric}: {spell(cost.delta)}{unit} against {against}"
    if cost.exact or cost.low is None or cost.high is None:
        return line
    return f"{line} (95 %: {spell(cost.low)} … {spell(cost.high)})"


def _seen(cost: CellCost) -> str:
    if cost.exact:
        every = "all " if cost.total > 1 else "the "
        return f"Exact: {every}{text.counted(cost.total, 'sample')} of the part"
    return f"On {text.count(cost.samples)} of {text.counted(cost.total, 'sample')}, not exact"
