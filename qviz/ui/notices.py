"""What is told without being asked for: complaints that end, and how images are read."""

from __future__ import annotations

from PySide6.QtCore import QObject

from qviz.app.session import Session
from qviz.app.views import Message
from qviz.ui.message_area import MessageArea


class Notices(QObject):
    """Watches what is open, and what was said of it."""

    def __init__(self, session: Session, area: MessageArea) -> None:
        """Says in `area` what there is to say."""
        super().__init__(area)
        self._session = session
        self._area = area
        self._drawn = session.current()
        self._read = ("", "")  # the samples, and how they were said to be read

    def refresh(self) -> None:
        """An edit or an opening worked: what failed before it is over; the log keeps it."""
        before, now = self._drawn, self._session.current()
        self._drawn = now
        pairs = ((before.model, now.model), (before.samples, now.samples), (before.plan, now.plan))
        if any(old is not new for old, new in pairs):
            self._area.banner.hide()
        if before.model is not None and before.model is not now.model:
            self._area.move_on()
        if before.samples is not now.samples:
            self._say_how_read()

    def _say_how_read(self) -> None:
        """Once for every file whose images are read as nobody asked for."""
        notice, path = self._session.samples_notice(), self._session.document().samples_path
        if notice and (path, notice) != self._read:
            self._area.say(Message("info", notice))
        self._read = (path, notice)
