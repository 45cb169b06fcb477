"""The layers of an exported file: onnxruntime's outputs against ours, in the graph's order."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from qviz.app.export_view import LAYER_HEADINGS, LayerLine
from qviz.ui.fonts import ui_font
from qviz.ui.layer_header import LayerHeader
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.short_names import Run, fitting, runs_of

Index = QModelIndex | QPersistentModelIndex
Roles = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
ROW_HEIGHT = 26
WIDTHS = {"#": 38, "Op": 60, "LSB": 68, "Of rms": 64, "Alone": 64, "Other codes": 128, "Ulps": 64}
NAMES, OPS = 1, 2  # columns; that of the layers' names takes what is left
WIDEST_OP = 104
PADDING = 16  # of a cell, both sides


class ExportLayerModel(QAbstractTableModel):
    """Texts of `ExportView.layers`."""

    def __init__(self) -> None:
        """Empty until `show_layers`."""
        super().__init__()
        self.lines: tuple[LayerLine, ...] = ()
        self.colors = LIGHT
        self.names: dict[str, tuple[Run, ...]] = {}  # cut where they may be shortened

    def show_layers(self, lines: tuple[LayerLine, ...]) -> None:
        """Replace the rows."""
        self.beginResetModel()
        self.lines = lines
        self.names = runs_of(line.cells[NAMES] for line in lines)
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Qt asks."""
        return 0 if parent is not None and parent.isValid() else len(self.lines)

    def columnCount(self, parent: Index | None = None) -> int:
        """Qt asks."""
        return 0 if parent is not None and parent.isValid() else len(LAYER_HEADINGS)

    def data(self, index: Index, role: int = Roles.DisplayRole) -> Any:
        """What a cell shows."""
        line, column = self.lines[index.row()], index.column()
        if role == Roles.DisplayRole:
            return line.cells[column]
        if role == Roles.TextAlignmentRole:
            return _align(column)
        if role == Roles.ForegroundRole:
            p = self.colors
            return QColor(p.warn if line.first else p.text if column == NAMES else p.text_soft)
        if role == Roles.FontRole and line.first:
            return ui_font(12, "semibold")
        if role == Roles.ToolTipRole:
            if column == NAMES:
                first = ": the first that differs by more than float rounding"
                return line.cells[column] + (first if line.first else "")
            return LAYER_HEADINGS[column].tip
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Roles.DisplayRole
    ) -> Any:
        """The titles, and what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Roles.TextAlignmentRole:
            return _align(section)
        heading = LAYER_HEADINGS[section]
        shown: dict[int, str] = {Roles.DisplayRole: heading.title, Roles.ToolTipRole: heading.tip}
        return shown.get(role)


class NameDelegate(QStyledItemDelegate):
    """Shortens a name where it does not tell it from the others."""

    def __init__(self, layers: ExportLayerModel) -> None:
        """Of the rows of `layers`."""
        super().__init__(layers)
        self._layers = layers

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        """Qt asks what to paint."""
        super().initStyleOption(option, index)
        runs = self._layers.names[self._layers.lines[index.row()].cells[NAMES]]
        room = option.rect.width() - PADDING
        option.text = fitting(runs, room, option.fontMetrics.horizontalAdvance)


class ExportLayerTable(QTableView):
    """As wide as its place; scrolls down."""

    def __init__(self) -> None:
        """No layers."""
        super().__init__()
        self.layers = ExportLayerModel()
        self.layers.setParent(self)
        self.header = LayerHeader(self)
        self.setAccessibleName("Layers of the file")
        self.setHorizontalHeader(self.header)
        self.setModel(self.layers)
        self.setItemDelegateForColumn(NAMES, NameDelegate(self.layers))
        self.setFont(ui_font(12))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setStyleSheet("QTableView::item { padding: 0px 3px; }")
        vertical = self.verticalHeader()
        vertical.hide()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setDefaultSectionSize(ROW_HEIGHT)
        self.header.setSectionsClickable(False)  # in the graph's order: a cause comes first
        self.header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        for column, heading in enumerate(LAYER_HEADINGS):
            if heading.title in WIDTHS:
                self.header.resizeSection(column, WIDTHS[heading.title])
        self.header.setSectionResizeMode(NAMES, QHeaderView.ResizeMode.Stretch)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.layers.colors = palette
        self.header.palette_used = palette
        self.header.viewport().update()
        self.viewport().update()

    def show_layers(self, lines: tuple[LayerLine, ...]) -> None:
        """Replace the rows."""
        self.layers.show_layers(lines)
        wanted = self.sizeHintForColumn(OPS) + PADDING // 2
        self.header.resizeSection(OPS, min(WIDEST_OP, max(WIDTHS["Op"], wanted)))
        self.scrollToTop()


def _align(column: int) -> Qt.AlignmentFlag:
    return LEFT if LAYER_HEADINGS[column].words else RIGHT
