"""Opening and saving: file dialogs, paths, the open project, recent files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from qviz.app.file_kinds import MODEL_SUFFIXES, SAMPLE_SUFFIXES, kind_of, patterns
from qviz.app.project_file import SUFFIX as PROJECT
from qviz.app.project_file import Project, read_project
from qviz.app.resources import resource_path
from qviz.app.session import Session
from qviz.app.unsaved import differs
from qviz.app.views import Message
from qviz.errors import QvizError
from qviz.ui.file_drop import Dropped
from qviz.ui.settings import Recent, Settings

MODELS = f"Models ({patterns((*MODEL_SUFFIXES, '.py'))});;All files (*)"
SAMPLES = f"Samples ({patterns(SAMPLE_SUFFIXES)});;All files (*)"
PROJECTS = f"Projects ({patterns((PROJECT,))})"
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
        self._asked = ""  # the project that was asked for last; "" where it was a model
        self._model = session.current().model  # that `_project` belongs to
        self._project = ""
        self._saved: Project | None = None  # what the open project's file says
        self.pending = ""  # samples chosen before their model was open

    # dialogs

    def ask_model(self) -> None:
        """Choose a model and open it."""
        self._ask("Open Model", MODELS, self.open_model)

    def ask_project(self) -> None:
        """Choose a project and open it."""
        self._ask("Open Project", PROJECTS, self.open_model)

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
        path = self._ask_target("Save Plan", start, PLANS)
        return bool(path) and self.save_plan(path)

    def ask_save_project(self) -> bool:
        """Choose where to save the project; True when it was saved."""
        model = Path(self._session.document().model_path).absolute()
        if model.is_relative_to(resource_path()):  # where a user keeps nothing
            model = Path(self._folder, model.name)
        start = self.project() or str(model.with_suffix(PROJECT))
        path = self._ask_target("Save Project", start, PROJECTS)
        return bool(path) and self.save_project_as(path)

    def ask_save_screenshot(self) -> None:
        """Choose where to save a picture of the window."""
        picture = self._window.grab()
        path = self._ask_target("Save Screenshot", "qviz.png", PICTURES)
        if path:
            self._report(picture.save(path), path, "Screenshot saved as")

    def _ask_target(self, title: str, start: str, kinds: str) -> str:
        """A path to write to, ending as its kind does; "" for none."""
        dialog = QFileDialog(self._window, title)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(kinds)
        dialog.setDefaultSuffix(Path(start).suffix)
        dialog.selectFile(str(Path(self._folder, start)))
        path = dialog.selectedFiles()[0] if dialog.exec() else ""
        dialog.deleteLater()
        if path:
            self._folder = str(Path(path).parent)
        return path

    def _report(self, saved: bool, path: str, words: str) -> None:
        if saved:
            self.said.emit(Message("info", f"{words} {Path(path).name}"))
        else:
            error = QvizError(path, "the file cannot be written", "Choose another folder")
            self.said.emit(Message("error", str(error)))

    # paths

    def open_model(self, path: str, samples: str = "", plan: str = "") -> None:
        """Open a model or a project, with the samples and the plan that were chosen for it."""
        program = _program(path)
        if self._may_leave() and (not program or self._may_run(program)):
            chosen = samples or self.pending or None
            self._set_pending("")
            run = bool(program)
            if self._try(lambda: self._session.open(path, chosen, plan or None, run_code=run)):
                self.note_opening(path)

    def note_opening(self, path: str) -> None:
        """A model or a project is being opened: what is saved belongs to it once it is open."""
        self.project()  # whose model may be open, and not yet seen here
        self._asked = str(Path(path).absolute()) if path.lower().endswith(PROJECT) else ""

    def project(self) -> str:
        """The file of the open project; "" where its model was opened by itself."""
        model = self._session.current().model
        if model is not self._model:  # opening may fail, and then the old one stays
            self._model, self._project = model, self._asked
            self._read_saved()
        return self._project

    def _read_saved(self) -> None:
        try:
            self._saved = read_project(Path(self._project)) if self._project else None
        except QvizError:  # gone since: what is open is all there is of it
            self._saved = None

    def modified(self) -> bool:
        """Something is not saved: of the open project, or else of the plan."""
        self.project()
        opening = any(job.lane == "open" for job in self._session.jobs())
        if self._session.document().modified or self._saved is None or opening:
            return self._session.document().modified
        return differs(self._session.current(), self._saved)

    def title(self) -> str:
        """What the window is called: by its project or else its model, with Qt's mark of edits."""
        model, project = self._session.document().model_name, Path(self.project()).name
        names = [f"{project}[*]", model, "qviz"] if project else [f"{model}[*]", "qviz"]
        return " \N{EM DASH} ".join(names) if model else "qviz"

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
            self.note_opening("")

    def open_plan(self, path: str) -> None:
        """Replace the plan by a saved one."""
        self._try(lambda: self._session.load_plan(path))

    def save_plan(self, path: str) -> bool:
        """Save the plan; True when it worked."""
        return self._try(lambda: self._session.save_plan(path))

    def save_project(self) -> bool:
        """Save the project where it lies, or ask where; True when it was saved."""
        path = self.project()
        return self.save_project_as(path) if path else self.ask_save_project()

    def save_project_as(self, path: str) -> bool:
        """Save what is open as a project, which is the open one from now on; True if it worked."""
        if not self._try(lambda: self._session.save_project(path)):
            return False
        self.project()
        self._project = str(Path(path).absolute())
        self._read_saved()
        self.remember()
        self.said.emit(Message("info", f"Saved the project as {Path(path).name}"))
        return True

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
        """Put what is open first in the list of recent files; the demo is always at hand."""
        now = self._open_now()
        if now is not None and self._settings.recent()[:1] != (now,):
            self._settings.add_recent(now.model, now.samples)
            self.recent_changed.emit()

    def _open_now(self) -> Recent | None:
        """The project, which names its samples itself, or the model with the samples it had."""
        document, project = self._session.document(), self.project()
        if project:
            return Recent(project, "")
        path = document.model_path and str(Path(document.model_path).absolute())
        if not path or Path(path).is_relative_to(resource_path()):
            return None
        known = {entry.model: entry.samples for entry in self._settings.recent()}
        samples = document.samples_path and str(Path(document.samples_path).absolute())
        return Recent(path, samples or known.get(path, ""))

    def forget_recent(self) -> None:
        """Empty the list of recent files."""
        self._settings.clear_recent()
        self.recent_changed.emit()


def _program(path: str) -> str:
    """The program that opening `path` runs, which a project may name; "" for none."""
    if path.lower().endswith(PROJECT):
        try:
            path = str(read_project(Path(path)).model)
        except QvizError:  # opening it says what is wrong
            return ""
    return path if kind_of(path) == "program" else ""
