"""Projects through the window: saved where the user says, opened again, and never mixed up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.ui.file_drop import classify
from qviz.ui.main_window import MainWindow
from qviz.ui.run import application, may_leave
from qviz.ui.settings import Recent, Settings
from qviz.ui.theme import Theme

Settle = Callable[[MainWindow], None]
Answer = Callable[[Path], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """The name that the user types into the next file dialogs."""

    def set_answer(typed: Path) -> None:
        def choose(dialog: QFileDialog) -> int:
            dialog.selectFile(str(typed))
            return 1

        monkeypatch.setattr(QFileDialog, "exec", choose)
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(typed), ""))

    return set_answer


def no_dialog(*_: object) -> int:
    raise AssertionError("a dialog opened")


def weight(session: Session) -> str:
    cell = session.rows()[0].weight
    assert cell is not None
    return cell.scheme


def test_a_project_is_saved_once_asked_for_and_then_in_place(
    window: MainWindow,
    answer: Answer,
    session: Session,
    settings: Settings,
    settle: Settle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session.set_bits(["fc1.weight"], 3)
    settle(window)  # nothing else has anything to say
    assert window.isWindowModified()
    answer(tmp_path / "work")  # the ending is added
    window.commands["save_project"].trigger()
    saved = tmp_path / "work.qviz"
    assert json.loads(saved.read_text())["model"] == "mlp.onnx"
    window.refresh.flush()
    assert not window.isWindowModified()
    assert window.windowTitle() == "work.qviz[*] — mlp.onnx — qviz"
    assert window.message_area.latest.text() == "Saved the project as work.qviz"
    assert settings.recent()[0] == Recent(str(saved), "")
    assert [action.text() for action in window.recent_menu.actions()][:2] == [
        "work.qviz",
        "mlp.onnx",
    ]
    session.set_bits(["fc1.weight"], 5)
    window.refresh.flush()
    assert window.isWindowModified()
    monkeypatch.setattr(QFileDialog, "exec", no_dialog)
    before = saved.read_text()
    window.commands["save_project"].trigger()
    window.refresh.flush()
    assert not window.isWindowModified()
    assert saved.read_text() != before


def test_save_as_goes_on_in_the_new_file(
    window: MainWindow, answer: Answer, session: Session, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.qviz", tmp_path / "second.qviz"
    window.files.save_project_as(str(first))
    answer(second)
    window.commands["save_project_as"].trigger()
    before = first.read_text()
    session.set_bits(["fc1.weight"], 4)
    window.commands["save_project"].trigger()
    assert first.read_text() == before
    assert "int4" in second.read_text()
    assert window.files.project() == str(second)


def test_the_dialog_starts_beside_the_model(
    window: MainWindow, mlp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[str] = []

    def leave(dialog: QFileDialog) -> int:
        offered.extend(dialog.selectedFiles())
        return 0

    monkeypatch.setattr(QFileDialog, "exec", leave)
    window.commands["save_project"].trigger()
    assert offered == [str(mlp.with_suffix(".qviz"))]
    assert window.files.project() == ""


def test_a_project_is_opened_by_the_menu_and_a_model_ends_it(
    window: MainWindow,
    answer: Answer,
    session: Session,
    settle: Settle,
    mlp: Path,
    mlp_samples: Path,
    tmp_path: Path,
) -> None:
    session.set_bits(["fc1.weight"], 3)
    session.set_part("all")
    settle(window)
    value = session.strip().value
    window.files.save_project_as(str(tmp_path / "work.qviz"))
    window.files.open_model(str(mlp), str(mlp_samples))
    settle(window)
    assert window.windowTitle() == "mlp.onnx[*] — qviz"
    assert window.files.project() == ""
    answer(tmp_path / "work.qviz")
    window.commands["open_project"].trigger()
    settle(window)
    assert window.windowTitle() == "work.qviz[*] — mlp.onnx — qviz"
    assert not window.isWindowModified()
    assert weight(session) == "int3:channel"
    assert session.strip().value == value
    window.commands["open_demo"].trigger()
    settle(window)
    assert window.files.project() == ""


def test_a_project_that_does_not_open_leaves_the_open_one_its_file(
    qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path
) -> None:
    own, broken, lost = (tmp_path / f"{name}.qviz" for name in ("own", "broken", "lost"))
    window.files.save_project_as(str(own))
    broken.write_text("{}")
    data = json.loads(own.read_text())
    lost.write_text(json.dumps({**data, "model": "absent.onnx"}))
    window.files.open_model(str(broken))
    assert "not a qviz project" in window.banner.text.text()
    session.set_bits(["fc1.weight"], 6)
    window.files.save_project()
    assert "int6" in own.read_text()
    assert broken.read_text() == "{}"
    window.files.open_model(str(lost))
    qtbot.waitUntil(lambda: "absent.onnx" in window.banner.text.text(), timeout=5000)
    session.set_bits(["fc1.weight"], 7)
    window.files.save_project()
    assert "int7" in own.read_text()
    assert "int7" not in lost.read_text()


def test_saving_while_another_project_opens_saves_what_is_open(
    qtbot: QtBot, window: MainWindow, session: Session, settle: Settle, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.qviz", tmp_path / "second.qviz"
    window.files.save_project_as(str(second))
    session.set_bits(["fc1.weight"], 3)
    window.files.save_project_as(str(first))
    kept = second.read_text()
    window.files.open_model(str(second))
    assert window.files.project() == str(first)  # the other is being read
    window.files.save_project()
    assert second.read_text() == kept
    qtbot.waitUntil(lambda: session.form(["fc1.weight"]).scheme == "int8:channel", timeout=5000)
    assert window.files.project() == str(second)  # before anything was drawn
    settle(window)


def test_where_nothing_can_be_written_the_project_stays_unsaved(
    window: MainWindow, session: Session, tmp_path: Path
) -> None:
    session.set_bits(["fc1.weight"], 3)
    window.refresh.flush()
    assert not window.files.save_project_as(str(tmp_path / "missing" / "work.qviz"))
    window.refresh.flush()
    assert window.banner.isVisible()
    assert window.isWindowModified()
    assert window.files.project() == ""


def test_recent_files_have_projects_and_what_was_opened_last_is_first(
    window: MainWindow,
    session: Session,
    settings: Settings,
    settle: Settle,
    mlp: Path,
    mlp_samples: Path,
    tmp_path: Path,
) -> None:
    other, project = tmp_path / "other.onnx", tmp_path / "work.qviz"
    shutil.copy(mlp, other)
    session.set_bits(["fc1.weight"], 3)
    window.files.save_project_as(str(project))
    window.files.open_model(str(other), str(mlp_samples))
    settle(window)
    entries = {action.text(): action for action in window.recent_menu.actions()}
    entries["work.qviz"].trigger()
    settle(window)
    assert window.files.project() == str(project)
    assert weight(session) == "int3:channel"
    assert settings.recent() == (
        Recent(str(project), ""),
        Recent(str(other), str(mlp_samples)),
        Recent(str(mlp), str(mlp_samples)),
    )


def test_a_saved_project_may_be_left(
    qtbot: QtBot, session: Session, settings: Settings, mlp: Path, tmp_path: Path
) -> None:
    asked: list[MainWindow] = []

    def stay(window: MainWindow) -> bool:
        asked.append(window)
        return False

    window = MainWindow(session, Theme(application(), "light"), settings, stay)
    qtbot.addWidget(window, before_close_func=lambda _: session.undo())
    window.files.open_model(str(mlp))
    qtbot.waitUntil(lambda: bool(session.rows()) and not session.jobs(), timeout=20000)
    session.set_bits(["fc1.weight"], 3)
    assert not window.close()
    assert asked == [window]
    window.files.save_project_as(str(tmp_path / "work.qviz"))
    assert window.close()
    assert asked == [window]


def test_a_project_that_names_a_program_asks_before_it_runs(
    qtbot: QtBot,
    session: Session,
    settings: Settings,
    window: MainWindow,
    tmp_path: Path,
) -> None:
    project = tmp_path / "work.qviz"
    window.files.save_project_as(str(project))
    data = json.loads(project.read_text())
    (tmp_path / "net.py").write_text("raise SystemExit('ran')\n")
    project.write_text(json.dumps({**data, "model": "net.py"}))
    asked: list[str] = []

    def refuse(_window: MainWindow, path: str) -> bool:
        asked.append(path)
        return False

    other = MainWindow(session, Theme(application(), "light"), settings, may_run=refuse)
    qtbot.addWidget(other)
    other.files.open_model(str(project))
    assert asked == [str(tmp_path / "net.py")]
    assert not any(job.lane == "open" for job in session.jobs())


def test_the_file_menu_goes_from_opening_to_quitting(window: MainWindow) -> None:
    menu = window.menuBar().actions()[0].menu()
    assert isinstance(menu, QMenu)
    entries = ["" if action.isSeparator() else action.text() for action in menu.actions()]
    groups = [group.strip("|").split("|") for group in "|".join(entries).split("||")]
    assert groups == [
        ["Open Model…", "Open Project…", "Open Recent", "Open the Demo"],
        ["Open Samples…", "Open Sample Folder…", "Samples Options…"],
        ["Save Project", "Save Project As…"],
        ["Open Plan…", "Save Plan As…"],
        ["Export ONNX…"],
        ["Save Screenshot…"],
        ["Quit"],
    ]


def test_no_key_has_two_meanings(window: MainWindow) -> None:
    keys = [
        key.toString() for action in window.commands.actions.values() for key in action.shortcuts()
    ]
    assert sorted(keys) == sorted(set(keys))
    assert window.commands["save_project"].shortcut().toString() == "Ctrl+S"


def test_a_dropped_project_opens_with_its_samples(
    window: MainWindow, session: Session, settle: Settle, tmp_path: Path
) -> None:
    project = tmp_path / "work.qviz"
    window.files.save_project_as(str(project))
    window.commands["open_demo"].trigger()
    settle(window)
    assert session.document().model_name == "fashion_cnn.onnx"
    window.files.open_dropped(classify([str(project)]))
    settle(window)
    assert window.windowTitle().startswith("work.qviz")
    assert session.document().samples_name == "mlp.npz"


def test_a_project_is_modified_by_more_than_its_plan(
    window: MainWindow, session: Session, settle: Settle, mlp: Path, tmp_path: Path
) -> None:
    project = tmp_path / "work.qviz"

    def modified() -> bool:
        settle(window)
        return window.isWindowModified()

    session.set_part("all")
    assert not modified()  # of no project, which has no file to say otherwise
    window.files.save_project_as(str(project))
    assert not modified()
    session.set_part("tune")
    assert modified()
    session.set_part("all")
    assert not modified()
    session.set_metric("agreement with float")
    assert modified()
    window.files.save_project()
    assert not modified()
    samples = tmp_path / "other.npz"
    shutil.copy(mlp.with_suffix(".npz"), samples)
    session.open_samples(samples)
    assert modified()
    window.files.open_model(str(project))
    assert not modified()


@pytest.mark.parametrize("with_project", [True, False])
def test_leaving_saves_the_project_or_else_the_plan(
    qtbot: QtBot,
    session: Session,
    settings: Settings,
    answer: Answer,
    monkeypatch: pytest.MonkeyPatch,
    mlp: Path,
    tmp_path: Path,
    with_project: bool,
) -> None:
    window = MainWindow(session, Theme(application(), "light"), settings, may_leave)
    qtbot.addWidget(window)
    window.files.open_model(str(mlp))
    qtbot.waitUntil(lambda: bool(session.rows()) and not session.jobs(), timeout=20000)
    project, plan = tmp_path / "work.qviz", tmp_path / "mlp.json"
    if with_project:
        window.files.save_project_as(str(project))
    session.set_bits(["fc1.weight"], 3)
    answer(plan)
    monkeypatch.setattr(QMessageBox, "exec", lambda _: QMessageBox.StandardButton.Save)
    assert window.close()
    assert "int3" in (project if with_project else plan).read_text()
    assert plan.exists() != with_project
