"""Ahead: an unseen lane that works while nothing else does, and stops when something does."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator

from qviz.app.jobs import Post, Step, ThreadLane, Token, Work


class Ahead:
    """Runs work that nobody waits for. It is no job of the user's: nothing shows it."""

    def __init__(self, post: Post) -> None:
        """`post` runs a function on the owner's thread soon."""
        self._lane = ThreadLane("ahead", post, _nothing)
        self._turn = threading.Lock()
        self._asked: Hashable = None  # what is being done, or was

    def start(self, what: Hashable, work: Work) -> None:
        """Do this work, unless it is being done or was the last that was."""
        if what == self._asked:
            return
        self._asked = what
        self._lane.restart("", lambda token: self.in_turn(work, token), _drop, _drop, _nothing)

    def stop(self) -> None:
        """Something else is to be done."""
        if self.busy():
            self._asked = None
            self._lane.cancel()

    def busy(self) -> bool:
        """Whether something is being done."""
        return self._lane.job() is not None

    def in_turn(self, work: Work, token: Token) -> Iterator[Step]:
        """Work that must not run at the same time as what is done ahead."""
        with self._turn:
            if not token.cancelled():
                yield from work(token)

    def close(self) -> None:
        """Stop, and end the thread."""
        self._lane.close()


def _drop(_found: object) -> None:
    """What is done ahead ends in the memo; what fails fails again, and is told, when it is due."""


def _nothing() -> None:
    """Nobody waits."""
