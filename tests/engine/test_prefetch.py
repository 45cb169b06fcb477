"""What feeds the watched layers is at hand when an edit asks, and changes no number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import qviz
from qviz.app.session import Session
from qviz.data.parts import Indices
from qviz.engine.chunks import Chunk, Feeder, feeder
from qviz.engine.evaluate import evaluate
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.memo import Memo
from qviz.engine.prefetch import SHARE, in_order, prefetch
from qviz.engine.program import Encodings
from qviz.model.model import Model
from qviz.plan.resolve import resolve

ROWS = np.arange(200, dtype=np.int64)


@pytest.fixture(scope="module")
def opened(demo_model: Path, demo_samples: Path) -> Session:
    session = qviz.open(demo_model, demo_samples)
    session.evaluate(limit=64)
    return session


def parts(session: Session) -> tuple[Model, Feeder, Encodings]:
    """The model, its feeder and the plan's encodings."""
    document, findings = session.current(), session.findings
    model, samples = document.model, document.scored
    assert model is not None
    assert samples is not None
    known = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    return model, feeder(model, samples, None), known


def step_of(model: Model, layer: str) -> int:
    step = next(found.step for found in model.layers if found.name == layer)
    assert step is not None
    return step


def test_an_edit_of_a_watched_layer_starts_there(opened: Session) -> None:
    model, feed, plan = parts(opened)
    executor = Executor(model, Memo())
    list(prefetch(executor, feed, plan, ROWS, [step_of(model, "fc")]))
    assert executor.steps_run == 0  # evaluations ran none
    opened.set("fc.weight", "int4:channel")
    opened.evaluate()
    edited = parts(opened)[2]
    opened.undo()
    program = executor.program(edited)
    with torch.inference_mode():
        for rows in feed.cut(in_order(ROWS)):
            executor.run(feed.chunk(rows), edited, program)
    assert executor.steps_run == len(feed.cut(ROWS))  # fc alone, once for each chunk


def test_what_is_fetched_is_what_an_evaluation_would_keep(opened: Session) -> None:
    model, feed, plan = parts(opened)
    alone, fetched = Executor(model, Memo()), Executor(model, Memo())
    list(prefetch(fetched, feed, plan, ROWS, [step_of(model, "block3.pw")]))
    *_, plain = evaluate(alone, feed, plan, ROWS, "all")
    *_, same = evaluate(fetched, feed, plan, ROWS, "all")
    assert (plain.value, plain.kl, plain.flips) == (same.value, same.kl, same.flips)
    assert fetched.steps_run < alone.steps_run


@pytest.mark.parametrize("budget", [0, 40_000, 400_000])
def test_it_takes_half_of_the_budget_at_most(opened: Session, budget: int) -> None:
    model, feed, plan = parts(opened)
    executor = Executor(model, Memo(budget))
    held = list(prefetch(executor, feed, plan, ROWS, [step_of(model, "block3.pw")]))
    assert executor.memo.used <= budget
    assert all(each <= budget * SHARE for each in held)
    assert len(held) < len(feed.cut(ROWS))


def test_it_is_cancelled_between_operators(opened: Session) -> None:
    model, feed, plan = parts(opened)
    executor = Executor(model, Memo())
    asked = iter([False, False, True])
    work = prefetch(executor, feed, plan, ROWS, [step_of(model, "fc")], lambda: next(asked))
    with pytest.raises(WorkCancelledError):
        list(work)
    assert next(asked, None) is None


def test_a_second_time_nothing_is_loaded_or_run(
    opened: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, feed, plan = parts(opened)
    executor = Executor(model, Memo())
    step = step_of(model, "fc")
    first = list(prefetch(executor, feed, plan, ROWS, [step]))
    monkeypatch.setattr(Feeder, "chunk", None)
    assert list(prefetch(executor, feed, plan, ROWS, [step])) == first


def test_a_chunk_with_nan_is_passed_over(opened: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Feeder.chunk

    def first_with_nan(feed: Feeder, rows: Indices) -> Chunk:
        chunk = load(feed, rows)
        if rows[0] == in_order(ROWS)[0]:
            for value in chunk.feeds.values():
                value[0] = torch.nan
        return chunk

    monkeypatch.setattr(Feeder, "chunk", first_with_nan)
    model, feed, plan = parts(opened)
    executor = Executor(model, Memo())
    held = list(prefetch(executor, feed, plan, ROWS, [step_of(model, "fc")]))
    assert len(held) == len(feed.cut(ROWS))
    assert held[0] == 0 < held[-1]
