"""The class table's values, sorted and filtered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from qviz.app.class_table import ClassRow, ClassShare
from qviz.ui import number_format as text
from qviz.ui.palette import LIGHT, Palette

Index = QModelIndex | QPersistentModelIndex
Roles = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
Key = tuple[float, ...] | tuple[()]  # () where nothing is known
DIGITS = 2  # of percentages and points


class ClassColumn(IntEnum):
    """The table's columns."""

    CLASS = 0
    SAMPLES = 1
    FLOAT_RECALL = 2
    RECALL = 3
    RECALL_INTERVAL = 4
    RECALL_CHANGE = 5
    FLOAT_PRECISION = 6
    PRECISION = 7
    PRECISION_INTERVAL = 8
    PRECISION_CHANGE = 9
    FLOAT_IOU = 10
    IOU = 11
    IOU_INTERVAL = 12
    IOU_CHANGE = 13


CHANGES = (ClassColumn.RECALL_CHANGE, ClassColumn.PRECISION_CHANGE, ClassColumn.IOU_CHANGE)
INTERVALS = (
    ClassColumn.RECALL_INTERVAL,
    ClassColumn.PRECISION_INTERVAL,
    ClassColumn.IOU_INTERVAL,
)
OF_POSITIONS = (
    ClassColumn.FLOAT_IOU,
    ClassColumn.IOU,
    ClassColumn.IOU_INTERVAL,
    ClassColumn.IOU_CHANGE,
)


@dataclass(frozen=True, slots=True)
class _Head:
    title: str
    tip: str
    show: Callable[[ClassRow], str]
    key: Callable[[ClassRow], Key]
    hint: Callable[[ClassRow], str] = lambda _row: ""


def _share_head(title: str, tip: str, pick: Callable[[ClassRow], ClassShare | None]) -> _Head:
    def show(row: ClassRow) -> str:
        share = pick(row)
        return text.NONE if share is None else f"{share.value:.{DIGITS}f}"

    def hint(row: ClassRow) -> str:
        share = pick(row)
        if share is None:
            return ""
        where = "" if share.samples is None else f" in {text.counted(share.samples, 'sample')}"
        return f"95 % interval: {_ends(share)} %, of {text.count(share.of)}{where}"

    return _Head(title, tip, show, lambda row: _key(pick(row)), hint)


def _interval_head(pick: Callable[[ClassRow], ClassShare | None]) -> _Head:
    def show(row: ClassRow) -> str:
        share = pick(row)
        return text.NONE if share is None else _ends(share)

    def key(row: ClassRow) -> Key:
        share = pick(row)
        return () if share is None else (share.high - share.low,)

    tip = "Wilson's 95 % interval in percent: what so few samples can tell of all samples alike"
    return _Head("95 % interval", tip, show, key)


def _change_head(of: str, pick: Callable[[ClassRow], float | None]) -> _Head:
    def show(row: ClassRow) -> str:
        change = pick(row)
        return text.NONE if change is None else text.signed(change, DIGITS)

    def key(row: ClassRow) -> Key:
        change = pick(row)
        others = (row.iou_change, row.recall_change, row.precision_change)
        return () if change is None else (change, *(other or 0.0 for other in others))

    return _Head("Change", f"{of}: quantized minus float, in points", show, key)


def _ends(share: ClassShare) -> str:
    return f"{share.low:.1f} \N{EN DASH} {share.high:.1f}"


def _key(share: ClassShare | None) -> Key:
    return () if share is None else (share.value,)


