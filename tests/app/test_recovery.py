"""Unsaved work is kept beside the user's files, and offered when its owner is gone."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import qviz
from qviz.app.project_file import write_project
from qviz.app.recovery import discard, recoverable, recovery_folder, state_folder
from qviz.app.session import Session
from qviz.errors import QvizError
from qviz.plan.json_file import write_json


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept work."""
    monkeypatch.setenv("QVIZ_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "recovery"


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def orphan(folder: Path, pid: int) -> Path:
    """Make the only kept file that of another process."""
    (path,) = folder.glob("*.qviz")
    data = json.loads(path.read_text())
    write_json(path, {**data, "recovery": {**data["recovery"], "pid": pid}})
    return path


def test_nothing_is_kept_until_there_is_something_to_lose(mlp: Path, kept: Path) -> None:
    session = Session()
    assert not session.autosave()
    session.open(mlp)
    assert not session.autosave()
    assert not kept.exists()
    session.set_bits(["fc1.weight"], 4)
    assert session.autosave()
    assert len(list(kept.iterdir())) == 1
    session.undo()
    assert not session.autosave()
    assert list(kept.iterdir()) == []


def test_saving_and_closing_leave_nothing_behind(mlp: Path, kept: Path, tmp_path: Path) -> None:
    session = qviz.open(mlp)
    session.set_note("fc1", "x")
    assert session.autosave()
    session.save_project(tmp_path / "work.qviz")
    assert list(kept.iterdir()) == []
    session.set_bits(["fc1.weight"], 4)
    assert session.autosave()
    session.save_plan(tmp_path / "plan.json")
    assert not session.autosave()
    session.create_branch("low")
    assert session.autosave()
    session.close()
    assert list(kept.iterdir()) == []


def test_work_of_a_living_process_is_not_offered(mlp: Path, kept: Path, gone: int) -> None:
    session = qviz.open(mlp)
    session.set_bits(["fc1.weight"], 4)
    session.autosave()
    assert session.recoverable() == ()
    path = orphan(kept, gone)
    (work,) = recoverable()
    assert (work.path, work.model, work.project) == (path, "mlp.onnx", "")
    data = json.loads(path.read_text())
    started = data["recovery"]["started"]
    for pid, began in ((os.getpid(), started - 3600), (-1, started), (2**70, started)):
        write_json(path, {**data, "recovery": {"pid": pid, "started": began, "project": ""}})
        assert [found.path for found in recoverable()] == [path]


def test_lost_work_opens_as_it_was_and_is_kept_on(
    mlp: Path, mlp_samples: Path, kept: Path, gone: int, tmp_path: Path
) -> None:
    session = qviz.open(mlp, mlp_samples, seed=4)
    session.set_part("tune")
    session.save_project(tmp_path / "work.qviz")
    session.set_bits(["fc1.weight"], 4)
    session.create_branch("low")
    session.set("op:Gemm.input", "uint4")
    session.lock(["fc2"])
    session.set_metric("cross-entropy")
    session.autosave()
    path = orphan(kept, gone)
    again = Session()
    (work,) = again.recoverable()
    assert work.project == str(tmp_path / "work.qviz")
    again.open(work.path)
    old, new = session.current(), again.current()
    assert (new.plan, new.branches) == (old.plan, old.branches)
    assert (new.part, new.seed, new.metric) == ("tune", 4, "cross-entropy")
    assert new.project_path == str(tmp_path / "work.qviz")
    assert new.samples is not None
    assert again.document().modified
    assert recoverable() == ()  # it has an owner again
    again.set_bits(["fc1.weight"], 3)
    assert again.autosave()
    assert list(kept.iterdir()) == [path]
    third = Session()
    third.open(path)  # of a living owner: a copy
    assert third.plan == again.plan
    third.close()
    assert list(kept.iterdir()) == [path]
    with pytest.raises(QvizError, match="unsaved work is kept in this folder"):
        again.save_project(path)
    again.save_project(tmp_path / "work.qviz")
    assert list(kept.iterdir()) == []
    assert not again.document().modified


def test_while_lost_work_is_being_opened_it_stays_as_it_was(
    mlp: Path, mlp_samples: Path, kept: Path, gone: int
) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.set_metric("cross-entropy")
    session.set_bits(["fc1.weight"], 4)
    session.autosave()
    path = orphan(kept, gone)
    before = json.loads(path.read_text())
    posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    live = Session(posted.put)
    live.open(path)
    while live.jobs():
        posted.get(timeout=30)()
        live.autosave()  # as the window may, at any time
        data = json.loads(path.read_text())
        assert {**data, "recovery": 0, "looks": 0} == {**before, "recovery": 0, "looks": 0}
    assert live.current().metric == "cross-entropy"
    assert recoverable() == ()
    live.close()
    assert not path.exists()


def test_a_project_read_another_way_is_work_to_keep(
    mlp: Path, mlp_samples: Path, kept: Path, tmp_path: Path
) -> None:
    qviz.open(mlp, mlp_samples).save_project(tmp_path / "work.qviz")
    session = qviz.open(tmp_path / "work.qviz")
    assert not session.autosave()
    session.set_part("confirm")
    assert session.autosave()
    session.open(mlp)
    assert not session.autosave()
    assert list(kept.iterdir()) == []


def test_what_is_kept_by_others_or_broken_is_passed_by(mlp: Path, kept: Path) -> None:
    kept.mkdir(parents=True)
    (kept / "broken.qviz").write_text("{")
    (kept / "newer.qviz").write_text('{"qviz_project": 99}')
    write_project(kept / "mine.qviz", qviz.open(mlp).current())
    assert recoverable() == ()
    discard(kept / "none.qviz")
    (kept / "broken.qviz.part").write_text("{")
    discard(kept / "broken.qviz")
    assert sorted(path.name for path in kept.iterdir()) == ["mine.qviz", "newer.qviz"]


def test_a_folder_that_cannot_be_written_is_told_once(mlp: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    session = qviz.open(mlp)
    session.set_bits(["fc1.weight"], 4)
    assert not session.autosave()
    session.set_bits(["fc1.weight"], 3)
    assert not session.autosave()
    told = [m for m in session.messages() if "cannot be kept" in m.text]
    assert [m.level for m in told] == ["warning"]


def test_lost_work_can_be_given_up(mlp: Path, kept: Path, gone: int) -> None:
    session = qviz.open(mlp)
    session.set_bits(["fc1.weight"], 4)
    session.autosave()
    orphan(kept, gone)
    (work,) = recoverable()
    session.discard_recoverable(work)
    assert recoverable() == ()


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"QVIZ_STATE": "/a/b"}, "/a/b"),
        ({"XDG_STATE_HOME": "/x"}, "/x/qviz"),
        ({"XDG_STATE_HOME": "relative"}, "/home/me/.local/state/qviz"),
    ],
)
def test_the_folder_is_the_platforms(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("QVIZ_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert state_folder() == Path(folder)
    assert recovery_folder() == Path(folder) / "recovery"
