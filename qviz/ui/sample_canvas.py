"""One sample drawn: its picture, its curve, or its first numbers."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from qviz.app.views import SamplePreview
from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette

RADIUS, INSET = 8, 10


class SampleCanvas(QWidget):
    """Small pictures are drawn in whole pixels, larger ones smoothly."""

    def __init__(self) -> None:
        """An empty ground."""
        super().__init__()
        self._palette = LIGHT
        self._shown: SamplePreview | None = None
        self._image = QImage()
        self.setMinimumSize(240, 160)

    def sizeHint(self) -> QSize:
        """Room for a picture of 256 pixels."""
        return QSize(340, 280)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.update()

    def show_sample(self, preview: SamplePreview) -> None:
        """Draw `preview`."""
        self._shown = preview
        self._image = _image(preview)
        self.setAccessibleName(preview.caption or "Sample")
        self.update()

    def image(self) -> QImage:
        """The picture in its own pixels; null where there is none."""
        return self._image

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the ground and what lies on it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._palette.line), 1))
        painter.setBrush(QColor(self._palette.sunken))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        room = self.rect().adjusted(INSET, INSET, -INSET, -INSET)
        preview = self._shown
        if preview is None:
            return
        if not self._image.isNull():
            self._draw_picture(painter, room)
        elif preview.curve is not None:
            self._draw_curve(painter, QRectF(room), preview.curve)
        else:
            painter.setFont(ui_font(13))
            painter.setPen(QColor(self._palette.text_soft))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(room, flags, preview.values)

    def _draw_picture(self, painter: QPainter, room: QRect) -> None:
        size = self._image.size().scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        times = size.width() // max(self._image.width(), 1)
        if times >= 2:  # every pixel a square
            size = self._image.size() * times
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, times < 2)
        place = QRect(room.topLeft(), size)
        place.moveCenter(room.center())
        ratio = self.devicePixelRatioF()
        if times < 1:  # smoothly: the painter alone would leave pixels out
            small = self._image.scaled(
                size * ratio,
                Qt.AspectRatioMode.IgnoreAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            painter.drawImage(place, small)
        else:
            painter.drawImage(place, self._image)

    def _draw_curve(self, painter: QPainter, room: QRectF, curve: np.ndarray) -> None:
        """The lowest and highest value under every pixel, about a line at zero."""
        columns = max(1, min(int(room.width()), len(curve)))
        pieces = np.array_split(curve, columns)
        peak = max(float(np.abs(curve).max()), 1e-9) if len(curve) else 1.0
        middle, half = room.center().y(), room.height() / 2
        painter.setPen(QPen(QColor(self._palette.line_strong), 1))
        painter.drawLine(QPointF(room.left(), middle), QPointF(room.right(), middle))
        painter.setPen(QPen(QColor(self._palette.float_line), 1.2))
        step = room.width() / columns
        line = QPolygonF()
        for at, piece in enumerate(pieces):
            x = room.left() + (at + 0.5) * step
            ends = (piece.max(), piece.min()) if len(piece) > 1 else (piece[0],)
            for value in ends:
                line.append(QPointF(x, middle - half * float(value) / peak))
        painter.drawPolyline(line)


def _image(preview: SamplePreview) -> QImage:
    """The picture as Qt draws it, with pixels of its own."""
    pixels = preview.picture
    if pixels is None:
        return QImage()
    height, width, depth = pixels.shape
    plain = np.ascontiguousarray(pixels if depth == 3 else np.repeat(pixels, 3, 2))
    return QImage(plain.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
