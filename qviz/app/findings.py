"""How each pipeline's result adds to the findings; pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qviz.app.details import KEPT, DetailsFound
from qviz.app.document import Findings
from qviz.app.pipelines.measuring import OutputsMeasured, SlotMeasured, WeightsMeasured
from qviz.app.pipelines.opening import FloatChecked
from qviz.engine.calibrate import Calibration
from qviz.model.model import Model

Finding = (
    WeightsMeasured | FloatChecked | Calibration | SlotMeasured | DetailsFound | OutputsMeasured
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
        case SlotMeasured() if findings.statistics.get(found.group) is not found.source:
            return findings  # of statistics that have changed since
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
        case SlotMeasured():
            key = (found.group, found.scheme)
            return replace(
                findings,
                encodings={**findings.encodings, key: found.encoding},
                errors={**findings.errors, key: found.error},
                wide=findings.wide | {key} if found.wide_scales else findings.wide,
            )


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
        encodings={key: e for key, e in findings.encodings.items() if not stale(key[0])},
        errors={key: e for key, e in findings.errors.items() if not stale(key[0])},
        wide=frozenset(key for key in findings.wide if not stale(key[0])),
        details={key: d for key, d in findings.details.items() if not stale(key[0])},
    )
