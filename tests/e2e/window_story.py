"""Drives the real window through the real main(): open, edit with the keyboard, undo.

Run as a script by test_window_story.py, once offscreen and once under Xvfb; prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTableView

from qviz.cli import main
from qviz.ui.main_window import MainWindow

LIMIT_S = 120.0
Wait = Callable[[], bool]


def window() -> MainWindow:
    """The one main window."""
    return next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))


def done() -> bool:
    """Whether the number on show is final."""
    strip = window().session.strip()
    return strip.state == "done" and not strip.stale and not window().session.jobs()


def story(seen: dict[str, Any]) -> Iterator[Wait]:
    """What a person does; yields what to wait for."""
    yield done
    session = window().session
    window().activateWindow()  # no window manager does it under Xvfb
    yield lambda: window().isActiveWindow()
    table = window().findChild(QTableView)
    if table is None:
        raise SystemExit("the window has no layer table")
    seen["first"] = session.strip().value
    seen["samples"] = session.strip().samples
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(table, Qt.Key.Key_Down)
    QTest.keyClick(table, Qt.Key.Key_4)
    row = session.rows()[1]
    seen["scheme"] = None if row.weight is None else row.weight.scheme
    yield done
    seen["edited"] = session.strip().value
    before = session.operators_run
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    seen["undone"] = session.strip().value  # in the same turn of the event loop
    seen["state"] = session.strip().state
    seen["operators"] = session.operators_run - before
    seen["title"] = window().windowTitle()
    seen["picture"] = window().grab().toImage().pixelColor(4, 4).name()


class Driver:
    """Advances the story on the event loop, then closes the window."""

    def __init__(self, seen: dict[str, Any]) -> None:
        """Look every 10 ms."""
        self._steps = story(seen)
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


if __name__ == "__main__":
    app = QApplication([])
    figures: dict[str, Any] = {"platform": app.platformName()}
    driver = Driver(figures)
    try:
        main(["demo"])
    except SystemExit as stop:
        figures["code"] = stop.code
    sys.stdout.write(json.dumps(figures) + "\n")
