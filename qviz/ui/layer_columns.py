"""The layer table's columns: what each shows of a layer, sorts by, and says when pointed at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import Qt

from qviz.app.views import Cell, LayerRow, Role
from qviz.ui import number_format as text
from qviz.ui.layer_cost import cost_tip, cost_words

Key = tuple[int, float | str]
MOST_NAMED = 6  # of the layers that share a tensor
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class Column(IntEnum):
    """The table's columns."""

    INDEX = 0
    NAME = 1
    OP = 2
    SHAPE = 3
    PARAMETERS = 4
    WEIGHT = 5
    INPUT = 6
    WEIGHT_SQNR = 7
    INPUT_SQNR = 8
    LOCAL = 9
    ACCUMULATED = 10
    SIZE = 11
    SENSITIVITY = 12


SCHEME_COLUMNS: dict[Column, Role] = {Column.WEIGHT: "weight", Column.INPUT: "input"}
SQNR_COLUMNS: dict[Column, Role] = {Column.WEIGHT_SQNR: "weight", Column.INPUT_SQNR: "input"}


def cell_of(row: LayerRow, role: Role) -> Cell | None:
    """The W or the A cell of a row."""
    return row.weight if role == "weight" else row.input


def role_of(column: int) -> Role:
    """Whether a column speaks of inputs; every other one means the weights."""
    return "input" if column in (Column.INPUT, Column.INPUT_SQNR) else "weight"


@dataclass(frozen=True, slots=True)
class _Head:
    title: str
    tip: str
    show: Callable[[LayerRow], str]
    key: Callable[[LayerRow], Key]
    align: Qt.AlignmentFlag = LEFT


def _scheme(role: Role) -> Callable[[LayerRow], str]:
    def show(row: LayerRow) -> str:
        cell = cell_of(row, role)
        return cell.scheme if cell else ""

    return show


def _sqnr(role: Role) -> Callable[[LayerRow], str]:
    def show(row: LayerRow) -> str:
        cell = cell_of(row, role)
        return text.decibels(cell.sqnr_db) if cell else ""

    return show


def _sqnr_key(role: Role) -> Callable[[LayerRow], Key]:
    def key(row: LayerRow) -> Key:
        cell = cell_of(row, role)
        known = cell is not None and cell.sqnr_db is not None
        return (0, cell.sqnr_db or 0.0) if cell and known else (1, 0.0)

    return key


def _number_key(pick: Callable[[LayerRow], float | None]) -> Callable[[LayerRow], Key]:
    def key(row: LayerRow) -> Key:
        value = pick(row)
        return (1, 0.0) if value is None else (0, value)

    return key


def _word_key(show: Callable[[LayerRow], str]) -> Callable[[LayerRow], Key]:
    return lambda row: (0, show(row)) if show(row) else (1, "")


def _size(row: LayerRow) -> str:
    if not row.size_bytes:
        return ""
    percent = f"{100 * row.size_share:.1f}"
    return "100 %" if percent == "100.0" else f"{percent} %"


