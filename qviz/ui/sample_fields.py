"""The form of how samples are read: captions on the left, the fields of a line beside each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qviz.app.views import FormField
from qviz.ui.fonts import ui_font
from qviz.ui.parts import label
from qviz.ui.scheme_fields import Bounds, Menu, Number, Segments

CAPTION_WIDTH = 92
DESCRIBED = "preset"  # the field whose choice is explained below it


class SampleFields(QWidget):
    """Emits `changed(field, value)` in the words of `Session.set_reading`."""

    changed = Signal(str, str)

    def __init__(self) -> None:
        """No fields until `show_fields`."""
        super().__init__()
        self._editors: dict[str, Editor] = {}
        self._shown: dict[str, FormField] = {}
        self._lines: dict[str, _Line] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)

    def show_fields(self, fields: Sequence[FormField]) -> None:
        """Show exactly these, a line for every one with a label."""
        self._shown = {field.name: field for field in fields}
        groups: dict[str, list[FormField]] = {}
        for field in fields:
            first = field.name if field.label or not groups else next(reversed(groups))
            groups.setdefault(first, []).append(field)
        for at, (first, group) in enumerate(groups.items()):
            line = self._lines.get(first)
            if line is None:
                line = self._lines[first] = _Line()
            line.show_line(group, [self._editor(field) for field in group])
            if self._column.indexOf(line) != at:
                self._column.insertWidget(at, line)
        for first, line in self._lines.items():
            line.setVisible(first in groups)
        self._chain()

    def stops(self) -> tuple[QWidget, ...]:
        """Where the tab key stops, from the top."""
        return tuple(stop for name in self._shown for stop in self._editors[name].stops())

    def _chain(self) -> None:
        """The tab key follows the order on the screen, not the order of making."""
        for before, stop in pairwise(self.stops()):
            QWidget.setTabOrder(before, stop)

    def names(self) -> tuple[str, ...]:
        """The fields that are shown, from the top."""
        return tuple(self._shown)

    def editor(self, name: str) -> Editor:
        """The widget of a field; KeyError for one that was never shown."""
        return self._editors[name]

    def _editor(self, field: FormField) -> Editor:
        if field.name not in self._editors:
            editor = self._editors[field.name] = _EDITORS[field.kind]()
            _narrow(editor)
            name = field.name
            editor.edited.connect(lambda value: self._edited(name, value))
        return self._editors[field.name]

    def _edited(self, name: str, value: str) -> None:
        """Choosing what is already chosen is no edit."""
        if name in self._shown and value != self._shown[name].value:
            self.changed.emit(name, value)


def _narrow(editor: QWidget) -> None:
    """Several share a line: they may be as narrow as the line asks."""
    if isinstance(editor, Menu):
        editor.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        editor.setMinimumContentsLength(8)
    elif isinstance(editor, Number):
        editor.setMinimumWidth(64)
        editor.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)


class _Line(QWidget):
    """A caption, its editors side by side, and what the choice means."""

    def __init__(self) -> None:
        super().__init__()
        self._editors: list[QWidget] = []
        self._crosses: list[QLabel] = []
        self.caption = label("", 12, "medium", tone="faint")
        self.caption.setFixedWidth(CAPTION_WIDTH)
        self.note = label("", 12, tone="faint")
        self.note.setWordWrap(True)
        self.note.hide()
        self._row = QHBoxLayout()
        self._row.setSpacing(6)
        beside = QVBoxLayout()
        beside.setSpacing(4)
        beside.addLayout(self._row)
        beside.addWidget(self.note)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(8)
        whole.addWidget(self.caption, 0, Qt.AlignmentFlag.AlignTop)
        whole.addLayout(beside, 1)

    def show_line(self, group: Sequence[FormField], editors: Sequence[Editor]) -> None:
        first = group[0]
        self.caption.setText(first.label)
        self.caption.setToolTip(first.tip)
        if list(editors) != self._editors:
            self._place(group, editors)
        for field, editor in zip(group, editors, strict=True):
            editor.setAccessibleName(" ".join(word for word in (first.label, field.tip) if word))
            editor.show_field(field)
        self.caption.setFixedHeight(editors[0].sizeHint().height())
        chosen = next((c for c in first.choices if c.value == first.value), None)
        described = first.name == DESCRIBED and chosen is not None
        self.note.setText(chosen.tip if chosen is not None and described else "")
        self.note.setVisible(described)

    def _place(self, group: Sequence[FormField], editors: Sequence[Editor]) -> None:
        """Numbers side by side are a height and a width: a cross stands between them."""
        for cross in self._crosses:
            cross.hide()
            cross.deleteLater()
        self._crosses = []
        for editor in self._editors:
            self._row.removeWidget(editor)
            editor.setVisible(editor in editors)
        for at, editor in enumerate(editors):
            if at and group[at].kind == group[at - 1].kind == "number":
                cross = label("×", 12, tone="faint")
                self._crosses.append(cross)
                self._row.addWidget(cross)
            self._row.addWidget(editor, 3 if group[at].kind == "menu" else 2)
            editor.show()
        self._editors = list(editors)


class Text(QLineEdit):
    """A line of text, told of when it is finished."""

    edited = Signal(str)

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.setFont(ui_font(12))
        self.editingFinished.connect(self._finished)

    def _finished(self) -> None:
        if self.isModified():
            self.setModified(False)
            self.edited.emit(self.text().strip())

    def show_field(self, field: FormField) -> None:
        """Show the value of `field`; what is being typed stays."""
        self.setPlaceholderText(field.hint)
        self.setToolTip(field.tip)
        if not (self.hasFocus() and self.isModified()):
            self.setText(field.value or "")
            self.setCursorPosition(0)

    def stops(self) -> Sequence[QWidget]:
        """Where the tab key stops."""
        return (self,)


class FilePath(QWidget):
    """The path of a file, typed or chosen."""

    edited = Signal(str)

    def __init__(self) -> None:
        """No file."""
        super().__init__()
        self.text = Text()
        self.text.edited.connect(self.edited)
        self.choose = QToolButton()
        self.choose.setText("Choose…")
        self.choose.setFont(ui_font(12, "medium"))
        self.choose.clicked.connect(self._choose)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.text, 1)
        row.addWidget(self.choose)

    def show_field(self, field: FormField) -> None:
        """Show the value of `field`."""
        self.text.show_field(field)

    def stops(self) -> Sequence[QWidget]:
        """Where the tab key stops."""
        return (self.text, self.choose)

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a File", self.text.text())
        if path:
            self.edited.emit(path)


Editor = Menu | Segments | Number | Bounds | Text | FilePath
_EDITORS: dict[
    str, type[Menu] | type[Segments] | type[Number] | type[Bounds] | type[Text] | type[FilePath]
] = {
    "menu": Menu,
    "segments": Segments,
    "number": Number,
    "range": Bounds,
    "text": Text,
    "file": FilePath,
}
