"""The layer table: a view of the layers with keys that edit them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    Qt,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView

from qviz.app.session import Session
from qviz.app.views import LayerRow, Role
from qviz.errors import QvizError
from qviz.ui.column_room import ColumnRoom
from qviz.ui.layer_columns import HEADS, SCHEME_COLUMNS, Column, cell_of, role_of
from qviz.ui.layer_delegates import LayerDelegate
from qviz.ui.layer_header import LayerHeader
from qviz.ui.layer_model import LayerModel
from qviz.ui.palette import Palette

ROW_HEIGHT = 28
HIDDEN = (Column.SHAPE, Column.PARAMETERS)  # until the header's menu shows it
MENU_BITS = (8, 6, 5, 4, 3, 2)
ROLE_WORDS: dict[Role, str] = {"weight": "weights", "input": "input activations"}


class LayerTable(QTableView):
    """Selects layers and edits their schemes; never loses the selection when values change."""

    picked = Signal()  # the current layer, the selection or the column changed
    failed = Signal(str)
    withdrawn = Signal(str)  # what failed before is given up or put right
    wants_menu = Signal(QPoint)

    def __init__(self, session: Session) -> None:
        """Empty until `refresh`."""
        super().__init__()
        self._session = session
        self._reached = ""  # the layer that [ or ] went to, until a row changes
        self.layers = LayerModel(self)
        self.delegate = LayerDelegate(self, session.completions, self.apply_scheme)
        self.delegate.withdrawn.connect(self.withdrawn)
        self.header = LayerHeader(self)
        self.setHorizontalHeader(self.header)
        self.setModel(self.layers)
        self.setItemDelegate(self.delegate)
        self._set_up()
        self.header.column_chosen.connect(self._column_chosen)
        self.header.sortIndicatorChanged.connect(self.layers.sort)
        self.header.setSortIndicator(Column.INDEX, Qt.SortOrder.AscendingOrder)
        self.layers.dataChanged.connect(self._forget_walk)
        self.layers.modelReset.connect(self._forget_walk)
        self.selectionModel().selectionChanged.connect(lambda: self.picked.emit())
        self.selectionModel().currentChanged.connect(lambda: self.picked.emit())

    def _set_up(self) -> None:
        self.setAccessibleName("Layers")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setMinimumWidth(400)
        vertical = self.verticalHeader()
        vertical.hide()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setDefaultSectionSize(ROW_HEIGHT)
        self.room = ColumnRoom(self.header)
        for column in HIDDEN:
            self.header.setSectionHidden(column, True)
        self.header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        self.header.keep = (Column.NAME, Column.WEIGHT, Column.INPUT)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.delegate.set_palette(palette)
        self.header.palette_used = palette
        self.header.viewport().update()
        self.viewport().update()

    # rows

    def refresh(self) -> None:
        """Show the Session's rows; the same layers stay selected."""
        names, current = self._selected_names(), self.current_row()
        column = max(0, self.currentIndex().column())
        if self.layers.show_rows(self._session.rows()):
            self._select(names or set(), current.name if current else "", column)
            self.room.forget_dragged()
        self._share_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Names and operators share what the other columns leave."""
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        self.room.share(self._session.rows(), self.viewport().width())

    def _column_chosen(self, column: int) -> None:
        self.room.chosen |= {column}
        self._share_room()

    def set_filter(self, pattern: str) -> None:
        """Show matching layers only. Raises re.error for a bad expression."""
        names, current = self._selected_names(), self.current_row()
        column = max(0, self.currentIndex().column())
        self.layers.set_filter(pattern)
        self._select(names, current.name if current else "", column)

    def _selected_names(self) -> set[str]:
        return {row.name for row in self.selected_rows()}

    def _select(self, names: set[str], current: str, column: int) -> None:
        if self.layers.rowCount() == 0:
            self.picked.emit()
            return
        at = self.layers.position_of(current)
        start = self.layers.index(at if at is not None else 0, column)
        selection = self.selectionModel()
        flag = QItemSelectionModel.SelectionFlag
        selection.setCurrentIndex(start, flag.ClearAndSelect | flag.Rows)
        for name in names:
            position = self.layers.position_of(name)
            if position is not None:
                selection.select(self.layers.index(position, 0), flag.Select | flag.Rows)
        self.scrollTo(start)

    def current_row(self) -> LayerRow | None:
        """The layer under the cursor."""
        index = self.currentIndex()
        return self.layers.row_at(index.row()) if index.isValid() else None

    def current_role(self) -> Role:
        """Weights, unless the cursor is in a column of the inputs."""
        return role_of(self.currentIndex().column())

    def selected_rows(self) -> list[LayerRow]:
        """The selected layers in view order."""
        positions = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.layers.row_at(position) for position in positions]

    def selected_slots(self, role: Role) -> tuple[str, ...]:
        """The slots of a role in the selection."""
        cells = (cell_of(row, role) for row in self.selected_rows())
        return tuple(slot for cell in cells if cell for slot in cell.slots)

    def go_to(self, name: str) -> bool:
        """Make a layer the current one; False when it is not shown."""
        position = self.layers.position_of(name)
        if position is None:
            return False
        index = self.layers.index(position, max(0, self.currentIndex().column()))
        flag = QItemSelectionModel.SelectionFlag  # not the view's own, which heeds held keys
        self.selectionModel().setCurrentIndex(index, flag.ClearAndSelect | flag.Rows)
        self.scrollTo(index)
        return True

    def go_worse(self) -> None:
        """Go to the worst layer; on a walk with `go_better`, one layer back to it."""
        ranking, rank = self._rank()
        walking = rank is not None and ranking[rank] == self._reached
        self._reach(ranking, rank - 1 if rank is not None and walking else 0)

    def go_better(self) -> None:
        """Go to the next less bad layer; from one that has no rank, to the second worst."""
        ranking, rank = self._rank()
        self._reach(ranking, 1 if rank is None else rank + 1)

    def _rank(self) -> tuple[list[str], int | None]:
        """The layers with the worst first, and where the current one stands."""
        ranking, current = self.layers.worst_first(), self.current_row()
        known = current is not None and current.name in ranking
        return ranking, ranking.index(current.name) if current and known else None

    def _reach(self, ranking: list[str], rank: int) -> None:
        if ranking:
            self._reached = ranking[min(max(0, rank), len(ranking) - 1)]
            self.go_to(self._reached)

    def _forget_walk(self) -> None:
        self._reached = ""

    # edits

    def apply_scheme(self, name: str, role: Role, spelling: str) -> str:
        """Give a layer, and those selected with it, a scheme; returns what is wrong with it."""
        rows = self.selected_rows()
        if name not in {row.name for row in rows}:
            position = self.layers.position_of(name)
            rows = [] if position is None else [self.layers.row_at(position)]
        cells = (cell_of(row, role) for row in rows)
        slots = [slot for cell in cells if cell for slot in cell.slots]
        return self._edit(lambda: self._session.set_scheme(slots, spelling.strip()))

    def set_bits(self, bits: int) -> None:
        """Set the bits of the selection, in the role of the cursor's column."""
        role = self.current_role()
        slots = self.selected_slots(role)
        if slots:
            self._edit(lambda: self._session.set_bits(slots, bits))
        else:
            other = "A" if role == "weight" else "W"
            self.failed.emit(
                f"The selected layers have no {ROLE_WORDS[role]}: move to the {other} column."
            )

    def reset_selection(self) -> None:
        """Back to the plan's defaults, weights and inputs."""
        slots = (*self.selected_slots("weight"), *self.selected_slots("input"))
        if slots:
            self._edit(lambda: self._session.reset(slots))

    def _edit(self, edit: Callable[[], None]) -> str:
        try:
            edit()
        except QvizError as error:
            self.failed.emit(str(error))
            return str(error)
        return ""

    def copy_rows(self) -> None:
        """The selected rows with their titles, tab-separated, to the clipboard."""
        lines = ["\t".join(HEADS[column].title for column in Column)]
        lines += [
            "\t".join(self.layers.shown(row, column) for column in Column)
            for row in self.selected_rows()
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def edit_current(self) -> None:
        """Open the editor of the scheme under the cursor, or of W."""
        index = self.currentIndex()
        if not index.isValid():
            return
        if index.column() not in SCHEME_COLUMNS:
            column = Column.INPUT if self.current_role() == "input" else Column.WEIGHT
            index = self.layers.index(index.row(), column)
        if index.flags() & Qt.ItemFlag.ItemIsEditable:
            flag = QItemSelectionModel.SelectionFlag.NoUpdate
            self.selectionModel().setCurrentIndex(index, flag)
            self.edit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Digits set bits; Enter and F2 edit."""
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        digit = event.text()
        if plain and len(digit) == 1 and digit in "023456789":
            self.set_bits(int(digit))
        elif plain and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self.edit_current()
        else:
            super().keyPressEvent(event)

    def selectionCommand(
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        """Left and right move the cursor along the row without giving up the selection."""
        if isinstance(event, QKeyEvent) and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            return QItemSelectionModel.SelectionFlag.NoUpdate
        return super().selectionCommand(index, event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the selection."""
        self.wants_menu.emit(event.globalPos())

    def add_bits_menu(self, menu: QMenu) -> None:
        """Entries that set the bits of the selection."""
        role = self.current_role()
        slots = self.selected_slots(role)
        part = menu.addMenu(f"Bits of the {ROLE_WORDS[role]}")
        part.setEnabled(bool(slots))
        for bits in MENU_BITS:
            part.addAction(f"{bits} bits\t{bits}").triggered.connect(
                lambda _=False, value=bits: self.set_bits(value)
            )
        part.addSeparator()
        part.addAction("Float\t0").triggered.connect(lambda: self.set_bits(0))
