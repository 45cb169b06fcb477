"""Work that nobody waits for: unseen, in turn, and gone when something else is to be done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from qviz.app.ahead import Ahead
from qviz.app.jobs import Step, Token
from qviz.app.session import Session
from qviz.engine.evaluate import Evaluation
from qviz.engine.memo import Memo

Number = tuple[float | None, int | None, float | None, int]
PLANS = (("int8:channel", "uint8"), ("int4:channel", "uint8"), ("int8:channel", "float"))


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    made = Ahead(posted.put)
    yield made
    made.close()


def test_the_same_is_not_done_twice_and_stopping_asks_again(ahead: Ahead) -> None:
    started: queue.SimpleQueue[str] = queue.SimpleQueue()
    go = threading.Event()

    def work(name: str) -> Callable[[Token], Iterator[Step]]:
        def run(token: Token) -> Iterator[Step]:
            started.put(name)
            while not token.cancelled():
                go.wait(0.001)
                yield Step(0, 0)

        return run

    ahead.start("a", work("a"))
    assert started.get(timeout=10) == "a"
    ahead.start("a", work("again"))
    ahead.start("b", work("b"))  # takes its place
    assert started.get(timeout=10) == "b"
    ahead.stop()
    ahead.start("b", work("once more"))
    assert started.get(timeout=10) == "once more"
    assert started.empty()


def test_work_that_takes_its_turn_waits_for_what_is_done_ahead(ahead: Ahead) -> None:
    inside, leave = threading.Event(), threading.Event()

    def first(_token: Token) -> Iterator[Step]:
        inside.set()
        leave.wait(10)
        yield Step(0, 0)

    done: list[bool] = []

    def second(_token: Token) -> Iterator[Step]:
        done.append(leave.is_set())
        yield Step(0, 0)

    ahead.start("a", first)
    assert inside.wait(10)
    thread = threading.Thread(target=lambda: list(ahead.in_turn(second, Token())))
    thread.start()
    assert not done
    leave.set()
    thread.join(10)
    assert done == [True]


class Live:
    """A Session with lanes that watches a layer, and every number it came to."""

    def __init__(self, budget: int | None) -> None:
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.session = Session(self.posted.put, memory_budget=budget)

    def settle(self) -> None:
        while self.session.jobs():
            self.posted.get(timeout=30)()

    def numbers(self, model: Path, samples: Path, watched: list[str]) -> list[Number]:
        session = self.session
        session.open(model, samples)
        self.settle()
        found = []
        for slots in watched:
            session.watch([f"{slots}.weight", f"{slots}.input"])
            for weight, inputs in PLANS:
                session.set_scheme([f"{slots}.weight"], weight)
                session.set_scheme([f"{slots}.input"], inputs)
                self.settle()
                strip = session.strip()
                found.append((strip.value, strip.flips, strip.kl, strip.samples))
        return found


def alone(model: Path, samples: Path, watched: list[str], budget: int) -> list[Number]:
    """The same without lanes, and so without anything done ahead."""
    session = Session(memory_budget=budget)
    session.open(model, samples)
    found: list[Number] = []
    for slots in watched:
        for weight, inputs in PLANS:
            session.set_scheme([f"{slots}.weight"], weight)
            session.set_scheme([f"{slots}.input"], inputs)
            score: Evaluation = session.evaluate()
            found.append((score.value, score.flips, score.kl, score.samples))
    return found


@pytest.mark.parametrize("budget", [None, 0, 2_000_000])
def test_neither_the_budget_nor_what_is_done_ahead_changes_a_number(
    budget: int | None, demo_model: Path, demo_samples: Path, tmp_path: Path
) -> None:
    with np.load(demo_samples) as archive:
        np.savez(tmp_path / "few.npz", **{name: archive[name][:700] for name in archive.files})
    live = Live(budget)
    watched = ["block2.pw", "fc"]
    try:
        found = live.numbers(demo_model, tmp_path / "few.npz", watched)
        assert found == alone(demo_model, tmp_path / "few.npz", watched, 0)
        assert live.session.memo.used <= live.session.memo.budget
    finally:
        live.session.close()


def test_a_watched_layer_is_fetched_while_idle_and_no_job_says_so(
    demo_model: Path, demo_samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, pinned = Live(None), threading.Event()
    kept: list[frozenset[str]] = []
    session, pin = live.session, Memo.pin

    def noted(memo: Memo, why: str, contents: list[str]) -> None:
        pin(memo, why, contents)
        if contents and why == "watched":
            kept.append(frozenset(contents))
            pinned.set()

    monkeypatch.setattr(Memo, "pin", noted)
    try:
        session.open(demo_model, demo_samples)
        live.settle()
        assert not pinned.is_set()
        session.watch(["fc.weight"])
        live.settle()  # the error curves
        assert pinned.wait(30)
        assert session.jobs() == ()
        assert session.strip().state == "done"
        pinned.clear()
        session.set_bits(["fc.weight"], 4)
        live.settle()
        assert pinned.wait(30)  # by the evaluation itself
        assert len(set(kept)) == 1  # the weights changed, what feeds them did not
    finally:
        session.close()


def test_a_watched_layer_is_told_first_and_the_others_at_last(
    demo_model: Path, demo_samples: Path
) -> None:
    live = Live(None)
    session = live.session
    told: list[str] = []

    def note(_topics: frozenset[str]) -> None:
        rows, strip, errors = session.rows(), session.strip(), len(session.findings.errors)
        fc = next(row for row in rows if row.name == "fc")
        state = {
            "slot": fc.weight is not None and fc.weight.sqnr_db is not None,
            "output": fc.local_db is not None,
            "divergence": strip.first_kl is not None or not strip.stale,
            "score": not strip.stale,
            "exact": strip.exact and not strip.stale,
            "others": errors == every and not strip.stale,
            "followed": all(row.accumulated_db is not None for row in rows),
        }
        told.extend(name for name, known in state.items() if known and name not in told)

    try:
        session.open(demo_model, demo_samples)
        live.settle()
        session.watch(["fc.weight", "fc.input"])
        live.settle()
        ahead = session._ahead
        assert ahead is not None
        while ahead.busy():
            live.posted.get(timeout=30)()
        every = 4 * 12  # two slots a layer, two plans
        session.subscribe(note)
        session.set_defaults("int5:channel", "uint6")
        told.clear()
        live.settle()
        note(frozenset())
        order = ["slot", "output", "divergence", "score", "exact", "others", "followed"]
        assert told == order
    finally:
        session.close()
