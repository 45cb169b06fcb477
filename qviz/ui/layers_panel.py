"""The card of the layer table: its filter box and the table."""

from __future__ import annotations

import re

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QStackedLayout

from qviz.app.session import Session
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.layer_table import LayerTable
from qviz.ui.palette import Palette
from qviz.ui.parts import Card, ElidedLabel, label, set_look

NO_LAYER = (
    "No layer of this model can be quantized: it has no Conv, ConvTranspose, Gemm, MatMul, "
    "LSTM, GRU, RNN or Gather that works on floating-point values."
)


class FilterBox(QLineEdit):
    """Text or `re:pattern`; Esc clears, Enter and ↓ go to the table."""

    left = Signal()

    def __init__(self) -> None:
        """Empty: every layer is shown."""
        super().__init__()
        self.setPlaceholderText("Filter, or re:pattern")
        self.setAccessibleName("Filter the layers")
        self.setFont(ui_font(12))
        self.setClearButtonEnabled(False)
        self.setFixedWidth(196)
        self.glass = QAction(self)
        self.addAction(self.glass, QLineEdit.ActionPosition.LeadingPosition)

    def event(self, event: QEvent) -> bool:
        """Keep Esc from the window's own use of it."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and event.key() == Qt.Key.Key_Escape
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave towards the table."""
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down):
            self.left.emit()
        else:
            super().keyPressEvent(event)


class LayersPanel(Card):
    """Filters the table and counts what is shown."""

    def __init__(self, session: Session) -> None:
        """Empty until the table is refreshed."""
        super().__init__("Layers")
        self.table = LayerTable(session)
        self.count = ElidedLabel(12, tone="faint")
        self.filter = FilterBox()
        self.filter.textChanged.connect(self._filter)
        self.filter.left.connect(self.table.setFocus)
        self.header.addWidget(self.count, 1)
        self.header.addWidget(self.filter)
        line = QFrame()
        line.setObjectName("divider")
        line.setFixedHeight(1)
        self.body.addWidget(line)
        self.nothing = label("", 13, tone="faint")
        self.nothing.setWordWrap(True)
        self.nothing.setMargin(24)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.table)
        self._stack.addWidget(self.nothing)
        self.body.addLayout(self._stack, 1)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.filter.glass.setIcon(icon("magnifying-glass", palette, palette.text_faint))
        self.table.set_palette(palette)

    def refresh(self) -> None:
        """Show the Session's rows."""
        self.table.refresh()
        self._show_count()

    def focus_filter(self) -> None:
        """Put the cursor into the filter box."""
        self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.selectAll()

    def reveal(self, name: str) -> None:
        """Make a layer the current one, without the filter where that hides it."""
        if not self.table.go_to(name):
            self.filter.clear()
            self.table.go_to(name)

    def _filter(self, pattern: str) -> None:
        try:
            self.table.set_filter(pattern)
        except re.error as error:
            self._show_wrong(f"Not a regular expression: {error}")
            return
        self._show_wrong("")
        self._show_count()

    def _show_wrong(self, wrong: str) -> None:
        """What is wrong with the filter, said where the count stands; "" when nothing is."""
        self.filter.setToolTip(wrong)
        set_look(self.filter, "invalid", bool(wrong))
        set_look(self.count, "tone", "bad" if wrong else "faint")
        self.count.setText(wrong)

    def _show_count(self) -> None:
        shown, total = self.table.layers.rowCount(), self.table.layers.total()
        if not self.filter.property("invalid"):
            self.count.setText(str(total) if shown == total else f"{shown} of {total}")
        self.nothing.setText("No layer matches the filter" if total else NO_LAYER)
        self._stack.setCurrentIndex(0 if shown else 1)
