"""The layer table's header: titles with a caret at the column that sorts."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QHeaderView, QMenu, QWidget

from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette

PADDING = 6  # left and right of a title, as in the cells


class LayerHeader(QHeaderView):
    """Paints its own sections, so that title and caret fit narrow columns."""

    column_chosen = Signal(int)  # shown or hidden by its menu

    def __init__(self, parent: QWidget) -> None:
        """A horizontal header that can be clicked to sort and dragged to resize."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.palette_used: Palette = LIGHT
        self.setSectionsClickable(True)
        self.setHighlightSections(False)
        self.setMinimumSectionSize(26)
        self.setFixedHeight(30)
        self.setSortIndicatorShown(True)
        self.setMouseTracking(True)
        self.keep: tuple[int, ...] = ()  # columns that cannot be hidden
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(
            lambda at: self.columns_menu().popup(self.mapToGlobal(at))
        )

    def columns_menu(self) -> QMenu:
        """Which columns are shown."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setFont(ui_font(13))
        menu.setToolTipsVisible(True)
        for column in range(self.count()):
            if column in self.keep:
                continue
            action = menu.addAction(str(self.model().headerData(column, self.orientation())))
            tip = self.model().headerData(column, self.orientation(), Qt.ItemDataRole.ToolTipRole)
            action.setToolTip(str(tip or ""))
            action.setCheckable(True)
            action.setChecked(not self.isSectionHidden(column))
            action.toggled.connect(partial(self._show_column, column))
        return menu

    def _show_column(self, column: int, shown: bool) -> None:
        self.setSectionHidden(column, not shown)
        self.column_chosen.emit(column)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """Title, aligned as the column's cells, and a caret when it sorts."""
        p = self.palette_used
        model = self.model()
        align = model.headerData(section, self.orientation(), Qt.ItemDataRole.TextAlignmentRole)
        shown = str(model.headerData(section, self.orientation()))
        sorts = section == self.sortIndicatorSection()
        painter.save()
        painter.fillRect(rect, QColor(p.card))
        painter.setPen(QColor(p.line))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.setFont(ui_font(11, "semibold" if sorts else "medium"))
        painter.setPen(QColor(p.text if sorts else p.text_faint))
        room = rect.adjusted(PADDING, 0, -PADDING, 0)
        fitting = painter.fontMetrics().elidedText(
            shown, Qt.TextElideMode.ElideRight, room.width() + 1
        )
        painter.drawText(room, int(align), fitting)
        if sorts:
            self._caret(painter, rect)
        painter.restore()

    def _caret(self, painter: QPainter, rect: QRect) -> None:
        up = self.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
        middle, top = rect.center().x() + 0.5, rect.top() + 3.5
        tip, base = (top, top + 3.5) if up else (top + 3.5, top)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self.palette_used.accent), 1.5))
        points = [QPointF(middle - 4, base), QPointF(middle, tip), QPointF(middle + 4, base)]
        painter.drawPolyline(QPolygonF(points))
