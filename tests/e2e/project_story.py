"""Drives the real window through the real main(): save a project by the menu, open it again.

Run as a script by test_project_story.py: `save MODEL SAMPLES PROJECT` or `open PROJECT`; prints
JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit

from qviz.cli import main
from qviz.ui.samples_dialog import SamplesDialog
from tests.e2e.driver import Driver, Wait, window


def done() -> bool:
    """Whether every number on show is final."""
    strip, rows = window().session.strip(), window().session.rows()
    measured = all(row.local_db is not None for row in rows)
    return strip.state == "done" and not strip.stale and measured and not window().session.jobs()


def figures() -> dict[str, Any]:
    """What the window shows."""
    session = window().session
    strip, document = session.strip(), session.document()
    return {
        "numbers": [strip.value, strip.float_value, strip.flips, strip.samples],
        "layers": [[row.local_db, row.weight and row.weight.scheme] for row in session.rows()],
        "reading": session.sample_form(session.sample_draft()).fields[0].value,
        "modified": document.modified,
        "title": window().windowTitle(),
    }


def choose(command: str, path: str) -> Wait:
    """Trigger a menu entry and type a path into its file dialog; done when it is closed."""
    answered: list[str] = []

    def type_path() -> None:
        dialog = QApplication.activeModalWidget()
        line = None if dialog is None else dialog.findChild(QLineEdit, "fileNameEdit")
        if isinstance(dialog, QFileDialog) and isinstance(line, QLineEdit):
            line.setText(path)
            line.textEdited.emit(path)
            dialog.accept()

    def run() -> None:
        QTimer.singleShot(50, type_path)
        window().commands[command].trigger()
        answered.append(path)

    QTimer.singleShot(0, run)
    return lambda: bool(answered)


def save(seen: dict[str, Any], project: str) -> Iterator[Wait]:
    """Read the pictures another way, give a layer two bits, save."""
    yield done
    session = window().session
    window().commands["sample_options"].trigger()
    dialog = window().findChild(SamplesDialog)
    if dialog is None:
        raise SystemExit("no dialog opened")
    dialog.fields.changed.emit("preset", "raw 0…255")
    yield dialog.apply.isEnabled
    before = session.current().samples
    dialog.apply.click()
    yield lambda: session.current().samples is not before and done()
    session.set_bits(["conv.weight"], 2)
    yield done
    yield choose("save_project", project)
    window().refresh.flush()
    seen["saved"] = figures()


def reopen(seen: dict[str, Any], project: str) -> Iterator[Wait]:
    """As main() opened it; then, after another model, as the menu does."""
    yield done
    window().refresh.flush()
    seen["by main"] = figures()
    window().commands["open_demo"].trigger()
    yield lambda: window().session.document().model_name == "fashion_cnn.onnx" and done()
    yield choose("open_project", project)
    yield lambda: window().session.document().model_name == "images.onnx" and done()
    window().refresh.flush()
    seen["by menu"] = figures()


if __name__ == "__main__":
    app = QApplication([])
    act, *paths = sys.argv[1:]
    told: dict[str, Any] = {}
    story = save if act == "save" else reopen
    driver = Driver(story(told, paths[-1]))
    try:
        main([paths[0], "--samples", paths[1]] if act == "save" else [paths[0]])
    except SystemExit as stop:
        told["code"] = stop.code
    sys.stdout.write(json.dumps(told) + "\n")
