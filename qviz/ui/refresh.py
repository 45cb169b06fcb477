"""Turns the Session's topics into repaints, at most once a frame."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from qviz.app.session import Session

FRAME_MS = 16


class Refresh(QObject):
    """Collects topics and, once a frame, calls every handler that asked for one of them."""

    def __init__(self, session: Session) -> None:
        """Listen to `session` until `stop`."""
        super().__init__()
        self._handlers: list[tuple[frozenset[str], Callable[[], None]]] = []
        self._pending: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._begin)
        self._due: list[Callable[[], None]] = []
        self._unsubscribe = session.subscribe(self._hear)

    def on(self, topics: str, handler: Callable[[], None]) -> None:
        """Call `handler` when one of the space-separated `topics` was named; once per frame."""
        self._handlers.append((frozenset(topics.split()), handler))

    def _hear(self, topics: frozenset[str]) -> None:
        self._pending |= topics
        if not self._timer.isActive():
            self._timer.start()

    def _begin(self) -> None:
        """Start a frame: one handler per turn of the event loop, so that keys and mouse get in."""
        self._take_pending()
        self._next()

    def _take_pending(self) -> None:
        pending, self._pending = self._pending, set()
        for topics, handler in self._handlers:
            if topics & pending and handler not in self._due:
                self._due.append(handler)

    def _next(self) -> None:
        if self._due:
            self._due.pop(0)()
        if self._due:
            QTimer.singleShot(0, self, self._next)

    def flush(self) -> None:
        """Repaint now all that is pending."""
        self._take_pending()
        while self._due:
            self._due.pop(0)()

    def stop(self) -> None:
        """Hear nothing more."""
        self._timer.stop()
        self._pending.clear()
        self._due.clear()
        self._unsubscribe()
