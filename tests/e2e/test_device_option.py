"""`--device` through the real main(): what is there is taken, what is not is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from qviz.cli import main
from qviz.engine.devices import THE_CPU, Device

GPU = Device("cpu:0", "A GPU")
MISSING = Device("cuda", "NVIDIA GPU (CUDA)", "no CUDA device was found")


@pytest.fixture(autouse=True)
def _offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = Device("meta", "No Numbers")
    monkeypatch.setattr("qviz.app.devices.devices", lambda: (THE_CPU, GPU, broken, MISSING))
    monkeypatch.setenv("QVIZ_CACHE", str(tmp_path / "cache"))


def run(*arguments: str | Path) -> int:
    """Exit code of the command line."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.parametrize("command", ["run", "sensitivity", "open"])
def test_a_missing_device_is_refused_with_its_reason(
    command: str, mlp: Path, mlp_samples: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given: list[str | Path] = [command, mlp, "--samples", mlp_samples, "--device", "cuda"]
    if command == "open":
        given += ["--screenshot", tmp_path / "w.png"]
    assert run(*given) == 1
    said = capsys.readouterr().err
    assert "device cuda: no CUDA device was found. Use one of cpu" in said


@pytest.mark.parametrize("command", ["run", "sensitivity"])
def test_a_device_gives_the_numbers_of_the_cpu_or_says_that_it_does_not(
    command: str, mlp: Path, mlp_samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for name in ("cpu", "cpu:0", "meta"):
        assert run(command, mlp, "--samples", mlp_samples, "--device", name) == 0
        found.append(capsys.readouterr())
    assert found[0].out == found[1].out
    assert "No Numbers is not used" not in found[1].out + found[1].err
    assert "No Numbers is not used" in found[2].out + found[2].err


def test_a_picture_is_made_with_the_device(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    picture = tmp_path / "w.png"
    given = ("--samples", mlp_samples, "--device", "cpu:0", "--screenshot", picture)
    assert run("open", mlp, *given) == 0
    assert picture.stat().st_size > 10_000
