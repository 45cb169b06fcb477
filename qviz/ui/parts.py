"""Small building blocks of the cards: labels, dividers, a card with a header."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from qviz.ui.fonts import Weight, ui_font


def label(
    text: str = "", pixels: int = 13, weight: Weight = "regular", tone: str = "", badge: str = ""
) -> QLabel:
    """A line of text; `tone` and `badge` are the stylesheet's."""
    result = QLabel(text)
    result.setFont(ui_font(pixels, weight))
    result.setTextFormat(Qt.TextFormat.PlainText)
    if tone:
        result.setProperty("tone", tone)
    if badge:
        result.setProperty("badge", badge)
    return result


def set_look(widget: QWidget, name: str, value: str | bool) -> None:
    """Change a property that the stylesheet selects on, and let it show."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def divider() -> QFrame:
    """A thin vertical line."""
    line = QFrame()
    line.setObjectName("divider")
    line.setFixedWidth(1)
    return line


class ElidedLabel(QLabel):
    """A line that ends in … where it does not fit; the whole text is its tooltip."""

    mode = Qt.TextElideMode.ElideRight

    def __init__(self, pixels: int = 13, weight: Weight = "regular", tone: str = "") -> None:
        """An empty line."""
        super().__init__()
        self.setFont(ui_font(pixels, weight))
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("tone", tone)
        self.setMinimumWidth(24)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Show `text`, and carry it as the tooltip."""
        if text == self.text():
            return
        super().setText(text)
        self.setToolTip(text)
        self.setAccessibleName(text)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        self.drawFrame(painter)
        room = self.contentsRect()
        painter.setPen(self.palette().color(self.foregroundRole()))
        shown = QFontMetrics(self.font()).elidedText(self.text(), self.mode, room.width())
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(room, flags, shown)


class Chip(ElidedLabel):
    """A badge as wide as its text; where that does not fit, the middle gives way to …."""

    mode = Qt.TextElideMode.ElideMiddle

    def __init__(self, pixels: int = 12) -> None:
        """An empty badge."""
        super().__init__(pixels, "medium")
        self.setProperty("badge", "accent")
        self.setIndent(0)
        self.setMinimumWidth(48)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)


class Card(QFrame):
    """A rounded ground with a header line and a body below."""

    def __init__(self, title: str) -> None:
        """An empty body under `title`."""
        super().__init__()
        self.setObjectName("card")
        self.title = label(title, 14, "semibold")
        self.header = QHBoxLayout()
        self.header.setContentsMargins(14, 8, 8, 8)
        self.header.setSpacing(8)
        self.header.addWidget(self.title)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(0)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.setSpacing(0)
        outer.addLayout(self.header)
        outer.addLayout(self.body, 1)
