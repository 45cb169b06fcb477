"""Samples Options: how the open samples are read, beside a preview of what comes of it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent
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
from qviz.errors import QvizError
from qviz.ui.fonts import ui_font
from qviz.ui.parts import Card, ElidedLabel, label, scrolling, set_look
from qviz.ui.sample_fields import DESCRIBED, SampleFields
from qviz.ui.sample_preview import PreviewPane
from qviz.ui.theme import Theme

LARGE = QSize(900, 680)  # room for a picture beside all fields of images
SMALL = QSize(820, 540)
HEADER_HEIGHT = 26  # that the titles of both cards stand on one line
FORM_WIDTH = 412
NOTHING_CHANGED = "The samples are open in this way already"


class SamplesDialog(QDialog):
    """Changes a draft; Apply opens the samples again and closes once that has worked."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget) -> None:
        """Raises QvizError where no samples are open."""
        draft = session.sample_draft()
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self._draft = draft
        self._row = 0
        self._old = session.current().samples
        self._said = 0  # messages before the samples were opened again
        self._busy = False
        self.setWindowTitle("Samples Options")
        self.setFont(ui_font(13))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fields = SampleFields()
        self.fields.changed.connect(self._change)
        self.summary = ElidedLabel(12, tone="faint")
        self.notes = label("", 12, tone="faint")
        self.notes.setWordWrap(True)
        self.preview = PreviewPane()
        self.preview.row_wanted.connect(self._go_to)
        self.preview.shown_changed.connect(self._refresh)
        self.complaint = label("", 12, tone="bad")
        self.complaint.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(120, 4)
        self.working = label("", 12, tone="soft")
        self.cancel = self._button("Cancel")
        self.cancel.clicked.connect(self.reject)
        self.apply = self._button("Apply", primary=True)
        self.apply.clicked.connect(self._apply)
        self._assemble()
        self._mistake = ""  # what a field did not take, or why the samples could not be opened
        self._unsubscribe = session.subscribe(lambda _topics: self._look())
        theme.changed.connect(self._take_palette)
        self._take_palette()
        self.finished.connect(self._end)
        self._show_draft()
        pictures = DESCRIBED in self.fields.names()  # or what may be read as such
        self.resize((LARGE if pictures else SMALL).boundedTo(parent.size() - QSize(80, 80)))
        self.fields.editor(self.fields.names()[0]).setFocus()

    def _button(self, words: str, *, primary: bool = False) -> QPushButton:
        button = QPushButton(words)
        button.setFont(ui_font(13, "medium"))
        button.setMinimumWidth(96)
        button.setProperty("primary", primary)
        return button

    def _assemble(self) -> None:
        form = Card("How the samples are read")
        form.setFixedWidth(FORM_WIDTH)
        form.title.setMinimumHeight(HEADER_HEIGHT)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(14, 0, 12, 12)
        column.setSpacing(12)
        column.addWidget(self.summary)
        column.addWidget(self.fields)
        column.addWidget(self.notes)
        column.addStretch(1)
        form.body.addWidget(scrolling(content))
        cards, below = QHBoxLayout(), QHBoxLayout()
        cards.setSpacing(8)
        cards.addWidget(form)
        cards.addWidget(self.preview, 1)
        below.setSpacing(10)
        below.addWidget(self.working)
        below.addWidget(self.progress)
        below.addWidget(self.complaint, 1)
        below.addStretch(0)
        below.addWidget(self._buttons())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 12, 12, 12)
        whole.setSpacing(12)
        whole.addLayout(cards, 1)
        whole.addLayout(below)

    def _buttons(self) -> QDialogButtonBox:
        """In the platform's order."""
        box = QDialogButtonBox()
        box.addButton(self.apply, QDialogButtonBox.ButtonRole.AcceptRole)
        box.addButton(self.cancel, QDialogButtonBox.ButtonRole.RejectRole)
        return box

    def _take_palette(self) -> None:
        self.preview.set_palette(self._theme.palette)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter ends the typing in a field, and is no Apply."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)

    def _change(self, field: str, value: str) -> None:
        try:
            self._draft = self._session.set_reading(self._draft, field, value)
            self._mistake = ""
        except QvizError as error:
            self._mistake = _words(error)
        self._show_draft()

    def _go_to(self, row: int) -> None:
        self._row = row
        self._show_preview()

    def _show_draft(self) -> None:
        form = self._session.sample_form(self._draft)
        self.summary.setText(f"{form.title}   ·   {form.summary}")
        self.fields.show_fields(form.fields)
        self.notes.setText("\n".join(form.notes))
        self.notes.setVisible(bool(form.notes))
        self._changed = form.changed
        self._show_preview()
        self._refresh()

    def _show_preview(self) -> None:
        self.preview.request(partial(self._session.sample_preview, self._draft, self._row))

    def _refresh(self) -> None:
        """The last line: what is wrong, what is being done, and whether it can be applied."""
        shown = self.preview.shown
        problem = self._mistake or ("" if shown is None else shown.problem)
        self.complaint.setText(problem)
        self.complaint.setVisible(bool(problem) and not self._busy)
        self.working.setVisible(self._busy)
        self.progress.setVisible(self._busy)
        why = problem if shown is not None and shown.problem else ""
        why = why or ("" if self._changed else NOTHING_CHANGED)
        able = not why and not self._busy
        self.apply.setEnabled(able)
        set_look(self.apply, "primary", able)
        self.apply.setToolTip(why or "Open the samples again in this way")
        self.fields.setEnabled(not self._busy)

    def _apply(self) -> None:
        self._mistake = ""
        self._said = len(self._session.messages())
        try:
            self._session.reopen_samples(self._draft)
        except QvizError as error:
            self._mistake = _words(error)
        else:
            self._busy = True
            self._look()
        self._refresh()

    def _look(self) -> None:
        """See how the opening goes."""
        if not self._busy:
            return
        job = next((job for job in self._session.jobs() if job.lane == "open"), None)
        if job is not None:
            self.working.setText(f"{job.title}…")
            self.progress.setRange(0, job.total)
            self.progress.setValue(job.done)
            return
        self._busy = False
        if self._session.current().samples is not self._old:
            self.accept()
            return
        failed = [m for m in self._session.messages()[self._said :] if m.level == "error"]
        self._mistake = failed[-1].text if failed else "Opening was stopped"
        self._refresh()

    def reject(self) -> None:
        """Leave everything as it is, and stop opening."""
        replaced = self._session.current().samples is not self._old
        if self._busy and not replaced:
            self._busy = False
            self._session.cancel("open")
        super().reject()

    def _end(self) -> None:
        self._busy = False
        self._unsubscribe()
        self.preview.end()


def _words(error: QvizError) -> str:
    """What is wrong and what helps, without the subject, which stands in the form."""
    return f"{error.cause[:1].upper()}{error.cause[1:]}. {error.cure}"
