"""The layer table of the command line: at no width is a number, a scheme or a header cut."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from rich.console import Console

from qviz.app.session import Session
from qviz.cli.columns import Layout, fitted, shortened
from qviz.cli.headless import print_numbers
from qviz.cli.tables import LAYERS, layer_table

NAMES = [f"/backbone/stages.{at}/blocks.[attn]/mlp/dense_projection/MatMul" for at in range(3)]


@pytest.fixture
def session(write_model: Callable[..., Path], tmp_path: Path) -> Session:
    """Three layers with the names that exporters give, measured."""
    rng = np.random.default_rng(3)
    weights = {f"w{at}": rng.normal(size=(6, 6)).astype(np.float32) for at in range(3)}
    nodes = [
        helper.make_node("MatMul", ["x" if at == 0 else f"h{at}", f"w{at}"], [f"h{at + 1}"], name=n)
        for at, n in enumerate(NAMES)
    ]
    model = write_model("long.onnx", nodes, weights, {"x": ["N", 6]}, {"h3": ["N", 6]})
    np.savez(tmp_path / "long.npz", x=rng.normal(size=(40, 6)).astype(np.float32))
    made = Session()
    made.open(model, tmp_path / "long.npz")
    made.evaluate()
    return made


def printed(session: Session, width: int) -> list[list[str]]:
    """The cells of what a terminal of a width shows, the header first."""
    console = Console(width=width, file=io.StringIO())
    with console.capture() as shown:
        console.print(layer_table(session, width), crop=False)
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= width
    return [re.split(r" {2,}", line.strip()) for line in lines]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (60, "# layer W W dB A A dB output dB"),
        (80, "# layer W W dB A A dB local dB output dB size"),
        (100, "# layer W W dB A A dB local dB output dB size"),
        (120, "# layer W W dB A A dB local dB output dB size"),
        (200, "# layer op shape params W W dB A A dB local dB output dB size"),
    ],
)
def test_columns_go_whole_and_only_names_are_shortened(
    session: Session, width: int, titles: str
) -> None:
    everything = printed(session, 1000)
    assert everything[0] == list(LAYERS.titles)
    assert [row[1] for row in everything[1:]] == NAMES
    rows = printed(session, width)
    assert " ".join(rows[0]) == titles
    kept = [everything[0].index(title) for title in rows[0]]
    for row, whole in zip(rows, everything, strict=True):
        assert [row[0], *row[2:]] == [whole[at] for at in kept if at != 1]
    for row, name in zip(rows[1:], NAMES, strict=True):
        head, _, tail = row[1].partition("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        assert len(row[1]) >= 12


def test_too_narrow_for_anything_shows_the_least_whole(session: Session) -> None:
    console = Console(width=20, file=io.StringIO())
    with console.capture() as shown:
        console.print(layer_table(session, 20), crop=False)
    rows = [re.split(r" {2,}", line.strip()) for line in shown.get().splitlines()]
    assert rows[0] == ["#", "layer", "W", "output dB"]
    assert [row[2] for row in rows[1:]] == ["int8:channel"] * 3
    assert all(float(row[3]) > 10 for row in rows[1:])


@pytest.mark.parametrize("unsaid", ["", "0"])
def test_a_file_has_no_width_unless_one_is_said(
    session: Session,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    unsaid: str,
) -> None:
    monkeypatch.setenv("COLUMNS", unsaid)
    monkeypatch.setenv("FORCE_COLOR", "1")  # colors do not make a file a terminal
    print_numbers(session, session.evaluate())
    text = capsys.readouterr().out
    assert all(name in text for name in NAMES)
    assert "…" not in text
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("COLUMNS", "80")
    print_numbers(session, session.evaluate())
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:3] == ["#", "layer", "W"]


def test_names_lose_their_middle_in_cells_of_the_terminal() -> None:
    assert shortened("conv1", 12) == "conv1"
    assert shortened("abcdefghijklmnop", 12) == "abcde…klmnop"
    assert shortened("層" * 12, 12) == "層層…層層層"  # of two cells each
    assert shortened("層層", 1) == "…"


def test_text_is_no_markup_and_no_emoji() -> None:
    layout = Layout(("a", "b"), frozenset({0}), 0, (), ())
    console = Console(width=80, file=io.StringIO())
    with console.capture() as shown:
        console.print(fitted(layout, [("[bold]x[/nothing]", "int8:100:2")], 80))
    assert shown.get().splitlines()[1] == "[bold]x[/nothing]  int8:100:2"
