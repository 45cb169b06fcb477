"""Candidates: the encodings that a request tries, layer by layer, and what it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qviz.app.document import Document, Findings
from qviz.app.sensitivity.request import PLAN, Request, Roles
from qviz.engine.program import Encodings
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.slots import Layer, Slot
from qviz.plan.resolve import resolve
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.scheme import Scheme

_WORDS: dict[Roles, str] = {"weights": "weights", "inputs": "inputs", "both": "operands"}


@dataclass(frozen=True, eq=False, slots=True)
class Candidate:
    """One change: the layer, the scheme as it is spelled, and encodings by slot name."""

    layer: Layer
    scheme: str
    encodings: Encodings  # of the whole model
    own: Encodings  # of the layer's slots in the role


@dataclass(frozen=True, eq=False, slots=True)
class Candidates:
    """All changes, layer by layer, and the encodings that a sweep starts from."""

    base: Encodings
    tried: tuple[Candidate, ...]


def candidates(
    model: Model, document: Document, findings: Findings, request: Request
) -> Candidates:
    """What a request tries on a model.

    Raises:
        QvizError: no layer has a slot in the role that is measured, or that the plan quantizes.
    """
    known = dict(findings.encodings)
    found = (
        _only(model, findings, request, known)
        if request.mode == "only"
        else _all_but(model, document, findings, request)
    )
    if not found.tried:
        why = "were measured" if request.mode == "only" else "the plan quantizes"
        raise QvizError(
            "sensitivity",
            f"no layer has {_WORDS[request.role]} that {why}",
            "Choose another role, mode or plan",
        )
    return found


def _only(
    model: Model,
    findings: Findings,
    request: Request,
    known: dict[tuple[str, Scheme], Encoding],
) -> Candidates:
    def encoding(slot: Slot, scheme: Scheme) -> Encoding:
        key = (slot.group, scheme)
        if key not in known:
            known[key] = find_encoding(findings.statistics[slot.group], scheme)
        return known[key]

    tried = []
    for layer in model.layers:
        slots = [
            slot for slot in _slots(model, layer, request) if slot.group in findings.statistics
        ]
        for spelled in request.schemes if slots else ():
            own = {slot.name: encoding(slot, request.scheme(spelled, slot.role)) for slot in slots}
            tried.append(Candidate(layer, spelled, own, own))
    return Candidates({}, tuple(tried))


def _all_but(model: Model, document: Document, findings: Findings, request: Request) -> Candidates:
    plan = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    tried = []
    for layer in model.layers:
        names = {slot.name for slot in _slots(model, layer, request)}
        own = _among(plan, names)
        if own:
            rest = {name: encoding for name, encoding in plan.items() if name not in own}
            tried.append(Candidate(layer, PLAN, rest, own))
    return Candidates(plan, tuple(tried))


def _among(encodings: Mapping[str, Encoding], names: set[str]) -> dict[str, Encoding]:
    return {name: encoding for name, encoding in encodings.items() if name in names}


def _slots(model: Model, layer: Layer, request: Request) -> list[Slot]:
    """The layer's slots in the role; none of a layer that is no step of the graph."""
    if layer.step is None:
        return []
    slots = (model.slots[name] for name in layer.slots)
    return [slot for slot in slots if slot.role in request.slot_roles]
