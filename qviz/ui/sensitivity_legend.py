"""The legend of the heat map: its colors with the values at both ends; a click changes colors."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QToolButton

from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.sensitivity_ramp import RAMPS, RampName, ramp, ramp_color

SWATCH = 72
HEIGHT = 22


class RampButton(QToolButton):
    """Emits `ramp_picked` with the name of a ramp."""

    ramp_picked = Signal(str)

    def __init__(self) -> None:
        """Without values at its ends."""
        super().__init__()
        self._palette = LIGHT
        self._ends = ("", "")
        self.ramp: RampName = "warm"
        self.setFont(ui_font(11))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.choices = QMenu(self)
        self.choices.setFont(ui_font(12))
        group = QActionGroup(self)
        for name, words in RAMPS.items():
            action = self.choices.addAction(words)
            action.setCheckable(True)
            action.setData(name)
            group.addAction(action)
            action.triggered.connect(lambda _=False, name=name: self.ramp_picked.emit(name))
        self.setMenu(self.choices)

    def set_colors(self, palette: Palette, name: RampName) -> None:
        """Take the theme's colors and a ramp."""
        self._palette, self.ramp = palette, name
        for action in self.choices.actions():
            action.setChecked(action.data() == name)
        self.update()

    def show_ends(self, low: str, high: str) -> None:
        """The values that the ends of the colors stand for."""
        if (low, high) != self._ends:
            self._ends = (low, high)
            words = f"Colors from {low} to {high}, the same for all schemes"
            self.setAccessibleName(words)
            self.setToolTip(f"{words}. Click for other colors")
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Room for the colors and both values."""
        words = sum(self.fontMetrics().horizontalAdvance(end) for end in self._ends)
        return QSize(words + SWATCH + 24, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """It does not shrink."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Low value, colors, high value."""
        p, painter = self._palette, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        left = 6 + metrics.horizontalAdvance(self._ends[0]) + 6
        painter.setPen(QColor(p.text if self.underMouse() else p.text_faint))
        room = QRectF(self.rect())
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room.adjusted(6, 0, 0, 0), flags, self._ends[0])
        painter.drawText(room.adjusted(left + SWATCH + 6, 0, 0, 0), flags, self._ends[1])
        box = QRectF(left, room.center().y() - 4, SWATCH, 8)
        colors = ramp(p, self.ramp)
        fill = QLinearGradient(box.topLeft(), box.topRight())
        for step in range(len(colors)):
            position = step / (len(colors) - 1)
            fill.setColorAt(position, ramp_color(colors, position))
        painter.setPen(QPen(QColor(p.line_strong), 1))
        painter.setBrush(fill)
        painter.drawRoundedRect(box, 2, 2)
        if self.hasFocus():
            painter.setPen(QPen(QColor(p.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(room.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
