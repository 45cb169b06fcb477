"""`qviz export` through the real main(): the file, the verdict as exit code, JSON, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import numpy_helper

from qviz.cli import main
from qviz.export import onnx_file

DOCS = Path(__file__).parents[2] / "docs" / "json.md"


def run(*arguments: str | Path) -> int:
    """Exit code of the command line."""
    try:
        main(["export", *(str(argument) for argument in arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_file_is_written_and_verified(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.onnx"
    asked = (mlp, "--samples", mlp_samples, "--out", out, "--verify", "--latency")
    assert run(*asked, "--set", "fc1.weight=int4:channel") == 0
    text = capsys.readouterr().out
    assert "2 in uint8, 1 in int4, 1 in int8" in text
    assert "optimisations off" in text
    assert "yes: the file gives these numbers on all 60 samples" in text
    assert "median of" in text
    onnx.checker.check_model(out, full_check=True)


def test_a_plan_file_and_a_part(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    plan, out = tmp_path / "p.json", tmp_path / "out.onnx"
    plan.write_text(json.dumps({"qviz_plan": 1, "defaults": {"weight": "nf4", "input": "float"}}))
    samples = ("--samples", mlp_samples, "--part", "tune", "--verify", "--json", "-")
    assert run(mlp, "--plan", plan, "--out", out, *samples) == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert data["file"]["containers"] == {"uint4": 2}
    assert data["part"] == "tune"
    assert data["verdict"]["ok"]
    assert data["verdict"]["samples"] < 60
    missing = set(_names(data)) - _documented()
    assert not missing


def test_a_file_that_gives_other_numbers_is_no_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
    mlp: Path,
    mlp_samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk, say, changed a scale."""
    whole = onnx_file._check

    def damage(path: Path) -> None:
        whole(path)
        proto = onnx.load(path)
        scale = next(held for held in proto.graph.initializer if held.name == "fc2.weight/scale")
        wrong = numpy_helper.from_array(1.1 * numpy_helper.to_array(scale), scale.name)
        scale.CopyFrom(wrong)
        onnx.save(proto, path)

    monkeypatch.setattr(onnx_file, "_check", damage)
    out = tmp_path / "out.onnx"
    assert run(mlp, "--samples", mlp_samples, "--out", out, "--verify") == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "no: the file does not give these numbers: fc2" in text


def test_weights_alone_need_no_samples(
    capsys: pytest.CaptureFixture[str], mlp: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.onnx"
    assert run(mlp, "--out", out) == 1
    assert "Open samples" in capsys.readouterr().err
    assert not out.exists()
    assert run(mlp, "--out", out, "--inputs", "float", "--weights", "int4") == 0
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--out", "no/out.onnx"), "--out"),
        (("--out", "out.onnx", "--json", "out.onnx"), "Name two files"),
        (("--out", "out.onnx", "--plan", "none.json"), "none.json"),
        ((), "--out"),
    ],
)
def test_refusals(
    capsys: pytest.CaptureFixture[str],
    mlp: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(mlp, *arguments) != 0
    assert word in capsys.readouterr().err


def _names(data: Any, path: str = "") -> Iterator[str]:
    """Every name of the JSON, as the documentation writes it; the plan has a layout of its own."""
    if isinstance(data, dict) and path not in ("plan", "file.containers"):
        for name, value in data.items():
            yield from _names(value, f"{path}.{name}".lstrip("."))
    elif isinstance(data, list):
        for value in data:
            if isinstance(value, dict):
                yield from _names(value, f"{path}[]")
        if not data or not isinstance(data[0], dict):
            yield path
    else:
        yield path


def _documented() -> set[str]:
    section = DOCS.read_text(encoding="utf-8").split("qviz export --json")[1].split("\n# ")[0]
    cells = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return {name.strip("` ") for cell in cells for name in cell.split(",")}
