"""Lane: the one background primitive. A generator, a cancel token, a generation and a post."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

CLOSE_S = 1.0  # how long closing waits for the operator a lane is in; its thread is a daemon
Post = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One stop of a job: how far it is, and what it found."""

    done: int
    total: int
    payload: object = None


class Token:
    """Tells the worker that nobody waits for its result any more."""

    def __init__(self) -> None:
        """A token that is not cancelled."""
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next look."""
        self._event.set()

    def cancelled(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()


Work = Callable[[Token], Iterator[Step]]
Deliver = Callable[[object], None]
Failed = Callable[[Exception], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What a lane is doing."""

    title: str
    done: int
    total: int
    seconds_left: float | None


class Lane(Protocol):
    """Runs one job at a time; a new one replaces the old."""

    name: str

    def restart(
        self, title: str, work: Work, deliver: Deliver, failed: Failed, finished: Callable[[], None]
    ) -> None:
        """Cancel what runs and start `work`; callbacks arrive on the caller's thread."""

    def cancel(self) -> None:
        """Stop the job; nothing of it is delivered any more."""

    def job(self) -> Job | None:
        """The job at work, if any."""

    def close(self) -> None:
        """Cancel and end the lane's thread."""


class InlineLane:
    """A lane without a thread: `restart` returns when the work is done, and errors are raised."""

    def __init__(self, name: str, progress: Callable[[Job], None] | None = None) -> None:
        """`progress` sees every step."""
        self.name = name
        self._progress = progress

    def restart(
        self, title: str, work: Work, deliver: Deliver, failed: Failed, finished: Callable[[], None]
    ) -> None:
        """Run `work` here and now."""
        del failed
        started = time.monotonic()
        for step in work(Token()):
            if self._progress is not None:
                self._progress(Job(title, step.done, step.total, _left(started, step)))
            if step.payload is not None:
                deliver(step.payload)
        finished()

    def cancel(self) -> None:
        """Nothing runs between calls."""

    def job(self) -> Job | None:
        """Nothing runs between calls."""
        return None

    def close(self) -> None:
        """There is no thread to end."""


class ThreadLane:
    """A lane with a worker thread. Late results are dropped by their generation."""

    def __init__(self, name: str, post: Post, changed: Callable[[], None]) -> None:
        """`post` runs a function on the owner's thread; `changed` is told of every progress."""
        self.name = name
        self._post = post
        self._changed = changed
        self._generation = 0
        self._token = Token()
        self._job: Job | None = None
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def restart(
        self, title: str, work: Work, deliver: Deliver, failed: Failed, finished: Callable[[], None]
    ) -> None:
        """Cancel what runs and queue `work` for the thread."""
        self.cancel()
        generation, token = self._generation, self._token
        self._job = Job(title, 0, 0, None)
        self._changed()

        def current(action: Callable[[], None]) -> None:
            def guarded() -> None:
                if generation == self._generation:
                    action()

            self._post(guarded)

        def run() -> None:
            started = time.monotonic()
            try:
                for step in work(token):
                    if token.cancelled():
                        return
                    current(partial(self._step, title, started, step, deliver))
            except Exception as error:  # crosses to the owner as a value
                if not token.cancelled():
                    current(partial(self._end, partial(failed, error)))
                return
            current(partial(self._end, finished))

        self._queue.put(run)

    def cancel(self) -> None:
        """Stop the job; results already posted are dropped."""
        self._generation += 1
        self._token.cancel()
        self._token = Token()
        if self._job is not None:
            self._job = None
            self._changed()

    def job(self) -> Job | None:
        """The job at work, if any."""
        return self._job

    def close(self) -> None:
        """Cancel and end the thread, waiting for the operator it is in."""
        self.cancel()
        self._queue.put(None)
        self._thread.join(timeout=CLOSE_S)

    def _work(self) -> None:
        while (run := self._queue.get()) is not None:
            run()

    def _step(self, title: str, started: float, step: Step, deliver: Deliver) -> None:
        self._job = Job(title, step.done, step.total, _left(started, step))
        if step.payload is not None:
            deliver(step.payload)
        self._changed()

    def _end(self, action: Callable[[], None]) -> None:
        self._job = None
        action()
        self._changed()


def _left(started: float, step: Step) -> float | None:
    """Seconds left if the rest goes on at the same pace."""
    if not step.done or step.total <= 0:
        return None
    return (time.monotonic() - started) / step.done * (step.total - step.done)
