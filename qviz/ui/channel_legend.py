"""Legends of the Channels view: swatches with their words, only of what is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from qviz.ui.palette import Palette, tint
from qviz.ui.parts import label


class ChannelLegend(QWidget):
    """One swatch and word per kind; `row` takes what stands beside them."""

    def __init__(self, *kinds: str) -> None:
        """The kinds it may show, of SWATCHES; colors come with `set_palette`."""
        super().__init__()
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(5)
        self.words = {kind: label(kind, 12, tone="soft") for kind in kinds}
        self._swatches = {kind: label() for kind in kinds}
        for number, kind in enumerate(kinds):
            if number:
                self.row.addSpacing(4)
            self.row.addWidget(self._swatches[kind])
            self.row.addWidget(self.words[kind])

    def show_kinds(self, drawn: Mapping[str, bool]) -> None:
        """Only what is drawn."""
        for kind, shown in drawn.items():
            self._swatches[kind].setVisible(shown)
            self.words[kind].setVisible(shown)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        for kind, swatch in self._swatches.items():
            _paint(swatch, SWATCHES[kind], palette)


def _paint(swatch: QLabel, draw: Callable[[QPainter, Palette], None], palette: Palette) -> None:
    ratio = swatch.devicePixelRatioF()
    picture = QPixmap(round(12 * ratio), round(10 * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    draw(painter, palette)
    painter.end()
    swatch.setPixmap(picture)


def _values(painter: QPainter, palette: Palette) -> None:
    painter.fillRect(QRectF(2, 1, 3, 8), tint(palette.float_line, 0.9))
    painter.fillRect(QRectF(7, 3, 3, 6), tint(palette.float_line, 0.9))


def _grid(painter: QPainter, palette: Palette) -> None:
    painter.fillRect(QRectF(0, 1, 12, 8), tint(palette.quantized_fill, 0.2))
    for y in (0.5, 8.0):
        painter.fillRect(QRectF(0, y, 12, 1.5), QColor(palette.quantized_line))


def _mark(painter: QPainter, palette: Palette) -> None:
    painter.setBrush(QColor(palette.bad))
    painter.drawPolygon([QPointF(2, 1), QPointF(10, 1), QPointF(6, 9)])


def _exact(painter: QPainter, palette: Palette) -> None:
    painter.fillRect(QRectF(4, 0, 4, 10), tint(palette.good, 0.45))


SWATCHES: dict[str, Callable[[QPainter, Palette], None]] = {
    "values": _values,
    "grid": _grid,
    "outlier": _mark,
    "worst": _mark,
    "exact": _exact,
}
