"""Work: opening, calibrating and evaluating, in lanes or at once, and who is told of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from qviz.app.details import DetailsFound
from qviz.app.document import PARTS, Document, Findings
from qviz.app.findings import forget_inputs, learn
from qviz.app.history import History
from qviz.app.jobs import InlineLane, Job, Lane, Post, ThreadLane
from qviz.app.pipelines import (
    FloatChecked,
    ModelRead,
    OutputsMeasured,
    SamplesRead,
    SlotMeasured,
    WeightsMeasured,
    calibrate_inputs,
    evaluate_plan,
    measure_outputs,
    open_model,
    open_samples,
)
from qviz.app.scores import ScoreKey, Scores
from qviz.app.views import (
    Message,
)
from qviz.app.watching import Watching
from qviz.data.bundled import demo_model, demo_samples
from qviz.data.parts import Part
from qviz.engine.calibrate import Calibration
from qviz.engine.evaluate import Evaluation
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.cost import Cost
from qviz.plan.plan import Plan, check_plan, read_plan
from qviz.quant.scheme import Scheme

Listener = Callable[[frozenset[str]], None]
EVERYTHING = frozenset({"document", "rows", "distribution", "strip", "jobs", "messages"})


class Work:
    """The state of a Session, and the lanes that fill it. Use `Session`."""

    def __init__(
        self,
        post: Post | None = None,
        *,
        part: Part = "all",
        seed: int = 0,
        limit: int | None = None,
        memo_budget: int | None = None,
        progress: Callable[[Job], None] | None = None,
    ) -> None:
        """`post` runs a function on the owner's thread soon; without it, work runs in the call."""
        self._listeners: list[Listener] = []
        self._document = Document(part=part, seed=seed)
        self._findings = Findings()
        self._history = History()
        self._scores = Scores()
        self._messages: list[Message] = []
        self._limit = _checked_limit(limit)
        self._memo = Memo() if memo_budget is None else Memo(memo_budget)
        self._executor: Executor | None = None
        self._planned: tuple[Model | None, Plan, dict[str, Scheme]] | None = None
        self._cost: tuple[dict[str, Scheme], Mapping[int, int] | None, Cost] | None = None
        self._live = post is not None
        if self._live:  # one core is the window's
            torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
        self._lanes: dict[str, Lane] = {
            name: InlineLane(name, progress)
            if post is None
            else ThreadLane(name, post, lambda: self._changed("jobs", "strip"))
            for name in ("open", "calibrate", "evaluate", "layers", "details")
        }
        self._watching = Watching(self._lanes["details"], self._receive, self._say_failed)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told which topics changed; returns the function that ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def _changed(self, *topics: str) -> None:
        for listener in list(self._listeners):
            listener(frozenset(topics))

    def _say(self, message: Message) -> None:
        self._messages.append(message)
        self._changed("messages")

    def open_demo(self) -> None:
        """Open the bundled model and its samples."""
        self.open(demo_model(), demo_samples())

    def open(
        self, model: str | Path, samples: str | Path | None = None, plan: str | Path | None = None
    ) -> None:
        """Open a model, then samples and a plan if given. What is open stays if it fails."""
        path = Path(model)

        def finished() -> None:
            if plan is not None:
                self._guarded(lambda: self._take_plan(Path(plan)))
            if samples is not None:
                self.open_samples(samples)
            else:
                self._evaluate()

        self._lanes["open"].restart(
            f"Opening {path.name}",
            lambda token: open_model(path, token),
            self._receive,
            self._opening_failed,
            finished,
        )

    def open_samples(self, samples: str | Path) -> None:
        """Open samples for the model that is open."""
        model, findings = self._require_model(), self._findings
        path = Path(samples)
        seed = self._document.seed
        self._lanes["open"].restart(
            f"Opening {path.name}",
            lambda token: open_samples(path, model, seed, findings, token),
            self._receive,
            self._opening_failed,
            self._calibrate,
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

    def _receive(self, payload: object) -> None:
        """Take what a pipeline found."""
        match payload:
            case ModelRead():
                self._model_read(payload)
            case SamplesRead():
                self._samples_read(payload)
            case Evaluation():
                self._scores.show(self._score_key(), payload)
                self._changed("strip")
            case DetailsFound():
                self._findings = learn(self._findings, payload)
                self._changed("distribution")
            case OutputsMeasured():
                self._findings = learn(self._findings, payload)
                self._changed("rows")
            case WeightsMeasured() | FloatChecked() | Calibration() | SlotMeasured():
                self._findings = learn(self._findings, payload)
                self._changed("rows", "distribution")
                if isinstance(payload, FloatChecked):
                    self._float_checked(payload)

    def _model_read(self, read: ModelRead) -> None:
        for lane in ("calibrate", "evaluate", "layers", "details"):
            self._lanes[lane].cancel()
        old = self._document
        self._document = Document(model=read.model, part=old.part, seed=old.seed)
        self._memo.clear()
        self._executor = Executor(read.model, self._memo)
        self._findings = Findings()
        self._history, self._scores = History(), Scores()
        for note in read.model.notes:
            self._say(Message("info", note))
        self._changed(*EVERYTHING)

    def _samples_read(self, read: SamplesRead) -> None:
        for lane in ("calibrate", "evaluate", "layers", "details"):
            self._lanes[lane].cancel()
        self._memo.clear()
        self._document = replace(self._document, samples=read.samples, split=read.split)
        self._findings = forget_inputs(self._findings, self._require_model())
        self._scores = Scores()
        self._changed(*EVERYTHING)

    def _float_checked(self, checked: FloatChecked) -> None:
        if checked.parity is not None and not checked.parity.ok:
            self._say(Message("warning", checked.parity.text))
        self._changed("document", "strip")

    def _calibrate(self) -> None:
        executor, document, findings = self._executor, self._document, self._findings
        if executor is None or document.samples is None:
            return
        self._lanes["calibrate"].restart(
            "Calibrating",
            lambda token: calibrate_inputs(executor, document, findings, token),
            self._receive,
            self._work_failed,
            self._calibration_finished,
        )

    def _calibration_finished(self) -> None:
        self._findings = replace(self._findings, calibration_done=True)
        self._evaluate()  # before anyone looks: nothing was stopped in between
        self._changed("rows", "distribution", "strip")

    def _evaluate(self) -> None:
        """Start scoring the plan, unless its number is known or nothing is open.

        A calibration that was stopped is taken up again first.
        """
        if not self._live:
            return
        stopped = self._document.samples is not None and not self._findings.calibration_done
        if stopped and self._idle("open") and self._idle("calibrate"):
            self._calibrate()
        self._start_evaluation()
        self._watching.measure(self._document, self._findings)

    def watch(self, slots: Collection[str]) -> None:
        """Say which slots are looked at: they are measured first, and in detail."""
        model = self._document.model
        if model is not None:
            self._watching.watch(model, slots)
            self._watching.measure(self._document, self._findings)

    def _know_details(self, slot: str) -> None:
        """Without lanes, details are found when they are asked for."""
        if not self._live:
            self._watching.watch(self._require_model(), [slot])
            self._watching.measure(self._document, self._findings)

    def _idle(self, lane: str) -> bool:
        return self._lanes[lane].job() is None

    def _start_evaluation(self) -> None:
        executor, document, findings = self._executor, self._document, self._findings
        if executor is None:
            return
        if self._scores.recall(self._score_key()):
            self._lanes["evaluate"].cancel()
            self._changed("strip", "rows", "distribution")
            self._measure_outputs()
            return
        self._lanes["layers"].cancel()
        limit, first = self._limit, self._watching.groups
        self._scores.failure = ""
        self._lanes["evaluate"].restart(
            "Evaluating",
            lambda token: evaluate_plan(executor, document, findings, first, token, limit),
            self._receive,
            self._work_failed,
            self._evaluation_finished,
        )

    def _evaluation_finished(self) -> None:
        self._changed("strip", "rows")
        self._measure_outputs()

    def _measure_outputs(self) -> None:
        """Follow the plan's errors from layer to layer, unless they are known."""
        executor, document, findings = self._executor, self._document, self._findings
        if executor is None or document.plan.key in findings.outputs:
            self._lanes["layers"].cancel()
            return
        self._lanes["layers"].restart(
            "Following errors through the layers",
            lambda token: measure_outputs(executor, document, findings, token),
            self._receive,
            self._say_failed,
            lambda: None,
        )

    def _score_key(self) -> ScoreKey:
        return (self._document.plan.key, self._document.part, self._limit)

    def _say_failed(self, error: Exception) -> None:
        self._say(complaint(error))

    def _work_failed(self, error: Exception) -> None:
        """The last good number stays, greyed; the strip says what failed."""
        message = complaint(error)
        self._scores.failure = message.text
        self._say(message)
        self._changed("strip")

    def evaluate(self, part: Part | None = None, limit: int | None = None) -> Evaluation:
        """Score the plan now and return the number; for notebooks and the command line.

        `part` and `limit` (samples to score at most) stay chosen for later calls.

        Raises:
            QvizError: nothing is open, or the samples and the model do not fit.
        """
        if self._live:
            raise QvizError("evaluate", "this session works in the background", "Read strip()")
        self._require_model()
        if self._document.samples is None:
            raise QvizError(
                "samples", "there are none to evaluate on", "Open some with samples=FILE"
            )
        if part is not None:
            self._document = replace(self._document, part=known_part(part))
        self._limit = self._limit if limit is None else _checked_limit(limit)
        self._start_evaluation()
        if self._scores.shown is None or not self._scores.is_current(self._score_key()):
            raise QvizError("evaluate", "no sample was scored", "Open samples first")
        return self._scores.shown

    def _require_model(self) -> Model:
        if self._document.model is None:
            raise QvizError("model", "none is open", "Open a model first")
        return self._document.model

    def cancel(self, lane: str | None = None) -> None:
        """Stop the work of one lane, or of all."""
        for name, worker in self._lanes.items():
            if lane in (None, name):
                worker.cancel()
        self._changed("jobs", "strip")

    def close(self) -> None:
        """End all work."""
        self._listeners.clear()
        for lane in self._lanes.values():
            lane.cancel()
        for lane in self._lanes.values():
            lane.close()


def known_part(part: str) -> Part:
    """A part that can be scored; raises QvizError for any other word."""
    for known in PARTS:
        if known == part:
            return known
    raise QvizError(f"part '{part}'", "there is no such part", "Use tune, all or confirm")


def _checked_limit(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise QvizError(f"limit {limit}", "no sample would be scored", "Use at least 1")
    return limit


def complaint(error: Exception) -> Message:
    """What an error says to the user."""
    if isinstance(error, QvizError):
        return Message("error", str(error), error)
    return Message("error", f"Something unexpected failed ({type(error).__name__}: {error})")
