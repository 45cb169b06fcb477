"""`qviz diff` and `qviz recover`, through the real entry point."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import qviz
from qviz.cli import main
from qviz.plan.json_file import write_json


def ended(arguments: list[str | Path]) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.fixture
def plans(mlp: Path, tmp_path: Path) -> tuple[Path, Path]:
    session = qviz.open(mlp)
    session.save_plan(tmp_path / "a.json")
    session.set("at:first.weight", "int4")
    session.set_note("fc2", "[bold]sensitive[/bold]\nsee the report")
    session.save_project(tmp_path / "b.qviz")
    return tmp_path / "a.json", tmp_path / "b.qviz"


def test_differences_are_a_table_and_exit_code_1(
    plans: tuple[Path, Path], mlp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["diff", *plans, "--model", mlp]) == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["what", "of", "a.json", "by", "b.qviz", "by"],
        ["rule", "at:first.weight", "–", "int4", "rule", "1"],
        ["slot", "fc1.weight", "int8:channel", "default", "int4", "rule", "1,", "at:first.weight"],
        ["note", "fc2", "–", "[bold]sensitive[/bold]", "see", "the", "report"],
    ]
    assert ended(["diff", *plans]) == 1
    assert "slot" not in capsys.readouterr().out


def test_equal_plans_print_nothing(
    plans: tuple[Path, Path], mlp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for plan in plans:
        assert ended(["diff", plan, plan, "--model", mlp]) == 0
    assert capsys.readouterr().out == ""


def test_what_cannot_be_compared_is_exit_code_2(
    plans: tuple[Path, Path], demo_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["diff", plans[0], plans[0].with_name("none.json")]) == 2
    assert capsys.readouterr().err.startswith("qviz: none.json: it cannot be read")
    assert ended(["diff", *plans, "--model", demo_model]) == 2
    assert "'fc2': no layer of the model matches it" in capsys.readouterr().err
    assert ended(["diff", *plans, "--model", "net.py"]) == 2
    assert "would have to be run" in capsys.readouterr().err


def test_lost_work_is_listed_and_opens(
    mlp: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QVIZ_STATE", str(tmp_path / "state"))
    main(["recover"])
    assert capsys.readouterr().out == "Nothing to recover: all work was saved or closed\n"
    session = qviz.open(mlp)
    session.set_bits(["fc1.weight"], 3)
    session.autosave()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended_process:
        ended_process.wait()
    (kept,) = (tmp_path / "state" / "recovery").iterdir()
    data = json.loads(kept.read_text())
    write_json(kept, {**data, "recovery": {**data["recovery"], "pid": ended_process.pid}})
    main(["recover"])
    shown = capsys.readouterr().out
    assert "mlp.onnx" in shown
    assert f"qviz {kept}" in shown
    assert kept.exists()
    assert qviz.open(kept).plan == session.plan
