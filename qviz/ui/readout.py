"""What stands under the cursor in a histogram, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtWidgets import QLabel

from qviz.app.slot_views import DistributionView, RangeLine
from qviz.ui import number_format as text
from qviz.ui.fonts import ui_font
from qviz.ui.grid_lines import counted_within, level_of
from qviz.ui.histogram_shape import Steps

APART = 14  # pixels between the cursor and the words


def read_out(
    view: DistributionView, steps: Steps, value: float, methods: Sequence[RangeLine] = ()
) -> str:
    """The value, the level it becomes with its error, and how many values are in its drawn bin.

    Then the range `methods` whose lines stand there.
    """
    lines = [f"{text.significant(value, 3)}"]
    level = level_of(view, value)
    if level is not None:
        error = text.significant(level - value, 2)
        sign = "" if level <= value else "+"
        low, high = counted_within(view)
        clipped = not low <= value <= high
        lines[0] += f" → {text.significant(level, 3)}" + (" (clipped)" if clipped else "")
        lines.append(f"error {sign}{error}")
    lines.append(_in_bin(steps, value))
    lines += [f"{line.label}: {text.decibels(line.sqnr_db, unit=True)}" for line in methods]
    return "\n".join(lines)


def _in_bin(steps: Steps, value: float) -> str:
    at = int(steps.edges.searchsorted(value, side="right")) - 1
    held = round(float(steps.heights[at])) if 0 <= at < steps.heights.size else 0
    return f"{text.count(held)} {'value' if held == 1 else 'values'} in this bin"


class Readout(QLabel):
    """The words beside the cursor over a plot; never under it, and never outside the plot."""

    def __init__(self, canvas: pg.PlotWidget, words_at: Callable[[float], str]) -> None:
        """Hidden; `words_at` says what stands at a value, "" for nothing."""
        super().__init__(canvas)
        self._canvas = canvas
        self._words_at = words_at
        self.setFont(ui_font(11))
        self.setProperty("badge", "plain")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        canvas.sceneObj.sigMouseMoved.connect(self._follow)
        canvas.installEventFilter(self)

    def _follow(self, at: QPointF) -> None:
        box = self._canvas.getPlotItem().getViewBox()
        inside = box.sceneBoundingRect().contains(at)
        words = self._words_at(float(box.mapSceneToView(at).x())) if inside else ""
        self.setVisible(bool(words))
        if words:
            self.setText(words)
            self._stand_beside(self._canvas.mapFromScene(at))

    def _stand_beside(self, at: QPoint) -> None:
        self.adjustSize()
        room = self._canvas.size()
        left = at.x() - APART - self.width()
        right = at.x() + APART
        x = right if right + self.width() <= room.width() or left < 0 else left
        y = min(max(2, at.y() - self.height() // 2), max(2, room.height() - self.height() - 2))
        self.move(x, y)
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The words go with the cursor."""
        if event.type() == QEvent.Type.Leave and watched is self._canvas:
            self.hide()
        return super().eventFilter(watched, event)
