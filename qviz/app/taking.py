"""Taking: what opening found becomes the document, if it fits what is open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qviz.app.document import DEFAULT_PLAN, Document, Findings
from qviz.app.findings import forget_inputs, learn
from qviz.app.history import History
from qviz.app.measuring import Measuring
from qviz.app.pipelines.opening import FloatChecked, ModelRead, SamplesRead
from qviz.app.scores import Scores
from qviz.app.views import Message
from qviz.data.parts import Part
from qviz.engine.execute import Executor
from qviz.model.model import Model
from qviz.plan.plan import Plan, check_plan, read_plan
from qviz.plan.resolve import schemes
from qviz.plan.stored import check_stored, measured_instead, stored_plan

EVERYTHING = frozenset({"document", "rows", "distribution", "strip", "jobs", "messages"})


class Taking(Measuring):
    """Takes models, samples and plans that were read. Use `Session`."""

    _before_project: tuple[Part, int] | None = None  # part and seed before the open project's

    def _opened(self, payload: object) -> None:
        """Take what opening found."""
        match payload:
            case ModelRead():
                self._model_read(payload)
            case SamplesRead():
                self._samples_read(payload)
            case FloatChecked():
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
        self._executor, self._there = Executor(read.model, self._memo), None
        self._findings = Findings()
        self._history, self._scores = History(), Scores()
        for note in read.model.notes:
            self._say(Message("info", note))
        self._changed(*EVERYTHING)

    def _samples_read(self, read: SamplesRead) -> None:
        self._stop_measuring()
        if self._executor is not None:
            self._executor.forget()
        self._there = None
        old = self._document
        again = old.samples is not None and old.samples.path == read.samples.path
        self._document = replace(
            old,
            samples=read.samples,
            split=read.split,
            reading=read.reading,
            values=read.values,
            metric=old.metric if again else "",  # which other samples may not have
            output=old.output if again else "",
        )
        self._findings = forget_inputs(self._findings, self._require_model())
        self._scores = Scores()
        for note in read.notes:
            self._say(Message("info", note))
        self._changed(*EVERYTHING)

    def _float_checked(self, checked: FloatChecked) -> None:
        self._findings = learn(self._findings, checked)
        if checked.parity is not None and not checked.parity.ok:
            self._say(Message("warning", checked.parity.text))
        self._changed("document", "rows", "distribution", "strip")

    def _own_choice(self) -> tuple[Part, int]:
        """Part and seed for a model that is no project's: those from before a project."""
        return self._before_project or (self._document.part, self._document.seed)

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
        check_fits(plan, self._require_model())


def check_fits(plan: Plan, model: Model) -> None:
    """Refuse a plan for other slots, or with scales that the file does not hold; QvizError."""
    check_plan(plan, model.slots, {layer.index: layer.name for layer in model.layers})
    check_stored(model, schemes(model, plan))
