"""`qviz open` through the real main(): how samples are read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

from qviz.cli import main


def run(*arguments: str | Path) -> int:
    """Exit code of the command line."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six features and a column of labels whose name tells nothing."""
    rng = np.random.default_rng(0)
    rows = [",".join([*(f"{x:.3f}" for x in rng.normal(size=6)), str(i % 4)]) for i in range(20)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,c,d,e,f,kind", *rows]))
    return path


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("command", [["open"], []])
def test_samples_are_read_as_the_command_line_says(
    capsys: pytest.CaptureFixture[str],
    mlp: Path,
    table: Path,
    command: list[str],
) -> None:
    picture = table.with_name("window.png")
    asked: tuple[str | Path, ...] = (*command, mlp, "--samples", table, "--screenshot", picture)
    assert run(*asked) == 1
    assert "7 columns of values" in capsys.readouterr().err
    assert run(*asked, "--reading", "label=kind", "--reading", "subset=12") == 0
    assert QImage(str(picture)).width() == 1280


def test_a_reading_that_is_none_is_refused_before_anything_opens(
    capsys: pytest.CaptureFixture[str], mlp: Path
) -> None:
    assert run("open", mlp, "--reading", "labels=kind") == 1
    assert "is not KEY=VALUE of a known key" in capsys.readouterr().err
