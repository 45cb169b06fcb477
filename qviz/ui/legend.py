"""The legend of the histograms, beside the title so that it hides no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette, tint

SWATCH = 14
GAP = 5  # between a swatch and its word
APART = 11  # between entries
LINE = 18
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
    """A swatch and a word for each thing drawn; the tooltip says more of each."""

    def __init__(self) -> None:
        """Colors come with `set_palette`."""
        super().__init__()
        self._palette = LIGHT
        self._parts = Parts()
        self._entries: tuple[Part, ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFont(ui_font(12))
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
        """Room for every entry in one line."""
        return QSize(sum(self._widths()) + APART * (len(self._entries) - 1), LINE)

    def minimumSizeHint(self) -> QSize:
        """Room for the widest entry alone."""
        return QSize(max(self._widths()), LINE)

    def hasHeightForWidth(self) -> bool:
        """What has no room beside the rest goes into a line below."""
        return True

    def heightForWidth(self, width: int) -> int:
        """As high as its lines."""
        return LINE * len(self.lines(width))

    def lines(self, width: int) -> list[list[Part]]:
        """The entries, line by line."""
        lines: list[list[Part]] = [[]]
        left = 0
        for part, own in zip(self._entries, self._widths(), strict=True):
            if lines[-1] and left + own > width:
                lines.append([])
                left = 0
            lines[-1].append(part)
            left += own + APART
        return lines

    def _widths(self) -> list[int]:
        return [self._width(part) for part in self._entries]

    def _width(self, part: Part) -> int:
        return SWATCH + GAP + self.fontMetrics().horizontalAdvance(WORDS[part]) + 1

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the entries from the left."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, line in enumerate(self.lines(self.width())):
            x, top = 0.0, float(number * LINE)
            for part in line:
                self._swatch(painter, part, x, top + LINE / 2)
                painter.setPen(QColor(self._palette.text_soft))
                width = self._width(part)
                room = QRectF(x + SWATCH + GAP, top, width, LINE)
                painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, WORDS[part])
                x += width + APART

    def _swatch(self, painter: QPainter, part: Part, x: float, middle: float) -> None:
        colors = self._palette
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
