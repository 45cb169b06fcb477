"""Presenting sensitivity: from what a sweep has found to what the window draws, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf
from typing import Literal

from qviz.app.document import Document, Findings
from qviz.app.sensitivity.quantities import (
    QUANTITIES,
    ColorScale,
    QuantityName,
    amount,
    color_scale,
    damage,
    label,
    spelled,
    unit,
)
from qviz.app.sensitivity.request import Request
from qviz.app.sensitivity.result import Cost, LayerCosts, Observation, Sensitivity
from qviz.app.sensitivity.words import as_text, layer_numbers, status
from qviz.app.views import Choice

Known = Literal["unknown", "guess", "measured", "exact"]
Order = Literal["worst", "graph"]
State = Literal["notice", "ready", "running", "stopped", "done", "failed"]


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One layer under one scheme. `color` is 0 where nothing is lost and 1 at the worst."""

    known: Known
    value: float | None
    text: str
    short: str  # where `text` has no room
    color: float | None = None
    low: float | None = None  # 95 %, of the value
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """One layer."""

    index: int
    name: str
    cells: tuple[HeatCell, ...]  # in the order of the schemes
    layer: LayerCosts


@dataclass(frozen=True, slots=True)
class SensitivityView:
    """What the Sensitivity page draws; without rows `notice` says why.

    `key` is equal for what is measured on the same samples.
    """

    request: Request
    state: State
    notice: str = ""
    wants_samples: bool = False
    status: str = ""  # how much of it is known
    other_plan: bool = False  # the rows are not of the plan as it stands
    quantity: QuantityName = "kl"  # the one shown, which is not always the one asked for
    quantities: tuple[Choice, ...] = ()
    title: str = ""  # of the axis: the quantity and its unit
    order: Order = "worst"
    chosen: int = 0  # the scheme of the bars and of the order
    rows: tuple[SensitivityRow, ...] = ()
    low: float = 0.0  # of the bars' axis
    high: float = 1.0
    scale: tuple[str, str] = ("", "")  # values at the two ends of the colors
    findings: tuple[Observation, ...] = ()
    found: Sensitivity | None = None
    key: tuple[object, ...] = ()

    def numbers(self, row: SensitivityRow) -> str:
        """All numbers of a row, for its tooltip."""
        return "" if self.found is None else layer_numbers(self.found, row.layer)

    def as_text(self) -> str:
        """The rows in their order with all their numbers, tab-separated."""
        return "" if self.found is None else as_text(self.found, [row.index for row in self.rows])

    @property
    def schemes(self) -> tuple[str, ...]:
        """The heads of the columns."""
        return self.request.schemes


def why_not(document: Document, findings: Findings, *, calibrating: bool) -> tuple[str, bool]:
    """Why nothing can be measured, "" when it can, and whether opening samples would help."""
    model = document.model
    if model is None:
        return "Open a model to begin", False
    if not model.runs:
        why = "this file has no graph to run, so what a layer costs cannot be measured"
        return f"Weights only: {why}", False
    if document.scored is None:
        made_up = "The inputs are synthetic: open" if document.samples is not None else "Open"
        return f"{made_up} samples to measure what quantizing each layer costs", True
    if not findings.calibration_done:
        if calibrating:
            return "Calibrating the inputs; measuring starts when that is done", False
        return "Calibration stopped; an edit resumes it", False
    return "", False


def about(document: Document) -> tuple[object, ...]:
    """What a result rests on beside the request and the plan: equal, when it still holds."""
    return (
        document.model,
        document.samples,
        document.part,
        document.metric,
        document.output,
        document.seed,
        document.own_metric,
    )


def sensitivity_view(
    request: Request,
    found: Sensitivity | None,
    *,
    quantity: QuantityName = "kl",
    scheme: str = "",
    order: Order = "worst",
    notice: str = "",
    wants_samples: bool = False,
    running: bool = False,
    failure: str = "",
    other_plan: bool = False,
    key: tuple[object, ...] = (),
) -> SensitivityView:
    """The view of what is known of a request.

    `scheme` is the one of the bars, the request's last by default. `notice` says why nothing can
    be measured, `failure` what went wrong when it was tried.
    """
    schemes = request.schemes
    chosen = schemes.index(scheme) if scheme in schemes else len(schemes) - 1
    view = SensitivityView(
        request,
        _state(found, notice, failure, running=running),
        notice=notice or failure,
        wants_samples=wants_samples,
        order=order,
        chosen=chosen,
        key=key,
        quantities=_choices(found),
    )
    if notice or found is None or not found.layers:
        return view
    shown = _shown(found, quantity)
    layers = _ordered(found, shown, chosen, order)
    values = [amount(found, cost, shown) for layer in layers for cost in layer.costs]
    damages = [damage(found, value, shown) for value in values if value is not None]
    scale = color_scale(found, damages, shown)
    low, high = _axis(found, shown, chosen)
    return SensitivityView(
        request,
        view.state,
        notice=failure,
        status=status(found, stopped=view.state == "stopped"),
        other_plan=other_plan,
        quantity=shown,
        quantities=view.quantities,
        title=_title(found, shown),
        order=order,
        chosen=chosen,
        rows=tuple(_row(found, layer, shown, scale) for layer in layers),
        low=low,
        high=high,
        scale=_ends(found, scale, shown),
        findings=found.findings,
        found=found,
        key=key,
    )


