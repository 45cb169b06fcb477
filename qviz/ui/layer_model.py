"""The layer table's values, sorted and filtered. Holds rows as the Session made them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from qviz.app.views import Cell, LayerRow, Role
from qviz.ui import number_format as text

Index = QModelIndex | QPersistentModelIndex
Key = tuple[int, float | str]
Roles = Qt.ItemDataRole
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
        "SQNR in dB of the layer's output in the quantized model, with the errors of all layers "
        "before it, on 64 samples",
        lambda r: text.decibels(r.accumulated_db),
        _number_key(lambda r: r.accumulated_db),
        RIGHT,
    ),
    Column.SIZE: _Head(
        "Size",
        "The layer's share of the quantized model's bytes",
        lambda r: f"{100 * r.size_share:.1f} %" if r.size_bytes else "",
        lambda r: (0, float(r.size_bytes)),
        RIGHT,
    ),
}


class LayerModel(QAbstractTableModel):
    """Rows in view order: filtered, then sorted. Values change in place, without a reset."""

    def __init__(self, parent: QObject | None = None) -> None:
        """No rows."""
        super().__init__(parent)
        self._rows: tuple[LayerRow, ...] = ()
        self._shown: list[int] = []
        self._filter = ""
        self._column = Column.INDEX
        self._order = Qt.SortOrder.AscendingOrder

    # rows

    def show_rows(self, rows: tuple[LayerRow, ...]) -> bool:
        """Take new values; True when other layers are shown than before (a reset)."""
        before, self_names = self._rows, [row.name for row in self._rows]
        if self_names != [row.name for row in rows]:
            self.beginResetModel()
            self._rows = rows
            self._shown = self._arranged()
            self.endResetModel()
            return True
        self._rows = rows
        changed = [p for p, i in enumerate(self._shown) if before[i] != rows[i]]
        if changed:
            last = self.columnCount() - 1
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], last))
            self._rearrange()
        return False

    def row_at(self, position: int) -> LayerRow:
        """The row at a position of the view."""
        return self._rows[self._shown[position]]

    def position_of(self, name: str) -> int | None:
        """Where a layer stands in the view; None when it is filtered out."""
        for position, index in enumerate(self._shown):
            if self._rows[index].name == name:
                return position
        return None

    def total(self) -> int:
        """How many layers there are, shown or not."""
        return len(self._rows)

    def by_error(self) -> list[str]:
        """Names of the shown layers, the lowest SQNR first."""

        def worst(row: LayerRow) -> float:
            cells = (row.weight, row.input)
            return min((c.sqnr_db for c in cells if c and c.sqnr_db is not None), default=math.inf)

        rows = [self._rows[i] for i in self._shown]
        return [row.name for row in sorted(rows, key=worst) if worst(row) < math.inf]

    # order and filter

    def set_filter(self, pattern: str) -> None:
        """Show layers whose name or operator contains `pattern`, or matches `re:pattern`.

        Raises:
            re.error: not a regular expression; the filter stays as it was.
        """
        matcher = _matcher(pattern)
        self._filter = pattern
        self.beginResetModel()
        self._shown = self._arranged(matcher)
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; layers without a value stay last."""
        self._column, self._order = Column(max(0, column)), order
        self._rearrange()

    def _arranged(self, matcher: Callable[[LayerRow], bool] | None = None) -> list[int]:
        keep = matcher or _matcher(self._filter)
        shown = [i for i, row in enumerate(self._rows) if keep(row)]
        key = HEADS[self._column].key
        backwards = self._order == Qt.SortOrder.DescendingOrder
        present = [i for i in shown if key(self._rows[i])[0] == 0]
        present.sort(key=lambda i: key(self._rows[i]), reverse=backwards)
        return present + [i for i in shown if key(self._rows[i])[0] != 0]

    def _rearrange(self) -> None:
        arranged = self._arranged()
        if arranged == self._shown:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        place = {index: position for position, index in enumerate(arranged)}
        after = [self.index(place[self._shown[i.row()]], i.column()) for i in before]
        self._shown = arranged
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    # Qt's questions

    def rowCount(self, parent: Index | None = None) -> int:
        """How many layers are shown."""
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index | None = None) -> int:
        """How many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Roles.DisplayRole
    ) -> Any:
        """A column's title and what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        head = HEADS[Column(section)]
        if role == Roles.DisplayRole:
            return head.title
        if role == Roles.ToolTipRole:
            return head.tip
        return head.align if role == Roles.TextAlignmentRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Schemes can be edited where the layer has such a slot."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        role = SCHEME_COLUMNS.get(Column(index.column()))
        if role and cell_of(self.row_at(index.row()), role):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: Index, role: int = Roles.DisplayRole) -> Any:
        """What a cell shows and says."""
        if not index.isValid():
            return None
        row, column = self.row_at(index.row()), Column(index.column())
        if role in (Roles.DisplayRole, Roles.EditRole):
            return HEADS[column].show(row)
        if role == Roles.TextAlignmentRole:
            return HEADS[column].align
        if role == Roles.ToolTipRole:
            return tooltip(row, column)
        return None


def _matcher(pattern: str) -> Callable[[LayerRow], bool]:
    if pattern.startswith("re:"):
        expression = re.compile(pattern[3:], re.IGNORECASE)
        return lambda row: bool(expression.search(row.name) or expression.search(row.op))
    words = pattern.lower().split()
    return lambda row: all(word in f"{row.name} {row.op}".lower() for word in words)


def tooltip(row: LayerRow, column: Column) -> str:
    """What a cell says when the pointer rests on it."""
    role = SCHEME_COLUMNS.get(column) or SQNR_COLUMNS.get(column)
    if role:
        cell = cell_of(row, role)
        return _cell_tip(cell) if cell else "This layer has no such slot"
    if column == Column.SIZE and row.size_bytes:
        return f"{text.size(row.size_bytes)} of the quantized model"
    if column == Column.PARAMETERS and row.parameters:
        macs = f"\n{text.count(row.macs)} multiply-accumulates" if row.macs else ""
        return f"{text.count(row.parameters)} parameters{macs}"
    return f"{row.index}  {row.name}  ({row.op})"


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
        lines.append(f"Shares its quantizer with {', '.join(cell.shared_with)}")
    return "\n".join(lines)