_RECALL = "Recall: the share of the class's samples that are recognised, in percent"
_PRECISION = "Precision: the share of the answers for the class that are right, in percent"
_IOU = "IoU: the share of what is labelled or answered as the class that is both, in percent"
_CLUSTERED = (
    "95 % interval in percent over samples, not positions: those of one sample are alike. "
    "A ratio of means, its variance by the delta method; fewer than 3 samples tell nothing"
)
HEADS: dict[ClassColumn, _Head] = {
    ClassColumn.CLASS: _Head(
        "Class", "The class's number and name", lambda r: r.name, lambda r: (float(r.index),)
    ),
    ClassColumn.SAMPLES: _Head(
        "Samples",
        "How many of the samples seen have this label, be it at one position",
        lambda r: text.count(r.samples),
        lambda r: (float(r.samples),),
    ),
    ClassColumn.FLOAT_RECALL: _share_head(
        "Recall: float", f"{_RECALL}, in float", lambda r: r.float_recall
    ),
    ClassColumn.RECALL: _share_head("Quantized", f"{_RECALL}, quantized", lambda r: r.recall),
    ClassColumn.RECALL_INTERVAL: _interval_head(lambda r: r.recall),
    ClassColumn.RECALL_CHANGE: _change_head("Recall", lambda r: r.recall_change),
    ClassColumn.FLOAT_PRECISION: _share_head(
        "Precision: float", f"{_PRECISION}, in float", lambda r: r.float_precision
    ),
    ClassColumn.PRECISION: _share_head(
        "Quantized", f"{_PRECISION}, quantized", lambda r: r.precision
    ),
    ClassColumn.PRECISION_INTERVAL: _interval_head(lambda r: r.precision),
    ClassColumn.PRECISION_CHANGE: _change_head("Precision", lambda r: r.precision_change),
    ClassColumn.FLOAT_IOU: _share_head("IoU: float", f"{_IOU}, in float", lambda r: r.float_iou),
    ClassColumn.IOU: _share_head("Quantized", f"{_IOU}, quantized", lambda r: r.iou),
    ClassColumn.IOU_INTERVAL: _interval_head(lambda r: r.iou),
    ClassColumn.IOU_CHANGE: _change_head("IoU", lambda r: r.iou_change),
}


class ClassModel(QAbstractTableModel):
    """Rows of `class_rows`; what is not known is sorted to the end."""

    def __init__(self, parent: QObject | None = None) -> None:
        """Empty until `show_rows`."""
        super().__init__(parent)
        self._all: tuple[ClassRow, ...] = ()
        self.rows: list[ClassRow] = []
        self._words = ""
        self._column, self._order = ClassColumn.RECALL_CHANGE, Qt.SortOrder.AscendingOrder
        self._palette = LIGHT
        self.of_positions = False  # whether positions have classes, not samples

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette

    def show_rows(self, rows: tuple[ClassRow, ...]) -> None:
        """Replace the rows; order and filter stay."""
        self._all = rows
        self._arrange()

    def filter(self, words: str) -> None:
        """Show only classes with these words in their name."""
        self._words = words.strip().lower()
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order by a column; equal rows in the order of their classes."""
        self._column, self._order = ClassColumn(column), order
        self._arrange()

    def _arrange(self) -> None:
        key, down = HEADS[self._column].key, self._order == Qt.SortOrder.DescendingOrder
        found = [row for row in self._all if self._words in row.name.lower()]
        found.sort(key=lambda row: row.index)
        known = sorted((row for row in found if key(row)), key=key, reverse=down)
        self.beginResetModel()
        self.rows = known + [row for row in found if not key(row)]
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Qt asks."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Qt asks."""
        return 0 if parent is not None and parent.isValid() else len(ClassColumn)

    def data(self, index: Index, role: int = Roles.DisplayRole) -> Any:
        """What a cell shows."""
        row, column = self.rows[index.row()], ClassColumn(index.column())
        head = HEADS[column]
        if role == Roles.DisplayRole:
            return head.show(row)
        if role == Roles.TextAlignmentRole:
            return _align(column)
        if role == Roles.ForegroundRole:
            return QColor(self._color(row, column))
        if role == Roles.ToolTipRole:
            return head.hint(row) or head.tip
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Roles.DisplayRole
    ) -> Any:
        """The titles, and what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = ClassColumn(section)
        clustered = self.of_positions and column in INTERVALS
        shown: dict[int, str] = {
            Roles.DisplayRole: HEADS[column].title,
            Roles.ToolTipRole: _CLUSTERED if clustered else HEADS[column].tip,
        }
        if role == Roles.TextAlignmentRole:
            return _align(column)
        return shown.get(role)

    def _color(self, row: ClassRow, column: ClassColumn) -> str:
        p = self._palette
        plain = (ClassColumn.CLASS, ClassColumn.RECALL, ClassColumn.PRECISION, ClassColumn.IOU)
        if column in plain:
            return p.text
        if column not in CHANGES:
            return p.text_soft
        key = HEADS[column].key(row)
        change = round(key[0], DIGITS) if key else 0.0
        return p.text_faint if not change else p.bad if change < 0 else p.good


def _align(column: ClassColumn) -> Qt.AlignmentFlag:
    return LEFT if column == ClassColumn.CLASS else RIGHT
