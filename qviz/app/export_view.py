"""Export view: what the window shows of an exported file, in words; frozen, and as a report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qviz.app.pipelines.exporting import Export
from qviz.app.views import Choice, Fact
from qviz.export.verdict import Flip, LayerDifference, RunDifference, Verdict

CARRIED = 1 << 16  # float32 units in the last place that no rounding amounts to
MOST_FLIPS = 20  # listed in the window; the report has all
UNKNOWN = "\N{EN DASH}"
HEADLINES = {
    True: "Yes: the file gives these numbers",
    False: "No: the file does not give these numbers",
}
_NAMED = re.compile(r"\S+ \(\w+\) ")  # begins with a layer and its operator, which stay
_MEANINGS = {  # of an opset, as docs/export.md tells
    13: "scales per channel",
    18: "MX formats",
    19: "FP8",
    21: "4 and 16 bits, groups",
    25: "2-bit codes",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of the table of layers."""

    title: str
    tip: str
    words: bool = False  # names stand at the left, numbers at the right


LAYER_HEADINGS = (
    Heading("#", "The layer's number in the graph"),
    Heading("Layer", "The layer; the first that differs stands out", words=True),
    Heading("Op", "Its operator", words=True),
    Heading("LSB", "The largest difference, in steps of the quantizer that follows"),
    Heading("Of rms", "The largest difference over the rms of the output"),
    Heading("Alone", "The same over its largest value, when it is fed onnxruntime's own inputs"),
    Heading("Other codes", "How many of its quantized inputs took another code"),
    Heading(
        "Ulps",
        "How many float32 units in the last place the numbers of another code lie apart; "
        "carried: an earlier code moved them",
    ),
)


@dataclass(frozen=True, slots=True)
class LayerLine:
    """A row of the table of layers: a text for each of `LAYER_HEADINGS`."""

    cells: tuple[str, ...]
    first: bool = False  # the first layer that differs by more than float rounding


@dataclass(frozen=True, slots=True)
class RunLine:
    """One quantity of onnxruntime's two runs."""

    label: str
    off: str
    on: str
    tip: str = ""


@dataclass(frozen=True, slots=True)
class ExportView:
    """An exported file and what checking it has shown; `ok` is None where it was not checked."""

    path: str
    current: bool  # of the plan as it stands, and not of an earlier one
    facts: tuple[Fact, ...]
    ok: bool | None
    headline: str
    text: str
    evidence: tuple[str, ...]  # whole sentences, the weightiest first
    runs: tuple[RunLine, ...]
    layers: tuple[LayerLine, ...]
    layers_on: str  # on what the layers were compared; "" where they were not
    report: str  # all of it as plain text


def opset_choices() -> tuple[Choice, ...]:
    """The least opsets that a file can be asked for, with what each brings."""
    needed = "The model's own opset, raised only as far as the plan needs"
    numbers = (
        Choice(
            str(opset),
            f"{opset}: {_MEANINGS[opset]}" if opset in _MEANINGS else str(opset),
            f"Opset {opset}, or a later one where the plan needs it",
        )
        for opset in range(min(_MEANINGS), max(_MEANINGS) + 1)
    )
    return (Choice("", "As needed", needed), *numbers)


def export_view(
    found: Export, *, current: bool, checking: bool, classes: Sequence[str] = ()
) -> ExportView:
    """`classes` are what the classes are called; `checking`: the verdict is on its way."""
    verdict = found.verdict
    facts = _facts(found)
    evidence = tuple(map(_sentence, found.notes))
    if verdict is None:
        headline = "Saved: being checked" if checking else "Saved: not checked"
        text = "" if checking else "Whether it gives the numbers of the window is not known."
        report = _report(found.path, facts, headline, evidence, current=current)
        return ExportView(
            found.path, current, facts, None, headline, text, evidence, (), (), "", report
        )
    text = _sentence(_detail(verdict))
    evidence = (*map(_sentence, _evidence(verdict)), *evidence)
    runs, layers = _runs(verdict), _layers(verdict)
    layers_on = f"{verdict.layer_samples:,} samples, optimisations off" if layers else ""
    headline = HEADLINES[verdict.ok]
    every = (text, *evidence, *_flips(verdict, classes, None))
    report = _report(found.path, facts, headline, every, runs, layers, layers_on, current=current)
    return ExportView(
        path=found.path,
        current=current,
        facts=facts,
        ok=verdict.ok,
        headline=headline,
        text=text,
        evidence=(*evidence, *_flips(verdict, classes, MOST_FLIPS)),
        runs=runs,
        layers=layers,
        layers_on=layers_on,
        report=report,
    )


def _facts(found: Export) -> tuple[Fact, ...]:
    held = ", ".join(f"{count:,} in {kind}" for kind, count in found.containers.items())
    return (
        Fact("File", Path(found.path).name, found.path),
        Fact(
            "Bytes", f"{found.bytes:,}, {found.ratio:.3f} of the float file's {found.float_bytes:,}"
        ),
        Fact("Opset", str(found.opset), "The version of ONNX's operators that the file is in"),
        Fact("Slots", held or "all in float", "The types that hold the codes in the file"),
    )


