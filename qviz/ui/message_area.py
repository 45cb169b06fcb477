"""Messages: the latest in the bottom line, errors in a banner, all of them in a log."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QToolButton,
    QWidget,
)

from qviz.app.views import Message
from qviz.ui.icons import icon
from qviz.ui.message_log import log_dialog
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import ElidedLabel, label, set_look

ICONS = {"info": "info", "warning": "warning", "error": "warning-circle"}


def _color(level: str, palette: Palette) -> str:
    return {"error": palette.bad, "warning": palette.warn}.get(level, palette.text_faint)


class Banner(QFrame):
    """An error or warning; stays until dismissed or withdrawn, or something newer works."""

    def __init__(self) -> None:
        """Hidden until there is something to say."""
        super().__init__()
        self.setObjectName("banner")
        self._palette = LIGHT
        self._level = "error"
        self._icon = label()
        self.text = label("", 13)
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.dismiss = QToolButton()
        self.dismiss.setProperty("compact", True)
        self.dismiss.setToolTip("Dismiss")
        self.dismiss.setAccessibleName("Dismiss")
        self.dismiss.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(10)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        row.addWidget(self.dismiss)
        self.hide()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.dismiss.setIcon(icon("x", palette))
        drawn = icon(ICONS[self._level], palette, _color(self._level, palette))
        self._icon.setPixmap(drawn.pixmap(18, 18))

    def show_message(self, message: Message) -> None:
        """Say it."""
        self._level = message.level
        self.text.setText(message.text)
        self.set_palette(self._palette)
        set_look(self, "level", message.level)
        self.setAccessibleName(message.text)
        self.show()

    def withdraw(self, text: str) -> None:
        """Hide if this is what it says."""
        if text == self.text.text():
            self.hide()


class MessageArea(QWidget):
    """The latest message and the button that shows them all."""

    def __init__(self, banner: Banner) -> None:
        """`banner` takes the errors and warnings."""
        super().__init__()
        self.banner = banner
        self.latest = ElidedLabel(12, tone="faint")
        self.latest.setMinimumWidth(120)
        self.button = QToolButton()
        self.button.setFixedSize(24, 24)
        self.button.setProperty("compact", True)
        self.button.setToolTip("Show all messages")
        self.button.setAccessibleName("Show all messages")
        self.button.clicked.connect(self.show_log)
        self._palette = LIGHT
        self._said = 0  # how many of the Session's were shown
        self._log: list[Message] = []  # those and the window's own
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.latest, 1)
        row.addWidget(self.button)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.button.setIcon(icon("list-bullets", palette))
        self.banner.set_palette(palette)

    def show_messages(self, messages: tuple[Message, ...]) -> None:
        """Say those that were not said before."""
        for message in messages[self._said :]:
            self.say(message)
        self._said = len(messages)

    def move_on(self) -> None:
        """What was said last is of something that is open no more; the log keeps it."""
        self.latest.setText("")

    def say(self, message: Message) -> None:
        """Add one message."""
        self._log.append(message)
        if message.level == "info":
            self.latest.setText(message.text)
            self.banner.hide()
        else:
            self.banner.show_message(message)

    def log_dialog(self) -> QDialog:
        """Every message, the newest first."""
        drawn = {
            level: icon(name, self._palette, _color(level, self._palette)).pixmap(18, 18)
            for level, name in ICONS.items()
        }
        lines = [(drawn[message.level], message.text) for message in reversed(self._log)]
        return log_dialog(self.window(), lines)

    def show_log(self) -> None:
        """Open the log."""
        self.log_dialog().open()
