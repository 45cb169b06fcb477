"""Watching: the slots that are looked at, and the lane that measures them in detail."""

from __future__ import annotations

from collections.abc import Collection

from qviz.app.details import Key, measure_details
from qviz.app.document import Document, Findings
from qviz.app.jobs import Deliver, Failed, Lane
from qviz.model.model import Model
from qviz.plan.resolve import schemes
from qviz.quant.statistics import TensorStats


class Watching:
    """Keeps the details of the watched slots up to date with the plan."""

    def __init__(self, lane: Lane, receive: Deliver, failed: Failed) -> None:
        """`receive` takes what is found, a piece at a time."""
        self.groups: frozenset[str] = frozenset()
        self._lane = lane
        self._receive = receive
        self._failed = failed

    def watch(self, model: Model, slots: Collection[str]) -> None:
        """Other slots are looked at now."""
        self.groups = frozenset(model.slots[name].group for name in slots if name in model.slots)

    def measure(self, document: Document, findings: Findings) -> None:
        """Start measuring what is not known of the watched slots under the present plan."""
        wanted = self._wanted(document, findings)
        known = [findings.details.get(key) for key in wanted]
        if all(details is not None and details.complete for details in known):
            self._lane.cancel()
            return
        self._lane.restart(
            "Measuring error curves",
            lambda token: measure_details(wanted, findings.encodings, findings.details, token),
            self._receive,
            self._failed,
            _nothing,
        )

    def _wanted(self, document: Document, findings: Findings) -> dict[Key, TensorStats]:
        """Group and scheme of every watched slot that is quantized and measured."""
        found: dict[Key, TensorStats] = {}
        if document.model is None:
            return found
        for name, scheme in schemes(document.model, document.plan).items():
            group = document.model.slots[name].group
            stats = findings.statistics.get(group)
            if group in self.groups and not scheme.is_float and stats is not None:
                found[(group, scheme)] = stats
        return found


def _nothing() -> None:
    """What was found arrived piece by piece."""
