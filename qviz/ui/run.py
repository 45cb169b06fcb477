"""The window's two ways in: with a person before it, and as a picture."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QEventLoop,
    QMessageLogContext,
    QSettings,
    QSize,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QLayout, QMessageBox, QWidget

from qviz.app.sample_form import Reading
from qviz.app.session import Session
from qviz.app.views import Part
from qviz.errors import QvizError
from qviz.ui.fonts import register_fonts, ui_font
from qviz.ui.garbage import GarbageCollector
from qviz.ui.icons import app_icon
from qviz.ui.main_window import MainWindow
from qviz.ui.post import MainThread
from qviz.ui.settings import Settings
from qviz.ui.theme import Theme

SCREENSHOT_LIMIT_S = 300
SWITCH_INTERVAL_S = 0.0005  # how long a lane may keep the interpreter while the window waits for it


def application() -> QApplication:
    """The one application object, with the bundled typeface."""
    running = QApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(sys.argv[:1])
    register_fonts()
    app.setApplicationName("qviz")
    app.setApplicationDisplayName("qviz")
    app.setDesktopFileName("qviz")
    app.setWindowIcon(app_icon())
    app.setFont(ui_font(13))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if app.findChild(GarbageCollector) is None:
        GarbageCollector(app)
    return app


def run_window(
    model: str | None,
    samples: str | None,
    plan: str | None = None,
    *,
    reading: Reading | None = None,
    values: Mapping[str, float] | None = None,
    run_code: bool = False,
    memory: int | None = None,
    device: str | None = None,
) -> int:
    """Show the window until it is closed; returns the exit code.

    `memory`: bytes for results that may be used again, `device`: the name of the one that the plan
    runs on, else what the settings say.

    Raises:
        QvizError: there is no such device, or it cannot be chosen.
    """
    app = application()
    settings = Settings()
    session = Session(MainThread(), part="tune", memory_budget=memory)
    if device is not None:
        session.set_device(device)
    window = MainWindow(session, Theme(app, settings.theme()), settings, may_leave, _may_run)
    window.show()
    if model is not None:
        session.open(model, samples, plan, reading=reading, values=values, run_code=run_code)
        window.files.note_opening(model)
    elif samples is not None:
        window.files.open_samples(samples)
    code = app.exec()
    session.close()
    return code


def may_leave(window: MainWindow) -> bool:
    """Ask what to do with changes that are not saved: of the open project, or else of the plan."""
    button = QMessageBox.StandardButton
    project = window.files.project()
    box = QMessageBox(window)
    box.setWindowTitle("Save the project?" if project else "Save the plan?")
    of_what = Path(project).name if project else "The plan"
    box.setText(f"{of_what} has changes that are not saved.")
    box.setStandardButtons(button.Save | button.Discard | button.Cancel)
    box.setDefaultButton(button.Save)
    answer = box.exec()
    box.deleteLater()
    if answer == button.Save:
        return window.files.save_project() if project else window.files.ask_save_plan()
    return answer == button.Discard


def _may_run(window: MainWindow, path: str) -> bool:
    """Ask before a Python program runs."""
    button = QMessageBox.StandardButton
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Run a program?")
    box.setText(f"To open {Path(path).name} is to run it.")
    box.setInformativeText(
        "It can do whatever you can: read, change and send your files. "
        "Run it only if you wrote it or trust where it comes from."
    )
    box.setStandardButtons(button.Yes | button.Cancel)
    box.button(button.Yes).setText("Run It")
    box.setDefaultButton(button.Cancel)
    answer = box.exec()
    box.deleteLater()
    return answer == button.Yes


def draw_without_display() -> None:
    """Let Qt draw into memory when there is no display; before the application object is made."""
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not display:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def screenshot(
    path: str | Path,
    model: str | Path | None,
    samples: str | Path | None,
    *,
    size: tuple[int, int] = (1280, 800),
    theme: Literal["light", "dark"] = "light",
    select: str | None = None,
    view: str = "distribution",
    plan: str | Path | None = None,
    reading: Reading | None = None,
    values: Mapping[str, float] | None = None,
    run_code: bool = False,
    part: Part = "tune",
    seed: int = 0,
    limit: int | None = None,
    memory: int | None = None,
    device: str | None = None,
) -> None:
    """Save a picture of the window once everything is measured; needs no display.

    `select` is the name of the layer to show, `view` the tab in front, which measures what it
    shows; `part`, `seed` and `limit` choose the samples that are scored. Without a model it is the
    welcome page.

    Raises:
        QvizError: a file that cannot be read or written, an unknown layer or device.
    """
    draw_without_display()
    app = application()
    before = qInstallMessageHandler(_report)
    session = Session(MainThread(), part=part, seed=seed, limit=limit, memory_budget=memory)
    with tempfile.TemporaryDirectory() as folder:
        store = QSettings(str(Path(folder, "qviz.ini")), QSettings.Format.IniFormat)
        window = MainWindow(session, Theme(app, theme), Settings(store))
        try:
            window.resize(QSize(*size))
            window.show()
            if device is not None:
                session.set_device(device)
            if model is not None:
                session.open(
                    model, samples, plan, reading=reading, values=values, run_code=run_code
                )
                wait_until_idle(session, samples is not None)
            window.refresh.flush()
            _select(window, select)
            window.workspace.views.show_view(view)
            if model is not None:  # what is looked at is measured in detail
                wait_until_idle(session, samples is not None)
                window.refresh.flush()
            lay_out(window)
            if not window.grab().save(str(path), "PNG"):
                cause = "the picture cannot be written"
                raise QvizError(str(path), cause, "Choose a folder that exists and is yours")
        finally:
            window.close()
            session.close()
            qInstallMessageHandler(before)


def _report(_kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    """Pass Qt's messages on, but for the one that every offscreen window causes."""
    if "propagateSizeHints" not in text:
        sys.stderr.write(text + "\n")


