"""Opening and saving: file dialogs, paths, recent models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from qviz.app.file_kinds import MODEL_SUFFIXES, SAMPLE_SUFFIXES, kind_of, patterns
from qviz.app.resources import resource_path
from qviz.app.session import Session
from qviz.app.views import Message
from qviz.errors import QvizError
from qviz.ui.file_drop import Dropped
from qviz.ui.settings import Settings

MODELS = f"Models ({patterns((*MODEL_SUFFIXES, '.py'))});;All files (*)"
SAMPLES = f"Samples ({patterns(SAMPLE_SUFFIXES)});;All files (*)"
PLANS = "Plans (*.json)"
METRICS = "Python files (*.py)"
PICTURES = "PNG pictures (*.png)"


class Files(QObject):
    """Everything between paths and the Session. `said` carries what went wrong here."""

    said = Signal(object)
    pending_changed = Signal(str)
    recent_changed = Signal()

    def __init__(
        self,
        session: Session,
        settings: Settings,
        window: QWidget,
        may_leave: Callable[[], bool],
        may_run: Callable[[str], bool],
    ) -> None:
        """Dialogs belong to `window`.

        `may_leave` is asked before another model is opened, `may_run` before a program runs.
        """
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._window = window
        self._may_leave = may_leave
        self._may_run = may_run
        self._folder = ""
        self.pending = ""  # samples chosen before their model was open

    # dialogs

    def ask_model(self) -> None:
        """Choose a model and open it."""
        self._ask("Open Model", MODELS, self.open_model)

    def ask_samples(self) -> None:
        """Choose samples and open them."""
        self._ask("Open Samples", SAMPLES, self.open_samples)

    def ask_sample_folder(self) -> None:
        """Choose a folder of images or recordings and open it as samples."""
        path = QFileDialog.getExistingDirectory(self._window, "Open Sample Folder", self._folder)
        if path:
            self._folder = str(Path(path).parent)
            self.open_samples(path)

    def ask_plan(self) -> None:
        """Choose a plan and open it."""
        self._ask("Open Plan", PLANS, self.open_plan)

    def _ask(self, title: str, kinds: str, then: Callable[[str], None]) -> None:
        path, _ = QFileDialog.getOpenFileName(self._window, title, self._folder, kinds)
        if path:
            self._folder = str(Path(path).parent)
            then(path)

    def ask_save_plan(self) -> bool:
        """Choose where to save the plan; True when it was saved."""
        document = self._session.document()
        start = document.plan_path or f"{Path(document.model_name).stem}.plan.json"
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Save Plan", str(Path(self._folder, start)), PLANS
        )
        return bool(path) and self.save_plan(path)

    def ask_save_screenshot(self) -> None:
        """Choose where to save a picture of the window."""
        picture = self._window.grab()
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Save Screenshot", str(Path(self._folder, "qviz.png")), PICTURES
        )
        if path:
            self._report(picture.save(path), path, "Screenshot saved as")

    def _report(self, saved: bool, path: str, words: str) -> None:
        if saved:
            self.said.emit(Message("info", f"{words} {Path(path).name}"))
        else:
            error = QvizError(path, "the file cannot be written", "Choose another folder")
            self.said.emit(Message("error", str(error)))

    # paths

    def open_model(self, path: str, samples: str = "", plan: str = "") -> None:
        """Open a model, with the samples and the plan that were chosen for it."""
        program = kind_of(path) == "program"
        if self._may_leave() and (not program or self._may_run(path)):
            chosen = samples or self.pending or None
            self._set_pending("")
            self._try(lambda: self._session.open(path, chosen, plan or None, run_code=program))

    def open_samples(self, path: str) -> None:
        """Open samples for the open model, or keep them until one is open and measured."""
        self._set_pending(path)
        self.open_pending()

    def open_pending(self) -> None:
        """Open the samples that were kept, unless their model is still missing or being opened."""
        opening = any(job.lane == "open" for job in self._session.jobs())
        if self.pending and self._session.document().model_name and not opening:
            samples = self.pending
            self._set_pending("")
            self._try(lambda: self._session.open_samples(samples))

    def open_demo(self) -> None:
        """Open the bundled model and samples."""
        if self._may_leave():
            self._set_pending("")
            self._try(self._session.open_demo)

    def open_plan(self, path: str) -> None:
        """Replace the plan by a saved one."""
        self._try(lambda: self._session.load_plan(path))

    def save_plan(self, path: str) -> bool:
        """Save the plan; True when it worked."""
        return self._try(lambda: self._session.save_plan(path))

    def open_dropped(self, dropped: Dropped) -> None:
        """Open what was dropped on the window."""
        if dropped.model:
            self.open_model(dropped.model, dropped.samples, dropped.plan)
            return
        if dropped.samples:
            self.open_samples(dropped.samples)
        if dropped.plan:
            self.open_plan(dropped.plan)

    def ask_metric(self) -> None:
        """Choose a Python file that defines a metric, and run it if the user agrees."""
        self._ask("Open Metric", METRICS, self.open_metric)

    def open_metric(self, path: str) -> None:
        """Measure by a Python file, which runs if the user agrees."""
        if self._may_run(path):
            self._try(lambda: self._session.open_metric(path, run_code=True))

    def _set_pending(self, samples: str) -> None:
        self.pending = samples
        self.pending_changed.emit(samples)

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except QvizError as error:
            self.said.emit(Message("error", str(error)))
            return False
        return True

    def remember(self) -> None:
        """Put what is open first in the list of recent models; the demo is always at hand."""
        document = self._session.document()
        path = document.model_path
        if not path or Path(path).is_relative_to(resource_path()):
            return
        samples = document.samples_path
        known = {entry.model: entry.samples for entry in self._settings.recent()}
        if path not in known or (samples and samples != known[path]):
            self._settings.add_recent(path, samples)
            self.recent_changed.emit()

    def forget_recent(self) -> None:
        """Empty the list of recent models."""
        self._settings.clear_recent()
        self.recent_changed.emit()
