"""A small button that paints itself, and one stop of the Tab key for a row of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton

from qviz.ui.palette import LIGHT, Palette

STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class PaintedButton(QAbstractButton):
    """Enter presses it; ← and → emit `stepped` for its row to move the focus."""

    stepped = Signal(int)

    def __init__(self) -> None:
        """Subclasses paint it in `colors`."""
        super().__init__()
        self.colors: Palette = LIGHT
        self.current = False  # what is chosen now
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter, ← and →; the rest is not for buttons."""
        step = STEPS.get(Qt.Key(event.key()))
        if step is not None:
            self.stepped.emit(step)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)


def step_focus(buttons: Sequence[PaintedButton], step: int) -> None:
    """Move the focus along a row of buttons, not beyond its ends."""
    at = next((i for i, button in enumerate(buttons) if button.hasFocus()), None)
    if at is not None and 0 <= at + step < len(buttons):
        buttons[at + step].setFocus(Qt.FocusReason.OtherFocusReason)


def one_tab_stop(buttons: Sequence[PaintedButton]) -> None:
    """Tab stops at the current button of a row, or at its first."""
    stop = next((button for button in buttons if button.current), buttons[0] if buttons else None)
    for button in buttons:
        strong = button is stop
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if strong else Qt.FocusPolicy.ClickFocus)
