"""A button with a menu of schemes of which several can be checked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QMenu, QToolButton

from qviz.app.views import Choice
from qviz.ui.fonts import ui_font
from qviz.ui.number_format import counted


class StayingMenu(QMenu):
    """Stays open while entries are checked."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click checks."""
        action = self.actionAt(event.position().toPoint())
        if action is not None and action.isCheckable() and action.isEnabled():
            action.trigger()
        else:
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The space bar checks; Enter checks and closes."""
        action = self.activeAction()
        if event.key() == Qt.Key.Key_Space and action is not None and action.isEnabled():
            action.trigger()
        else:
            super().keyPressEvent(event)


class SchemeMenu(QToolButton):
    """Emits `changed` when the menu closes with other schemes checked than it opened with."""

    changed = Signal()

    def __init__(self) -> None:
        """Nothing to choose until `show_choices`."""
        super().__init__()
        self._choices: tuple[Choice, ...] = ()
        self._checked: tuple[str, ...] = ()
        self._opened_with: tuple[str, ...] = ()
        self.setFont(ui_font(12, "medium"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.choices = StayingMenu(self)
        self.choices.setFont(ui_font(12))
        self.choices.setToolTipsVisible(True)
        self.choices.aboutToShow.connect(self._opening)
        self.choices.aboutToHide.connect(self._closing)
        self.setMenu(self.choices)

    def checked(self) -> tuple[str, ...]:
        """The schemes that are checked, in the order of the menu."""
        return self._checked

    def show_choices(self, choices: Sequence[Choice], checked: Sequence[str]) -> None:
        """Offer `choices`; one with a reason cannot be checked, and says it."""
        offered, before = tuple(choices), self._checked
        possible = {choice.value for choice in offered if not choice.reason}
        self._checked = tuple(c.value for c in offered if c.value in checked and not c.reason)
        if offered != self._choices:
            self._choices = offered
            self.choices.clear()
            for choice in offered:
                self._add(choice, possible=choice.value in possible)
        if self._checked != before or not self.text():
            self._show_checked()

    def _add(self, choice: Choice, *, possible: bool) -> None:
        action = self.choices.addAction(choice.label)
        action.setData(choice.value)
        action.setCheckable(True)
        action.setChecked(choice.value in self._checked)
        action.setEnabled(possible)
        action.setToolTip(choice.reason or choice.tip or choice.label)
        action.toggled.connect(lambda on: self._toggle(action, on=on))

    def _toggle(self, action: QAction, *, on: bool) -> None:
        """One scheme at least stays checked."""
        value = action.data()
        wanted = {*self._checked, value} if on else {*self._checked} - {value}
        if wanted:
            self._checked = tuple(c.value for c in self._choices if c.value in wanted)
        self._show_checked()

    def _show_checked(self) -> None:
        for action in self.choices.actions():
            action.blockSignals(True)
            action.setChecked(action.data() in self._checked)
            action.blockSignals(False)
        many = counted(len(self._checked), "scheme")
        self.setText(many)
        self.setAccessibleName(f"Schemes to try: {', '.join(self._checked)}")
        self.setToolTip("\n".join(("Schemes to try on the layers:", *self._checked)))

    def _opening(self) -> None:
        self._opened_with = self._checked

    def _closing(self) -> None:
        if self._checked != self._opened_with:
            self.changed.emit()
