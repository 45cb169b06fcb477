"""Departure: the first layer whose output has more error from earlier layers than of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10

from qviz.app.document import Document, Findings
from qviz.engine.layer_errors import LayerError
from qviz.model.model import Model

DEPARTS_DB = 10.0 * log10(2.0)  # the noise power has doubled: half of it is inherited


@dataclass(frozen=True, slots=True)
class Departure:
    """The layer, SQNRs of its output in dB, and what they mean in words.

    `inherited` is the share of the error's power that comes from earlier layers, 0..1, taking
    that and the layer's own error to be uncorrelated.
    """

    layer: str
    local_db: float
    accumulated_db: float
    inherited: float
    text: str


def first_departure(model: Model, errors: Sequence[LayerError]) -> Departure | None:
    """The first layer, in graph order, at which the accumulated error departs from the local one.

    That is where the accumulated SQNR is more than 3 dB below the local SQNR. `errors` are of all
    layers of the model, in its order.
    """
    at = _first(errors)
    if at is None:
        return None
    local, accumulated = _decibels(errors[at])
    inherited = 1.0 - 10.0 ** ((accumulated - local) / 10.0)
    name = model.layers[at].name
    return Departure(
        name,
        local,
        accumulated,
        inherited,
        f"{name} inherits {_share(inherited)} of its output's error: local SQNR {_spell(local)}, "
        f"accumulated {_spell(accumulated)}.{_advice(model, errors, at)}",
    )


def why_no_departure(document: Document, findings: Findings) -> str:
    """Why there is no such layer; "" when there is one."""
    if document.model is None:
        return "Open a model first"
    if not document.model.runs:
        return "Weights only: this file has no graph to follow errors through"
    if document.scored is None:
        return "Open samples first: errors are followed from layer to layer on them"
    errors = findings.outputs.get(document.plan.key)
    if errors is None:
        return "The errors of the layers are not measured yet"
    return "" if _first(errors) is not None else "No layer inherits more error than it adds"


def _first(errors: Sequence[LayerError]) -> int | None:
    for at, error in enumerate(errors):
        local, accumulated = _decibels(error)
        if accumulated < local - DEPARTS_DB:
            return at
    return None


def _decibels(error: LayerError) -> tuple[float, float]:
    """Local and accumulated SQNR; both inf where outputs cannot be compared."""
    if error.local is None or error.accumulated is None:
        return inf, inf
    return error.local.sqnr_db, error.accumulated.sqnr_db


def _advice(model: Model, errors: Sequence[LayerError], at: int) -> str:
    """The layer to look at: of those that feed this one, the one with the lowest local SQNR."""
    feeding = _feeding(model, at)
    local = {layer: _decibels(errors[layer])[0] for layer in feeding}
    if not local or min(local.values()) == inf:
        return ""
    worst = min(feeding, key=lambda layer: local[layer])
    return (
        f" Of the layers that feed it, look first at {model.layers[worst].name} "
        f"(local {_spell(local[worst])})"
    )


def _feeding(model: Model, at: int) -> list[int]:
    """The layers whose outputs this one depends on, in graph order."""
    last = model.layers[at].step
    if last is None:
        return []
    wanted = {*model.steps[last].inputs, *model.steps[last].captures}
    steps = set()
    for step in reversed(model.steps[:last]):
        if wanted.intersection(step.outputs):
            steps.add(step.index)
            wanted.update(step.inputs, step.captures)
    return [layer.index for layer in model.layers if layer.step in steps]


def _share(inherited: float) -> str:
    if inherited >= 0.995:
        return "all" if inherited == 1.0 else "nearly all"
    return f"about {100.0 * inherited:.0f} %"


def _spell(sqnr_db: float) -> str:
    return "exact" if sqnr_db == inf else f"{sqnr_db:.1f} dB".replace("-", "\N{MINUS SIGN}")
