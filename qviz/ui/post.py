"""The one crossing from worker threads to the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot


class MainThread(QObject):
    """Called with a function from any thread, runs it soon on the thread that made this object."""

    _posted = Signal(object)

    def __init__(self) -> None:
        """Belongs to the current thread, whose event loop will run what is posted."""
        super().__init__()
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def __call__(self, function: Callable[[], None]) -> None:
        """Queue `function`; returns at once."""
        self._posted.emit(function)

    @Slot(object)
    def _run(self, function: Callable[[], None]) -> None:
        function()
