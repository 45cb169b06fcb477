"""Opening: a model, samples for it, a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from qviz.app.document import DEFAULT_PLAN, Document, Findings
from qviz.app.findings import forget_inputs, learn
from qviz.app.history import History
from qviz.app.measuring import Measuring
from qviz.app.pipelines import FloatChecked, ModelRead, SamplesRead, open_model, open_samples
from qviz.app.project_file import SUFFIX, read_project, write_project
from qviz.app.scores import Scores
from qviz.app.state import complaint
from qviz.app.views import Message
from qviz.data.bundled import demo_model, demo_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.engine.execute import Executor
from qviz.errors import QvizError
from qviz.plan.plan import Plan, check_plan, read_plan
from qviz.plan.stored import stored_plan

EVERYTHING = frozenset({"document", "rows", "distribution", "strip", "jobs", "messages"})


class Opening(Measuring):
    """Opens files and makes them the document. Use `Session`."""

    def open_demo(self) -> None:
        """Open the bundled model and its samples."""
        self.open(demo_model(), demo_samples())

    def open(
        self,
        model: str | Path,
        samples: str | Path | None = None,
        plan: str | Path | None = None,
        *,
        reading: Reading | None = None,
        values: Mapping[str, float] | None = None,
        run_code: bool = False,
    ) -> None:
        """Open a model, then samples and a plan if given. What is open stays if it fails.

        `reading` says how files become samples, `values` feed inputs that are the same for all.
        A Python program is opened by running it, which needs `run_code`. A project opens what it
        names; what is given besides takes the place of its own.
        """
        if Path(model).suffix.lower() == SUFFIX:
            self._open_project(Path(model), samples, plan, reading, values, run_code)
            return

        def finished() -> None:
            if plan is not None:
                self._guarded(lambda: self._take_plan(Path(plan)))
            self._go_on(samples, reading, values)

        self._open_model(Path(model), samples, run_code, finished)

    def _open_project(
        self,
        path: Path,
        samples: str | Path | None,
        plan: str | Path | None,
        reading: Reading | None,
        values: Mapping[str, float] | None,
        run_code: bool,
    ) -> None:
        project = read_project(path)
        chosen = samples or project.samples

        def take() -> None:
            if plan is not None:
                self._take_plan(Path(plan))
                return
            self._check(project.plan)
            self._document = replace(self._document, plan=project.plan, saved_plan=project.plan.key)
            self._changed("document", "rows", "distribution", "strip")

        def finished() -> None:
            self._document = replace(self._document, part=project.part, seed=project.seed)
            self._guarded(take)
            self._go_on(
                chosen, reading or project.reading, values or project.values, project.metric
            )

        self._open_model(project.model, chosen, run_code, finished)

    def _open_model(
        self,
        path: Path,
        samples: str | Path | None,
        run_code: bool,
        finished: Callable[[], None],
    ) -> None:
        given = None if samples is None else Path(samples)
        seed = self._document.seed
        self._lanes["open"].restart(
            f"Opening {path.name}",
            lambda token: open_model(path, given, seed, run_code, token),
            self._opened,
            self._opening_failed,
            finished,
        )

    def _go_on(
        self,
        samples: str | Path | None,
        reading: Reading | None,
        values: Mapping[str, float] | None,
        metric: str = "",
    ) -> None:
        """After a model: its samples, or what it brought with it."""
        if samples is not None:
            self.open_samples(samples, reading, values, metric)
        elif self._document.samples is not None:
            self._calibrate()
        else:
            self._evaluate()

    def save_project(self, path: str | Path) -> None:
        """Save what is open, how it is read and measured, and the plan, as one `.qviz` file."""
        write_project(Path(path), self._document)
        self._document = replace(self._document, saved_plan=self._document.plan.key)
        self._changed("document")

    def open_samples(
        self,
        samples: str | Path,
        reading: Reading | None = None,
        values: Mapping[str, float] | None = None,
        metric: str = "",
    ) -> None:
        """Open samples for the model that is open; `values` feed inputs they do not go by."""
        model, findings = self._require_model(), self._findings
        path, seed = Path(samples), self._document.seed
        how, given = reading or AS_PROPOSED, dict(values or {})

        def finished() -> None:
            if metric:
                self._document = replace(self._document, metric=metric)
            self._calibrate()

        self._lanes["open"].restart(
            f"Opening {path.name}",
            lambda token: open_samples(path, model, how, given, seed, findings, token),
            self._opened,
            self._opening_failed,
            finished,
        )

    def _opening_failed(self, error: Exception) -> None:
        self._say(complaint(error))
        self._evaluate()  # what was open goes on where it was interrupted

    def _guarded(self, action: Callable[[], object]) -> None:
        """Run something after opening; with lanes its error becomes a message."""
        if not self._live:
            action()
            return
        try:
            action()
        except QvizError as error:
            self._opening_failed(error)

    def _take_plan(self, path: Path) -> Plan:
        """Read a plan, see that it fits the model, and make it the document's."""
        plan = read_plan(path)
        self._check(plan)
        self._document = replace(
            self._document, plan=plan, plan_path=str(path), saved_plan=plan.key
        )
        self._changed("document", "rows", "distribution", "strip")
        return plan

    def _check(self, plan: Plan) -> None:
        model = self._require_model()
        check_plan(plan, model.slots, {layer.index: layer.name for layer in model.layers})

    def _opened(self, payload: object) -> None:
        """Take what opening found."""
        match payload:
            case ModelRead():
                self._model_read(payload)
            case SamplesRead():
                self._samples_read(payload)
            case FloatChecked():
                self._findings = learn(self._findings, payload)
                self._changed("rows", "distribution")
                self._float_checked(payload)
            case _:
                self._measured(payload)

    def _model_read(self, read: ModelRead) -> None:
        self._stop_measuring()
        old = self._document
        plan = stored_plan(read.model, DEFAULT_PLAN)
        self._document = Document(
            model=read.model, plan=plan, saved_plan=plan.key, part=old.part, seed=old.seed
        )
        self._memo.clear()
        self._executor = Executor(read.model, self._memo)
        self._findings = Findings()
        self._history, self._scores = History(), Scores()
        for note in read.model.notes:
            self._say(Message("info", note))
        self._changed(*EVERYTHING)

    def _samples_read(self, read: SamplesRead) -> None:
        self._stop_measuring()
        self._memo.clear()
        old = self._document
        again = old.samples is not None and old.samples.path == read.samples.path
        self._document = replace(
            old,
            samples=read.samples,
            split=read.split,
            reading=read.reading,
            values=read.values,
            metric=old.metric if again else "",  # which other samples may not have
        )
        self._findings = forget_inputs(self._findings, self._require_model())
        self._scores = Scores()
        self._changed(*EVERYTHING)

    def _float_checked(self, checked: FloatChecked) -> None:
        if checked.parity is not None and not checked.parity.ok:
            self._say(Message("warning", checked.parity.text))
        self._changed("document", "strip")
