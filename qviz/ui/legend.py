"""The legend of the histograms, beside the title so that it hides no data."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from qviz.ui.palette import Palette, tint
from qviz.ui.parts import label


class Legend(QWidget):
    """Two swatches with their words."""

    def __init__(self) -> None:
        """Colors come with `set_palette`."""
        super().__init__()
        self._swatches = (label(), label())
        self._words = (label("float", 12, tone="soft"), label("quantized", 12, tone="soft"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        for number, (swatch, word) in enumerate(zip(self._swatches, self._words, strict=True)):
            if number:
                row.addSpacing(6)
            row.addWidget(swatch)
            row.addWidget(word)

    def set_overlay(self, overlay: bool) -> None:
        """With or without the quantized histogram."""
        self._swatches[1].setVisible(overlay)
        self._words[1].setVisible(overlay)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._paint(self._swatches[0], palette.float_line, tint(palette.float_fill, 0.55))
        self._paint(self._swatches[1], palette.quantized_line, tint(palette.quantized_fill, 0.22))

    def _paint(self, swatch: QLabel, line: str, fill: QColor) -> None:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(14 * ratio), round(10 * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(line), 1.5))
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(1, 1, 12, 8), 2, 2)
        painter.end()
        swatch.setPixmap(picture)
