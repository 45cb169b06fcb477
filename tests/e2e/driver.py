"""What the stories share: the window, and a driver that goes through their steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from qviz.ui.main_window import MainWindow

LIMIT_S = 120.0
Wait = Callable[[], bool]


def window() -> MainWindow:
    """The one main window."""
    return next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))


class Driver:
    """Advances a story on the event loop, then leaves; with exit code 3 where it takes too long."""

    def __init__(self, steps: Iterator[Wait]) -> None:
        """Look every 10 ms whether what a step waits for has come."""
        self._steps = steps
        self._wait: Wait | None = None
        self._started = time.monotonic()
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
        self._timer.start(10)

    def _look(self) -> None:
        if time.monotonic() - self._started > LIMIT_S:
            QApplication.exit(3)
            return
        try:
            if self._wait is None or self._wait():
                self._wait = next(self._steps)
        except StopIteration:
            self._timer.stop()
            QApplication.exit(0)
