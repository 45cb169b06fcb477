"""Presenting: pure functions from the document and its findings to what the window draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qviz.app.curves import with_curves
from qviz.app.details import details_of
from qviz.app.distribution import distribution_view, empty_view
from qviz.app.document import PARTS, Document, Findings
from qviz.app.metric_choices import title
from qviz.app.slot_views import DistributionView
from qviz.app.views import DocumentView, Role
from qviz.model.model import Model
from qviz.plan.cost import parameter_count
from qviz.plan.resolve import schemes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.scheme import Scheme

INSTANT_VALUES = 200_000  # weights up to this size get a searched range in the frame of the edit
SLOW_RANGES = ("mse", "percentile", "entropy")
SLOW_FAMILIES = ("kmeans", "lloyd")


def plan_schemes(document: Document) -> dict[str, Scheme]:
    """The scheme of every slot; empty without a model."""
    return {} if document.model is None else schemes(document.model, document.plan)


def document_view(document: Document, findings: Findings, undo: str, redo: str) -> DocumentView:
    """What is open, for the title, the header and the actions."""
    model, samples, split = document.model, document.samples, document.split
    scored = document.scored
    parity = findings.parity
    return DocumentView(
        model_name="" if model is None else Path(model.path).name,
        model_path="" if model is None else model.path,
        samples_name="" if samples is None else samples.name,
        samples_path="" if scored is None else scored.path,
        synthetic=samples is not None and samples.synthetic,
        layers=0 if model is None else len(model.layers),
        parameters=0 if model is None else parameter_count(model),
        parity=findings.parity_note if parity is None else parity.text,
        parity_ok=None if parity is None else parity.ok,
        modified=document.plan.key != document.saved_plan,
        plan_path=document.plan_path,
        undo_text=undo,
        redo_text=redo,
        samples_count=0 if scored is None else scored.count,
        parts=()
        if scored is None or split is None
        else tuple((part, len(split.indices(part))) for part in PARTS),
    )


def slot_view(
    model: Model,
    document: Document,
    findings: Findings,
    name: str,
    scheme: Scheme,
    channel: int | None,
    block: int | None = None,
    *,
    live: bool,
) -> DistributionView:
    """The Distribution view of one slot under a scheme."""
    slot = model.slots[name]
    stats = findings.statistics.get(slot.group)
    if stats is None:
        why = why_empty(document, slot.role, findings.parity_note)
        return empty_view(model, slot, scheme, why)
    encoding = None if scheme.is_float else slot_encoding(findings, slot.group, scheme, live=live)
    whole = channel is None and block is None
    exact = findings.errors.get((slot.group, scheme)) if whole else None
    view = distribution_view(model, slot, scheme, stats, encoding, channel, block, exact)
    made_up = document.samples is not None and document.samples.synthetic
    if made_up and slot.role == "input":
        view = replace(view, synthetic=True)
    details, _ = details_of(findings.details, slot.group, scheme)
    key = (name, scheme, channel, block, stats, encoding, exact, details, view.synthetic)
    view = replace(view, key=key)
    if encoding is None or not whole:
        return view
    return with_curves(view, findings, slot.group, scheme)


def why_empty(document: Document, role: Role, not_run: str = "") -> str:
    """Why a slot has no statistics yet, and what the user can do.

    `not_run` says why the model could not be run.
    """
    if role == "weight":
        return "Measuring the weights…"
    if document.samples is None and not_run:
        return title(not_run)
    if document.samples is None:
        return "Open samples to see the activations of this layer"
    return "Calibrating: the histogram fills as samples run"


def slot_encoding(findings: Findings, group: str, scheme: Scheme, *, live: bool) -> Encoding | None:
    """What a scheme becomes, found here and now unless that would stall the window."""
    known = findings.encodings.get((group, scheme))
    if known is not None:
        return known
    stats = findings.statistics[group]
    values = stats.count if stats.kept else 0
    slow = scheme.range in SLOW_RANGES or scheme.family in SLOW_FAMILIES
    if live and slow and values > INSTANT_VALUES:
        return None
    return find_encoding(stats, scheme)
