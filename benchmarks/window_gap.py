"""The longest the window's event loop stands still while a plan is evaluated.

Run: QT_QPA_PLATFORM=offscreen python benchmarks/window_gap.py. A timer fires every millisecond;
the gap between two of its beats is how long the window could not answer.
"""

from __future__ import annotations

import statistics
import time

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
        self._timer.timeout.connect(self._beat)
        self._timer.start(1)

    def _beat(self) -> None:
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


def main() -> None:
    """Open the demo, edit it five times, and print the gaps of each evaluation."""
    app = application()
    session = Session(MainThread(), part="all")
    window = MainWindow(session, Theme(app, "light"), Settings())
    window.resize(1280, 800)
    window.show()
    session.open(demo_model(), demo_samples())
    settle(session)
    for spelling in EDITS:
        heart = Heartbeat()
        session.set_scheme(["conv1.weight", "block1.pw.weight"], spelling)
        settle(session)
        gaps = sorted(heart.gaps)
        print(
            f"{spelling:<24} worst {gaps[-1]:5.1f} ms   99 % {gaps[int(0.99 * len(gaps))]:5.1f} ms"
            f"   median {statistics.median(gaps):4.1f} ms   over {len(gaps)} beats"
        )
    session.close()


if __name__ == "__main__":
    main()
