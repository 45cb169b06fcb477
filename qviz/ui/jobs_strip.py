"""The jobs strip: running work with progress, time left and cancel."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QToolButton, QWidget

from qviz.app.session import Session
from qviz.app.views import JobView
from qviz.ui import number_format as text
from qviz.ui.icons import icon
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import label


class JobLine(QWidget):
    """One job."""

    def __init__(self, session: Session, lane: str, palette: Palette) -> None:
        """`lane` is what the cancel button cancels."""
        super().__init__()
        self.title = label("", 12, "medium")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(110, 4)
        self.count = label("", 12, tone="soft")
        self.cancel = QToolButton()
        self.cancel.setFixedSize(22, 22)
        self.cancel.setProperty("compact", True)
        self.cancel.setIcon(icon("x", palette))
        self.cancel.clicked.connect(lambda: session.cancel(lane))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.title)
        row.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.count)
        row.addWidget(self.cancel)

    def show_job(self, job: JobView) -> None:
        """Progress and time left; a job without a total shows that it is busy."""
        self.title.setText(job.title)
        self.bar.setRange(0, job.total)
        self.bar.setValue(job.done)
        self.bar.setAccessibleName(f"{job.title}: {job.done} of {job.total}")
        self.cancel.setToolTip(f"Cancel: {job.title}")
        self.cancel.setAccessibleName(f"Cancel: {job.title}")
        parts = [f"{text.count(job.done)} / {text.count(job.total)}"] if job.total else []
        if job.seconds_left is not None:
            parts.append(f"{text.duration(job.seconds_left)} left")
        self.count.setText("  ·  ".join(parts))


class JobsStrip(QWidget):
    """Draws `Session.jobs`."""

    def __init__(self, session: Session) -> None:
        """Idle until `refresh`."""
        super().__init__()
        self._session = session
        self._palette = LIGHT
        self._lines: dict[str, JobLine] = {}
        self.idle = label("Ready", 12, tone="faint")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(20)
        self._row.addWidget(self.idle)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        for line in self._lines.values():
            line.cancel.setIcon(icon("x", palette))

    def refresh(self) -> None:
        """Draw the Session's jobs."""
        jobs = {job.lane: job for job in self._session.jobs()}
        for lane in set(self._lines) - set(jobs):
            line = self._lines.pop(lane)
            self._row.removeWidget(line)
            line.hide()
            line.deleteLater()
        for lane, job in jobs.items():
            if lane not in self._lines:
                self._lines[lane] = JobLine(self._session, lane, self._palette)
                self._row.addWidget(self._lines[lane])
            self._lines[lane].show_job(job)
        self.idle.setVisible(not jobs)

    def line(self, lane: str) -> JobLine | None:
        """The line of a lane, while it works."""
        return self._lines.get(lane)
