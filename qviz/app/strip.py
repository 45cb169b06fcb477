"""The number strip: what the plan scores and what it costs, in one frozen value."""

from __future__ import annotations

from dataclasses import replace

from qviz.app.document import Document, Findings
from qviz.app.views import Strip
from qviz.engine.evaluate import Evaluation
from qviz.plan.cost import Cost


def number_strip(
    document: Document,
    findings: Findings,
    cost: Cost | None,
    shown: Evaluation | None,
    *,
    failure: str,
    running: bool,
    calibrating: bool,
    current: bool,
    complete: bool,
) -> Strip:
    """`current`: `shown` belongs to the plan as it stands; `complete`: it saw all it should."""
    if document.model is None or cost is None:
        return Strip("empty", message="Open a model to begin")
    strip = Strip(
        "waiting",
        part=document.part,
        bytes_float=cost.bytes_float,
        bytes_quantized=cost.bytes_quantized,
        bops_float=cost.bops_float,
        bops_quantized=cost.bops_quantized,
    )
    if shown is not None:
        strip = replace(
            strip,
            metric=shown.metric,
            unit=shown.unit,
            float_value=shown.float_value,
            value=shown.value,
            low=shown.low,
            high=shown.high,
            samples=shown.samples,
            total=shown.total,
            exact=shown.exact,
            delta=shown.delta,
            flips=shown.flips,
            kl=shown.kl,
            stale=not current or bool(failure),
        )
    if failure:
        return replace(strip, state="failed", message=failure)
    if document.scored is None:
        return replace(strip, state="no samples", message="Open samples to see the accuracy")
    if not findings.calibration_done:
        if calibrating:
            return replace(strip, message="Calibrating the inputs")
        return replace(strip, state="cancelled", message="Calibration stopped; an edit resumes it")
    if running:
        return replace(strip, state="running")
    if shown is not None and current and complete:
        return replace(strip, state="done")
    return replace(strip, state="cancelled", message="Evaluation stopped; an edit starts it again")
