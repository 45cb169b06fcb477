"""Garbage collection on the main thread only.

Python collects on whichever thread allocates. A lane that happens to collect a dead widget would
destroy it off the main thread, which Qt forbids; and a full collection over everything that torch
imports would stall the window.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 500


class GarbageCollector(QObject):
    """Takes over from Python's automatic collection for as long as its parent lives."""

    def __init__(self, parent: QObject) -> None:
        """Everything that exists now is set aside and never looked at again."""
        super().__init__(parent)
        gc.disable()
        gc.collect()
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.collect)
        self._timer.start(INTERVAL_MS)

    def collect(self) -> None:
        """Collect the generations that are due, by Python's own thresholds."""
        for generation, (count, threshold) in enumerate(
            zip(gc.get_count(), gc.get_threshold(), strict=True)
        ):
            if count > threshold > 0:
                gc.collect(generation)
