"""`qviz sensitivity`: what every layer costs, as a table, findings in words, and JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import click
from rich.markup import escape
from rich.table import Table

from qviz.app.sensitivity.request import read_request
from qviz.app.sensitivity.result import Cost, Sensitivity
from qviz.app.session import Session
from qviz.app.summary import finite
from qviz.app.views import Part
from qviz.cli.columns import Layout, fitted
from qviz.cli.headless import progress_bar, set_up, standard_output, write_text
from qviz.data.reading import Reading

VERSION = 1
LAYERS = Layout(
    ("#", "layer", "op", "params", "KL nats", "", "SQNR dB", "flips", "Δ loss"),
    left=frozenset({1, 2, 5, 10}),
    name=1,
    early=((5,), (3,), (2,)),
    late=((8,), (10,), (6,), (9,)),
)
Sort = Literal["kl", "layer"]


def run_sensitivity(
    model: str,
    samples: str | None,
    *,
    schemes: tuple[str, ...] | None,
    role: str,
    mode: str,
    limit: int | Literal["all"],
    sort: Sort,
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
    device: str | None = None,
) -> None:
    """Open, measure, print. What is None is left as it is, or as the project says.

    Raises:
        click.Abort: stopped with Ctrl+C; what was measured is printed and remembered.
    """
    read_request(schemes, role, mode, limit)  # refused before anything is opened
    stopped = False
    with progress_bar() as progress:
        session = Session(progress=progress)
        if device is not None:
            session.set_device(device)
        session.open(
            model, samples, plan, reading=reading, values=values, run_code=run_code, seed=seed
        )
        set_up(session, weights, inputs, settings, part, output, metric, run_code=run_code)
        try:
            session.sensitivity(schemes, role, mode, limit)
        except KeyboardInterrupt:
            stopped = True
    for found in session.sensitivities()[-1:]:
        _tell(session, found, sort, json_file)
    for message in session.messages():
        if message.level == "warning":
            click.echo(f"qviz: {message.text}", err=True)
    if stopped:
        click.echo("What was measured is remembered: the same command goes on from here.", err=True)
        raise click.Abort


def _tell(session: Session, found: Sensitivity, sort: Sort, json_file: str | None) -> None:
    text = json.dumps(to_json(session, found), indent=2, allow_nan=False) + "\n"
    if json_file == "-":
        sys.stdout.write(text)
        return
    console = standard_output()
    for title, table in tables(found, sort, console.width):
        console.print(title, style="bold", markup=False, highlight=False)
        console.print(table, crop=False)
        console.print()
    for line in lines(found):
        console.print(line, highlight=False)
    if json_file is not None:
        write_text(Path(json_file), text)


def tables(found: Sensitivity, sort: Sort, width: int) -> Iterator[tuple[str, Table]]:
    """Title and table of every scheme, with the same order of layers."""
    layers = found.ranking() if sort == "kl" else found.layers
    layout = replace(LAYERS, titles=(*LAYERS.titles, f"Δ {_unit(found)}".strip(), "95 %"))
    for at, scheme in enumerate(found.request.schemes):
        title = "one layer of the plan in float" if found.request.mode == "all-but" else scheme
        title += f", Δ of {found.metric}" if found.metric else ""
        most = max((layer.costs[at].kl or 0.0 for layer in layers), default=0.0)
        rows = [
            (
                str(layer.index),
                layer.name,
                layer.op,
                f"{layer.parameters:,}",
                *_figures(layer.costs[at], most),
            )
            for layer in layers
        ]
        yield title, fitted(layout, rows, width)


def _unit(found: Sensitivity) -> str:
    return "points" if found.unit == "%" else found.unit


def _figures(cost: Cost, most: float) -> tuple[str, ...]:
    if not cost.measured:
        return ("–" if cost.guess is None else f"~{cost.guess:.2g}", "", "", "", "", "", "")
    return (
        "–" if cost.kl is None else f"{cost.kl:.3g}",
        _bar(cost.kl, most),
        "exact" if cost.sqnr_db == math.inf else _plain(cost.sqnr_db, ".1f"),
        _plain(cost.flips, ","),
        _plain(cost.loss, "+.3g"),
        _plain(cost.delta, "+.2f"),
        _interval(cost),
    )


def _bar(kl: float | None, most: float, width: int = 8) -> str:
    """Eighths of a block, so that small costs still differ."""
    if kl is None or most <= 0.0:
        return ""
    eighths = round(8 * width * kl / most)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _plain(value: float | None, spelled: str) -> str:
    return "–" if value is None or not math.isfinite(value) else format(value, spelled)


def _interval(cost: Cost) -> str:
    if cost.low is None or cost.high is None:
        return ""
    return "exact" if cost.exact else f"{cost.low:+.1f} … {cost.high:+.1f}"


def lines(found: Sensitivity) -> list[str]:
    """How much was measured, and what stands out with its evidence below."""
    request = found.request
    role = {"weights": "weights", "inputs": "inputs", "both": "weights and inputs"}[request.role]
    seen = min((c.samples for layer in found.layers for c in layer.costs), default=0)
    what = (
        f"one layer's {role} quantized at a time"
        if request.mode == "only"
        else f"the plan with one layer's {role} in float at a time"
    )
    told = [f"{what}; {seen:,} of {found.total:,} samples ({found.part})"]
    if not found.complete:
        told[0] += f", {found.wanted:,} wanted; ~ marks guesses from gradients"
        told += [escape(found.note)] if found.note else []
    if found.start is not None:
        start = found.start
        told.append(
            f"the plan itself: KL {_plain(start.kl, '.3g')} nats, SQNR "
            f"{_plain(start.sqnr_db, '.1f')} dB, {_plain(start.flips, ',')} flips"
        )
    for one in found.findings:
        told += ["", f"• {escape(one.text)}", f"  {escape(one.evidence)}"]
    return told


def to_json(session: Session, found: Sensitivity) -> dict[str, Any]:
    """What `--json` writes (docs/json.md). Numbers that are infinite or unknown are null."""
    document = session.current()
    model, samples = document.model, document.samples
    if model is None or samples is None:
        raise ValueError("a result is of a model and samples")
    rank = {layer.index: place for place, layer in enumerate(found.ranking(), 1)}
    return {
        "qviz_sensitivity": VERSION,
        "qviz": metadata.version("qviz-workbench"),
        "model": {"name": Path(model.path).name, "sha256": model.hash},
        "data": {"name": samples.name, "sha256": samples.hash, "seed": document.seed},
        "role": found.request.role,
        "mode": found.request.mode,
        "schemes": list(found.request.schemes),
        "part": found.part,
        "metric": found.metric,
        "unit": found.unit,
        "better": found.better,
        "samples": found.wanted,
        "total": found.total,
        "complete": found.complete,
        "start": None if found.start is None else _cost(found.start),
        "layers": [
            {
                "index": layer.index,
                "name": layer.name,
                "op": layer.op,
                "parameters": layer.parameters,
                "rank": rank[layer.index],
                "costs": [_cost(cost) for cost in layer.costs],
            }
            for layer in found.layers
        ],
        "findings": [
            {
                "layer": one.layer,
                "scheme": one.scheme,
                "text": one.text,
                "evidence": one.evidence,
            }
            for one in found.findings
        ],
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "scheme": cost.scheme,
        "guess": finite(cost.guess),
        "kl": finite(cost.kl),
        "sqnr_db": finite(cost.sqnr_db),
        "flips": cost.flips,
        "loss": finite(cost.loss),
        "delta": finite(cost.delta),
        "low": finite(cost.low),
        "high": finite(cost.high),
        "samples": cost.samples,
        "exact": cost.exact,
    }
