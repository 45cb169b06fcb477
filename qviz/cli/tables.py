"""What `qviz run` prints."""

from __future__ import annotations

import math

from rich.table import Table

from qviz.app.session import Session
from qviz.app.views import Cell
from qviz.engine.evaluate import Evaluation

NAME_WIDTH = 36


def layer_table(session: Session) -> Table:
    """One row per layer: schemes, SQNR of weights, inputs and output in dB, share of the bytes."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title, side in (
        ("#", "right"),
        ("layer", "left"),
        ("op", "left"),
        ("shape", "left"),
        ("params", "right"),
        ("W", "left"),
        ("W dB", "right"),
        ("A", "left"),
        ("A dB", "right"),
        ("local dB", "right"),
        ("output dB", "right"),
        ("size", "right"),
    ):
        table.add_column(title, justify="right" if side == "right" else "left", no_wrap=True)
    for row in session.rows():
        table.add_row(
            str(row.index),
            _shortened(row.name),
            row.op,
            row.shape,
            f"{row.parameters:,}",
            *_cell(row.weight),
            *_cell(row.input),
            _decibels(row.local_db),
            _decibels(row.accumulated_db),
            f"{100 * row.size_share:.1f} %",
        )
    return table


def _shortened(name: str) -> str:
    """Long exporter paths lose their beginning: the end tells layers apart."""
    return name if len(name) <= NAME_WIDTH else "…" + name[1 - NAME_WIDTH :]


def _cell(cell: Cell | None) -> tuple[str, str]:
    if cell is None:
        return "–", ""
    return cell.scheme, _decibels(cell.sqnr_db)


def _decibels(value: float | None) -> str:
    if value is None:
        return ""
    return "exact" if value == math.inf else f"{value:.1f}"


def number_lines(session: Session, evaluation: Evaluation | None) -> list[str]:
    """The number strip in words."""
    lines = [""] if evaluation is None else _score_lines(evaluation)
    cost = session.cost()
    if cost is not None:
        ratio = cost.bytes_float / max(cost.bytes_quantized, 1)
        lines.append(
            f"size: {cost.bytes_float:,} → {cost.bytes_quantized:,} bytes (×{ratio:.2f} smaller)"
        )
        if cost.bops_float and cost.bops_quantized:
            lines.append(
                f"BOPs: {cost.bops_float:.3g} → {cost.bops_quantized:.3g} "
                f"(×{cost.bops_float / cost.bops_quantized:.1f} fewer)"
            )
    document = session.document()
    warnings = (m.text for m in session.messages() if m.level == "warning")
    lines += [text for text in warnings if text != document.parity]
    if document.synthetic:
        lines.append("without samples: inputs and outputs were measured on synthetic inputs")
    if document.parity:
        lines.append(document.parity)
    return lines


def _score_lines(evaluation: Evaluation) -> list[str]:
    unit = evaluation.unit
    seen = f"{evaluation.samples:,} of {evaluation.total:,} samples ({evaluation.part})"
    interval = "exact" if evaluation.exact else "estimated"
    if not evaluation.exact:
        interval = f"95 % interval {evaluation.low:.2f} to {evaluation.high:.2f} {unit}"
    lines = [""]
    if math.isfinite(evaluation.float_value):
        lines.append(
            f"{evaluation.metric}: float {evaluation.float_value:.2f} {unit} → quantized "
            f"[bold]{evaluation.value:.2f} {unit}[/bold] ({_change(evaluation)}), "
            f"{interval}, {seen}"
        )
    else:
        value = "exact" if evaluation.value == math.inf else f"{evaluation.value:.2f} {unit}"
        lines.append(f"{evaluation.metric}: [bold]{value}[/bold], {seen}")
    if evaluation.flips is not None:
        lines.append(f"flips: {evaluation.flips} predictions differ from float")
    if evaluation.kl is not None:
        lines.append(f"KL of the outputs: {evaluation.kl:.3g} nats per sample")
    return lines


def _change(evaluation: Evaluation) -> str:
    if evaluation.delta is None:
        return "no change to tell"
    return (
        f"{evaluation.delta:+.2f} {'points' if evaluation.unit == '%' else evaluation.unit}".strip()
    )
