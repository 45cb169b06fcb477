"""`qviz export`: the plan as an ONNX file, and whether it gives the numbers of the window."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qviz.app.pipelines.exporting import Export
from qviz.app.session import Session
from qviz.app.summary import finite
from qviz.app.views import Part
from qviz.cli.columns import Layout, fitted
from qviz.cli.headless import progress_bar, set_up, standard_output, write_text
from qviz.data.reading import Reading
from qviz.export.verdict import LayerDifference, RunDifference, Verdict
from qviz.plan.plan import to_json as plan_json

VERSION = 1
CARRIED = 1 << 16  # float32 units in the last place that no rounding amounts to
MOST_FLIPS = 20  # listed on the terminal; --json has all
RUNS = Layout(
    ("onnxruntime", "value", "ours", "flips", "beyond 1e-4", "largest difference"),
    left=frozenset({0}),
    name=0,
    early=(),
    late=((4,), (2,)),
)
LAYERS = Layout(
    ("#", "layer", "op", "LSB", "of rms", "alone", "other codes", "ulps"),
    left=frozenset({1, 2}),
    name=1,
    early=((2,), (5,)),
    late=((7,), (4,)),
)


def run_export(
    model: str,
    samples: str | None,
    *,
    out: Path,
    opset: int | None,
    verify: bool,
    latency: bool,
    limit: int | None,
    values: dict[str, float],
    reading: Reading | None,
    run_code: bool,
    weights: str | None,
    inputs: str | None,
    settings: tuple[str, ...],
    plan: str | None,
    seed: int | None,
    part: Part | None,
    metric: str | None,
    output: str | None,
    json_file: str | None,
) -> bool:
    """Open, export, print; whether the file is as it should be. None is left as it is.

    `limit`: samples to verify on at most.
    """
    with progress_bar() as progress:
        session = Session(progress=progress)
        session.open(
            model, samples, plan, reading=reading, values=values, run_code=run_code, seed=seed
        )
        set_up(session, weights, inputs, settings, part, output, metric, run_code=run_code)
        found = session.export(out, opset, verify=verify, latency=latency, limit=limit)
    text = json.dumps(to_json(session, found), indent=2, allow_nan=False) + "\n"
    if json_file == "-":
        sys.stdout.write(text)
    else:
        _print(standard_output(), found)
        if json_file is not None:
            write_text(Path(json_file), text)
    return found.verdict is None or found.verdict.ok


def _print(console: Console, found: Export) -> None:
    for line in _lines(found):
        console.print(line, highlight=False)
    verdict = found.verdict
    if verdict is None:
        return
    console.print()
    for table in _tables(verdict, console.width):
        console.print(table, crop=False)
        console.print()
    for line in _judged(verdict):
        console.print(line, highlight=False)


def _lines(found: Export) -> Iterator[str]:
    held = ", ".join(f"{count} in {kind}" for kind, count in found.containers.items())
    yield (
        f"Saved {escape(found.path)}: {found.bytes:,} bytes, {found.ratio:.3f} of the float "
        f"model's {found.float_bytes:,}"
    )
    yield f"opset {found.opset}; slots: {held or 'all in float'}"
    yield from map(escape, found.notes)
    if found.latency is not None:
        timed = found.latency
        yield (
            f"onnxruntime: float {timed.float_s * 1e3:.3g} ms, exported "
            f"{timed.exported_s * 1e3:.3g} ms (×{timed.speedup:.2f}) for {timed.samples} samples, "
            f"{timed.threads} thread{'s' * (timed.threads != 1)}, median of {timed.repeats} runs"
        )


def _tables(verdict: Verdict, width: int) -> Iterator[Table]:
    yield fitted(RUNS, [_run(run, verdict) for run in (verdict.off, verdict.on)], width)
    rows = [_layer(layer) for layer in verdict.layers]
    if rows:
        yield fitted(LAYERS, rows, width)


def _run(run: RunDifference, verdict: Verdict) -> tuple[str, ...]:
    name = f"optimisations {'on' if run.optimised else 'off'}"
    if run.failure:
        return name, "fails", f"{verdict.ours:.6g}", "–", "–", "–"
    return (
        name,
        f"{run.value:.6g}",
        f"{verdict.ours:.6g}",
        f"{len(run.flips):,}",
        f"{run.beyond:,}",
        f"{run.relative:.1e}",
    )


def _layer(layer: LayerDifference) -> tuple[str, ...]:
    return (
        str(layer.index),
        layer.name,
        layer.op,
        "" if layer.lsb is None else f"{layer.lsb:.2g}",
        f"{layer.relative:.1e}",
        f"{layer.local:.1e}",
        f"{layer.codes:,} of {layer.values:,}" if layer.values else "",
        _ulps(layer),
    )


def _ulps(layer: LayerDifference) -> str:
    """How far the two numbers of another code lie apart; much, where an earlier code carried it."""
    if not layer.codes:
        return ""
    return f"{layer.ulps:.3g}" if layer.ulps < CARRIED else "carried"


def _judged(verdict: Verdict) -> Iterator[str]:
    word = "[bold green]yes[/]" if verdict.ok else "[bold red]no[/]"
    yield f"{word}: {escape(verdict.text)}"
    yield from (f"• {escape(text)}" for text in (*verdict.reasons, *verdict.remarks))
    if verdict.first is not None:
        yield f"• first difference at {escape(verdict.first.layer)}: {escape(verdict.first.text)}"
    for run in (verdict.off, verdict.on):
        listed = [
            f"{flip.sample} ({flip.positions} positions)"
            if flip.ours is None
            else f"{flip.sample} ({flip.ours} → {flip.theirs})"
            for flip in run.flips[:MOST_FLIPS]
        ]
        more = len(run.flips) - len(listed)
        if listed:
            state = "on" if run.optimised else "off"
            rest = f" and {more:,} more" if more else ""
            yield f"• flips with optimisations {state}: {', '.join(listed)}{rest}"


def to_json(session: Session, found: Export) -> dict[str, Any]:
    """What `--json` writes (docs/json.md). Numbers that are infinite or unknown are null."""
    document = session.current()
    model, samples, timed = document.model, document.scored, found.latency
    if model is None:
        raise ValueError("an export is of a model")
    return {
        "qviz_export": VERSION,
        "qviz": metadata.version("qviz-workbench"),
        "model": {"name": Path(model.path).name, "sha256": model.hash},
        "data": None
        if samples is None
        else {"name": samples.name, "sha256": samples.hash, "seed": document.seed},
        "part": document.part,
        "plan": plan_json(document.plan),
        "file": {
            "path": found.path,
            "bytes": found.bytes,
            "float_bytes": found.float_bytes,
            "ratio": found.ratio,
            "opset": found.opset,
            "containers": dict(found.containers),
            "notes": list(found.notes),
        },
        "latency": None
        if timed is None
        else {
            "float_s": timed.float_s,
            "exported_s": timed.exported_s,
            "samples": timed.samples,
            "threads": timed.threads,
            "repeats": timed.repeats,
        },
        "verdict": None if found.verdict is None else _verdict(found.verdict),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    first = verdict.first
    return {
        "ok": verdict.ok,
        "text": verdict.text,
        "reasons": list(verdict.reasons),
        "remarks": list(verdict.remarks),
        "metric": verdict.metric,
        "unit": verdict.unit,
        "samples": verdict.samples,
        "ours": finite(verdict.ours),
        "off": _run_json(verdict.off),
        "on": _run_json(verdict.on),
        "integer_nodes": verdict.integer_nodes,
        "optimisers": [{"name": o.name, "relative": o.relative} for o in verdict.optimisers],
        "first": None
        if first is None
        else {"layer": first.layer, "reason": first.reason, "text": first.text},
        "layer_samples": verdict.layer_samples,
        "layers": [
            {
                "index": layer.index,
                "name": layer.name,
                "op": layer.op,
                "lsb": finite(layer.lsb),
                "relative": finite(layer.relative),
                "local": finite(layer.local),
                "codes": layer.codes,
                "values": layer.values,
                "ulps": finite(layer.ulps),
                "wrong": layer.wrong,
            }
            for layer in verdict.layers
        ],
    }


def _run_json(run: RunDifference) -> dict[str, Any]:
    return {
        "value": finite(run.value),
        "relative": finite(run.relative),
        "beyond": run.beyond,
        "failure": run.failure,
        "flips": [
            {
                "sample": flip.sample,
                "ours": flip.ours,
                "theirs": flip.theirs,
                "positions": flip.positions,
                "tie": flip.tie,
            }
            for flip in run.flips
        ],
    }
