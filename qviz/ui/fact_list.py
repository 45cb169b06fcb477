"""Facts about a slot: a word on the left, its value on the right, wrapped where it is long."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from qviz.app.views import Fact
from qviz.ui.fonts import ui_font
from qviz.ui.parts import label

Words = tuple[tuple[str, bool], ...]  # of a fact, and whether it is a heading


class FactList(QWidget):
    """Keeps its lines while only the values change."""

    def __init__(self) -> None:
        """No facts."""
        super().__init__()
        self._words: Words = ()
        self._values: list[FactValue | None] = []  # None for a heading
        self._rows: list[QWidget] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(5)

    def show_facts(self, facts: tuple[Fact, ...]) -> None:
        """Show `facts` in their order."""
        words = tuple((fact.label, not fact.value) for fact in facts)
        if words != self._words:
            self._build(words)
        for row, shown, fact in zip(self._rows, self._values, facts, strict=True):
            row.setToolTip(fact.tip)
            if shown is not None:
                shown.show_value(_with_minus(fact.value), fact.tip)

    def _build(self, words: Words) -> None:
        for row in self._rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._words = words
        self._rows, self._values = [], []
        for word, heading in words:
            shown = None if heading else FactValue(word)
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 8 if heading else 0, 0, 0)
            line.setSpacing(10)
            if shown is None:
                caption = label(word, 11, "medium", tone="faint")
                caption.setWordWrap(True)
                line.addWidget(caption, 1)
            else:
                line.addWidget(label(word, 12, tone="faint"), 0, Qt.AlignmentFlag.AlignTop)
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

    def show_value(self, value: str, tip: str = "") -> None:
        """Show `value` as far as the width allows; `tip` says what it means."""
        self.setToolTip(f"{self._word}: {value}" + (f"\n{tip}" if tip else ""))
        if value == self._value:
            return
        self._value = value
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
    """A real minus before the numbers and in their exponents, not inside names."""
    return re.sub(r"(?<!\S)-(?=\d)|(?<=\de)-(?=\d)", "\N{MINUS SIGN}", value)
