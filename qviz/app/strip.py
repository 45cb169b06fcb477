"""The number strip: what the plan scores and what it costs, in one frozen value."""

from __future__ import annotations

from dataclasses import replace

from qviz.app.class_table import answers_of, class_names
from qviz.app.document import Document, Findings
from qviz.app.looks import Selection, selection
from qviz.app.metric_choices import metric_choices, output_choices
from qviz.app.views import Strip
from qviz.data.parts import Part
from qviz.data.samples import Samples
from qviz.engine.evaluate import Divergence, Evaluation
from qviz.plan.cost import Cost

MULTILABEL = "exact match"  # a metric that only samples with several classes have


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
    proposed: str,
    told: Divergence | None = None,
) -> Strip:
    """`current`: `shown` belongs to the plan as it stands; `complete`: it saw all it should.

    `proposed` is the metric that fits best, "" while it is not known. `told` is what is known of
    the plan as it stands before its first number.
    """
    if document.model is None or cost is None:
        return Strip("empty", message="Open a model to begin")
    strip = Strip(
        "waiting",
        part=document.part,
        bytes_float=cost.bytes_float,
        bytes_quantized=cost.bytes_quantized,
        bops_float=cost.bops_float,
        bops_quantized=cost.bops_quantized,
        first_kl=None if told is None else told.kl,
        first_kl_samples=0 if told is None else told.samples,
    )
    if shown is not None:
        classes = class_choices(document.scored, shown)
        used = used_to_choose(document, shown.part)
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
            kl_samples=shown.kl_samples,
            used=used.word,
            used_why=used.why,
            stale=not current or bool(failure),
            better=shown.better,
            metrics=metric_choices(shown.choices, document.metric, proposed, classes),
            note=scored_as(shown),
            output=shown.output,
            outputs=output_choices(shown.outputs, document.output, shown.output),
            classes=classes,
            answers=answers_of(document.scored, shown),
        )
    if failure:
        return replace(strip, state="failed", message=failure)
    if not document.model.runs:
        return replace(strip, state="no samples", message="Weights only: no accuracy")
    if document.scored is None:
        made_up = document.samples is not None
        message = "Open samples to see the accuracy"
        if made_up:
            message = "Synthetic inputs: open samples to see the accuracy"
        return replace(strip, state="no samples", message=message, wants_samples=True)
    if not findings.calibration_done:
        if calibrating:
            return replace(strip, message="Calibrating the inputs")
        return replace(strip, state="cancelled", message="Calibration stopped; an edit resumes it")
    if running:
        return replace(strip, state="running")
    if shown is not None and current and complete:
        return replace(strip, state="done")
    return replace(strip, state="cancelled", message="Evaluation stopped; an edit starts it again")


def used_to_choose(document: Document, part: Part) -> Selection:
    """How far numbers on a part of the open samples chose the plan."""
    split = document.split
    if split is None:
        return Selection()
    return selection(document.looks, split.hash, part, len(split.calibration))


def scored_as(shown: Evaluation) -> str:
    """Which output is scored, where there are several, and how labels are read; "" if plainly."""
    count = len(shown.outputs)
    which = f"output {shown.output}, one of {count}" if count > 1 else ""
    return ", ".join(filter(None, (which, shown.note)))


def class_choices(samples: Samples | None, shown: Evaluation | None = None) -> tuple[str, ...]:
    """What the classes of the samples are called, "3 Dress"; () where samples have no classes.

    A sample has one class or, as the evaluation shown tells, several.
    """
    labels = None if samples is None else samples.labels
    if samples is None or labels is None:
        return ()
    if shown is not None and MULTILABEL in shown.choices:
        return class_names(samples, labels.shape[1])
    if labels.ndim != 1 or labels.dtype.kind != "i":
        return ()
    return class_names(samples, int(labels.max()) + 1 if len(labels) else 0)
