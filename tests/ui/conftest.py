"""The window over a real Session on the small perceptron, without a user's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.ui.main_window import MainWindow
from qviz.ui.post import MainThread
from qviz.ui.run import application, draw_without_display
from qviz.ui.settings import Settings
from qviz.ui.theme import Theme

draw_without_display()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(QSettings(str(tmp_path / "qviz.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def session(qapp: QApplication) -> Iterator[Session]:
    assert isinstance(qapp, QApplication)
    made = Session(MainThread(), part="tune")
    yield made
    made.close()


@pytest.fixture
def empty_window(qtbot: QtBot, session: Session, settings: Settings) -> Iterator[MainWindow]:
    window = MainWindow(session, Theme(application(), "light"), settings)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    yield window
    window.close()


@pytest.fixture
def settle(qtbot: QtBot, session: Session) -> Callable[[MainWindow], None]:
    """Wait until everything is measured and drawn."""

    def wait(window: MainWindow) -> None:
        qtbot.waitUntil(
            lambda: session.strip().state == "done" and not session.jobs(), timeout=20000
        )
        window.refresh.flush()

    return wait


@pytest.fixture
def window(
    empty_window: MainWindow,
    session: Session,
    settle: Callable[[MainWindow], None],
    mlp: Path,
    mlp_samples: Path,
) -> MainWindow:
    """The perceptron and its samples, measured."""
    session.open(mlp, mlp_samples)
    settle(empty_window)
    return empty_window
