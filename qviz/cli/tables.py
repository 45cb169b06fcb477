"""What `qviz run` prints."""

from __future__ import annotations

import math

from rich.markup import escape
from rich.table import Table

from qviz.app.class_table import Answers, ClassShare, class_rows
from qviz.app.session import Session
from qviz.app.strip import scored_as
from qviz.app.views import Cell, Strip
from qviz.cli.columns import Layout, fitted
from qviz.engine.evaluate import Evaluation
from qviz.ui.metric_numbers import Spelling
from qviz.ui.number_format import MINUS

LAYERS = Layout(
    (
        *("#", "layer", "op", "shape", "params", "W", "W dB", "A", "A dB"),
        *("local dB", "output dB", "size"),
    ),
    left=frozenset({1, 2, 3, 5, 7}),
    name=1,
    early=((3,), (4,), (2,)),
    late=((11,), (9,), (7, 8), (6,)),
)
CLASSES = Layout(
    (
        *("class", "samples"),
        *("recall: float", "95 %", "quantized", "95 %", "change"),
        *("precision: float", "95 %", "quantized", "95 %", "change"),
    ),
    left=frozenset({0}),
    name=0,
    early=(),
    late=((3, 8), (5, 10), (7, 9, 11), (1,)),
)
MASK_CLASSES = Layout(
    (*CLASSES.titles, *("IoU: float", "95 %", "quantized", "95 %", "change")),
    left=frozenset({0}),
    name=0,
    early=(),
    late=((3, 8, 13), (5, 10), (7, 9, 11), (2, 4, 6), (15,), (1,)),
)

INTERVALS = (
    "Every position counts; the 95 % intervals are over samples, as a ratio of means (delta method)"
)


def layer_table(session: Session, width: int) -> Table:
    """One row per layer: schemes, SQNR of weights, inputs and output in dB, share of the bytes."""
    rows = [
        (
            str(row.index),
            row.name,
            row.op,
            row.shape,
            f"{row.parameters:,}",
            *_cell(row.weight),
            *_cell(row.input),
            _decibels(row.local_db),
            _decibels(row.accumulated_db),
            f"{100 * row.size_share:.1f} %",
        )
        for row in session.rows()
    ]
    return fitted(LAYERS, rows, width)


def class_table(answers: Answers, width: int) -> Table:
    """One row per class, the worst change first: percentages and 95 % intervals."""
    whole = [
        (
            row.name,
            f"{row.samples:,}",
            *_share(row.float_recall),
            *_share(row.recall),
            _points(row.recall_change),
            *_share(row.float_precision),
            *_share(row.precision),
            _points(row.precision_change),
            *_share(row.float_iou),
            *_share(row.iou),
            _points(row.iou_change),
        )
        for row in class_rows(answers)
    ]
    layout = MASK_CLASSES if answers.of_positions else CLASSES
    return fitted(layout, [row[: len(layout.titles)] for row in whole], width)


def _share(share: ClassShare | None) -> tuple[str, str]:
    if share is None:
        return "–", ""
    return f"{share.value:.2f}", f"{share.low:.0f}–{share.high:.0f}"


def _points(change: float | None) -> str:
    return "–" if change is None else f"{change:+.2f}"


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
    samples = session.current().scored
    lines += [] if samples is None else map(escape, samples.notes)
    if document.synthetic:
        lines.append("without samples: inputs and outputs were measured on synthetic inputs")
    if document.parity:
        lines.append(document.parity)
    return lines


def _score_lines(evaluation: Evaluation) -> list[str]:
    spelled = _Spelled(evaluation)
    seen = f"{evaluation.samples:,} of {evaluation.total:,} samples ({evaluation.part})"
    interval = "exact" if evaluation.exact else "estimated"
    if not evaluation.exact:
        low, high = spelled.number(evaluation.low, unit=False), spelled.number(evaluation.high)
        interval = f"95 % interval {low} to {high}"
    lines = [""]
    remark = scored_as(evaluation)
    seen += f", {escape(remark)}" if remark else ""
    if math.isfinite(evaluation.float_value):
        lines.append(
            f"{evaluation.metric}: float {spelled.number(evaluation.float_value)} → quantized "
            f"[bold]{spelled.number(evaluation.value)}[/bold] ({spelled.change()}), "
            f"{interval}, {seen}"
        )
    else:
        value = "exact" if evaluation.value == math.inf else spelled.number(evaluation.value)
        lines.append(f"{evaluation.metric}: [bold]{value}[/bold], {seen}")
    if evaluation.flips is not None:
        lines.append(f"flips: {evaluation.flips} predictions differ from float")
    if evaluation.kl is not None:
        lines.append(f"KL of the outputs: {evaluation.kl:.3g} nats per sample")
    return lines


class _Spelled:
    """The numbers of an evaluation with as many digits as the window gives them."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._strip = Strip(
            "done",
            unit=evaluation.unit,
            float_value=evaluation.float_value,
            value=evaluation.value,
            delta=evaluation.delta,
        )
        self._spelling = Spelling(self._strip)

    def number(self, value: float, *, unit: bool = True) -> str:
        """A value, with its unit where it has one."""
        words = self._spelling.number(value).replace(MINUS, "-")
        return f"{words} {self._strip.unit}".strip() if unit else words

    def change(self) -> str:
        """Quantized minus float, in points of a percentage."""
        change = self._spelling.change(self._strip)
        if change is None:
            return "no change to tell"
        unit = "points" if self._strip.unit == "%" else self._strip.unit
        return f"{self._spelling.signed(change)} {unit}".strip().replace(MINUS, "-")
