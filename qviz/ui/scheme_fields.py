"""The fields of a scheme; a field whose value differs over the selection shows none."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QDoubleValidator, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from qviz.app.views import Choice, SchemeForm
from qviz.ui.fonts import ui_font
from qviz.ui.parts import label
from qviz.ui.segmented import Segmented


class SchemeFields(QWidget):
    """Emits `changed(field, value)` in the words of `Session.set_field`."""

    changed = Signal(str, str)
    clip_changed = Signal(float, float)

    def __init__(self) -> None:
        """Fields without choices until `show_form`."""
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._quantized: list[QWidget] = []  # what a float slot does not have
        self.bits = self._menu("Bits", "bits", always=True)
        self.sign = self._segments("Codes", "format")
        self.symmetry = self._segments("Zero point", "symmetry")
        self.code_range = self._segments("Code range", "code_range")
        self.granularity = self._segments("Scales", "granularity")
        self.range = self._menu("Range", "range")
        self.percentile = self._percentile()
        self.clip = QWidget()
        self.low, self.high = self._clip_line("Lowest value"), self._clip_line("Highest value")
        row = QHBoxLayout(self.clip)
        row.setContentsMargins(0, 2, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.low)
        row.addWidget(label("to", 12, tone="faint"))
        row.addWidget(self.high)
        self._column.addWidget(self.clip)

    def _add(self, name: str, field: QWidget, always: bool = False) -> None:
        caption = label(name, 11, "medium", tone="faint")
        caption.setContentsMargins(0, 4, 0, 0)
        self._column.addWidget(caption)
        self._column.addWidget(field)
        if not always:
            self._quantized += [caption, field]

    def _menu(self, name: str, field: str, always: bool = False) -> QComboBox:
        box = QComboBox()
        box.setFont(ui_font(12))
        box.setAccessibleName(name)
        box.setPlaceholderText("mixed")
        box.setMaxVisibleItems(18)
        box.activated.connect(lambda at: self.changed.emit(field, str(box.itemData(at))))
        self._add(name, box, always)
        return box

    def _segments(self, name: str, field: str) -> Segmented:
        segments = Segmented(name)
        segments.picked.connect(lambda value: self.changed.emit(field, value))
        self._add(name, segments)
        return segments

    def _percentile(self) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setFont(ui_font(12))
        box.setAccessibleName("Percentile")
        box.setRange(50.0, 100.0)
        box.setDecimals(3)
        box.setSingleStep(0.05)
        box.setSuffix(" %")
        box.setKeyboardTracking(False)
        box.lineEdit().setTextMargins(6, 0, 0, 0)
        box.valueChanged.connect(lambda value: self.changed.emit("percentile", f"{value:g}"))
        self._column.addWidget(box)
        return box

    def _clip_line(self, name: str) -> QLineEdit:
        line = QLineEdit()
        line.setFont(ui_font(12))
        line.setAccessibleName(name)
        line.setToolTip(name)
        validator = QDoubleValidator(line)
        validator.setLocale(QLocale.c())
        line.setValidator(validator)
        line.editingFinished.connect(self._clip_edited)
        return line

    def _clip_edited(self) -> None:
        if self.low.isModified() or self.high.isModified():
            self.low.setModified(False)
            self.high.setModified(False)
            self.clip_changed.emit(float(self.low.text()), float(self.high.text()))

    def show_form(self, form: SchemeForm) -> None:
        """Show the values and choices of `form`."""
        _fill(self.bits, form.bits_choices, None if form.bits is None else str(form.bits))
        for widget in self._quantized:
            widget.setVisible(form.is_float is not True)
        self.sign.show_choices(form.sign_choices, _word(form.signed, "int", "uint"))
        self.symmetry.show_choices(form.symmetry_choices, _word(form.symmetric, "sym", "asym"))
        self.code_range.show_choices(form.code_range_choices, _word(form.narrow, "narrow", "full"))
        self.granularity.show_choices(form.granularity_choices, form.granularity)
        _fill(self.range, form.range_choices, form.range_method)
        self._show_range(form)

    def _show_range(self, form: SchemeForm) -> None:
        quantized = form.is_float is not True
        self.percentile.setVisible(quantized and form.range_method == "percentile")
        self.clip.setVisible(quantized and form.range_method == "clip")
        if form.percentile is not None:
            self.percentile.blockSignals(True)
            self.percentile.setValue(form.percentile)
            self.percentile.blockSignals(False)
        if form.clip is not None:
            for line, value in zip((self.low, self.high), form.clip, strict=True):
                if not line.isModified():
                    line.setText(f"{value:.6g}")


def _word(value: bool | None, yes: str, no: str) -> str | None:
    return None if value is None else yes if value else no


def _fill(box: QComboBox, choices: Sequence[Choice], value: str | None) -> None:
    """Offer `choices`; one that is not possible is greyed and says why."""
    if [box.itemData(i) for i in range(box.count())] != [choice.value for choice in choices]:
        box.clear()
        for choice in choices:
            box.addItem(choice.label, choice.value)
    model = box.model()
    for at, choice in enumerate(choices):
        box.setItemData(at, choice.reason or choice.tip, Qt.ItemDataRole.ToolTipRole)
        if isinstance(model, QStandardItemModel):
            model.item(at).setEnabled(not choice.reason)
    box.setCurrentIndex(-1 if value is None else box.findData(value))
