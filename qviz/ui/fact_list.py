"""Facts about a slot: a word on the left, its value on the right, wrapped where it is long."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from qviz.ui.fonts import ui_font
from qviz.ui.parts import label

Facts = tuple[tuple[str, str], ...]


class FactList(QWidget):
    """Keeps its lines while only the values change."""

    def __init__(self) -> None:
        """No facts."""
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._values: list[FactValue] = []
        self._rows: list[QWidget] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(5)

    def show_facts(self, facts: Facts) -> None:
        """Show `facts` in their order."""
        words = tuple(word for word, _ in facts)
        if words != self._words:
            self._build(words)
        for shown, (_, value) in zip(self._values, facts, strict=True):
            shown.show_value(_with_minus(value))

    def _build(self, words: tuple[str, ...]) -> None:
        for row in self._rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._words = words
        self._rows, self._values = [], []
        for word in words:
            caption = label(word, 12, tone="faint")
            shown = FactValue(word)
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(10)
            line.addWidget(caption, 0, Qt.AlignmentFlag.AlignTop)
            line.addWidget(shown, 1)
            self._column.addWidget(row)
            self._rows.append(row)
            self._values.append(shown)


class FactValue(QLabel):
    """Breaks between words; a word wider than the line loses its middle, not in the tooltip."""

    def __init__(self, word: str) -> None:
        """An empty value of the fact that is called `word`."""
        super().__init__()
        self._word = word
        self._value = ""
        self.setFont(ui_font(12))
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
        self.setWordWrap(True)
        self.setMinimumWidth(40)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def show_value(self, value: str) -> None:
        """Show `value` as far as the width allows."""
        if value == self._value:
            return
        self._value = value
        self.setToolTip(f"{self._word}: {value}")
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit again."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        metrics, room = QFontMetrics(self.font()), self.width()
        middle = Qt.TextElideMode.ElideMiddle
        lines = (metrics.elidedText(word, middle, room) for word in self._value.split(" "))
        text = " ".join(lines)
        if text != self.text():
            self.setText(text)


def _with_minus(value: str) -> str:
    return value.replace("-", "\N{MINUS SIGN}") if value[1:2].isdigit() else value