def lay_out(window: QWidget) -> None:
    """Give every widget the room that its words ask for by now, before a picture is taken.

    A layout asks the one around it only once it is done itself, which takes the event loop as
    many turns as layouts are nested: a number drawn in between is cut to its old width.
    """
    layouts = window.findChildren(QLayout)
    while True in [layout.activate() for layout in layouts]:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
    for area in window.findChildren(QAbstractScrollArea):  # they hear of it last
        QCoreApplication.sendPostedEvents(area.viewport(), QEvent.Type.LayoutRequest)
        QCoreApplication.sendEvent(area, QEvent(QEvent.Type.LayoutRequest))


def _select(window: MainWindow, name: str | None) -> None:
    if name is not None and not window.workspace.table.go_to(name):
        raise QvizError(f"layer '{name}'", "the model has no such layer", "Name a listed layer")
    if window.session.document().model_name:
        window.workspace.show_selection()


def wait_until_idle(session: Session, with_samples: bool) -> None:
    """Run the event loop until the Session has measured all there is.

    Raises:
        QvizError: opening failed, or it took longer than SCREENSHOT_LIMIT_S.
    """
    loop = QEventLoop()
    turn = QTimer()  # look after the event is handled: inside it one job may end to start another
    turn.setSingleShot(True)
    turn.timeout.connect(lambda: loop.quit() if _finished(session, with_samples) else None)
    unsubscribe = session.subscribe(lambda _topics: turn.start(0))
    guard = QTimer()
    guard.setSingleShot(True)
    guard.timeout.connect(lambda: loop.exit(1))
    guard.start(SCREENSHOT_LIMIT_S * 1000)
    timed_out = not _finished(session, with_samples) and loop.exec() == 1
    unsubscribe()
    errors = [message for message in session.messages() if message.level == "error"]
    if errors:
        raise errors[-1].error or QvizError("the window", errors[-1].text, "Report this message")
    if timed_out:
        limit = f"measuring took longer than {SCREENSHOT_LIMIT_S} s"
        raise QvizError("screenshot", limit, "Use fewer samples")


def _finished(session: Session, with_samples: bool) -> bool:
    if any(message.level == "error" for message in session.messages()):
        return True
    if session.jobs():
        return False
    state = session.strip().state
    return state in ("done", "failed", "cancelled") or (state == "no samples" and not with_samples)
