"""The fields of a scheme, as the form names them: one row for each, kept while it comes and goes.

A field whose value differs over the selection shows none. The wheel scrolls the Inspector and
never changes a value.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QDoubleValidator, QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from qviz.app.views import Choice, FormField, SchemeForm
from qviz.ui.fonts import ui_font
from qviz.ui.parts import label
from qviz.ui.segmented import Segmented

MIXED = "mixed"
SPARE = 28  # pixels of a menu's list beside its widest entry: padding and scroll bar


class SchemeFields(QWidget):
    """Emits `changed(field, value)` in the words of `Session.set_field`."""

    changed = Signal(str, str)

    def __init__(self) -> None:
        """No fields until `show_form`."""
        super().__init__()
        self._rows: dict[str, _Row] = {}
        self._shown: dict[str, FormField] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)

    def show_form(self, form: SchemeForm) -> None:
        """Show exactly the fields of `form`, in their order."""
        self._shown = {field.name: field for field in form.fields}
        for at, field in enumerate(form.fields):
            row = self._rows.get(field.name) or self._add(field)
            row.show_field(field)
            if self._column.indexOf(row) != at:
                self._column.insertWidget(at, row)
        for name, row in self._rows.items():
            row.setVisible(name in self._shown)

    def names(self) -> tuple[str, ...]:
        """The fields that are shown, from the top."""
        shown = [name for name, row in self._rows.items() if not row.isHidden()]
        return tuple(sorted(shown, key=lambda name: self._column.indexOf(self._rows[name])))

    def editor(self, name: str) -> Editor:
        """The widget of a field; KeyError for one that was never shown."""
        return self._rows[name].editor

    def stops(self) -> tuple[QWidget, ...]:
        """Where the tab key stops, from the top."""
        return tuple(stop for name in self._shown for stop in self._rows[name].editor.stops())

    def _add(self, field: FormField) -> _Row:
        row = self._rows[field.name] = _Row(_EDITORS[field.kind]())
        name = field.name
        row.editor.edited.connect(lambda value: self._edited(name, value))
        return row

    def _edited(self, name: str, value: str) -> None:
        """Choosing what is already chosen is no edit."""
        if value != self._shown[name].value:
            self.changed.emit(name, value)


class _Row(QWidget):
    """A caption, where the field has one, above its editor."""

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self.editor = editor
        self._caption = label("", 11, "medium", tone="faint")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(3)
        self._column.addWidget(self._caption)
        self._column.addWidget(editor)

    def show_field(self, field: FormField) -> None:
        self._caption.setText(field.label)
        self._caption.setToolTip(field.tip)
        self._caption.setVisible(bool(field.label))
        self._column.setContentsMargins(0, 2 if field.label else 0, 0, 0)
        self.editor.setAccessibleName(field.label or field.name.capitalize())
        self.editor.show_field(field)


class Menu(QComboBox):
    """One choice of many; one that is not possible is greyed and says why."""

    edited = Signal(str)

    def __init__(self) -> None:
        """No choices."""
        super().__init__()
        self._choices: tuple[Choice, ...] = ()
        self.setFont(ui_font(12))
        self.setPlaceholderText(MIXED)
        self.setMaxVisibleItems(18)
        self.setMinimumContentsLength(4)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(lambda at: self.edited.emit(str(self.itemData(at))))

    def show_field(self, field: FormField) -> None:
        """Show the choices and the value of `field`."""
        if field.choices != self._choices:
            self._fill(field.choices)
        at = -1 if field.value is None else self.findData(field.value)
        if at != self.currentIndex():
            self.setCurrentIndex(at)
        tip = self.itemData(at, Qt.ItemDataRole.ToolTipRole) if at >= 0 else ""
        self.setToolTip(tip or field.tip)

    def _fill(self, choices: tuple[Choice, ...]) -> None:
        if [self.itemData(at) for at in range(self.count())] != [c.value for c in choices]:
            self.clear()
            for choice in choices:
                self.addItem(choice.label, choice.value)
        self._choices = choices
        model = self.model()
        for at, choice in enumerate(choices):
            self.setItemText(at, choice.label)
            self.setItemData(at, choice.reason or choice.tip, Qt.ItemDataRole.ToolTipRole)
            if isinstance(model, QStandardItemModel):
                model.item(at).setEnabled(not choice.reason)
        widest = max((self.fontMetrics().horizontalAdvance(c.label) for c in choices), default=0)
        self.view().setMinimumWidth(widest + SPARE)

    def stops(self) -> Sequence[QWidget]:
        """Where the tab key stops."""
        return (self,)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the scroll area."""
        event.ignore()


