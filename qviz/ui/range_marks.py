"""The range methods above a histogram: a label for what each one chooses, to click on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from qviz.app.views import RangeLine
from qviz.ui import number_format as text
from qviz.ui.fonts import ui_font
from qviz.ui.mark_layout import Label, Place, place_labels
from qviz.ui.painted_button import PaintedButton, one_tab_stop, step_focus
from qviz.ui.palette import LIGHT, Palette

ROW = 17
PADDING = 5  # left and right of the words of a label
MORE = "more"  # what the button of the hidden ones says it stands for


def ends(line: RangeLine, *, mirrored: bool) -> tuple[float, ...]:
    """Where a method's lines stand: its high end, then its low end; one for a mirrored grid."""
    if mirrored:
        return (max(-line.low, line.high),)
    found = [end for end in (line.high, line.low) if end != 0]
    return tuple(found[:1] if abs(sum(found)) <= 1e-6 * max(map(abs, found), default=0) else found)


class RangeMarks(QWidget):
    """Emits `picked` with the method whose label was pressed."""

    picked = Signal(str)

    def __init__(self) -> None:
        """Hidden until there are ranges."""
        super().__init__()
        self.setAccessibleName("What each range method chooses")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._palette = LIGHT
        self._rows = 0
        self.set_rows(2)
        self._hidden: tuple[RangeLine, ...] = ()
        self._stems: list[tuple[float, int, bool]] = []  # x, row, current
        self._buttons: dict[str, MarkButton] = {}
        self.more = MarkButton(MORE)
        self.more.setParent(self)
        self.more.clicked.connect(self._show_menu)
        self.hide()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        for button in (*self._buttons.values(), self.more):
            button.colors = palette
        self.update()

    def set_rows(self, rows: int) -> None:
        """How many rows of labels there may be."""
        if rows != self._rows:
            self._rows = rows
            self.setFixedHeight(rows * ROW)

    def show_ranges(
        self,
        marks: dict[RangeLine, tuple[float, ...]],
        to_pixel: Callable[[float], float],
        room: tuple[float, float],
    ) -> frozenset[str]:
        """Label the lines at the first of their ends, which `to_pixel` puts within `room`.

        Returns the methods that are labelled.
        """
        lines = [line for line, places in marks.items() if places]
        pixels = [to_pixel(marks[line][0]) for line in lines]
        near = [at for at, x in enumerate(pixels) if room[0] <= x <= room[1]]
        labels = [
            Label(pixels[at] - room[0], _width(lines[at].label), lines[at].current) for at in near
        ]
        width = room[1] - room[0]
        places = place_labels(labels, width, self._rows)
        count = len(lines) - sum(place is not None for place in places)
        if count:  # the same again, with room for the button at the left
            left = _width(f"+{count + 1}") + 6.0
            shifted = [Label(label.x - left, label.width, label.first) for label in labels]
            found = place_labels(shifted, width - left, self._rows)
            places = [p and Place(p.left + left, p.row) for p in found]
        shown = {lines[at].method: p for at, p in zip(near, places, strict=True) if p is not None}
        self._hidden = tuple(line for line in lines if line.method not in shown)
        self._stems = [
            (x, shown[line.method].row, line.current)
            for line, x in zip(lines, pixels, strict=True)
            if line.method in shown
        ]
        self._place(lines, shown, room[0])
        self.update()
        return frozenset(shown)

    def _place(self, lines: list[RangeLine], shown: dict[str, Place], left: float) -> None:
        for line in lines:
            button = self._buttons.get(line.method) or self._make(line.method)
            button.show_mark(line.label, line.current, _tip(line))
            place = shown.get(line.method)
            button.setVisible(place is not None)
            if place is not None:
                top = self.height() - (place.row + 1) * ROW
                button.setGeometry(round(left + place.left), top, _width(line.label), ROW - 1)
        for method, button in self._buttons.items():
            if all(line.method != method for line in lines):
                button.hide()
        self.more.setVisible(bool(self._hidden))
        words = f"+{len(self._hidden)}"
        names = ", ".join(line.label for line in self._hidden)
        self.more.show_mark(words, any(line.current for line in self._hidden), f"More: {names}")
        self.more.setGeometry(round(left), self.height() - ROW, _width(words), ROW - 1)
        one_tab_stop(self._visible())

    def _make(self, method: str) -> MarkButton:
        button = MarkButton(method)
        button.setParent(self)
        button.colors = self._palette
        button.clicked.connect(lambda: self.picked.emit(method))
        button.stepped.connect(self._step)
        self._buttons[method] = button
        return button

    def button(self, method: str) -> MarkButton:
        """The label of a method."""
        return self._buttons[method]

    def _visible(self) -> list[PaintedButton]:
        shown = [b for b in (self.more, *self._buttons.values()) if not b.isHidden()]
        return sorted(shown, key=lambda button: button.x())

    def _step(self, step: int) -> None:
        step_focus(self._visible(), step)

    def menu(self) -> QMenu:
        """The methods whose labels have no room."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setFont(ui_font(13))
        menu.setToolTipsVisible(True)
        for line in self._hidden:
            words = f"{line.label}:  {text.decibels(line.sqnr_db, unit=True)}"
            action = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(line.current)
            action.setToolTip(_tip(line))
            action.triggered.connect(lambda _on=False, m=line.method: self.picked.emit(m))
        return menu

    def _show_menu(self) -> None:
        self.menu().popup(self.more.mapToGlobal(QPoint(0, self.more.height())))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The stems between the labels and the plot."""
        painter = QPainter(self)
        for x, row, current in self._stems:
            color = self._palette.accent if current else self._palette.text_faint
            painter.setPen(QPen(QColor(color), 1, Qt.PenStyle.DashLine))
            top = self.height() - (row + 1) * ROW + 3
            painter.drawLine(round(x), top, round(x), self.height())


class MarkButton(PaintedButton):
    """One label; the method in use is set in the accent color on a ground."""

    def __init__(self, method: str) -> None:
        """Empty until `show_mark`."""
        super().__init__()
        self.method = method

    def show_mark(self, words: str, current: bool, tip: str) -> None:
        """Take the words."""
        self.setText(words)
        self.current = current
        self.setToolTip(tip)
        self.setAccessibleName(f"{words}, in use" if current else words)
        self.setAccessibleDescription(tip)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A ground where it is in use, hovered or focused, and the words."""
        colors, painter = self.colors, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        ground = colors.accent_soft if self.current or self.isDown() else colors.sunken
        if self.current or self.underMouse() or self.hasFocus() or self.method == MORE:
            painter.setBrush(QColor(ground))
            painter.setPen(QPen(QColor(colors.accent)) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(room, 4.0, 4.0)
        painter.setFont(_font(self.current))
        painter.setPen(QColor(colors.accent if self.current else colors.text_soft))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())


def _tip(line: RangeLine) -> str:
    figures = (
        f"{line.label}: {text.significant(line.low, 3)} … {text.significant(line.high, 3)}, "
        f"{text.decibels(line.sqnr_db, unit=True)}"
    )
    after = "" if line.current else "\nClick to use it"
    return f"{figures}\n{line.tip}{after}" if line.tip else figures + after


def _font(current: bool) -> QFont:
    return ui_font(11, "semibold" if current else "regular")


def _width(words: str) -> int:
    """Of a label, as wide as when it is in use."""
    return QFontMetrics(ui_font(11, "semibold")).horizontalAdvance(words) + 2 * PADDING
