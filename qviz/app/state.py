"""State: what a Session holds, the lanes that fill it, and who is told when it changes."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from qviz.app.ahead import Ahead
from qviz.app.document import Document, Findings
from qviz.app.history import History
from qviz.app.jobs import InlineLane, Job, Lane, Post, ThreadLane
from qviz.app.scores import ScoreKey, Scores, checked_limit
from qviz.app.views import Message
from qviz.data.parts import Part
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.cost import Cost
from qviz.plan.plan import Plan
from qviz.quant.scheme import Scheme

Listener = Callable[[frozenset[str]], None]


class State:
    """The document, its findings, scores and messages. Use `Session`."""

    def __init__(
        self,
        post: Post | None = None,
        *,
        part: Part = "all",
        seed: int = 0,
        limit: int | None = None,
        memory_budget: int | None = None,
        progress: Callable[[Job], None] | None = None,
    ) -> None:
        """`post` runs a function on the owner's thread soon; without it, work runs in the call."""
        self._listeners: list[Listener] = []
        self._document = Document(part=part, seed=seed)
        self._findings = Findings()
        self._history = History()
        self._scores = Scores()
        self._messages: list[Message] = []
        self._limit = checked_limit(limit)
        self._memory_budget = checked_memory(memory_budget)
        self._memo = Memo(memory_budget)
        self._executor: Executor | None = None
        self._planned: tuple[Model | None, Plan, dict[str, Scheme]] | None = None
        self._cost: tuple[tuple[object, ...], Cost] | None = None  # and what it is the cost of
        self._live = post is not None
        if self._live:  # one core is the window's
            torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
        self._lanes: dict[str, Lane] = {
            name: InlineLane(name, progress)
            if post is None
            else ThreadLane(name, post, self._lane_changed)
            for name in ("open", "calibrate", "evaluate", "layers", "details", "sweep", "export")
        }
        self._ahead = None if post is None else Ahead(post)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told which topics changed; returns the function that ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def _changed(self, *topics: str) -> None:
        for listener in list(self._listeners):
            listener(frozenset(topics))

    def _lane_changed(self) -> None:
        self._changed("jobs", "strip")
        if self._ahead is not None and not all(map(self._idle, self._lanes)):
            self._ahead.stop()
        else:
            self._fetch_ahead()

    def _fetch_ahead(self) -> None:
        """Nothing else works: get ready for the next edit."""

    def _say(self, message: Message) -> None:
        self._messages.append(message)
        self._changed("messages")

    def _require_model(self) -> Model:
        if self._document.model is None:
            raise QvizError("model", "none is open", "Open a model first")
        return self._document.model

    def set_memory(self, budget: int | None) -> None:
        """How many bytes of results are kept to be used again; None for a quarter of what is free.

        Changes how fast numbers come, never the numbers.
        """
        self._memory_budget = checked_memory(budget)
        self._memo.set_budget(budget)

    @property
    def memory_budget(self) -> int | None:
        """The budget that was chosen in bytes; None for a quarter of what is free."""
        return self._memory_budget

    def _idle(self, lane: str) -> bool:
        return self._lanes[lane].job() is None

    def _score_key(self) -> ScoreKey:
        document = self._document
        chosen = (document.metric, document.output)
        return (document.plan.key, document.part, *chosen, self._limit)

    def cancel(self, lane: str | None = None) -> None:
        """Stop the work of one lane, or of all."""
        for name, worker in self._lanes.items():
            if lane in (None, name):
                worker.cancel()
        self._changed("jobs", "strip")

    def close(self) -> None:
        """End all work."""
        self._listeners.clear()
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()
        for lane in self._lanes.values():
            lane.cancel()
        for lane in self._lanes.values():
            lane.close()

    def _stop_measuring(self) -> None:
        """What is being measured is about to be of something else."""
        for name, lane in self._lanes.items():
            if name != "open":
                lane.cancel()


def checked_memory(budget: int | None) -> int | None:
    """A budget in bytes; raises QvizError for less than none."""
    if budget is not None and budget < 0:
        raise QvizError(f"memory {budget}", "it is less than none", "Use 0 or more bytes")
    return budget


def complaint(error: Exception) -> Message:
    """What an error says to the user."""
    if isinstance(error, QvizError):
        return Message("error", str(error), error)
    return Message("error", f"Something unexpected failed ({type(error).__name__}: {error})")
