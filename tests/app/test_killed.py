"""Killed at any moment, at most the last edit is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qviz.app.project_file import read_project
from qviz.app.recovery import recoverable
from qviz.app.session import Session
from tests.app.killed_sessions import state

SCRIPT = Path(__file__).with_name("killed_sessions.py")
ROUNDS = 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="rounds are forked")
def test_at_most_the_last_edit_is_lost(
    mlp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [sys.executable, str(SCRIPT), str(mlp), str(tmp_path), str(ROUNDS)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2]), "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=120,
    )
    kept, edits = 0, 0
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        monkeypatch.setenv("QVIZ_STATE", str(folder / "state"))
        lines = (folder / "told").read_text().split("\n")[:-1]
        states = [line.removeprefix("state ") for line in lines if line.startswith("state ")]
        finished = lines.count("kept")
        work = recoverable()
        assert len(work) <= 1
        session = Session()
        session.open(work[0].path if work else folder / "work.qviz")
        expected = states[finished - 1 :]  # kept for certain, and one that may or may not be
        assert len(expected) <= 2
        assert state(session) in expected, f"round {number}"
        assert session.document().modified == bool(work)
        assert read_project(folder / "work.qviz").model.name == "mlp.onnx"  # whole in any case
        kept, edits = kept + len(work), edits + len(states)
    assert edits > 3 * ROUNDS
    assert 0 < kept < ROUNDS  # some were last saved, others last kept for recovery
