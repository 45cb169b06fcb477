"""Scoring pipelines: a plan's score, what is known before it, and what the next one starts from."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from qviz.app.document import Document, Findings, NearErrors
from qviz.app.jobs import Step, Token
from qviz.app.pipelines.measuring import OUTPUT_SAMPLES, Key, SlotsMeasured, find_encodings
from qviz.data.parts import Indices
from qviz.engine.chunks import Feeder, feeder
from qviz.engine.evaluate import evaluate_in_order
from qviz.engine.execute import Executor
from qviz.engine.near_errors import fetch_float_inputs, near_sqnr
from qviz.engine.prefetch import SHARE, prefetch
from qviz.engine.program import Encodings
from qviz.model.model import Model
from qviz.plan.resolve import resolve
from qviz.quant.encoding import Encoding


@dataclass(frozen=True, eq=False, slots=True)
class Scored:
    """What is run to score a plan: how samples are fed, which, and the encodings."""

    feeder: Feeder
    rows: Indices
    few: Indices  # on which errors of outputs are measured
    encodings: Encodings


def scored(
    model: Model, document: Document, findings: Findings, known: Mapping[Key, Encoding]
) -> Scored | None:
    """What scoring the plan takes; None while there is nothing to score it on."""
    samples = document.scored
    if samples is None or document.split is None or not findings.calibration_done:
        return None
    encodings = resolve(model, document.plan, findings.statistics, known).encodings
    rows = document.split.indices(document.part)
    feed = feeder(model, samples, findings.macs_per_sample)
    return Scored(feed, rows, rows[:OUTPUT_SAMPLES], encodings)


def evaluate_plan(
    executor: Executor,
    document: Document,
    findings: Findings,
    watched: frozenset[str],
    token: Token,
    limit: int | None = None,
) -> Iterator[Step]:
    """Find what the plan's slots become, then score the plan on the document's part.

    Groups that are `watched` come first, with their errors; the others' are nobody's hurry.
    """
    model = executor.model
    known = dict(findings.encodings)
    for step in find_encodings(model, document.plan, findings, watched, token):
        if isinstance(step.payload, SlotsMeasured):
            known.update({(s.group, s.scheme): s.encoding for s in step.payload.slots})
        yield step
    made = None if token.cancelled() else scored(model, document, findings, known)
    if made is None:
        return
    steps = steps_of(model, watched)
    near = {
        layer: near_sqnr(executor, made.feeder, made.few, made.encodings, step, token.cancelled)
        for layer, step in steps.items()
    }
    local = {layer: found for layer, found in near.items() if found is not None}
    if local:
        yield Step(0, 0, NearErrors(document.plan.key, local, findings.calibrated))
    target = len(made.rows) if limit is None else min(limit, len(made.rows))
    for look in evaluate_in_order(
        executor,
        made.feeder,
        made.encodings,
        made.rows,
        document.part,
        metric=document.metric,
        own=document.own_metric,
        output=document.output,
        limit=limit,
        watched=list(steps.values()),
        cancelled=token.cancelled,
    ):
        yield Step(look.samples, target, look)


def fetch_ahead(
    executor: Executor,
    document: Document,
    findings: Findings,
    watched: frozenset[str],
    token: Token,
) -> Iterator[Step]:
    """Have at hand what feeds the layers with `watched` groups, on the document's part."""
    made = scored(executor.model, document, findings, findings.encodings)
    if made is None:
        return
    steps = list(steps_of(executor.model, watched).values())
    fetch_float_inputs(executor, made.feeder, made.few, steps, SHARE / 2, token.cancelled)
    found = prefetch(executor, made.feeder, made.encodings, made.rows, steps, token.cancelled)
    yield from (Step(0, 0) for _ in found)


def steps_of(model: Model, groups: Container[str]) -> dict[int, int]:
    """The steps of the layers that have a slot of these groups, by the layer's index."""
    layers = {slot.layer for slot in model.slots.values() if slot.group in groups}
    return {
        layer.index: layer.step
        for layer in model.layers
        if layer.index in layers and layer.step is not None
    }
