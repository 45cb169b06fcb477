"""A self-contained HTML report of one run: the numbers, every layer, and a picture."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qviz.engine.evaluate import Evaluation
from qviz.errors import QvizError

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1d2430; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid #dde2ea; text-align: left; }
td.number { text-align: right; } img { max-width: 100%; border: 1px solid #dde2ea; }
@media (prefers-color-scheme: dark) { body { color: #e4e8ef; background: #151a22; } }
"""


def write_report(
    path: Path,
    data: dict[str, Any],
    story: Sequence[tuple[str, str, Evaluation]],
    picture: Path,
) -> None:
    """Write the report; `data` is the summary of the last plan in `story`."""
    image = base64.b64encode(picture.read_bytes()).decode()
    plans = _table(
        ("weights", "inputs", "float", "quantized", "points", "flips"),
        [
            (
                weight,
                inputs,
                f"{evaluation.float_value:.2f} %",
                f"{evaluation.value:.2f} %",
                f"{evaluation.delta or 0.0:+.2f}",
                str(evaluation.flips),
            )
            for weight, inputs, evaluation in story
        ],
        numbers_from=2,
    )
    text = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>qviz report: {html.escape(data["model"]["name"])}</title><style>{_STYLE}</style></head><body>
<h1>{html.escape(data["model"]["name"])}</h1>
<p>{data["metric"]} on {data["samples"]:,} samples of {html.escape(data["data"]["name"])}.
{html.escape(data["parity"]["text"]) if data["parity"] else ""}</p>
<h2>Plans</h2>{plans}
<h2>Layers, weights {html.escape(story[-1][0])}, inputs {html.escape(story[-1][1])}</h2>
{_layers(data["layers"])}
<h2>The window</h2><img alt="The qviz window" src="data:image/png;base64,{image}">
<p>Model sha256 {data["model"]["sha256"]}<br>Samples sha256 {data["data"]["sha256"]}<br>
Split {data["data"]["split"]}, seed {data["data"]["seed"]}<br>qviz {data["qviz"]}.
A research and teaching tool, not a validated clinical evaluation.</p></body></html>
"""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise QvizError(
            str(path), f"it cannot be written ({error.strerror})", "Choose another folder"
        ) from error


def _layers(layers: Sequence[dict[str, Any]]) -> str:
    rows = []
    for layer in layers:
        cells = [_cell(layer["weight"]), _cell(layer["input"])]
        rows.append(
            (
                layer["name"],
                layer["op"],
                layer["shape"],
                cells[0][0],
                cells[1][0],
                f"{layer['parameters']:,}",
                cells[0][1],
                cells[1][1],
            )
        )
    head = ("layer", "op", "shape", "W", "A", "parameters", "W SQNR dB", "A SQNR dB")
    return _table(head, rows, numbers_from=5)


def _cell(cell: dict[str, Any] | None) -> tuple[str, str]:
    if cell is None:
        return "–", ""
    if cell["lossless"]:
        return cell["scheme"], "exact"
    return cell["scheme"], "" if cell["sqnr_db"] is None else f"{cell['sqnr_db']:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(title)}</th>" for title in head) + "</tr>"]
    for row in rows:
        cells = "".join(
            f'<td class="number">{html.escape(text)}</td>'
            if column >= numbers_from
            else f"<td>{html.escape(text)}</td>"
            for column, text in enumerate(row)
        )
        lines.append(f"<tr>{cells}</tr>")
    return "<table>" + "".join(lines) + "</table>"
