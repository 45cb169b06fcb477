"""The widths strip: what SQNR the slot would have at every width of its format's family."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from qviz.app.slot_views import WidthBar
from qviz.ui import number_format as text
from qviz.ui.fonts import ui_font
from qviz.ui.painted_button import PaintedButton, one_tab_stop, step_focus
from qviz.ui.palette import LIGHT, Palette, tint

HEIGHT = 31
CAPTION = 30  # room for the two words before the bars
EXACT_DB = 130.0  # a grid of 8 bits comes here only when it holds every value
WIDEST = 72  # of one bar
GAP = 3
RADIUS = 4.0


class WidthsStrip(QWidget):
    """One bar per width; a click, or ← → and Enter, emit `picked` with the bar's format."""

    picked = Signal(str)

    def __init__(self) -> None:
        """Hidden until there are bars."""
        super().__init__()
        self.setAccessibleName("SQNR at every width of the format")
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._made: list[WidthButton] = []
        self.buttons: tuple[WidthButton, ...] = ()  # those that are shown
        self._palette = LIGHT
        self._first_word = "bits"
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(CAPTION, 0, 8, 0)
        self._row.setSpacing(GAP)
        self._row.addStretch(1)
        self.hide()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        for button in self._made:
            button.colors = palette
        self.update()

    def show_bars(self, bars: tuple[WidthBar, ...]) -> None:
        """Draw `bars`; without any the strip hides."""
        self.setVisible(bool(bars))
        if len(bars) != len(self.buttons):
            self._take(len(bars))
        numeric = all(bar.label.isdecimal() for bar in bars)
        self._first_word = "bits" if numeric else "type"
        best = max([bar.sqnr_db for bar in bars if bar.sqnr_db < EXACT_DB] + [1.0])
        for button, bar in zip(self.buttons, bars, strict=True):
            button.show_bar(bar, best)
        one_tab_stop(self.buttons)
        self.update()

    def _take(self, count: int) -> None:
        """As many buttons as bars; those left over hide until they are needed again."""
        while len(self._made) < count:
            button = WidthButton()
            button.colors = self._palette
            button.stepped.connect(self._step)
            button.clicked.connect(lambda _checked=False, b=button: self.picked.emit(b.format))
            self._row.insertWidget(len(self._made), button, 100)
            self._made.append(button)
        for at, button in enumerate(self._made):
            button.setVisible(at < count)
        self.buttons = tuple(self._made[:count])

    def _step(self, step: int) -> None:
        step_focus(self.buttons, step)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The words of the two lines."""
        painter = QPainter(self)
        painter.setFont(ui_font(11))
        painter.setPen(QColor(self._palette.text_faint))
        for top, word in ((2, self._first_word), (HEIGHT / 2, "dB")):
            line = QRectF(0, top, CAPTION, HEIGHT / 2 - 2)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, word)


class WidthButton(PaintedButton):
    """A bar as high as its SQNR, with the width and the figure on it."""

    def __init__(self) -> None:
        """Empty until `show_bar`."""
        super().__init__()
        self.format = ""
        self._label = ""
        self._figures: tuple[str, ...] = ("",)
        self._part = 0.0
        self.setMaximumWidth(WIDEST)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        """Wide enough for two letters; more is given where there is room."""
        return QSize(24, HEIGHT)

    def show_bar(self, bar: WidthBar, best: float) -> None:
        """Take a width; `best` is the SQNR of the highest bar."""
        self.format = bar.format
        self.current = bar.current
        self._label = bar.label
        self._figures = spellings(bar.sqnr_db)
        self._part = min(1.0, max(0.0, bar.sqnr_db / best))
        tip = f"{bar.format}: {text.decibels(_told(bar.sqnr_db), unit=True)}"
        self.setToolTip(tip if bar.current else f"{tip}. Click to use it")
        self.setAccessibleName(f"{tip}, in use" if bar.current else tip)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Ground, bar, frame, and two lines of text."""
        colors, painter = self.colors, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        edge = QColor(colors.accent if self.hasFocus() or self.current else colors.line)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.line if self.underMouse() else colors.sunken))
        painter.drawRoundedRect(room, RADIUS, RADIUS)
        painter.save()
        painter.setClipRect(room.adjusted(0, room.height() * (1.0 - self._part), 0, 0))
        painter.setBrush(
            tint(colors.accent, 0.28) if self.current else tint(colors.float_fill, 0.5)
        )
        painter.drawRoundedRect(room, RADIUS, RADIUS)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(edge, 2.0 if self.hasFocus() else 1.0))
        painter.drawRoundedRect(room, RADIUS, RADIUS)
        above = QRectF(0, 2, self.width(), HEIGHT / 2 - 2)
        self._write(painter, above, (self._label,), strong=True)
        below = QRectF(0, HEIGHT / 2, self.width(), HEIGHT / 2 - 2)
        self._write(painter, below, self._figures, strong=False)

    def _write(
        self, painter: QPainter, room: QRectF, words: tuple[str, ...], *, strong: bool
    ) -> None:
        """The first of the words that fits; a number is never cut."""
        font = ui_font(11, "semibold" if self.current else "medium" if strong else "regular")
        painter.setFont(font)
        painter.setPen(QColor(self.colors.text if strong else self.colors.text_soft))
        metrics = QFontMetrics(font)
        fitting = (each for each in words if metrics.horizontalAdvance(each) <= room.width() - 2)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, next(fitting, words[-1]))


def _told(sqnr_db: float) -> float:
    """Infinite where what is left of the error is no more than float32's own rounding."""
    return math.inf if sqnr_db >= EXACT_DB else sqnr_db


def spellings(sqnr_db: float) -> tuple[str, ...]:
    """A figure, and shorter ones for where it does not fit."""
    if math.isinf(_told(sqnr_db)):
        return "exact", "∞"
    if not math.isfinite(sqnr_db):
        return (text.decibels(sqnr_db),)
    return text.decibels(sqnr_db), f"{sqnr_db:.0f}".replace("-", text.MINUS)
