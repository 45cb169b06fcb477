"""Lanes: late results are dropped, errors cross as values, a new job replaces the old."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from qviz.app.jobs import InlineLane, Job, Step, ThreadLane, Token

Posted = queue.SimpleQueue[Callable[[], None]]


class Desk:
    """Stands for the main thread: runs what lanes post, and remembers what arrived."""

    def __init__(self) -> None:
        self.posted: Posted = queue.SimpleQueue()
        self.got: list[object] = []
        self.errors: list[Exception] = []
        self.ended = 0
        self.lane = ThreadLane("test", self.posted.put, lambda: None)

    def start(self, work: Callable[[Token], Iterator[Step]], title: str = "work") -> None:
        self.lane.restart(title, work, self.got.append, self.errors.append, self._end)

    def _end(self) -> None:
        self.ended += 1

    def run_until(self, done: Callable[[], bool]) -> None:
        while not done():
            self.posted.get(timeout=10)()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.lane.close()


def test_results_arrive_in_order_on_the_owners_thread(desk: Desk) -> None:
    desk.start(lambda _token: (Step(i, 3, i) for i in (1, 2, 3)))
    assert desk.got == []  # nothing arrives before the owner looks
    desk.run_until(lambda: desk.ended == 1)
    assert desk.got == [1, 2, 3]
    assert desk.lane.job() is None


def test_a_new_job_replaces_the_old_and_its_late_results_are_dropped(desk: Desk) -> None:
    release = threading.Event()
    tokens: list[Token] = []

    def slow(token: Token) -> Iterator[Step]:
        tokens.append(token)
        yield Step(1, 2, "old, posted but not yet delivered")
        release.wait(10)
        yield Step(2, 2, "old, late")

    desk.start(slow)
    first = desk.posted.get(timeout=10)  # the old job's first result waits here
    desk.start(lambda _token: iter([Step(1, 1, "new")]))
    release.set()
    first()
    desk.run_until(lambda: desk.ended == 1)
    assert desk.got == ["new"]
    assert tokens[0].cancelled()


def test_an_error_arrives_as_a_value(desk: Desk) -> None:
    def failing(_token: Token) -> Iterator[Step]:
        yield Step(1, 2, "good")
        raise ValueError("broken")

    desk.start(failing)
    desk.run_until(lambda: bool(desk.errors))
    assert desk.got == ["good"]
    assert str(desk.errors[0]) == "broken"
    assert desk.ended == 0
    assert desk.lane.job() is None


def test_cancel_clears_the_job_at_once(desk: Desk) -> None:
    release = threading.Event()

    def slow(_token: Token) -> Iterator[Step]:
        release.wait(10)
        yield Step(1, 1, "late")

    desk.start(slow, "slow work")
    assert desk.lane.job() == Job("slow work", 0, 0, None)
    desk.lane.cancel()
    assert desk.lane.job() is None
    release.set()
    desk.start(lambda _token: iter(()))
    desk.run_until(lambda: desk.ended == 1)
    assert desk.got == []


def test_time_left_follows_the_pace(desk: Desk) -> None:
    desk.start(lambda _token: iter([Step(1, 4, "quarter")]))
    seen: list[Job | None] = []
    while not desk.ended:
        desk.posted.get(timeout=10)()
        seen.append(desk.lane.job())
    job = seen[0]
    assert job is not None
    assert (job.done, job.total) == (1, 4)
    assert job.seconds_left is not None
    assert job.seconds_left >= 0.0


def test_an_inline_lane_raises_and_returns_when_done() -> None:
    jobs: list[Job] = []
    got: list[object] = []
    lane = InlineLane("test", jobs.append)
    lane.restart("x", lambda _t: iter([Step(1, 2), Step(2, 2, "p")]), got.append, _never, _nothing)
    assert got == ["p"]
    assert [job.done for job in jobs] == [1, 2]

    def failing(_token: Token) -> Iterator[Step]:
        yield Step(1, 1)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        lane.restart("x", failing, got.append, _never, _nothing)


def _never(error: Exception) -> None:
    raise AssertionError(error)


def _nothing() -> None:
    pass
