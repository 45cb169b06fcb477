"""Facts about a slot: a word on the left, its value on the right, a line each."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from qviz.ui.parts import label

Facts = tuple[tuple[str, str], ...]


class FactList(QWidget):
    """Keeps its lines while only the values change."""

    def __init__(self) -> None:
        """No facts."""
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._values: list[QLabel] = []
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
            shown.setText(value.replace("-", "\N{MINUS SIGN}") if value[1:2].isdigit() else value)

    def _build(self, words: tuple[str, ...]) -> None:
        for row in self._rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._words = words
        self._rows, self._values = [], []
        for word in words:
            shown = label("", 12)
            shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(8)
            line.addWidget(label(word, 12, tone="faint"))
            line.addStretch(1)
            line.addWidget(shown)
            self._column.addWidget(row)
            self._rows.append(row)
            self._values.append(shown)
