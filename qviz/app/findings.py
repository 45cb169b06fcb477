"""How each pipeline's result adds to the findings; pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan

from qviz.app.details import KEPT, DetailsFound
from qviz.app.document import Findings, NearErrors
from qviz.app.pipelines.measuring import (
    OutputsMeasured,
    SlotMeasured,
    SlotsMeasured,
    WeightsMeasured,
)
from qviz.app.pipelines.opening import FloatChecked
from qviz.engine.calibrate import Calibration
from qviz.engine.layer_errors import LayerError, OutputError
from qviz.model.model import Model

Finding = (
    WeightsMeasured
    | FloatChecked
    | Calibration
    | SlotMeasured
    | SlotsMeasured
    | NearErrors
    | DetailsFound
    | OutputsMeasured
)


def learn(findings: Findings, found: Finding) -> Findings:
    """The findings with one more."""
    match found:
        case WeightsMeasured():
            return replace(findings, statistics={**findings.statistics, **found.statistics})
        case FloatChecked():
            return replace(findings, macs=found.macs, parity=found.parity, parity_note=found.note)
        case Calibration():
            fresh = replace(
                findings,
                statistics={**findings.statistics, **found.statistics},
                calibrated=found.samples,
                calibrating=found.total,
            )
            return _without_measures(fresh, lambda group: group in found.statistics)
        case SlotMeasured():
            return learn(findings, SlotsMeasured((found,)))
        case SlotsMeasured():
            return _with_slots(findings, found.slots)
        case NearErrors() if found.calibrated != findings.calibrated:
            return findings
        case NearErrors():
            return replace(findings, near=found)
        case OutputsMeasured() if found.calibrated != findings.calibrated:
            return findings
        case OutputsMeasured():
            return replace(findings, outputs={**findings.outputs, found.plan: found.layers})
        case DetailsFound() if findings.statistics.get(found.group) is not found.source:
            return findings
        case DetailsFound():
            kept = dict(findings.details)
            kept.pop((found.group, found.scheme), None)
            kept[(found.group, found.scheme)] = found.details
            latest = dict(list(kept.items())[-KEPT:])
            return replace(findings, details=latest)


def _with_slots(findings: Findings, slots: Sequence[SlotMeasured]) -> Findings:
    """With what slots became, unless their statistics have changed since."""
    known = findings.statistics
    slots = [slot for slot in slots if known.get(slot.group) is slot.source]
    if not slots:
        return findings
    encodings = {(slot.group, slot.scheme): slot.encoding for slot in slots}
    errors = {(slot.group, slot.scheme): slot.error for slot in slots if slot.error is not None}
    wide = {(slot.group, slot.scheme) for slot in slots if slot.wide_scales}
    return replace(
        findings,
        encodings={**findings.encodings, **encodings},
        errors={**findings.errors, **errors},
        wide=findings.wide | wide if wide else findings.wide,
    )


def with_near(findings: Findings, model: Model, plan: str) -> Findings:
    """With errors of the outputs of layers looked at, until those of all under the plan are known.

    `plan` is its key. What is not known of them is NaN.
    """
    near = findings.near
    if near is None or near.plan != plan or plan in findings.outputs:
        return findings
    layers = tuple(
        LayerError(OutputError(near.local_db[layer.index], nan, nan), None)
        if layer.index in near.local_db
        else LayerError(None, None)
        for layer in model.layers
    )
    return replace(findings, outputs={**findings.outputs, plan: layers})


def forget_inputs(findings: Findings, model: Model) -> Findings:
    """What still holds when other samples are opened: everything about the weights."""
    weights = {slot.group for slot in model.slots.values() if slot.role == "weight"}
    kept = {group: stats for group, stats in findings.statistics.items() if group in weights}
    fresh = replace(findings, statistics=kept, calibrated=0, calibrating=0, calibration_done=False)
    return _without_measures(fresh, lambda group: group not in weights)


def _without_measures(findings: Findings, stale: Callable[[str], bool]) -> Findings:
    """Without encodings and errors of groups whose statistics changed."""
    return replace(
        findings,
        outputs={},
        near=None,
        encodings={key: e for key, e in findings.encodings.items() if not stale(key[0])},
        errors={key: e for key, e in findings.errors.items() if not stale(key[0])},
        wide=frozenset(key for key in findings.wide if not stale(key[0])),
        details={key: d for key, d in findings.details.items() if not stale(key[0])},
    )
