"""The menu of devices: grey with a reason, one checked, remembered while it is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.engine.devices import THE_CPU, Device
from qviz.ui.main_window import MainWindow
from qviz.ui.run import application
from qviz.ui.settings import Settings
from qviz.ui.theme import Theme

GPU = Device("cpu:0", "A GPU")
MISSING = Device("mps", "Apple GPU (MPS)", "no Apple GPU was found")
Settle = Callable[[MainWindow], None]


@pytest.fixture
def _three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qviz.app.devices.devices", lambda: (THE_CPU, GPU, MISSING))


def entries(window: MainWindow) -> dict[str, QAction]:
    window.device_menu.aboutToShow.emit()
    return {action.objectName(): action for action in window.device_menu.actions()}


def another(qtbot: QtBot, settings: Settings) -> tuple[Session, MainWindow]:
    session = Session()
    window = MainWindow(session, Theme(application(), "light"), settings)
    qtbot.addWidget(window)
    return session, window


def test_this_machines_devices_are_in_the_edit_menu(empty_window: MainWindow) -> None:
    found = entries(empty_window)
    assert found["device_cpu"].isChecked()
    assert any(name.startswith("device_cuda") for name in found)
    assert "device_mps" in found
    edit = next(action for action in empty_window.menuBar().actions() if action.text() == "Edit")
    menu = edit.menu()
    assert isinstance(menu, QMenu)
    assert empty_window.device_menu.menuAction() in menu.actions()
    for device in empty_window.session.devices():
        action = found[f"device_{device.name}"]
        assert action.isEnabled() is not bool(device.why_not)
        assert not device.why_not or device.why_not[1:] in action.toolTip()


@pytest.mark.usefixtures("_three")
def test_a_device_is_chosen_and_remembered(
    qtbot: QtBot, window: MainWindow, session: Session, settings: Settings, settle: Settle
) -> None:
    found = entries(window)
    assert not found["device_mps"].isEnabled()
    assert found["device_mps"].toolTip() == "No Apple GPU was found"
    before = session.strip().value
    found["device_cpu:0"].trigger()
    settle(window)
    assert (session.device, session.strip().value) == ("cpu:0", before)
    checked = [name for name, action in entries(window).items() if action.isChecked()]
    assert checked == ["device_cpu:0"]
    later, again = another(qtbot, settings)
    assert later.device == "cpu:0"
    assert entries(again)["device_cpu:0"].isChecked()
    entries(again)["device_cpu"].trigger()
    assert another(qtbot, settings)[0].device == "cpu"


@pytest.mark.parametrize("name", ["mps", "cuda:1"])
@pytest.mark.usefixtures("_three")
def test_a_device_that_went_away_is_not_taken_again(
    qtbot: QtBot, settings: Settings, name: str
) -> None:
    settings.set_word("device", name)
    session, _ = another(qtbot, settings)
    assert (session.device, session.device_chosen) == ("cpu", False)
    assert not session.messages()


@pytest.mark.usefixtures("_three")
def test_what_a_run_is_told_counts_more_than_what_is_remembered(
    qtbot: QtBot, settings: Settings
) -> None:
    settings.set_word("device", "cpu:0")
    session = Session()
    session.set_device("cpu")
    qtbot.addWidget(MainWindow(session, Theme(application(), "light"), settings))
    assert session.device == "cpu"
    assert settings.word("device", "") == "cpu:0"
