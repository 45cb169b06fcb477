"""`qviz sensitivity`: what every layer costs, as a table, findings in words, and JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import click
from rich.table import Table

from qviz.app.sensitivity.quantities import amount, damage
from qviz.app.sensitivity.request import read_request
from qviz.app.sensitivity.result import Cost, Sensitivity
from qviz.app.session import Session
from qviz.app.summary import finite
from qviz.app.views import Part
from qviz.cli.columns import Layout, fitted, print_table, wrapped
from qviz.cli.headless import progress_bar, set_up, standard_output, write_text
from qviz.data.reading import Reading
from qviz.errors import QvizError

VERSION = 1
LAYERS = Layout(
    ("#", "layer", "op", "params", "n", "KL nats", "", "SQNR dB", "flips", "Δ loss"),
    left=frozenset({1, 2, 6, 11}),
    name=1,
    early=((6,), (3,), (2,)),
    late=((9,), (11,), (7,), (10,)),
)
SEEN = 4  # the column of samples, where layers have seen different ones
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
        if session.model is not None and session.current().scored is None:
            raise QvizError("samples", "there are none to run", "Name some with --samples FILE")
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
        print_table(console, table)
        console.print()
    for line in lines(found, sort):
        indent = "  " if line.startswith(("•", " ")) else ""
        for part in wrapped(line, console.width, indent):
            console.print(part, markup=False, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_text(Path(json_file), text)


def tables(found: Sensitivity, sort: Sort, width: int) -> Iterator[tuple[str, Table]]:
    """Title and table of every scheme, with the same order of layers and the same columns."""
    made = [_rows(found, at, sort) for at in range(len(found.request.schemes))]
    every = [row for rows in made for row in rows]
    layout = _layout(found)
    for scheme, rows in zip(found.request.schemes, made, strict=True):
        title = found.request.told(scheme)
        if found.request.mode == "all-but":
            title = "one layer of the plan in float"
        title += f", Δ of {found.metric}" if found.metric else ""
        yield title, fitted(layout, rows, width, every)


def _layout(found: Sensitivity) -> Layout:
    """The columns; that of samples goes first where all layers have seen the same ones."""
    titles = [*LAYERS.titles, f"Δ {_unit(found)}".strip(), "95 %"]
    if found.request.mode == "all-but":
        titles[titles.index("KL nats")] = "Δ KL nats"
    counts = {cost.samples for layer in found.layers for cost in layer.costs}
    if len(counts) > 1:
        return replace(LAYERS, titles=tuple(titles))

    def without(columns: Iterable[int]) -> tuple[int, ...]:
        return tuple(at - (at > SEEN) for at in columns)

    return Layout(
        (*titles[:SEEN], *titles[SEEN + 1 :]),
        frozenset(without(LAYERS.left)),
        LAYERS.name,
        tuple(without(step) for step in LAYERS.early),
        tuple(without(step) for step in LAYERS.late),
    )


def _rows(found: Sensitivity, at: int, sort: Sort) -> list[tuple[str, ...]]:
    """The cells of every layer under one scheme."""
    layers = found.ranking() if sort == "kl" else found.layers
    known = {layer.index: _damage(found, layer.costs[at]) or 0.0 for layer in layers}
    most = max(known.values(), default=0.0)
    counts = {cost.samples for layer in found.layers for cost in layer.costs}
    rows = []
    for layer in layers:
        cost = layer.costs[at]
        head = (str(layer.index), layer.name, layer.op, f"{layer.parameters:,}")
        seen = (f"{cost.samples:,}" if cost.measured else "",) if len(counts) > 1 else ()
        rows.append((*head, *seen, *_figures(found, cost, most)))
    return rows


def _damage(found: Sensitivity, cost: Cost) -> float | None:
    """The measured KL, or what of the plan's the layer's return to float takes away."""
    value = amount(found, cost, "kl") if cost.measured else None
    return None if value is None else damage(found, value, "kl")


def _unit(found: Sensitivity) -> str:
    return "points" if found.unit == "%" else found.unit


def _figures(found: Sensitivity, cost: Cost, most: float) -> tuple[str, ...]:
    kl, sign = amount(found, cost, "kl"), "+" if found.request.mode == "all-but" else ""
    if not cost.measured:
        return ("–" if kl is None else f"~{kl:{sign}.2g}", "", "", "", "", "", "")
    return (
        _plain(kl, f"{sign}.3g"),
        _bar(_damage(found, cost), most),
        "exact" if cost.sqnr_db == math.inf else _plain(cost.sqnr_db, ".1f"),
        _plain(cost.flips, ","),
        _plain(cost.loss, "+.3g"),
        _plain(cost.delta, "+.2f"),
        _interval(cost),
    )


def _bar(kl: float | None, most: float, width: int = 8) -> str:
    """Eighths of a block, so that small costs still differ."""
    if kl is None or kl <= 0.0 or most <= 0.0:
        return ""
    eighths = round(8 * width * kl / most)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _plain(value: float | None, spelled: str) -> str:
    return "–" if value is None or not math.isfinite(value) else format(value, spelled)


def _interval(cost: Cost) -> str:
    if cost.low is None or cost.high is None:
        return ""
    return "exact" if cost.exact else f"{cost.low:+.1f} … {cost.high:+.1f}"


def lines(found: Sensitivity, sort: Sort = "kl") -> list[str]:
    """How much was measured, what orders the layers, and what stands out with its evidence."""
    request = found.request
    role = {"weights": "weights", "inputs": "inputs", "both": "weights and inputs"}[request.role]
    seen = min((c.samples for layer in found.layers for c in layer.costs), default=0)
    what = (
        f"one layer's {role} quantized at a time"
        if request.mode == "only"
        else f"the plan with one layer's {role} in float at a time"
    )
    samples = "sample" if found.total == 1 else "samples"
    told = [f"{what}; {seen:,} of {found.total:,} {samples} ({found.part})"]
    if not found.complete:
        told[0] += f", {found.wanted:,} wanted"
        costs = [cost for layer in found.layers for cost in layer.costs]
        if any(not cost.measured and cost.guess is not None for cost in costs):
            told[0] += "; ~ marks guesses from gradients"
        told += [found.note] if found.note else []
    if sort == "kl" and len(request.schemes) > 1:
        told[0] += f"; layers ordered by {request.told(request.schemes[-1])}"
    if found.start is not None:
        start = found.start
        told.append(
            f"the plan itself: KL {_plain(start.kl, '.3g')} nats, SQNR "
            f"{_plain(start.sqnr_db, '.1f')} dB, {_plain(start.flips, ',')} "
            f"{'flip' if start.flips == 1 else 'flips'}"
        )
    for one in found.findings:
        told += ["", f"• {one.text}", f"  {one.evidence}"]
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
