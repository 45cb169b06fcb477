"""What stands out, in plain words with the evidence below; a click goes to the layer."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from qviz.app.sensitivity.result import Observation
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import label

MARK = 3  # width of the line at the left
KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class FindingLine(QWidget):
    """One finding; `picked` with the layer's index and the scheme."""

    picked = Signal(int, str)

    def __init__(self, finding: Observation, palette: Palette) -> None:
        """Wraps as its width asks for."""
        super().__init__()
        self.finding = finding
        self.colors = palette
        self._hovered = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"{finding.text}. {finding.evidence}")
        self.setToolTip("Click to go to the layer")
        column = QVBoxLayout(self)
        column.setContentsMargins(10 + MARK, 3, 6, 4)
        column.setSpacing(0)
        for line in (label(finding.text, 12, "medium"), label(finding.evidence, 12, tone="soft")):
            line.setWordWrap(True)
            line.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            column.addWidget(line)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A mark at the left; a ground under the mouse, and the ring of the focus."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self._hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.colors.sunken))
            painter.drawRoundedRect(room, 5, 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.colors.quantized_line))
        painter.drawRoundedRect(QRectF(3, 6, MARK, self.height() - 12), 1.5, 1.5)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self.colors.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(room, 5, 5)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click picks."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.pos()):
            self.picked.emit(self.finding.layer, self.finding.scheme)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Space pick."""
        if Qt.Key(event.key()) in KEYS:
            self.picked.emit(self.finding.layer, self.finding.scheme)
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """The mouse is over it."""
        super().enterEvent(event)
        self._hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """The mouse is elsewhere."""
        super().leaveEvent(event)
        self._hovered = False
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring appears."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring goes."""
        super().focusOutEvent(event)
        self.update()


class FindingsList(QScrollArea):
    """As high as its findings, up to a limit; beyond it scrolls."""

    picked = Signal(int, str)

    def __init__(self) -> None:
        """No findings, and no room taken."""
        super().__init__()
        self._palette = LIGHT
        self._findings: tuple[Observation, ...] = ()
        self._limit = 0
        self.lines: list[FindingLine] = []
        self.follows: QWidget = self  # in the order of the tabulator
        content = QWidget()
        content.setObjectName("scrolled")
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(10, 4, 6, 2)
        self._column.setSpacing(1)
        self._column.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Findings")
        self.hide()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        for line in self.lines:
            line.colors = palette
            line.update()

    def show_findings(self, findings: tuple[Observation, ...]) -> None:
        """Say these, in their order."""
        if findings == self._findings:
            return
        self._findings = findings
        for line in self.lines:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self.lines = [FindingLine(finding, self._palette) for finding in findings]
        for at, line in enumerate(self.lines):
            line.picked.connect(self.picked)
            self._column.insertWidget(at, line)
            line.show()  # a layout has no room for what is hidden
            QWidget.setTabOrder(self.lines[at - 1] if at else self.follows, line)
        self.setVisible(bool(findings))
        self.verticalScrollBar().setValue(0)
        self._fit()

    def least(self, width: int) -> int:
        """The height in which the first of them can be read, in so many pixels of width."""
        if not self.lines:
            return 0
        margins = self._column.contentsMargins()
        bar = self.verticalScrollBar().sizeHint().width()
        inner = max(1, width - bar - margins.left() - margins.right())
        return self.lines[0].heightForWidth(inner) + margins.top() + margins.bottom()

    def set_limit(self, height: int) -> None:
        """Take no more than so many pixels."""
        self._limit = height
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words wrap elsewhere."""
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        """The width is known now."""
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        width = max(1, self.width() - self.verticalScrollBar().sizeHint().width())
        self.setFixedHeight(max(0, min(self._limit, self._column.heightForWidth(width))))
