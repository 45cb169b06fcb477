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
        self._due: list[Callable[[], None]] = []
        self._frame, self._next = QTimer(self), QTimer(self)
        for timer, run in ((self._frame, self._start), (self._next, self._step)):
            timer.setSingleShot(True)
            timer.timeout.connect(run)
        self._unsubscribe = session.subscribe(self._hear)

    def on(self, topics: str, handler: Callable[[], None]) -> None:
        """Call `handler` when one of the space-separated `topics` was named; once per frame."""
        self._handlers.append((frozenset(topics.split()), handler))

    def _hear(self, topics: frozenset[str]) -> None:
        self._pending |= topics
        if not self._frame.isActive() and not self._due:
            self._frame.start(FRAME_MS)

    def _start(self) -> None:
        self._take()
        self._step()

    def _take(self) -> None:
        pending, self._pending = self._pending, set()
        self._due += [handler for topics, handler in self._handlers if topics & pending]

    def _step(self) -> None:
        # One handler per turn of the event loop: keys and the mouse never wait for all of them.
        handler = self._due.pop(0) if self._due else _nothing
        if self._due:  # before the handler runs: should it fail, the others still get their turn
            self._next.start(0)
        elif self._pending:
            self._frame.start(FRAME_MS)
        handler()

    def flush(self) -> None:
        """Repaint now what is pending."""
        self._take()
        while self._due:
            self._step()

    def stop(self) -> None:
        """Hear nothing more; safe to call again."""
        self._frame.stop()
        self._next.stop()
        self._due.clear()
        self._pending.clear()
        self._unsubscribe()
        self._unsubscribe = _nothing


def _nothing() -> None:
    """Nothing is due, or nothing is left to unsubscribe."""