def _state(found: Sensitivity | None, notice: str, failure: str, *, running: bool) -> State:
    if notice:
        return "notice"
    if running:
        return "running"
    if failure:
        return "failed"
    if found is None:
        return "ready"
    return "done" if found.complete else "stopped"


def _choices(found: Sensitivity | None) -> tuple[Choice, ...]:
    """The quantities; one that the samples do not have says why."""
    whys: dict[QuantityName, str] = {
        "kl": "The output has no classes, so there are no distributions to compare",
        "sqnr": "",
        "loss": "The samples have no labels that a loss could be taken of",
        "metric": "There is no metric",
        "flips": "The output has no classes",
    }
    costs = [] if found is None else [c for layer in found.layers for c in layer.costs]
    measured = [cost for cost in costs if cost.measured]
    choices = []
    for name, row in QUANTITIES.items():
        lacking = bool(measured) and all(row.value(cost) is None for cost in measured)
        words = row.label if found is None or name == "metric" else label(found, name)
        choices.append(Choice(name, words, row.tip, whys[name] if lacking else ""))
    return tuple(choices)


def _title(found: Sensitivity, shown: QuantityName) -> str:
    words = label(found, shown)
    counted_in = unit(found, shown)
    change = "Δ " if _is_change(found, shown) else ""
    return f"{change}{words}, {counted_in}" if counted_in else f"{change}{words}"


def _shown(found: Sensitivity, asked: QuantityName) -> QuantityName:
    """What was asked for, or SQNR where the samples do not have it."""
    lacking = any(choice.value == asked and choice.reason for choice in _choices(found))
    return "sqnr" if lacking else asked


def _ordered(
    found: Sensitivity, shown: QuantityName, chosen: int, order: Order
) -> tuple[LayerCosts, ...]:
    if order == "graph":
        return found.layers

    def key(layer: LayerCosts) -> tuple[bool, float]:
        cost = layer.costs[chosen]
        value = amount(found, cost, shown)
        if value is None:
            return False, -inf if cost.guess is None else cost.guess
        return True, damage(found, value, shown)

    return tuple(sorted(found.layers, key=key, reverse=True))


def _row(
    found: Sensitivity, layer: LayerCosts, shown: QuantityName, scale: ColorScale
) -> SensitivityRow:
    cells = tuple(_cell(found, cost, shown, scale) for cost in layer.costs)
    return SensitivityRow(layer.index, layer.name, cells, layer)


def _cell(found: Sensitivity, cost: Cost, shown: QuantityName, scale: ColorScale) -> HeatCell:
    value = amount(found, cost, shown)
    if value is None:
        return HeatCell("unknown", None, spelled(None, shown, change=False), "")
    change = _is_change(found, shown)
    known: Known = "guess" if not cost.measured else "exact" if cost.exact else "measured"
    about_so = "~" if known == "guess" else ""
    interval = shown == "metric" and known == "measured"
    return HeatCell(
        known,
        value,
        about_so + spelled(value, shown, change=change),
        about_so + spelled(value, shown, change=change, digits=1),
        scale.position(damage(found, value, shown)),
        cost.low if interval else None,
        cost.high if interval else None,
    )


def _is_change(found: Sensitivity, shown: QuantityName) -> bool:
    return QUANTITIES[shown].relative or found.request.mode == "all-but"


def _axis(found: Sensitivity, shown: QuantityName, chosen: int) -> tuple[float, float]:
    """From the least to the greatest end of all bars of the scheme, and 0."""
    ends = [0.0]
    for layer in found.layers:
        cost = layer.costs[chosen]
        ends.append(amount(found, cost, shown) or 0.0)
        if shown == "metric" and not cost.exact:
            ends += [end for end in (cost.low, cost.high) if end is not None]
    ends = [end for end in ends if not isinf(end)]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (0.0, 1.0)


def _ends(found: Sensitivity, scale: ColorScale, shown: QuantityName) -> tuple[str, str]:
    """The values that the ends of the colors stand for."""
    sign = damage(found, 1.0, shown)
    change = _is_change(found, shown)
    low, high = (sign * end for end in (scale.low, scale.high))
    return (
        spelled(low, shown, change=change, digits=1),
        spelled(high, shown, change=change, digits=1),
    )