HEADS: dict[Column, _Head] = {
    Column.INDEX: _Head(
        "#", "The layer's number", lambda r: str(r.index), lambda r: (0, float(r.index)), RIGHT
    ),
    Column.NAME: _Head("Layer", "The layer's name", lambda r: r.name, lambda r: (0, r.name)),
    Column.OP: _Head("Op", "The ONNX operator", lambda r: r.op, lambda r: (0, r.op)),
    Column.SHAPE: _Head(
        "Shape", "The weight's shape", lambda r: r.shape, _word_key(lambda r: r.shape)
    ),
    Column.PARAMETERS: _Head(
        "Params",
        "How many parameters the layer has",
        lambda r: text.short_count(r.parameters) if r.parameters else "",
        lambda r: (0, float(r.parameters)),
        RIGHT,
    ),
    Column.WEIGHT: _Head(
        "W",
        "How the weights are quantized. Digits set the bits, F2 edits the scheme",
        _scheme("weight"),
        _word_key(_scheme("weight")),
    ),
    Column.INPUT: _Head(
        "A",
        "How the input activations are quantized. Digits set the bits, F2 edits the scheme",
        _scheme("input"),
        _word_key(_scheme("input")),
    ),
    Column.WEIGHT_SQNR: _Head(
        "W SQNR",
        "Signal to quantization noise of the weights in dB; higher is better",
        _sqnr("weight"),
        _sqnr_key("weight"),
        RIGHT,
    ),
    Column.INPUT_SQNR: _Head(
        "A SQNR",
        "Signal to quantization noise of the inputs in dB; higher is better",
        _sqnr("input"),
        _sqnr_key("input"),
        RIGHT,
    ),
    Column.LOCAL: _Head(
        "Local",
        "SQNR in dB of the layer's output when this layer alone is quantized, on 64 samples",
        lambda r: text.decibels(r.local_db),
        _number_key(lambda r: r.local_db),
        RIGHT,
    ),
    Column.ACCUMULATED: _Head(
        "Output",
        "Accumulated SQNR in dB of the layer's output in the quantized model, with the errors of "
        "all layers before it, on 64 samples",
        lambda r: text.decibels(r.accumulated_db),
        _number_key(lambda r: r.accumulated_db),
        RIGHT,
    ),
    Column.SIZE: _Head(
        "Size",
        "The layer's share of the quantized model's bytes; weights that several layers share count "
        "in the first of them",
        lambda r: _size(r),
        lambda r: (0, float(r.size_bytes)),
        RIGHT,
    ),
    Column.SENSITIVITY: _Head(
        "Sens.",
        "Sensitivity: what quantizing this layer alone costs, or its return to float restores. "
        "The KL divergence of the outputs in nats, or without classes their noise in % of the "
        "signal. ~ marks a guess by gradients; bars are on a scale of square roots. The "
        "Sensitivity page says of which role, mode and scheme",
        lambda r: cost_words(r.sensitivity),
        _number_key(lambda r: r.sensitivity.value if r.sensitivity else None),
        RIGHT,
    ),
}


def tooltip(row: LayerRow, column: Column) -> str:
    """What a cell says when the pointer rests on it."""
    role = SCHEME_COLUMNS.get(column) or SQNR_COLUMNS.get(column)
    if role:
        cell = cell_of(row, role)
        return _cell_tip(cell) if cell else "This layer has no such slot"
    if column == Column.SIZE:
        return _size_tip(row)
    if column == Column.SENSITIVITY:
        return cost_tip(row.sensitivity)
    if column == Column.PARAMETERS and row.parameters:
        macs = f"\n{text.count(row.macs)} multiply-accumulates" if row.macs else ""
        return f"{text.counted(row.parameters, 'parameter')}{macs}"
    return f"{row.index}  {row.name}  ({row.op})"


def _size_tip(row: LayerRow) -> str:
    lines = [f"{text.size(row.size_bytes)} of the quantized model"] if row.size_bytes else []
    if row.weight and row.weight.shared_with:
        lines.append(
            f"The weights are shared with {_listed(row.weight.shared_with)}; "
            "their bytes count in the first of these layers"
        )
    return "\n".join(lines)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _cell_tip(cell: Cell) -> str:
    lines = [f"{', '.join(cell.slots)}: {cell.scheme}"]
    if cell.sqnr_db is not None and math.isfinite(cell.sqnr_db):
        noise = text.significant(100 * 10 ** (-cell.sqnr_db / 10), 3)
        lines.append(f"SQNR {text.decibels(cell.sqnr_db, unit=True)} (noise {noise} % of signal)")
    if cell.clipped is not None:
        lines.append(f"Clipped {text.share(cell.clipped)}")
    if cell.overridden:
        lines.append("Set on this layer, not inherited from the plan's defaults")
    if cell.shared_with:
        lines.append(f"Shares its quantizer with {_listed(cell.shared_with)}")
    return "\n".join(lines)