class Segments(Segmented):
    """One choice of a few, side by side."""

    edited = Signal(str)

    def __init__(self) -> None:
        """No choices."""
        super().__init__("")
        self.picked.connect(self.edited)

    def show_field(self, field: FormField) -> None:
        """Show the choices and the value of `field`."""
        self.show_choices(field.choices, field.value)


class Number(QDoubleSpinBox):
    """A number between two bounds; steps only from a number that is known."""

    edited = Signal(str)

    def __init__(self) -> None:
        """Unbounded until `show_field`."""
        super().__init__()
        self._mixed = False
        self.setFont(ui_font(12))
        self.setLocale(QLocale.c())
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.lineEdit().setTextMargins(6, 0, 0, 0)
        self.valueChanged.connect(lambda value: self.edited.emit(f"{value:.10g}"))

    def show_field(self, field: FormField) -> None:
        """Show the value of `field` within its bounds; what is being typed stays."""
        self._mixed = field.value is None
        step = 0.05 if field.decimals else 1.0
        below = field.least - step  # stands for "mixed", and cannot be reached otherwise
        self.blockSignals(True)
        self.setDecimals(field.decimals)
        self.setSingleStep(step)
        self.setSuffix(field.suffix)
        self.setSpecialValueText(MIXED if self._mixed else "")
        self.setRange(below if self._mixed else field.least, field.most)
        wanted = below if field.value is None else round(float(field.value), field.decimals)
        if wanted != self.value():
            self.setValue(wanted)
        self.blockSignals(False)
        self.setToolTip(field.tip)

    def textFromValue(self, value: float) -> str:
        """As few digits as say it."""
        return f"{value:.10g}"

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        """No step leads on from "mixed"."""
        if self._mixed:
            return QAbstractSpinBox.StepEnabledFlag.StepNone
        return super().stepEnabled()

    def stops(self) -> Sequence[QWidget]:
        """Where the tab key stops."""
        return (self,)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the scroll area."""
        event.ignore()


class Bounds(QWidget):
    """The two ends of a range, written LOW..HIGH."""

    edited = Signal(str)

    def __init__(self) -> None:
        """Two empty lines."""
        super().__init__()
        self.low, self.high = self._line("Lowest value"), self._line("Highest value")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.low)
        row.addWidget(label("to", 12, tone="faint"))
        row.addWidget(self.high)

    def _line(self, name: str) -> QLineEdit:
        line = QLineEdit()
        line.setFont(ui_font(12))
        line.setAccessibleName(name)
        line.setToolTip(name)
        line.setPlaceholderText(MIXED)
        line.setMinimumWidth(40)
        validator = QDoubleValidator(line)
        validator.setLocale(QLocale.c())
        line.setValidator(validator)
        line.editingFinished.connect(self._finished)
        return line

    def _finished(self) -> None:
        lines = (self.low, self.high)
        known = all(line.hasAcceptableInput() for line in lines)
        if known and any(line.isModified() for line in lines):
            for line in lines:
                line.setModified(False)
            self.edited.emit(f"{self.low.text()}..{self.high.text()}")

    def show_field(self, field: FormField) -> None:
        """Show both ends; what is being typed stays."""
        ends = (field.value or "..").split("..")
        for line, end in zip((self.low, self.high), ends, strict=True):
            if not (line.hasFocus() and line.isModified()):
                line.setText(end)

    def stops(self) -> Sequence[QWidget]:
        """Where the tab key stops."""
        return (self.low, self.high)


Editor = Menu | Segments | Number | Bounds
_EDITORS: dict[str, type[Menu] | type[Segments] | type[Number] | type[Bounds]] = {
    "menu": Menu,
    "segments": Segments,
    "number": Number,
    "range": Bounds,
}
