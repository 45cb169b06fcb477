"""Recall and precision by class: a table beside the window that follows the plan."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from qviz.app.class_table import Answers, class_rows
from qviz.app.views import Strip
from qviz.ui import number_format as text
from qviz.ui.class_model import HEADS, OF_POSITIONS, ClassColumn, ClassModel
from qviz.ui.fonts import ui_font
from qviz.ui.layer_header import LayerHeader
from qviz.ui.palette import Palette
from qviz.ui.parts import Card, ElidedLabel

SIZE = QSize(940, 560)
WIDE = QSize(1224, 560)  # of positions, which have an IoU too
ROW_HEIGHT = 28
WIDTHS: dict[ClassColumn, int] = {
    ClassColumn.SAMPLES: 64,
    ClassColumn.FLOAT_RECALL: 88,
    ClassColumn.RECALL: 76,
    ClassColumn.RECALL_INTERVAL: 94,
    ClassColumn.RECALL_CHANGE: 70,
    ClassColumn.FLOAT_PRECISION: 106,
    ClassColumn.PRECISION: 76,
    ClassColumn.PRECISION_INTERVAL: 94,
    ClassColumn.PRECISION_CHANGE: 70,
    ClassColumn.FLOAT_IOU: 74,
    ClassColumn.IOU: 76,
    ClassColumn.IOU_INTERVAL: 94,
    ClassColumn.IOU_CHANGE: 70,
}


class ClassDialog(QDialog):
    """Does not block the window: what the plan does to every class is seen while it changes."""

    def __init__(self, parent: QWidget, palette: Palette) -> None:
        """Empty until `show_strip`."""
        super().__init__(parent)
        self._answers: Answers | None = None
        self.setFont(ui_font(13))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.classes = ClassModel(self)
        self.table, self.header = QTableView(), LayerHeader(self)
        self.summary = ElidedLabel(12, tone="soft")
        self.filter_line = QLineEdit()
        self.filter_line.setPlaceholderText("Find a class")
        self.filter_line.setClearButtonEnabled(True)
        self.filter_line.setFixedWidth(200)
        self.filter_line.textChanged.connect(self.classes.filter)
        self._assemble()
        self._set_up_table()
        self.set_palette(palette)
        self.resize(SIZE)

    def _set_up_table(self) -> None:
        table = self.table
        table.setAccessibleName("Classes")
        table.setHorizontalHeader(self.header)
        table.setModel(self.classes)
        table.setFont(ui_font(13))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setStyleSheet("QTableView::item { padding: 0px 3px; }")
        table.installEventFilter(self)
        vertical = table.verticalHeader()
        vertical.hide()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setDefaultSectionSize(ROW_HEIGHT)
        for column, width in WIDTHS.items():
            self.header.resizeSection(column, width)
        self.header.setSectionResizeMode(ClassColumn.CLASS, QHeaderView.ResizeMode.Stretch)
        self.header.sortIndicatorChanged.connect(self.classes.sort)
        self.header.setSortIndicator(ClassColumn.RECALL_CHANGE, Qt.SortOrder.AscendingOrder)
        self._show_iou(False)

    def _assemble(self) -> None:
        card = Card("")
        self.title = card.title
        card.header.addSpacing(8)
        card.header.addWidget(self.summary, 1)
        card.header.addWidget(self.filter_line)
        card.body.addWidget(self.table)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)  # not by Enter
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(12)
        column.addWidget(card, 1)
        column.addWidget(buttons)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.classes.set_palette(palette)
        self.header.palette_used = palette
        self.header.viewport().update()
        self.table.viewport().update()

    def _show_iou(self, shown: bool) -> None:
        measures = "Recall, precision and IoU" if shown else "Recall and precision"
        self.title.setText(f"{measures} by class")
        self.setWindowTitle(f"{measures} by Class".replace("precision", "Precision"))
        self.header.keep = (ClassColumn.CLASS,) if shown else (ClassColumn.CLASS, *OF_POSITIONS)
        for column in OF_POSITIONS:
            self.table.setColumnHidden(column, not shown)

    def _take_positions(self, of_positions: bool) -> None:
        """Positions have an IoU, by whose change they are sorted at first."""
        self.classes.of_positions = of_positions
        self._show_iou(of_positions)
        column = ClassColumn.IOU_CHANGE if of_positions else ClassColumn.RECALL_CHANGE
        self.header.setSortIndicator(column, Qt.SortOrder.AscendingOrder)
        self.resize(WIDE if of_positions else SIZE)

    def show_strip(self, strip: Strip) -> None:
        """The classes of what the strip shows; none while it shows nothing."""
        if strip.answers != self._answers:
            self._answers = strip.answers
            if strip.answers and strip.answers.of_positions != self.classes.of_positions:
                self._take_positions(strip.answers.of_positions)
            chosen = self._chosen()
            self.classes.show_rows(() if strip.answers is None else class_rows(strip.answers))
            self._choose(chosen)
        self.summary.setText(_summary(strip))

    def _chosen(self) -> int | None:
        at = self.table.currentIndex()
        return self.classes.rows[at.row()].index if at.isValid() else None

    def _choose(self, wanted: int | None) -> None:
        for at, row in enumerate(self.classes.rows):
            if row.index == wanted:
                self.table.selectRow(at)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ctrl+C copies the selected rows, or all, with their titles as TSV."""
        copies = isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Copy)
        if watched is self.table and event.type() == QEvent.Type.KeyPress and copies:
            QGuiApplication.clipboard().setText(self.copied())
            return True
        return super().eventFilter(watched, event)

    def copied(self) -> str:
        """The selected rows, or all, with their titles, tab-separated."""
        rows = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        chosen = [self.classes.rows[at] for at in rows] or self.classes.rows
        columns = [at for at in ClassColumn if not self.table.isColumnHidden(at)]
        lines = [[_spoken(column) for column in columns]]
        lines += [[HEADS[column].show(row) for column in columns] for row in chosen]
        return "\n".join("\t".join(line) for line in lines) + "\n"


def _spoken(column: ClassColumn) -> str:
    """A title that needs no neighbor: "Recall: quantized"."""
    title = HEADS[column].title
    if column <= ClassColumn.SAMPLES or ":" in title:
        return title
    if column > ClassColumn.FLOAT_IOU:
        return f"IoU: {title.lower()}"
    of = "Recall" if column < ClassColumn.FLOAT_PRECISION else "Precision"
    return f"{of}: {title.lower()}"


def _summary(strip: Strip) -> str:
    if strip.answers is None:
        return "Nothing is measured of samples that have classes"
    if strip.stale:
        return "The plan changed: measuring again"
    seen = text.counted(strip.samples, "sample")
    if strip.samples < strip.total:
        seen = f"{text.count(strip.samples)} of {text.counted(strip.total, 'sample')} so far"
    of = "percent of their positions, intervals over samples"
    return f"{seen} ({strip.part}), in {of if strip.answers.of_positions else 'percent'}"
