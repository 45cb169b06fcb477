"""How the layer table's cells are painted and how a scheme is edited in place."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    QStringListModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QCompleter,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from qviz.app.views import Cell, LayerRow, Role
from qviz.ui.fonts import ui_font
from qviz.ui.layer_columns import SCHEME_COLUMNS, SQNR_COLUMNS, Column, cell_of
from qviz.ui.layer_model import LayerModel
from qviz.ui.palette import LIGHT, Palette, error_color
from qviz.ui.parts import set_look
from qviz.ui.short_names import fitting, short_scheme

Index = QModelIndex | QPersistentModelIndex
PADDING = 6
LINK = 16  # the width of the two rings
BAR_HEIGHT = 3
WIDEST_GLYPH = 11  # pixels; shorter texts need not be measured
FULL_BAR_DB = 60.0  # an SQNR that fills its bar


# Gives the layer named first, and those selected with it, a scheme for the role by its spelling;
# returns "" or what is wrong with it.
Apply = Callable[[str, Role, str], str]


class LayerDelegate(QStyledItemDelegate):
    """Paints every cell; edits the scheme columns with completion."""

    withdrawn = Signal(str)  # the complaint about an edit that is given up or put right

    def __init__(
        self, parent: QObject, completions: Callable[[Role, str], tuple[str, ...]], apply: Apply
    ) -> None:
        """`completions` gives the spellings for a role and what is typed; `apply` edits."""
        super().__init__(parent)
        self._completions = completions
        self._apply = apply
        self._edited = ""
        self._start = ""  # the spelling that the editor opened with
        self._complaint = ""
        self.closeEditor.connect(self._closed)
        self._role: Role = "weight"
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

    # painting

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Ground, text, and the bar or marks of the column."""
        row, column = _row(index), Column(index.column())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, option, column)
        if column in SCHEME_COLUMNS:
            self._paint_scheme(painter, option, cell_of(row, SCHEME_COLUMNS[column]))
        elif column in SQNR_COLUMNS:
            self._paint_sqnr(painter, option, cell_of(row, SQNR_COLUMNS[column]), str(index.data()))
        else:
            self._paint_plain(painter, option, row, column, index)
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
        column: Column,
        index: Index,
    ) -> None:
        p = self._palette
        color = p.text if column == Column.NAME else p.text_soft
        if column == Column.INDEX:
            color = p.text_faint
        align = index.data(Qt.ItemDataRole.TextAlignmentRole)
        shown = str(index.data())
        if column == Column.NAME:
            shown = self._short(painter, option, _model(index), shown)
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

    def _bar(
        self, painter: QPainter, option: QStyleOptionViewItem, share: float, color: str
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
        painter.setBrush(self._color(color))
        track.setWidth(max(2.0, track.width() * min(1.0, share)))
        painter.drawRoundedRect(track, 1.5, 1.5)

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

    # editing

    def createEditor(self, parent: QWidget, _option: QStyleOptionViewItem, index: Index) -> QWidget:
        """A line with the spellings of the column's role to choose from."""
        editor = QLineEdit(parent)
        editor.setObjectName("cell")
        editor.setFont(self._regular)
        editor.setFrame(False)
        editor.setAccessibleName("Scheme")
        self._edited = _row(index).name
        self._role = SCHEME_COLUMNS[Column(index.column())]
        self._start = ""
        offered = QStringListModel(self._completions(self._role, ""), editor)
        completer = QCompleter(offered, editor)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setMaxVisibleItems(9)
        popup = QListView()
        popup.setObjectName("list")
        popup.setFont(self._regular)
        popup.setMinimumWidth(190)
        completer.setPopup(popup)
        popup.installEventFilter(self)  # after the completer's own, so asked before it
        editor.setCompleter(completer)
        editor.textEdited.connect(
            lambda text: offered.setStringList(self._completions(self._role, text))
        )
        editor.textChanged.connect(lambda: _mark(editor, ""))
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Start from the present spelling, all selected; values that change leave it alone."""
        present = str(index.data(Qt.ItemDataRole.EditRole))
        if isinstance(editor, QLineEdit) and editor.text() == self._start != present:
            self._start = present
            editor.setText(present)
            editor.selectAll()

    def setModelData(self, editor: QWidget, _model: object, index: Index) -> None:
        """Leaving the editor applies what was typed or picked, when it means something."""
        if isinstance(editor, QLineEdit) and editor.text() != self._start:
            self._try(_row(index).name, SCHEME_COLUMNS[Column(index.column())], editor.text())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter applies; a spelling that means nothing keeps the editor open and marked."""
        key = event.key() if isinstance(event, QKeyEvent) else None
        pressed = key if event.type() == QEvent.Type.KeyPress else None
        enter = pressed in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if isinstance(watched, QListView):
            return enter and self._enter_in_list(watched)
        if not isinstance(watched, QLineEdit):
            return super().eventFilter(watched, event)
        if pressed == Qt.Key.Key_Down:
            watched.completer().setCompletionPrefix("")
            watched.completer().complete()
        elif enter:
            self._enter(watched)
        else:
            return super().eventFilter(watched, event)
        return True

    def _enter_in_list(self, popup: QListView) -> bool:
        """Enter takes the entry that is picked, else it means the line above."""
        editor = popup.focusProxy()
        if popup.currentIndex().isValid() or not isinstance(editor, QLineEdit):
            return False
        popup.hide()
        self._enter(editor)
        return True

    def _enter(self, editor: QLineEdit) -> None:
        wrong = self._try(self._edited, self._role, editor.text())
        if wrong:
            _mark(editor, wrong)
        else:
            self._start = editor.text()
            self.closeEditor.emit(editor)

    def _try(self, name: str, role: Role, spelling: str) -> str:
        wrong = self._apply(name, role, spelling)
        if wrong:
            self._complaint = wrong
        else:
            self._withdraw()
        return wrong

    def _closed(self, _editor: QWidget, hint: QStyledItemDelegate.EndEditHint) -> None:
        if hint == QStyledItemDelegate.EndEditHint.RevertModelCache:
            self._withdraw()

    def _withdraw(self) -> None:
        if self._complaint:
            self.withdrawn.emit(self._complaint)
            self._complaint = ""


def _row(index: Index) -> LayerRow:
    return _model(index).row_at(index.row())


def _model(index: Index) -> LayerModel:
    model = index.model()
    if not isinstance(model, LayerModel):
        raise TypeError("the delegate paints layers only")
    return model


def _mark(editor: QLineEdit, wrong: str) -> None:
    editor.setToolTip(wrong)
    set_look(editor, "invalid", bool(wrong))
