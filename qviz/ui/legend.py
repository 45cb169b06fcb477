"""The legend of the histograms, beside the title so that it hides no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette, tint

SWATCH = 14
GAP = 5  # between a swatch and its word
APART = 11  # between entries
WORDS = {
    "float": "float",
    "quantized": "quantized",
    "curve": "SQNR by clip",
    "threshold": "threshold",
}
Part = Literal["float", "quantized", "curve", "threshold"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the histograms show beside the float values."""

    quantized: bool = True
    curve: bool = False
    threshold: bool = False


class Legend(QWidget):
    """A swatch and a word for each thing drawn; those that have no room are in the tooltip."""

    def __init__(self) -> None:
        """Colors come with `set_palette`."""
        super().__init__()
        self._palette = LIGHT
        self._parts = Parts()
        self._entries: tuple[Part, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.show_parts(Parts())

    def show_parts(self, parts: Parts) -> None:
        """Explain what is drawn now."""
        self._parts = parts
        entries: list[Part] = ["float"]
        entries += ["quantized"] if parts.quantized else []
        entries += ["curve"] if parts.curve else []
        entries += ["threshold"] if parts.threshold else []
        self._entries = tuple(entries)
        told = ", ".join(_described(part) for part in entries)
        self.setToolTip(told)
        self.setAccessibleName(f"Legend: {told}")
        self.updateGeometry()
        self.update()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        """Room for every entry."""
        return QSize(sum(self._widths()) + APART * (len(self._entries) - 1), 18)

    def minimumSizeHint(self) -> QSize:
        """Room for the two histograms."""
        return QSize(sum(self._widths()[:2]) + APART * (len(self._entries[:2]) - 1), 18)

    def shown(self) -> tuple[Part, ...]:
        """The entries that there is room for."""
        fitting = list(self._entries)
        while len(fitting) > 1 and self._room(len(fitting)) > self.width():
            fitting.pop()
        return tuple(fitting)

    def _room(self, entries: int) -> int:
        return sum(self._widths()[:entries]) + APART * (entries - 1)

    def _widths(self) -> list[int]:
        metrics = QFontMetrics(ui_font(12))
        return [SWATCH + GAP + metrics.horizontalAdvance(WORDS[p]) + 1 for p in self._entries]

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the entries at the right end."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(ui_font(12))
        shown = self.shown()
        x = float(self.width() - self._room(len(shown)))
        for part, width in zip(shown, self._widths(), strict=False):
            self._swatch(painter, part, x)
            painter.setPen(QColor(self._palette.text_soft))
            room = QRectF(x + SWATCH + GAP, 0, width, self.height())
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, WORDS[part])
            x += width + APART

    def _swatch(self, painter: QPainter, part: Part, x: float) -> None:
        colors, middle = self._palette, self.height() / 2
        if part == "curve":
            painter.setPen(QPen(QColor(colors.curve), 1.8))
            painter.drawLine(round(x), round(middle), round(x + SWATCH), round(middle))
            return
        if part == "threshold":
            painter.setPen(QPen(QColor(colors.text_soft), 1.4, Qt.PenStyle.DotLine))
            at = round(x + SWATCH / 2)
            painter.drawLine(at, round(middle - 6), at, round(middle + 6))
            return
        floats = part == "float"
        fill = tint(colors.float_fill, 0.55) if floats else tint(colors.quantized_fill, 0.22)
        painter.setPen(QPen(QColor(colors.float_line if floats else colors.quantized_line), 1.5))
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(x + 1, middle - 4, SWATCH - 2, 8), 2, 2)


def _described(part: Part) -> str:
    return {
        "float": "float: the values as they are",
        "quantized": "quantized: the values after quantization",
        "curve": "SQNR by clip: what a clip at each place would give, on the right axis",
        "threshold": "threshold: where the level changes (dotted)",
    }[part]