def _detail(verdict: Verdict) -> str:
    """The verdict's text without the words of the headline."""
    headline = HEADLINES[verdict.ok].partition(": ")[2]
    return verdict.text.removeprefix(headline).lstrip(";: ") or verdict.text


def _evidence(verdict: Verdict) -> Iterator[str]:
    yield from verdict.reasons[1:]  # the first one is the verdict's text
    if verdict.first is not None:
        yield f"first difference at {verdict.first.layer}: {verdict.first.text}"
    yield from verdict.remarks


def _sentence(text: str) -> str:
    if _NAMED.match(text):
        return text.rstrip(".") + "."
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def _runs(verdict: Verdict) -> tuple[RunLine, ...]:
    off, on = _run(verdict.off), _run(verdict.on)
    measured = f"{verdict.metric}, {verdict.unit}" if verdict.unit else verdict.metric
    ours = f"{verdict.ours:.6g}"
    return (
        RunLine(f"Value ({measured})", off[0], on[0], "What onnxruntime gives with the file"),
        RunLine("Ours", ours, ours, f"What qviz gives on the same {verdict.samples:,} samples"),
        RunLine("Flips", off[1], on[1], "Samples whose prediction differs"),
        RunLine(
            "Beyond 1e-4", off[2], on[2], "Samples that differ by more of the largest scored output"
        ),
        RunLine("Largest difference", off[3], on[3], "Of the largest scored output"),
    )


def _run(run: RunDifference) -> tuple[str, str, str, str]:
    if run.failure:
        return "fails", UNKNOWN, UNKNOWN, UNKNOWN
    flips, beyond = f"{len(run.flips):,}", f"{run.beyond:,}"
    return f"{run.value:.6g}", flips, beyond, f"{run.relative:.1e}"


def _layers(verdict: Verdict) -> tuple[LayerLine, ...]:
    first = None if verdict.first is None else verdict.first.layer
    return tuple(LayerLine(_cells(layer), layer.name == first) for layer in verdict.layers)


def _cells(layer: LayerDifference) -> tuple[str, ...]:
    ulps = f"{layer.ulps:.3g}" if layer.ulps < CARRIED else "carried"
    return (
        str(layer.index),
        layer.name,
        layer.op,
        "" if layer.lsb is None else f"{layer.lsb:.2g}",
        f"{layer.relative:.1e}",
        f"{layer.local:.1e}",
        f"{_count(layer.codes)} of {_count(layer.values)}" if layer.values else "",
        ulps if layer.codes else "",
    )


def _count(value: int) -> str:
    """Exact below a million, so that a column has room for two of them."""
    return f"{value:,}" if value < 10**6 else f"{value / 1e6:,.3g} M"


def _flips(verdict: Verdict, classes: Sequence[str], most: int | None) -> Iterator[str]:
    """One sentence for each of the two runs that has any."""
    for run in (verdict.off, verdict.on):
        if not run.flips:
            continue
        listed = ", ".join(_flip(flip, classes) for flip in run.flips[:most])
        more = len(run.flips) - len(run.flips[:most])
        rest = f" and {more:,} more" if more else ""
        state = "on" if run.optimised else "off"
        yield f"Flips with optimisations {state}: {listed}{rest}."


def _flip(flip: Flip, classes: Sequence[str]) -> str:
    if flip.ours is None or flip.theirs is None:
        return f"sample {flip.sample:,} ({flip.positions:,} positions)"
    ours, theirs = _class(flip.ours, classes), _class(flip.theirs, classes)
    return f"sample {flip.sample:,} ({ours} → {theirs})"


def _class(index: int, classes: Sequence[str]) -> str:
    return classes[index] if 0 <= index < len(classes) else str(index)


def _report(
    path: str,
    facts: tuple[Fact, ...],
    headline: str,
    sentences: tuple[str, ...],
    runs: tuple[RunLine, ...] = (),
    layers: tuple[LayerLine, ...] = (),
    layers_on: str = "",
    *,
    current: bool,
) -> str:
    lines = [headline if current else f"{headline} (of an earlier plan)", ""]
    named = [("File", path), *((fact.label, fact.value) for fact in facts[1:])]
    lines += [f"{name}: {value}" for name, value in named]
    lines += ["", *(f"• {sentence}" for sentence in sentences)]
    if runs:
        titles = ("onnxruntime", "optimisations off", "optimisations on")
        lines += ["", *_aligned([titles, *((run.label, run.off, run.on) for run in runs)], {0})]
    if layers:
        left = {at for at, heading in enumerate(LAYER_HEADINGS) if heading.words}
        heads = tuple(heading.title for heading in LAYER_HEADINGS)
        lines += ["", f"Layers on {layers_on}"]
        lines += _aligned([heads, *(layer.cells for layer in layers)], left)
    return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[tuple[str, ...]], left: set[int]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
