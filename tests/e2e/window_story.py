"""Drives the real window through the real main(): open, edit with the keyboard, undo.

Run as a script by test_window_story.py, once offscreen and once under Xvfb; prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTableView

from qviz.cli import main
from tests.e2e.driver import Driver, Wait, window


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


if __name__ == "__main__":
    app = QApplication([])
    figures: dict[str, Any] = {"platform": app.platformName()}
    driver = Driver(story(figures))
    try:
        main(["demo"])
    except SystemExit as stop:
        figures["code"] = stop.code
    sys.stdout.write(json.dumps(figures) + "\n")
