"""Export ONNX: the plan as a file, and whether it gives the numbers of the window."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from qviz.app.session import Session
from qviz.app.views import JobView
from qviz.errors import QvizError
from qviz.ui import number_format as text
from qviz.ui.export_form import ExportForm
from qviz.ui.export_result import ExportResult
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import Palette
from qviz.ui.parts import Card, label, set_look

LANE = "export"
SIZE = QSize(1180, 736)


class ExportDialog(QDialog):
    """Does not block the window; closing it lets the export go on."""

    def __init__(self, session: Session, parent: QWidget, palette: Palette) -> None:
        """Shows the latest export of what is open, if there is one."""
        super().__init__(parent)
        self._session = session
        self._busy = False
        self._checks = True  # what the export at work was asked for
        self._mistake = ""  # why it could not be started
        self._old_failure = ""  # of a file that is no longer asked for
        self._stopped = False
        self.setWindowTitle("Export ONNX")
        self.setFont(ui_font(13))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.form = ExportForm()
        self.form.changed.connect(self._edited)
        self.outcome = ExportResult()
        self.state = label("", 12, tone="soft")
        self.state.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(180, 4)
        self.stop = self._button("Stop")
        self.stop.clicked.connect(lambda: session.cancel(LANE))
        self.copy = self._button("Copy Report")
        self.copy.clicked.connect(self._copy)
        self.close_button = self._button("Close")
        self.close_button.clicked.connect(self.reject)
        self.export = self._button("Export")
        self.export.setDefault(True)
        self.export.clicked.connect(self._start)
        self._assemble()
        self.set_palette(palette)
        self.refresh()
        if self.outcome.view is not None:
            self.form.file_line.setText(self.outcome.view.path)
        self.resize(SIZE.boundedTo(parent.size() - QSize(60, 60)))
        self.form.file_line.setFocus()

    def _button(self, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setFont(ui_font(13, "medium"))
        button.setMinimumWidth(96)
        button.setAutoDefault(False)
        return button

    def _assemble(self) -> None:
        card = Card("The plan as an ONNX file")
        card.body.addWidget(self.form)
        boxes = QDialogButtonBox()  # in the platform's order
        boxes.addButton(self.copy, QDialogButtonBox.ButtonRole.ActionRole)
        boxes.addButton(self.close_button, QDialogButtonBox.ButtonRole.RejectRole)
        boxes.addButton(self.export, QDialogButtonBox.ButtonRole.ApplyRole)
        below = QHBoxLayout()
        below.setSpacing(10)
        below.addWidget(self.progress)
        below.addWidget(self.state, 1)
        below.addWidget(self.stop)
        below.addWidget(boxes)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(card)
        column.addWidget(self.outcome, 1)
        column.addSpacing(4)
        column.addLayout(below)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.form.set_palette(palette)
        self.outcome.set_palette(palette)
        self.copy.setIcon(icon("copy", palette))

    def refresh(self) -> None:
        """Show how far the export is, and what is known of its file."""
        session = self._session
        job, view = self._job(), session.export_view()
        if self._busy and job is None and not session.export_failure:
            self._stopped = view is None or (self._checks and view.ok is None)
        self._busy = job is not None
        self.form.show_document(session.document(), session.strip().part)
        self.outcome.show_view(view)
        self._show_state(job)
        self._show_possible()

    def _job(self) -> JobView | None:
        return next((job for job in self._session.jobs() if job.lane == LANE), None)

    def _show_state(self, job: JobView | None) -> None:
        """The last line: what is being done, or what went wrong."""
        for part in (self.progress, self.stop):
            part.setVisible(job is not None)
        failure = self._session.export_failure
        complaint = self._mistake or (failure if failure != self._old_failure else "")
        if job is not None:
            self.progress.setRange(0, job.total)
            self.progress.setValue(job.done)
            self.state.setText(_work(job, written=self.outcome.view is not None))
            set_look(self.state, "tone", "soft")
            return
        self.state.setText(complaint or ("Stopped" if self._stopped else ""))
        set_look(self.state, "tone", "bad" if complaint else "soft")

    def _show_possible(self) -> None:
        """Which buttons can be pressed, and why the others cannot."""
        shown = self.outcome.view
        self.form.show_hint("" if shown is None else shown.path)
        self.form.setEnabled(not self._busy)
        why = "An export is at work" if self._busy else self.form.why_not()
        self.export.setEnabled(not why)
        set_look(self.export, "primary", not why)
        self.export.setToolTip(why or "Write the file")
        self.copy.setEnabled(shown is not None)
        self.copy.setToolTip("Nothing is exported yet" if shown is None else "Copy all as text")

    def _edited(self) -> None:
        """Another file: what was wrong with the last one is no longer said."""
        self._mistake, self._stopped = "", False
        self._old_failure = self._session.export_failure
        self._show_state(self._job())
        self._show_possible()

    def _start(self) -> None:
        self._mistake, self._old_failure, self._stopped = "", "", False
        self._checks = self.form.checks
        try:
            self._session.start_export(self.form.path, self.form.opset, verify=self._checks)
        except QvizError as error:
            self._mistake = str(error)
        self.refresh()

    def _copy(self) -> None:
        if self.outcome.view is not None:
            QGuiApplication.clipboard().setText(self.outcome.view.report)


def _work(job: JobView, *, written: bool) -> str:
    parts = ["Running the file in onnxruntime" if written else "Writing the file"]
    if job.total:
        parts.append(f"{text.count(job.done)} / {text.count(job.total)}")
    if job.seconds_left is not None:
        parts.append(f"{text.duration(job.seconds_left)} left")
    return "  ·  ".join(parts)
