"""Memory for speed: how it is written, and taken while the session lives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from qviz.app.memory import BUDGETS, budget_of, read_size
from qviz.app.session import Session
from qviz.cli.commands import cli
from qviz.engine.memo import Memo
from qviz.errors import QvizError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12", 12),
        ("500MB", 500_000_000),
        ("2GiB", 2 << 30),
        ("1.5 gb", 1_500_000_000),
        ("64kib", 1 << 16),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "2 GiBs", "1e9", "GB", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(QvizError, match="it is no size"):
        read_size(text)


def test_the_budgets_of_the_menu_are_what_their_words_say() -> None:
    assert [budget_of(budget.word) for budget in BUDGETS] == list(BUDGETS)
    assert all(b.bytes == (None if b.word == "auto" else read_size(b.word)) for b in BUDGETS)
    assert budget_of("nonsense").bytes is None


def test_a_smaller_budget_lets_go_at_once() -> None:
    memo = Memo(10_000)
    for number in range(8):
        memo.put((f"{number}", "chunk"), torch.zeros(250), seconds=number)
    memo.set_budget(3_000)
    assert memo.used <= 3_000
    assert ("7", "chunk") in memo
    memo.set_budget(0)
    assert memo.used == 0
    memo.set_budget(None)
    assert memo.budget > 0


def test_a_session_takes_another_budget_and_gives_the_same_numbers(
    demo_model: Path, demo_samples: Path
) -> None:
    found = []
    for budgets in ((None, None, None), (0, 0, 0), (None, 0, 1_000_000)):
        session = Session(limit=200)
        session.open(demo_model, demo_samples)
        numbers = []
        for budget, bits in zip(budgets, (8, 4, 5), strict=True):
            session.set_memory(budget)
            session.set_bits(["conv1.weight", "block3.pw.weight"], bits)
            score = session.evaluate()
            numbers.append((score.value, score.flips, score.kl))
            assert session.memory_budget == budget
            assert session.memo.used <= session.memo.budget
        found.append(numbers)
    assert found[0] == found[1] == found[2]


def test_less_than_none_is_refused() -> None:
    with pytest.raises(QvizError, match="less than none"):
        Session(memory_budget=-1)
    with pytest.raises(QvizError, match="less than none"):
        Session().set_memory(-5)


def test_run_takes_a_size(mlp: Path, mlp_samples: Path) -> None:
    arguments = ["run", str(mlp), "--samples", str(mlp_samples), "--json", "-", "--memory"]
    outputs = {CliRunner().invoke(cli, [*arguments, size]).output for size in ("0", "2GiB")}
    assert len(outputs) == 1
    assert '"top-1"' in outputs.pop()
    refused = CliRunner().invoke(cli, [*arguments, "lots"])
    assert isinstance(refused.exception, QvizError)
