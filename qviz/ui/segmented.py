"""One choice of a few, side by side; a choice that is not possible says why."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from qviz.app.views import Choice
from qviz.ui.fonts import ui_font


class Segmented(QWidget):
    """Emits `picked` with the value of the segment that the user chose."""

    picked = Signal(str)

    def __init__(self, name: str, pixels: int = 12) -> None:
        """`name` is what a screen reader calls it."""
        super().__init__()
        self.setObjectName("segmented")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(name)
        self._font = ui_font(pixels, "medium")
        self._choices: tuple[Choice, ...] = ()
        self._buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(2, 2, 2, 2)
        self._layout.setSpacing(2)

    def show_choices(self, choices: Sequence[Choice], value: str | None) -> None:
        """Offer `choices` with `value` checked, or none when it is None (values differ)."""
        if tuple(choices) != self._choices:
            self._offer(tuple(choices))
        self._group.setExclusive(False)
        for key, button in self._buttons.items():
            button.setChecked(key == value)
        self._group.setExclusive(value is not None)

    def value(self) -> str | None:
        """The checked segment."""
        return next((key for key, button in self._buttons.items() if button.isChecked()), None)

    def button(self, value: str) -> QToolButton:
        """The segment of a value."""
        return self._buttons[value]

    def stops(self) -> Sequence[QWidget]:
        """Where the tab key stops, from the left."""
        return tuple(self._buttons[choice.value] for choice in self._choices)

    def _offer(self, choices: tuple[Choice, ...]) -> None:
        """A choice that was there before keeps its button, and so the keyboard focus."""
        words = [choice.value for choice in choices]
        for value in [value for value in self._buttons if value not in words]:
            button = self._buttons.pop(value)
            button.hide()
            self._group.removeButton(button)
            self._layout.removeWidget(button)
            button.deleteLater()
        self._choices = choices
        for at, choice in enumerate(choices):
            button = self._buttons.get(choice.value) or self._add(choice.value)
            button.setText(choice.label)
            button.setEnabled(not choice.reason)
            button.setToolTip(choice.reason or choice.tip)
            if self._layout.indexOf(button) != at:
                self._layout.insertWidget(at, button)
                button.show()  # at once: the layout would wait for the event loop

    def _add(self, value: str) -> QToolButton:
        button = self._buttons[value] = QToolButton()
        button.setFont(self._font)
        button.setCheckable(True)
        button.setProperty("segment", True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: self.picked.emit(value))
        self._group.addButton(button)
        return button
