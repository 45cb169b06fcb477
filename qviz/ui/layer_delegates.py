"""How a scheme of the layer table is edited in place."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QStringListModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QCompleter,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from qviz.app.views import Role
from qviz.ui.fonts import ui_font
from qviz.ui.layer_cells import LayerCells
from qviz.ui.layer_columns import SCHEME_COLUMNS, Column
from qviz.ui.layer_model import LayerModel
from qviz.ui.palette import Palette
from qviz.ui.parts import set_look

Index = QModelIndex | QPersistentModelIndex

# Gives the layer named first, and those selected with it, a scheme for the role by its spelling;
# returns "" or what is wrong with it.
Apply = Callable[[str, Role, str], str]


class LayerDelegate(QStyledItemDelegate):
    """Edits the scheme columns with completion; leaves painting to LayerCells."""

    withdrawn = Signal(str)  # the complaint about an edit that is given up or put right

    def __init__(
        self, parent: QObject, completions: Callable[[Role, str], tuple[str, ...]], apply: Apply
    ) -> None:
        """`completions` gives the spellings for a role and what is typed; `apply` edits."""
        super().__init__(parent)
        self.cells = LayerCells()
        self._completions = completions
        self._apply = apply
        self._edited = ""
        self._start = ""  # the spelling that the editor opened with
        self._complaint = ""
        self.closeEditor.connect(self._closed)
        self._role: Role = "weight"

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.cells.set_palette(palette)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a cell."""
        self.cells.paint(painter, option, _model(index), index)

    def createEditor(self, parent: QWidget, _option: QStyleOptionViewItem, index: Index) -> QWidget:
        """A line with the spellings of the column's role to choose from."""
        editor = QLineEdit(parent)
        editor.setObjectName("cell")
        editor.setFont(ui_font(12))
        editor.setFrame(False)
        editor.setAccessibleName("Scheme")
        self._edited = _name(index)
        self._role = SCHEME_COLUMNS[Column(index.column())]
        self._start = ""
        offered = QStringListModel(self._completions(self._role, ""), editor)
        completer = QCompleter(offered, editor)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setMaxVisibleItems(9)
        popup = QListView()
        popup.setObjectName("list")
        popup.setFont(ui_font(12))
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
            self._try(_name(index), SCHEME_COLUMNS[Column(index.column())], editor.text())

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


def _name(index: Index) -> str:
    return _model(index).row_at(index.row()).name


def _model(index: Index) -> LayerModel:
    model = index.model()
    if not isinstance(model, LayerModel):
        raise TypeError("the delegate shows layers only")
    return model


def _mark(editor: QLineEdit, wrong: str) -> None:
    editor.setToolTip(wrong)
    set_look(editor, "invalid", bool(wrong))
