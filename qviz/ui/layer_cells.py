"""How the layer table's cells are painted: text, and the bar or marks of the column."""

from __future__ import annotations

import math

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from qviz.app.views import Cell, CellCost, LayerRow
from qviz.ui.fonts import ui_font
from qviz.ui.layer_columns import SCHEME_COLUMNS, SQNR_COLUMNS, Column, cell_of
from qviz.ui.layer_model import LayerModel
from qviz.ui.palette import LIGHT, Palette, error_color
from qviz.ui.short_names import fitting, short_scheme

Index = QModelIndex | QPersistentModelIndex
PADDING = 6
LINK = 16  # the width of the two rings
BAR_HEIGHT = 3
DASH, GAP = 3.0, 2.0  # of the bar of a guess
WIDEST_GLYPH = 11  # pixels; shorter texts need not be measured
FULL_BAR_DB = 60.0  # an SQNR that fills its bar


class LayerCells:
    """Paints every cell of the table."""

    def __init__(self) -> None:
        """In the light theme."""
        self._palette = LIGHT
        self._colors: dict[str, QColor] = {}
        self._regular = ui_font(12)
        self._strong = ui_font(12, "semibold")

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self._colors.clear()

    def _color(self, name: str) -> QColor:
        """A color object per token: making one for each cell costs more than painting it."""
        color = self._colors.get(name)
        if color is None:
            color = self._colors[name] = QColor(name)
        return color

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, model: LayerModel, index: Index
    ) -> None:
        """Ground, text, and the bar or marks of the column."""
        row, column = model.row_at(index.row()), Column(index.column())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, option, column)
        if column in SCHEME_COLUMNS:
            self._paint_scheme(painter, option, cell_of(row, SCHEME_COLUMNS[column]))
        elif column in SQNR_COLUMNS:
            self._paint_sqnr(painter, option, cell_of(row, SQNR_COLUMNS[column]), str(index.data()))
        elif column == Column.SENSITIVITY:
            self._paint_cost(painter, option, row.sensitivity, str(index.data()))
        else:
            self._paint_plain(painter, option, row, model, index)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, column: Column
    ) -> None:
        p, rect = self._palette, option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, self._color(p.accent_soft))
            if column == Column.INDEX:
                painter.fillRect(rect.left(), rect.top(), 3, rect.height(), self._color(p.accent))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, self._color(p.sunken))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(self._color(p.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(1.5, 1.5, -1.5, -1.5), 4, 4)

    def _paint_plain(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        row: LayerRow,
        model: LayerModel,
        index: Index,
    ) -> None:
        p, column = self._palette, Column(index.column())
        color = p.text if column == Column.NAME else p.text_soft
        if column == Column.INDEX:
            color = p.text_faint
        align = index.data(Qt.ItemDataRole.TextAlignmentRole)
        shown = str(index.data())
        if column == Column.NAME:
            shown = self._short(painter, option, model, shown)
        self._text(painter, option, shown, color, align)
        if column == Column.SIZE and row.size_bytes:
            self._bar(painter, option, row.size_share, p.float_line)

    def _short(
        self, painter: QPainter, option: QStyleOptionViewItem, model: LayerModel, name: str
    ) -> str:
        room = option.rect.width() - 2 * PADDING - 1  # advances are rounded
        if len(name) * WIDEST_GLYPH <= room:
            return name
        painter.setFont(self._regular)
        return fitting(model.runs(name), room, painter.fontMetrics().horizontalAdvance)

    def _paint_scheme(
        self, painter: QPainter, option: QStyleOptionViewItem, cell: Cell | None
    ) -> None:
        p = self._palette
        if cell is None:
            return
        color = p.text_faint if cell.scheme == "float" else p.text
        font = self._strong if cell.overridden else self._regular
        room = QRectF(option.rect).adjusted(0, 0, PADDING - 2, 0)  # the text may come near the end
        if cell.shared_with:
            self._link(painter, room.right() - PADDING - 14, room.center().y())
            room.setRight(room.right() - LINK)
        if cell.overridden:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._color(p.accent))
            painter.drawEllipse(QRectF(room.left(), room.center().y() - 2, 4, 4))
        align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        shown, inside = cell.scheme, room.width() - 2 * PADDING
        if len(shown) * WIDEST_GLYPH > inside:  # the tooltip has all of it
            painter.setFont(font)
            shown = short_scheme(shown, inside, painter.fontMetrics().horizontalAdvance)
        end = Qt.TextElideMode.ElideRight
        self._text(painter, option, shown, color, align, font, room, end)

    def _link(self, painter: QPainter, left: float, middle: float) -> None:
        """Two joined rings: this quantizer is shared."""
        painter.setPen(QPen(self._color(self._palette.text_faint), 1.3))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for x in (left, left + 4.5):
            painter.drawRoundedRect(QRectF(x, middle - 2.5, 6.5, 5), 2.5, 2.5)

    def _paint_sqnr(
        self, painter: QPainter, option: QStyleOptionViewItem, cell: Cell | None, shown: str
    ) -> None:
        p = self._palette
        if cell is None:
            return
        known = cell.sqnr_db is not None
        align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        exact = known and math.isinf(cell.sqnr_db or 0.0)
        color = p.text if known and not exact else p.text_faint
        self._text(painter, option, shown, color, align)
        if cell.sqnr_db is not None and not exact:
            share = min(1.0, max(0.04, cell.sqnr_db / FULL_BAR_DB))
            self._bar(painter, option, share, error_color(p, cell.sqnr_db))

    def _paint_cost(
        self, painter: QPainter, option: QStyleOptionViewItem, cost: CellCost | None, shown: str
    ) -> None:
        """A guess is paler, and its bar is dashed."""
        p = self._palette
        if cost is None:
            return
        align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self._text(painter, option, shown, p.text_faint if cost.guessed else p.text, align)
        color = p.ramp[round(cost.share * (len(p.ramp) - 1))]
        self._bar(painter, option, cost.share, color, dashed=cost.guessed)

    def _bar(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        share: float,
        color: str,
        dashed: bool = False,
    ) -> None:
        rect = option.rect
        track = QRectF(
            rect.left() + PADDING,
            rect.bottom() - BAR_HEIGHT - 2,
            rect.width() - 2 * PADDING,
            BAR_HEIGHT,
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._color(self._palette.line))
        painter.drawRoundedRect(track, 1.5, 1.5)
        if share <= 0.0:
            return
        painter.setBrush(self._color(color))
        track.setWidth(max(2.0, track.width() * min(1.0, share)))
        if not dashed:
            painter.drawRoundedRect(track, 1.5, 1.5)
            return
        for dash in range(math.ceil(track.width() / (DASH + GAP))):
            left = track.left() + dash * (DASH + GAP)
            width = min(DASH, track.right() - left)
            painter.fillRect(QRectF(left, track.top(), width, track.height()), painter.brush())

    def _text(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        shown: str,
        color: str,
        align: Qt.AlignmentFlag,
        font: QFont | None = None,
        rect: QRectF | None = None,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
    ) -> None:
        painter.setFont(font or self._regular)
        painter.setPen(self._color(color))
        room = (rect or QRectF(option.rect)).adjusted(PADDING, 0, -PADDING, 0)
        if len(shown) * WIDEST_GLYPH > room.width():
            shown = painter.fontMetrics().elidedText(shown, elide, math.ceil(room.width()))
        painter.drawText(room, int(align), shown)
