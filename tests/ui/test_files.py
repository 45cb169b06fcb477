"""Opening: samples that wait for their model, plans that come with one, edits nobody saved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.ui.file_drop import Dropped
from qviz.ui.main_window import MainWindow
from qviz.ui.run import application
from qviz.ui.settings import Settings
from qviz.ui.theme import Theme

Settle = Callable[[MainWindow], None]


def weight_scheme(session: Session) -> str:
    cell = session.rows()[0].weight
    assert cell is not None
    return cell.scheme


def test_samples_chosen_while_the_model_loads_are_opened_after_it(
    empty_window: MainWindow, session: Session, settle: Settle, mlp: Path, mlp_samples: Path
) -> None:
    empty_window.files.open_model(str(mlp))
    empty_window.files.open_samples(str(mlp_samples))
    settle(empty_window)
    assert session.document().samples_name == "mlp.npz"
    assert empty_window.files.pending == ""


def test_samples_chosen_while_the_model_is_measured_do_not_stop_that(
    empty_window: MainWindow, session: Session, settle: Settle, mlp: Path, mlp_samples: Path
) -> None:
    running: list[str] = []

    def choose(topics: frozenset[str]) -> None:
        if "document" in topics and not running:
            empty_window.files.open_samples(str(mlp_samples))
            running.extend(job.title for job in session.jobs())

    session.subscribe(choose)
    empty_window.files.open_model(str(mlp))
    settle(empty_window)
    assert running == ["Opening mlp.onnx"]
    assert session.document().samples_name == "mlp.npz"


def test_a_plan_dropped_with_its_model_is_used(
    empty_window: MainWindow,
    session: Session,
    settle: Settle,
    mlp: Path,
    mlp_samples: Path,
    tmp_path: Path,
) -> None:
    plan = tmp_path / "plan.json"
    other = Session()
    other.open(mlp)
    other.set_bits(["fc1.weight"], 3)
    other.save_plan(plan)
    empty_window.files.open_dropped(Dropped(str(mlp), str(mlp_samples), str(plan)))
    settle(empty_window)
    assert weight_scheme(session) == "int3:channel"
    assert session.document().plan_path == str(plan)


class Person:
    """Answers the question what to do with unsaved edits."""

    def __init__(self) -> None:
        self.asked = 0
        self.agrees = True

    def __call__(self, _window: MainWindow) -> bool:
        self.asked += 1
        return self.agrees


@pytest.mark.parametrize("way", ["menu", "drop", "recent", "demo"])
def test_edits_nobody_saved_are_asked_about_before_another_model_opens(
    qtbot: QtBot, session: Session, settings: Settings, mlp: Path, way: str
) -> None:
    person = Person()
    window = MainWindow(session, Theme(application(), "light"), settings, person)
    qtbot.addWidget(window)
    other = str(shutil.copy(mlp, mlp.with_name("other.onnx")))
    ways: dict[str, Callable[[], None]] = {
        "menu": lambda: window.files.open_model(other),
        "drop": lambda: window.files.open_dropped(Dropped(other)),
        "recent": lambda: window.recent_menu.picked.emit(other, ""),
        "demo": window.commands["open_demo"].trigger,
    }
    window.files.open_model(str(mlp))
    qtbot.waitUntil(lambda: bool(session.rows()) and not session.jobs(), timeout=20000)
    assert person.asked == 0
    session.set_bits(["fc1.weight"], 3)
    person.agrees = False
    ways[way]()
    assert person.asked == 1
    assert not any(job.lane == "open" for job in session.jobs())
    person.agrees = True
    ways[way]()
    assert person.asked == 2
    qtbot.waitUntil(lambda: session.document().model_path != str(mlp), timeout=20000)


def test_a_metric_of_ones_own_runs_only_when_agreed_to(
    qtbot: QtBot,
    session: Session,
    settings: Settings,
    settle: Settle,
    tmp_path: Path,
    mlp: Path,
    mlp_samples: Path,
) -> None:
    own = tmp_path / "largest.py"
    own.write_text("def metric(outputs, labels):\n    return outputs.max(1)\n")
    asked: list[str] = []
    agrees = False

    def may_run(_window: MainWindow, path: str) -> bool:
        asked.append(path)
        return agrees

    window = MainWindow(session, Theme(application(), "light"), settings, may_run=may_run)
    qtbot.addWidget(window)
    session.open(mlp, mlp_samples)
    settle(window)
    window.files.open_metric(str(own))
    settle(window)
    assert session.strip().metric == "top-1"
    agrees = True
    window.files.open_metric(str(own))
    settle(window)
    assert asked == [str(own), str(own)]
    assert session.strip().metric == "largest"
    window.refresh.flush()
    entries = [action.text() for action in window.workspace.strip.caption.choices.actions()]
    assert entries[-1] == "From a Python File…"
    assert "Largest" in entries
