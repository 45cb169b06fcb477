"""The range methods above a histogram: a label for what each one chooses, to click on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from qviz.app.slot_views import RangeLine
from qviz.ui import number_format as text
from qviz.ui.fonts import ui_font
from qviz.ui.mark_layout import Label, Place, Places, make_way, place_labels, place_last
from qviz.ui.painted_button import PaintedButton, one_tab_stop, step_focus
from qviz.ui.palette import LIGHT, Palette

ROW = 15
MOST_ROWS = 3
PADDING = 4  # left and right of the words of a label
MORE = "more"  # what the button of the hidden ones says it stands for
NAMED = 3  # so many methods that coincide are named in one label
BY_HAND = "clip"  # the range that is set by dragging a clip line


@dataclass(frozen=True, slots=True)
class Mark:
    """Methods that choose the same, and the pixels where their lines stand.

    `beyond` is -1 or 1 where all of them lie left or right of what is shown.
    """

    lines: tuple[RangeLine, ...]
    xs: tuple[float, ...]
    beyond: int = 0

    @property
    def words(self) -> str:
        """The label: min-max = average; of many the one in use, and how many others."""
        names = " = ".join(line.label for line in self.lines)
        if len(self.lines) > NAMED:
            first = next((line for line in self.lines if line.current), self.lines[0])
            names = f"{first.label} = {len(self.lines) - 1} others"
        return f"← {names}" if self.beyond < 0 else f"{names} →" if self.beyond > 0 else names

    @property
    def current(self) -> bool:
        """Whether one of the methods is in use."""
        return any(line.current for line in self.lines)

    @property
    def key(self) -> str:
        """What tells it from the others: its first method."""
        return self.lines[0].method


class RangeMarks(QWidget):
    """Emits `picked` with the method whose label was pressed."""

    picked = Signal(str)

    def __init__(self) -> None:
        """Hidden until there are ranges."""
        super().__init__()
        self.setAccessibleName("What each range method chooses")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._palette = LIGHT
        self._metrics = QFontMetrics(_font(current=True))
        self._widths: dict[str, int] = {}
        self._most_rows = MOST_ROWS
        self._rows = 1
        self.setFixedHeight(ROW)
        self._hidden: tuple[Mark, ...] = ()
        self._stems: list[tuple[Place, float, bool]] = []  # with the label's width; in use
        self._placed: tuple[tuple[tuple[Label, ...], float, int], Places] = (((), 0.0, 0), [])
        self._buttons: dict[str, MarkButton] = {}
        self.more = MarkButton(MORE)
        self.more.setParent(self)
        self.more.clicked.connect(lambda: self._show_menu(self._hidden, self.more))
        self.more.stepped.connect(self._step)
        self.hide()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        for button in (*self._buttons.values(), self.more):
            button.colors = palette
        self.update()

    def set_most_rows(self, rows: int) -> None:
        """How many rows of labels there may be; takes effect with the next marks."""
        self._most_rows = rows

    def show_marks(
        self, marks: Sequence[Mark], moving: Mark | None, room: tuple[float, float]
    ) -> None:
        """Label the marks between the pixels `room`, in as many rows as that takes.

        The others stand still while a mark is `moving`, and make way where it passes them.
        """
        left, width = room[0], room[1] - room[0]
        labels = tuple(self._label(mark, left) for mark in marks)
        rows = self._most_rows if moving is None else self._rows
        if self._placed[0] != (labels, width, rows):
            self._placed = (labels, width, rows), place_labels(labels, width, rows)
        places, shown = list(self._placed[1]), list(marks)
        self._hidden = tuple(m for m, place in zip(marks, places, strict=True) if place is None)
        if moving is not None:
            label = self._label(moving, left)
            place = place_last(label, width, 1, [])
            places = make_way(labels, places, label, place)
            shown, places = [*shown, moving], [*places, place]
        else:
            self._rows = 1 + max((place.row for place in places if place), default=0)
            self.setFixedHeight(self._rows * ROW)
        self._take(shown, places, left)

    def _label(self, mark: Mark, left: float) -> Label:
        xs = tuple(x - left for x in mark.xs)
        return Label(xs, self._width(mark.words), mark.current)

    def _width(self, words: str) -> int:
        """Of a label, as wide as when it is in use; measured once, as it is asked for often."""
        if words not in self._widths:
            self._widths[words] = self._metrics.horizontalAdvance(words) + 2 * PADDING
        return self._widths[words]

    def _take(self, marks: list[Mark], places: Places, left: float) -> None:
        self._stems.clear()
        kept = set()
        for mark, place in zip(marks, places, strict=True):
            if place is None:
                continue
            kept.add(mark.key)
            button = self._buttons.get(mark.key) or self._make(mark.key)
            button.show_mark(mark.words, mark.current, _tips(mark))
            button.mark = mark
            width = self._width(mark.words)
            top = self.height() - (place.row + 1) * ROW
            button.setGeometry(round(left + place.left), top, width, ROW - 1)
            button.show()
            if not mark.beyond:
                at = Place(left + place.left, place.row, left + place.x)
                self._stems.append((at, width, mark.current))
        for key, button in self._buttons.items():
            button.setVisible(key in kept)
        self._show_more()
        one_tab_stop(self._visible())
        self.update()

    def _show_more(self) -> None:
        hidden = [line for mark in self._hidden for line in mark.lines]
        words = f"+{len(hidden)}"
        names = ", ".join(line.label for line in hidden)
        self.more.show_mark(words, any(line.current for line in hidden), f"More: {names}")
        self.more.setGeometry(0, self.height() - ROW, self._width(words), ROW - 1)
        self.more.setVisible(bool(hidden))

    def _make(self, key: str) -> MarkButton:
        button = MarkButton(key)
        button.setParent(self)
        button.colors = self._palette
        button.clicked.connect(lambda: self._press(button))
        button.stepped.connect(self._step)
        self._buttons[key] = button
        return button

    def _press(self, button: MarkButton) -> None:
        """Adopt the label's method; where others share the label of the one in use, ask which."""
        mark = button.mark
        if mark is None or mark.key == BY_HAND:
            return
        if mark.current and len(mark.lines) > 1:
            self._show_menu((mark,), button)
        else:
            self.picked.emit(mark.key)

    def button(self, method: str) -> MarkButton:
        """The label that a method has. Raises KeyError where it has none."""
        for button in self._buttons.values():
            lines = button.mark.lines if button.mark and not button.isHidden() else ()
            if any(line.method == method for line in lines):
                return button
        raise KeyError(method)

    def _visible(self) -> list[PaintedButton]:
        shown = [b for b in (self.more, *self._buttons.values()) if not b.isHidden()]
        return sorted(shown, key=lambda button: button.x())

    def _step(self, step: int) -> None:
        step_focus(self._visible(), step)

    def menu(self, lines: Sequence[RangeLine]) -> QMenu:
        """Methods to choose from."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setFont(ui_font(13))
        menu.setToolTipsVisible(True)
        for line in lines:
            words = f"{line.label}:  {text.decibels(line.sqnr_db, unit=True)}"
            action = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(line.current)
            action.setToolTip(_tip(line))
            action.triggered.connect(lambda _on=False, m=line.method: self.picked.emit(m))
        return menu

    @property
    def hidden(self) -> tuple[Mark, ...]:
        """Those whose labels have no room."""
        return self._hidden

    def _show_menu(self, marks: Sequence[Mark], button: MarkButton) -> None:
        lines = [line for mark in marks for line in mark.lines]
        self.menu(lines).popup(button.mapToGlobal(QPoint(0, button.height())))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The stems between the labels and the plot."""
        painter = QPainter(self)
        for place, width, current in self._stems:
            color = self._palette.accent if current else self._palette.text_faint
            painter.setPen(QPen(QColor(color), 1, Qt.PenStyle.DashLine))
            over = place.left < place.x < place.left + width
            top = self.height() - (place.row if over else place.row + 1) * ROW
            if top < self.height():
                painter.drawLine(round(place.x), top + 1, round(place.x), self.height())


class MarkButton(PaintedButton):
    """One label; the method in use is set in the accent color on a ground."""

    def __init__(self, method: str) -> None:
        """Empty until `show_mark`."""
        super().__init__()
        self.method = method
        self.mark: Mark | None = None

    def show_mark(self, words: str, current: bool, tip: str) -> None:
        """Take the words."""
        if (words, current, tip) == (self.text(), self.current, self.toolTip()):
            return
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
        painter.setFont(_font(current=self.current))
        painter.setPen(QColor(colors.accent if self.current else colors.text_soft))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())


def _tips(mark: Mark) -> str:
    return "\n\n".join(_tip(line) for line in mark.lines)


def _tip(line: RangeLine) -> str:
    figures = (
        f"{line.label}: {text.significant(line.low, 3)} … {text.significant(line.high, 3)}, "
        f"{text.decibels(line.sqnr_db, unit=True)}"
    )
    after = "" if line.current else "\nClick to use it"
    return f"{figures}\n{line.tip}{after}" if line.tip else figures + after


def _font(*, current: bool) -> QFont:
    return ui_font(11, "semibold" if current else "regular")
