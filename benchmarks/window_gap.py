"""The longest the window's event loop stands still while plans are evaluated and layers swept.

Run: QT_QPA_PLATFORM=offscreen python benchmarks/window_gap.py [MODEL SAMPLES]. A timer fires every
millisecond; the gap between two of its beats is how long the window could not answer.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory

from PySide6.QtCore import QEventLoop, Qt, QTimer

from qviz.app.session import Session
from qviz.data.bundled import demo_model, demo_samples
from qviz.ui.main_window import MainWindow
from qviz.ui.post import MainThread
from qviz.ui.run import application
from qviz.ui.settings import Settings
from qviz.ui.theme import Theme

EDITS = ("int4:channel", "int5:channel:mse", "int6", "int3:channel", "int8:channel:percentile")


class Heartbeat:
    """Remembers the gaps between beats of a timer on the event loop."""

    def __init__(self) -> None:
        """Start beating."""
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.beat)
        self._timer.start(1)

    def beat(self) -> None:
        """One more gap ends."""
        now = time.perf_counter()
        self.gaps.append(1000 * (now - self._last))
        self._last = now


def settle(session: Session) -> None:
    """Run the event loop until no lane works."""
    loop = QEventLoop()

    def changed(topics: frozenset[str]) -> None:
        if "jobs" in topics and not session.jobs():
            loop.quit()

    unsubscribe = session.subscribe(changed)
    if session.jobs():
        loop.exec()
    unsubscribe()


def told(what: str, heart: Heartbeat) -> None:
    """Print the gaps since the heart began to beat."""
    gaps = sorted(heart.gaps)
    print(
        f"{what:<32} worst {gaps[-1]:5.1f} ms   99 % {gaps[int(0.99 * len(gaps))]:5.1f} ms"
        f"   median {statistics.median(gaps):4.1f} ms   over {len(gaps)} beats"
    )


def during(what: str, session: Session, work: Callable[[], object]) -> None:
    """Print the gaps from the start of some work until no lane works."""
    heart = Heartbeat()
    work()
    settle(session)
    heart.beat()
    told(what, heart)


def main() -> None:
    """Open, edit, undo, sweep; print the gaps of each."""
    model, samples = sys.argv[1:] or (demo_model(), demo_samples())
    app = application()
    session = Session(MainThread(), part="all")
    window = MainWindow(session, Theme(app, "light"), Settings())
    window.resize(1280, 800)
    window.show()
    during("open", session, lambda: session.open(model, samples))
    slots = [row.weight.slots[0] for row in session.rows() if row.weight][:2]
    for spelling in EDITS:
        during(f"edit {spelling}", session, partial(session.set_scheme, slots, spelling))
    during("undo", session, session.undo)
    for view in ("distribution", "sensitivity"):
        with TemporaryDirectory() as cache:
            window.workspace.views.show_view(view)
            settle(session)
            sweep = partial(session.start_sensitivity, samples=64, role="both", cache=cache)
            during(f"sweep, {view} in front", session, sweep)
    session.close()


if __name__ == "__main__":
    main()
