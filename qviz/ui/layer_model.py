"""The layer table's values, sorted and filtered. Holds rows as the Session made them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from qviz.app.views import LayerRow
from qviz.ui.layer_columns import HEADS, SCHEME_COLUMNS, Column, cell_of, tooltip
from qviz.ui.layer_cost import measured_words
from qviz.ui.short_names import Run, runs_of

Index = QModelIndex | QPersistentModelIndex
Roles = Qt.ItemDataRole


class LayerModel(QAbstractTableModel):
    """Rows in view order: filtered, then sorted. Values change in place, without a reset."""

    def __init__(self, parent: QObject | None = None) -> None:
        """No rows."""
        super().__init__(parent)
        self._rows: tuple[LayerRow, ...] = ()
        self._shown: list[int] = []
        self._borrowing: frozenset[str] = frozenset()  # layers with weights of an earlier one
        self._runs: dict[str, tuple[Run, ...]] = {}  # of every name, to shorten it by
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
            self._runs = runs_of(row.name for row in rows)
            self._borrowing = _borrowing(rows)
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

    def shown(self, row: LayerRow, column: Column) -> str:
        """What a cell of a row shows."""
        if column == Column.SIZE and row.name in self._borrowing:
            return "shared"
        return HEADS[column].show(row)

    def runs(self, name: str) -> tuple[Run, ...]:
        """What a layer's name is made of."""
        return self._runs[name]

    def position_of(self, name: str) -> int | None:
        """Where a layer stands in the view; None when it is filtered out."""
        for position, index in enumerate(self._shown):
            if self._rows[index].name == name:
                return position
        return None

    def total(self) -> int:
        """How many layers there are, shown or not."""
        return len(self._rows)

    def worst_first(self) -> list[str]:
        """Names of the shown layers: by sensitivity where it is known, then by the lowest SQNR."""
        found = ((_rank(self._rows[i]), self._rows[i].name) for i in self._shown)
        ranked = [(rank, name) for rank, name in found if rank is not None]
        return [name for _, name in sorted(ranked, key=lambda pair: pair[0])]

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
            found = measured_words(self._rows) if section == Column.SENSITIVITY else ""
            return f"{found}\n{head.tip}".lstrip()
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
            return self.shown(row, column)
        if role == Roles.TextAlignmentRole:
            return HEADS[column].align
        if role == Roles.ToolTipRole:
            return tooltip(row, column)
        return None


def _rank(row: LayerRow) -> tuple[int, float] | None:
    """What the worst layers are sorted by; None of a layer of which nothing is known to be bad."""
    if row.sensitivity is not None:
        return 0, -row.sensitivity.value
    cells = (row.weight, row.input)
    sqnr = min((c.sqnr_db for c in cells if c and c.sqnr_db is not None), default=math.inf)
    return (1, sqnr) if sqnr < math.inf else None


def _borrowing(rows: tuple[LayerRow, ...]) -> frozenset[str]:
    """The layers whose weights count in the row of an earlier one."""
    order = {row.name: row.index for row in rows}
    return frozenset(
        row.name
        for row in rows
        if row.weight and any(order[name] < row.index for name in row.weight.shared_with)
    )


def _matcher(pattern: str) -> Callable[[LayerRow], bool]:
    if pattern.startswith("re:"):
        expression = re.compile(pattern[3:], re.IGNORECASE)
        return lambda row: bool(expression.search(row.name) or expression.search(row.op))
    words = pattern.lower().split()
    return lambda row: all(word in f"{row.name} {row.op}".lower() for word in words)
