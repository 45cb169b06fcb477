"""The memo saves work and never changes a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from qviz.app.session import Session
from qviz.engine.memo import Memo


def _scored(model: Path, samples: Path, budget: int) -> list[float]:
    session = Session(memo_budget=budget, limit=300)
    session.open(model, samples)
    values = []
    for spelling in ("int8:tensor", "int4:channel", "int8:tensor"):
        session.set_defaults(spelling)
        values.append(session.evaluate().value)
    return values


def test_a_budget_of_zero_gives_the_same_numbers(demo_model: Path, demo_samples: Path) -> None:
    full = _scored(demo_model, demo_samples, 1 << 30)
    assert _scored(demo_model, demo_samples, 0) == full
    assert _scored(demo_model, demo_samples, 3 << 20) == full


def test_only_the_suffix_of_an_edit_runs(demo_model: Path, demo_samples: Path) -> None:
    session = Session(limit=128)
    session.open(demo_model, demo_samples)
    session.evaluate()
    before = session.operators_run
    session.set("fc.weight", "int4:channel")
    session.evaluate()
    assert session.operators_run - before == 2  # fc alone, once for each of two chunks


def test_an_undone_plan_is_recalled_without_running_anything(mlp: Path, mlp_samples: Path) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    first = session.evaluate()
    session.set("fc1.weight", "int2")
    session.evaluate()
    before = session.operators_run
    session.undo()
    assert session.evaluate() is first
    assert session.operators_run == before


def test_eviction_keeps_the_newest_plan_and_the_dearest_value_per_byte() -> None:
    memo = Memo(budget=4000)
    memo.put("old", torch.zeros(250), seconds=9.0)
    memo.next_generation()
    memo.put("cheap", torch.zeros(250), seconds=0.1)
    memo.put("dear", torch.zeros(250), seconds=5.0)
    memo.put("dearest", torch.zeros(250), seconds=6.0)
    memo.put("more", torch.zeros(50), seconds=7.0)
    assert "old" not in memo
    assert all(key in memo for key in ("cheap", "dear", "dearest", "more"))
    memo.put("again", torch.zeros(250), seconds=8.0)
    assert "cheap" not in memo
    assert "again" in memo
    assert memo.used <= memo.budget


def test_a_value_larger_than_the_budget_is_not_stored() -> None:
    memo = Memo(budget=100)
    memo.put("big", torch.zeros(1000), seconds=1.0)
    assert "big" not in memo
    assert memo.used == 0
    assert memo.get("big") is None
    assert np.array([memo.hits, memo.misses]).tolist() == [0, 1]
