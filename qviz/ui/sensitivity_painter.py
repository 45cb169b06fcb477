"""Paints the Sensitivity chart: heads, names, heat cells, and bars with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from qviz.app.sensitivity.present import HeatCell, SensitivityRow, SensitivityView
from qviz.app.sensitivity.quantities import spelled
from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.sensitivity_columns import Columns
from qviz.ui.sensitivity_ramp import RampName, blended, ink_on, ramp, ramp_color
from qviz.ui.short_names import Run, fitting

ROW = 25
HEAD = 44
GUESS_SHARE = 0.35  # of a guess's color, over the card
INSET = 1.5
BAR_INSET = 7
MOST_HEAD = 58  # of a head's width that its column keeps when there are many
CAP = 4  # half the height of an interval's ends
Align = Qt.AlignmentFlag
_LEFT = Align.AlignLeft | Align.AlignVCenter
_RIGHT = Align.AlignRight | Align.AlignVCenter


@dataclass(frozen=True, slots=True)
class Look:
    """How a row is lit."""

    current: bool = False
    focused: bool = False
    hovered: bool = False


def head_words(scheme: str) -> tuple[str, str]:
    """A scheme in two lines: the format, and what the rest of the spelling says."""
    if scheme == "plan":
        return "plan", "layer float"
    form, _, rest = scheme.partition(":")
    return form, rest or "tensor"


class SensitivityPainter:
    """Holds colors and fonts; draws one head or one row at a time."""

    def __init__(self) -> None:
        """In the light theme until `set_colors`."""
        self.small = ui_font(11)
        self.plain = ui_font(12)
        self.strong = ui_font(11, "semibold")
        self.set_colors(LIGHT, "warm")

    def set_colors(self, palette: Palette, name: RampName) -> None:
        """Take the theme's colors and a ramp."""
        self.palette = palette
        self.colors = ramp(palette, name)

    def columns(self, view: SensitivityView, width: float, first: int = 0) -> Columns:
        """Share a width among what the view has to show, schemes from `first` on."""
        plain, small = QFontMetricsF(self.plain), QFontMetricsF(self.small)
        strong = QFontMetricsF(self.strong)
        name = max((plain.horizontalAdvance(row.name) for row in view.rows), default=0.0)
        texts = {cell.text for row in view.rows for cell in row.cells}
        cell = max((small.horizontalAdvance(text) for text in texts), default=0.0)
        words = (word for scheme in view.schemes for word in head_words(scheme))
        head = max((strong.horizontalAdvance(word) for word in words), default=0.0)
        shorts = {cell.short for row in view.rows for cell in row.cells}
        short = max((small.horizontalAdvance(text) for text in shorts), default=0.0)
        least = max(short + 2 * INSET + 4, min(head + 2, MOST_HEAD))
        asked = max(cell + 12, head + 12)
        return Columns.share(width, len(view.schemes), name + 2, asked, least, first)

    # heads

    def paint_head(
        self, painter: QPainter, view: SensitivityView, columns: Columns, hovered: int | None
    ) -> None:
        """The schemes, the one that orders the rows marked, and the axis of the bars."""
        p = self.palette
        painter.setFont(self.small)
        painter.setPen(QColor(p.text_faint))
        painter.drawText(columns.name_rect(4, 34), _LEFT, "Layer")
        for at in columns.shown:
            scheme = view.schemes[at]
            self._scheme(painter, scheme, columns.cell_rect(at, 4, 34), at, view, hovered)
        self._axis(painter, view, columns.bar_rect(4, 34))

    def _scheme(
        self,
        painter: QPainter,
        scheme: str,
        room: QRectF,
        at: int,
        view: SensitivityView,
        hovered: int | None,
    ) -> None:
        p, chosen = self.palette, at == view.chosen
        half = room.height() / 2
        for number, words in enumerate(head_words(scheme)):
            painter.setFont(self.small if number else self.strong)
            lit = p.accent if chosen else p.text if at == hovered else ""
            painter.setPen(QColor(lit or (p.text_faint if number else p.text_soft)))
            place = QRectF(room.left() + 1, room.top() + number * half, room.width() - 2, half)
            shown = QFontMetricsF(painter.font()).elidedText(
                words, Qt.TextElideMode.ElideRight, place.width()
            )
            painter.drawText(place, Align.AlignCenter, shown)
        if chosen:
            line = QRectF(room.left() + 3, HEAD - 4, room.width() - 6, 2)
            painter.fillRect(line, QColor(p.accent))

    def _axis(self, painter: QPainter, view: SensitivityView, room: QRectF) -> None:
        """What the bars show, and the ends of their axis."""
        p, half = self.palette, room.height() / 2
        painter.setFont(self.strong)
        painter.setPen(QColor(p.accent))
        words, metrics = view.title, QFontMetricsF(self.strong)
        if metrics.horizontalAdvance(words) > room.width():
            words = words.rpartition(", ")[0] or words  # without the unit
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(QRectF(room.left(), room.top(), room.width(), half), _LEFT, shown)
        painter.setFont(self.small)
        painter.setPen(QColor(p.text_faint))
        below = QRectF(room.left(), room.top() + half, room.width(), half)
        for end, place in ((view.low, _LEFT), (view.high, _RIGHT)):
            number = spelled(end, view.quantity, change=False, digits=1) if end else "0"
            painter.drawText(below, place, number)
        painter.fillRect(QRectF(room.left(), HEAD - 3, room.width(), 1), QColor(p.line_strong))

    # rows

    def paint_row(
        self,
        painter: QPainter,
        view: SensitivityView,
        row: SensitivityRow,
        runs: tuple[Run, ...],
        columns: Columns,
        top: float,
        width: float,
        look: Look,
    ) -> None:
        """One layer from `top` on."""
        self._ground(painter, QRectF(0, top, width, ROW), look)
        painter.setFont(self.plain)
        painter.setPen(QColor(self.palette.text))
        advance = QFontMetricsF(self.plain).horizontalAdvance
        name = fitting(runs, columns.name, advance)
        painter.drawText(columns.name_rect(top, ROW), _LEFT, name)
        for at in columns.shown:
            self._cell(painter, row.cells[at], columns.cell_rect(at, top, ROW))
        self._bar(painter, view, row.cells[view.chosen], columns.bar_rect(top, ROW))

    def _ground(self, painter: QPainter, room: QRectF, look: Look) -> None:
        p = self.palette
        if look.current:
            painter.fillRect(room, QColor(p.accent_soft))
            painter.fillRect(QRectF(0, room.top(), 3, ROW), QColor(p.accent))
        elif look.hovered:
            painter.fillRect(room, QColor(p.sunken))
        if look.current and look.focused:
            painter.setPen(QPen(QColor(p.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(room.adjusted(1.5, 1, -1.5, -1), 4, 4)

    def _cell(self, painter: QPainter, cell: HeatCell, room: QRectF) -> None:
        p = self.palette
        box = room.adjusted(INSET, INSET, -INSET, -INSET)
        ground = QColor(p.card)
        if cell.color is None:
            painter.setPen(QPen(QColor(p.line), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        else:
            full = ramp_color(self.colors, cell.color)
            guessed = cell.known == "guess"
            ground = blended(ground, full, GUESS_SHARE) if guessed else full
            pen = QPen(full, 1, Qt.PenStyle.DashLine) if guessed else QPen(ground, 1)
            painter.setPen(pen)
            painter.setBrush(ground)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        metrics = QFontMetricsF(self.small)
        texts = (cell.text, cell.short)
        fits = (text for text in texts if metrics.horizontalAdvance(text) <= box.width() - 2)
        painter.setFont(self.small)
        painter.setPen(QColor(p.text_faint) if cell.color is None else ink_on(ground))
        painter.drawText(box, Align.AlignCenter, next(fits, ""))

    def _bar(self, painter: QPainter, view: SensitivityView, cell: HeatCell, room: QRectF) -> None:
        p = self.palette
        span = view.high - view.low

        def x(value: float) -> float:
            return room.left() + (value - view.low) / span * room.width()

        zero = x(0.0)
        painter.fillRect(QRectF(zero - 0.5, room.top(), 1, room.height()), QColor(p.line_strong))
        if cell.value is None or cell.color is None or not view.low <= cell.value <= view.high:
            return
        end = x(cell.value)
        bar = QRectF(
            min(zero, end), room.top() + BAR_INSET, abs(end - zero), room.height() - 2 * BAR_INSET
        )
        bar.setWidth(max(bar.width(), 1.0))
        color = ramp_color(self.colors, cell.color)
        if cell.known == "guess":
            painter.fillRect(bar, blended(QColor(p.card), color, GUESS_SHARE / 2))
            painter.fillRect(bar, QBrush(color, Qt.BrushStyle.BDiagPattern))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(color, 1))
            painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5))
        else:
            painter.fillRect(bar, color)
            edge = blended(color, QColor(p.text), 0.35)  # pale colors still have an end
            painter.setPen(QPen(edge, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5))
        if cell.low is not None and cell.high is not None:
            self._interval(painter, x(cell.low), x(cell.high), end, room.center().y())

    def _interval(
        self, painter: QPainter, low: float, high: float, at: float, middle: float
    ) -> None:
        painter.setPen(QPen(QColor(self.palette.text_soft), 1.2))
        painter.drawLine(QLineF(low, middle, high, middle))
        for end in (low, high):
            painter.drawLine(QLineF(end, middle - CAP, end, middle + CAP))
        painter.setBrush(QColor(self.palette.text))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPolygon(
            QPolygonF(
                [
                    QPointF(at - 3, middle),
                    QPointF(at, middle - 3),
                    QPointF(at + 3, middle),
                    QPointF(at, middle + 3),
                ]
            )
        )
