"""One figure of the number strip: a caption, a big value with its unit, a note below."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from qviz.ui.parts import label, set_look

VALUE_PIXELS = 26
UNIT_PIXELS = 14
CAPTION_HEIGHT = 20
MINIMUM_WIDTH = 84  # so that a changing number does not push its neighbors around


class BigNumber(QWidget):
    """A big value and its small unit on one baseline."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.value = label("", VALUE_PIXELS, "semibold")
        self.unit = label("", UNIT_PIXELS, "medium", tone="faint")
        self.unit.setContentsMargins(0, 0, 0, 3)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.value, 0, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(self.unit, 0, Qt.AlignmentFlag.AlignBottom)

    def show_number(self, value: str, unit: str, tone: str = "") -> None:
        """`tone` colors the value only; the words say the same."""
        self.value.setText(value)
        self.unit.setText(unit)
        self.unit.setVisible(bool(unit))
        set_look(self.value, "tone", tone)


class Figure(QWidget):
    """Caption, value and note, one below the other."""

    def __init__(self, caption: str) -> None:
        """A figure without a value."""
        super().__init__()
        self.setMinimumWidth(MINIMUM_WIDTH)
        self.caption = label(caption, 12, "medium", tone="faint")
        self.caption.setFixedHeight(CAPTION_HEIGHT)
        self.icon = QLabel()
        self.icon.hide()
        self.number = BigNumber()
        self.note = label("", 12, tone="soft")
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.icon)
        row.addWidget(self.number)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.caption)
        column.addLayout(row)
        column.addWidget(self.note)
        column.addStretch(1)

    def show_figure(self, value: str, unit: str = "", note: str = "", tone: str = "") -> None:
        """The value, its unit, and what it means."""
        self.number.show_number(value, unit, tone)
        self.note.setText(note)
        self.setAccessibleName(f"{self.caption.text()}: {value} {unit} {note}")
