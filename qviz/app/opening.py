"""Opening: a model, samples for it, a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from qviz.app.document import DEFAULT_PLAN, Document, Findings
from qviz.app.findings import forget_inputs, learn
from qviz.app.history import History
from qviz.app.jobs import Deliver, Step, Token, Work
from qviz.app.measuring import Measuring
from qviz.app.pipelines import (
    FloatChecked,
    ModelRead,
    SamplesRead,
    open_model,
    open_samples,
    open_synthetic,
)
from qviz.app.project_file import SUFFIX, read_project, write_project
from qviz.app.scores import Scores
from qviz.app.state import complaint
from qviz.app.views import Message
from qviz.data.bundled import demo_model, demo_samples
from qviz.data.parts import Part
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.engine.execute import Executor
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.plan import Plan, check_plan, read_plan
from qviz.plan.resolve import schemes
from qviz.plan.stored import check_stored, measured_instead, stored_plan

EVERYTHING = frozenset({"document", "rows", "distribution", "strip", "jobs", "messages"})


@dataclass(frozen=True, eq=False, slots=True)
class _SamplesWish:
    """Samples to open once a model is there, how to read them and what to measure."""

    samples: str | Path | None
    reading: Reading | None = None
    values: Mapping[str, float] | None = None
    metric: str = ""


class Opening(Measuring):
    """Opens files and makes them the document. Use `Session`."""

    _opens_model = False  # what the lane "open" does, or did when it was stopped
    _waiting: _SamplesWish | None = None  # samples opened while a model was
    _before_project: tuple[Part, int] | None = None  # part and seed before the open project's

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
        seed: int | None = None,
    ) -> None:
        """Open a model, then samples and a plan if given. What is open stays if it fails.

        `reading` says how files become samples, `values` feed inputs that are the same for all.
        A Python program is opened by running it, which needs `run_code`. `seed` splits the samples.
        A project opens what it names; what is given besides takes the place of its own.
        """
        if Path(model).suffix.lower() == SUFFIX:
            self._open_project(Path(model), samples, plan, reading, values, run_code, seed)
            return

        def opened(payload: object) -> None:
            self._opened(payload)
            if isinstance(payload, ModelRead) and seed is not None:
                self._document = replace(self._document, seed=seed)

        split_by = self._own_choice()[1] if seed is None else seed
        given = None if samples is None else Path(samples)
        work = partial(open_model, Path(model), given, split_by, run_code)
        wish = _SamplesWish(samples, reading, values)
        self._open_model(Path(model).name, work, opened, plan, wish)

    def _open_project(
        self,
        path: Path,
        samples: str | Path | None,
        plan: str | Path | None,
        reading: Reading | None,
        values: Mapping[str, float] | None,
        run_code: bool,
        seed: int | None,
    ) -> None:
        """All of a project or, where its plan does not fit its model, nothing of it."""
        project = read_project(path)
        split_by = project.seed if seed is None else seed
        chosen = samples or project.samples
        wish = _SamplesWish(
            chosen, reading or project.reading, values or project.values, project.metric
        )

        def work(token: Token) -> Iterator[Step]:
            given = None if chosen is None else Path(chosen)
            for step in open_model(project.model, given, split_by, run_code, token):
                if isinstance(step.payload, ModelRead) and plan is None:
                    known, _ = measured_instead(step.payload.model, project.plan)
                    _check_fits(known, step.payload.model)
                yield step

        def opened(payload: object) -> None:
            own = self._own_choice()
            self._opened(payload)
            if not isinstance(payload, ModelRead):
                return
            self._before_project = own
            self._document = replace(self._document, part=project.part, seed=split_by)
            if plan is None:
                known = self._with_known_scales(project.plan)
                self._document = replace(self._document, plan=known, saved_plan=project.plan.key)
            self._changed(*EVERYTHING)

        self._open_model(project.model.name, work, opened, plan, wish)

    def _own_choice(self) -> tuple[Part, int]:
        """Part and seed for a model that is no project's: those from before a project."""
        return self._before_project or (self._document.part, self._document.seed)

    def _open_model(
        self,
        name: str,
        work: Work,
        opened: Deliver,
        plan: str | Path | None,
        wish: _SamplesWish,
    ) -> None:
        self._waiting = None

        def finished() -> None:
            self._opens_model = False
            if plan is not None:
                self._guarded(lambda: self._take_plan(Path(plan)))
            self._go_on(wish)

        def failed(error: Exception) -> None:
            self._opens_model = False
            if self._waiting is not None:
                left, self._waiting = self._waiting.samples, None
                self._say(Message("warning", f"{left} waited for the model and was not opened"))
            self._opening_failed(error)

        self._opens_model = True
        self._lanes["open"].restart(f"Opening {name}", work, opened, failed, finished)

    def _go_on(self, wish: _SamplesWish) -> None:
        """After a model: its samples, those opened in the meantime, or what it brought with it."""
        wish, self._waiting = self._waiting or wish, None
        if wish.samples is not None:
            self.open_samples(wish.samples, wish.reading, wish.values, wish.metric)
        elif self._document.samples is not None:
            self._document = replace(self._document, metric=wish.metric)
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
        """Open samples for the model that is open; `values` feed inputs they do not go by.

        While a model is being opened they wait for it.
        """
        if self._opens_model and not self._idle("open"):
            self._waiting = _SamplesWish(samples, reading, values, metric)
            return
        model, findings = self._require_model(), self._findings
        path, seed = Path(samples), self._document.seed
        how, given = reading or AS_PROPOSED, dict(values or {})

        def finished() -> None:
            if metric:
                self._document = replace(self._document, metric=metric)
            self._calibrate()

        self._opens_model = False
        self._lanes["open"].restart(
            f"Opening {path.name}",
            lambda token: open_samples(path, model, how, given, seed, findings, token),
            self._opened,
            self._opening_failed,
            finished,
        )

    def _opening_failed(self, error: Exception) -> None:
        self._say(complaint(error))
        model, findings = self._document.model, self._findings
        if model is None or not model.runs or self._document.samples is not None:
            self._evaluate()  # what was open goes on where it was interrupted
            return
        self._lanes["open"].restart(
            "Making inputs",
            lambda token: open_synthetic(model, findings, token),
            self._opened,
            self._synthetic_failed,
            self._calibrate,
        )

    def _synthetic_failed(self, error: Exception) -> None:
        self._say(complaint(error))
        self._evaluate()

    def _guarded(self, action: Callable[[], object]) -> None:
        """Run something after opening; with lanes its error becomes a message."""
        if not self._live:
            action()
            return
        try:
            action()
        except QvizError as error:
            self._say(complaint(error))

    def _take_plan(self, path: Path) -> Plan:
        """Read a plan, see that it fits the model, and make it the document's."""
        saved = read_plan(path)
        plan = self._with_known_scales(saved)
        self._check(plan)
        self._document = replace(
            self._document, plan=plan, plan_path=str(path), saved_plan=saved.key
        )
        self._changed("document", "rows", "distribution", "strip")
        return plan

    def _with_known_scales(self, plan: Plan) -> Plan:
        """The plan without scales that only another file holds; a message says so."""
        plan, slots = measured_instead(self._require_model(), plan)
        if slots:
            more = f" and {len(slots) - 1} more" if slots[1:] else ""
            text = f"The plan takes scales that this file does not hold, of {slots[0]}{more}: "
            self._say(Message("warning", f"{text}their ranges are measured instead"))
        return plan

    def _check(self, plan: Plan) -> None:
        _check_fits(plan, self._require_model())

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
        (part, seed), self._before_project = self._own_choice(), None
        plan = stored_plan(read.model, DEFAULT_PLAN)
        self._document = Document(
            model=read.model, plan=plan, saved_plan=plan.key, part=part, seed=seed
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
        for note in read.notes:
            self._say(Message("info", note))
        self._changed(*EVERYTHING)

    def _float_checked(self, checked: FloatChecked) -> None:
        if checked.parity is not None and not checked.parity.ok:
            self._say(Message("warning", checked.parity.text))
        self._changed("document", "strip")


def _check_fits(plan: Plan, model: Model) -> None:
    check_plan(plan, model.slots, {layer.index: layer.name for layer in model.layers})
    check_stored(model, schemes(model, plan))
