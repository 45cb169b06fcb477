"""Small building blocks of the cards: labels, dividers, a card with a header, what fills it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from qviz.ui.fonts import Weight, ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import Palette


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


def scrolling(content: QWidget) -> QScrollArea:
    """`content` as wide as its place and as high as it likes; the tab key passes by."""
    content.setObjectName("scrolled")
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(content)
    return area


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
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(room, flags, self.shown(room.width()))

    def shown(self, room: int) -> str:
        """What is drawn in so many pixels."""
        return QFontMetrics(self.font()).elidedText(self.text(), self.mode, room)


class Wordings(ElidedLabel):
    """A line with the longest of its wordings that has room."""

    _wordings: tuple[str, ...] = ()

    def show_wordings(self, wordings: tuple[str, ...]) -> None:
        """`wordings` say the same in fewer and fewer words; the first one is the tooltip."""
        self._wordings = wordings
        self.setText(wordings[0] if wordings else "")
        self.update()

    def shown(self, room: int) -> str:
        """The first wording that fits; where none does, as much of the last one as does."""
        metrics = QFontMetrics(self.font())
        fitting = (words for words in self._wordings if metrics.horizontalAdvance(words) <= room)
        last = self._wordings[-1] if self._wordings else ""
        return next(fitting, metrics.elidedText(last, self.mode, room))


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


class Notice(QWidget):
    """Stands where a plot would be, and says why there is none."""

    def __init__(self) -> None:
        """Says nothing yet."""
        super().__init__()
        self._picture = label()
        self._words = label("", 13, tone="faint")
        self._words.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 8, 24, 16)
        column.setSpacing(8)
        column.addStretch(1)
        for line in (self._picture, self._words):
            line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(line)
        column.addStretch(1)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        drawn = icon("chart-bar", palette, palette.line_strong)
        self._picture.setPixmap(drawn.pixmap(36, 36))

    def setText(self, text: str) -> None:
        """Say `text`."""
        self._words.setText(text)

    def text(self) -> str:
        """What it says."""
        return self._words.text()
