"""One figure of the number strip: a caption, a big value with its unit, a note below."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from qviz.ui.fonts import ui_font
from qviz.ui.parts import Wordings, label, set_look

VALUE_PIXELS = 26
UNIT_PIXELS = 14
GAP = 4
MARK = 18  # pixels, of the arrow before a value
CAPTION_HEIGHT = 20
NUMBER_HEIGHT = 32  # of the largest digits, so that smaller ones move nothing
MINIMUM_WIDTH = 84  # so that a changing number does not push its neighbors around


class BigNumber(QWidget):
    """A big value and its small unit on one baseline."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.value = label("", VALUE_PIXELS, "semibold")
        self.unit = label("", UNIT_PIXELS, "medium", tone="faint")
        self.unit.setContentsMargins(0, 0, 0, 3)
        self.setFixedHeight(NUMBER_HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(self.value, 0, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(self.unit, 0, Qt.AlignmentFlag.AlignBottom)

    def show_number(self, value: str, unit: str, tone: str = "") -> None:
        """`tone` colors the value only; the words say the same."""
        self.value.setText(value)
        self.unit.setText(unit)
        self.unit.setVisible(bool(unit))
        set_look(self.value, "tone", tone)

    def set_digits(self, pixels: int) -> None:
        """How high the digits are; the unit follows."""
        self.value.setFont(ui_font(pixels, "semibold"))

    def width_at(self, pixels: int) -> int:
        """What value and unit need with digits of a height."""
        value = QFontMetrics(ui_font(pixels, "semibold")).horizontalAdvance(self.value.text())
        unit = QFontMetrics(self.unit.font()).horizontalAdvance(self.unit.text())
        return value + (GAP + unit if unit else 0) + 2  # what antialiasing may add


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
        self.note = Wordings(12, tone="soft")
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
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

    def show_figure(self, value: str, unit: str = "", tone: str = "", *notes: str) -> None:
        """The value, its unit, and what it means, in fewer and fewer words."""
        self.number.show_number(value, unit, tone)
        self.note.show_wordings(notes)
        self.note.setToolTip("")  # the figure's own says more
        self.setAccessibleName(f"{self.caption.text()}: {value} {unit} {self.note.text()}")

    def set_digits(self, pixels: int) -> None:
        """How high the digits are; the figure is never narrower than its number."""
        self.number.set_digits(pixels)
        self.setMinimumWidth(self.width_at(pixels))

    def width_at(self, pixels: int) -> int:
        """The least width with digits of a height."""
        mark = 0 if self.icon.isHidden() else MARK + GAP
        return max(MINIMUM_WIDTH, mark + self.number.width_at(pixels))
