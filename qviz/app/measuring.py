"""Measuring: calibration, evaluation, errors of the layers, and details of what is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from qviz.app.chance import chance_warning
from qviz.app.details import DetailsFound
from qviz.app.devices import DeviceLeft, DeviceTrusted, Placing
from qviz.app.document import NearErrors, known_part
from qviz.app.findings import learn
from qviz.app.jobs import Step, Token
from qviz.app.pipelines.measuring import (
    OutputsMeasured,
    SlotsMeasured,
    WeightsMeasured,
    calibrate_inputs,
    measure_errors,
    measure_layers,
)
from qviz.app.pipelines.model_file import refused
from qviz.app.pipelines.scoring import evaluate_plan, fetch_ahead
from qviz.app.scores import Scores, checked_limit
from qviz.app.state import complaint
from qviz.app.views import Message
from qviz.app.watching import Watching
from qviz.data.parts import Part
from qviz.engine.calibrate import Calibration
from qviz.engine.devices import THE_CPU
from qviz.engine.evaluate import Divergence, Evaluation
from qviz.engine.execute import Executor
from qviz.engine.metrics.own import read_metric
from qviz.errors import QvizError


class Measuring(Placing):
    """Keeps the findings and the number up to date with the document. Use `Session`."""

    _warned_of = ""  # hash of the samples on which the float model scores like chance

    @cached_property
    def _watching(self) -> Watching:
        return Watching(self._lanes["details"], self._measured, self._say_failed)

    def _measured(self, payload: object) -> None:
        """Take what was measured."""
        match payload:
            case DeviceTrusted() | DeviceLeft():
                self._device_told(payload, "evaluate")
            case Divergence():
                self._scores.tell(self._score_key(), payload)
                self._changed("strip")
            case Evaluation():
                self._scores.show(self._score_key(), payload)
                self._look()
                self._changed("strip")
            case DetailsFound():
                self._findings = learn(self._findings, payload)
                self._changed("distribution")
            case OutputsMeasured() | NearErrors():
                self._findings = learn(self._findings, payload)
                self._changed("rows")
            case WeightsMeasured() | Calibration() | SlotsMeasured():
                self._findings = learn(self._findings, payload)
                self._changed("rows", "distribution")

    def _look(self) -> None:
        """The number of this plan on this part is shown now."""
        document = self._document
        if document.split is not None:
            looks = document.looks.with_one(document.split.hash, document.part, document.plan.key)
            if looks is not document.looks:
                self._document = replace(document, looks=looks)

    def _calibrate(self) -> None:
        executor, document, findings = self._executor, self._document, self._findings
        if executor is None or document.samples is None:
            return
        self._lanes["calibrate"].restart(
            "Calibrating",
            lambda token: calibrate_inputs(executor, document, findings, token),
            self._measured,
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
            self._fetch_ahead()

    def _fetch_ahead(self) -> None:
        """While nothing else works and the number is known, have the next edit's start at hand."""
        executor, document, findings = self._executor, self._document, self._findings
        watched, key = self._watching.groups, self._score_key()
        known = self._limit is None and self._scores.is_complete(key)
        if self._ahead is None or executor is None or not watched or not known:
            return
        if self._device != THE_CPU:  # where an edit starts is not kept in another memory
            return
        if all(map(self._idle, self._lanes)):
            self._ahead.start(
                (key, watched, document.samples, self._memo.budget),
                lambda token: fetch_ahead(executor, document, findings, watched, token),
            )

    def _know_details(self, slot: str) -> None:
        """Without lanes, details are found when they are asked for."""
        if not self._live:
            model = self._require_model()
            self._watching.watch(model, [slot])
            self._watching.measure(self._document, self._findings)
            self._measure_errors([model.slots[slot].group] if slot in model.slots else [])

    def _start_evaluation(self) -> None:
        document, findings = self._document, self._findings
        limit, first = self._limit, self._watching.groups

        def run(executor: Executor, token: Token) -> Iterator[Step]:
            return evaluate_plan(executor, document, findings, first, token, limit)

        work = self._placed_work(run)
        if work is None:
            return
        if self._scores.recall(self._score_key()):
            self._lanes["evaluate"].cancel()
            self._changed("strip", "rows", "distribution")
            self._follow_layers()
            return
        self._lanes["layers"].cancel()
        self._scores.failure = ""
        ahead = self._ahead
        self._lanes["evaluate"].restart(
            "Evaluating",
            work if ahead is None else partial(ahead.in_turn, work),
            self._measured,
            self._evaluation_failed,
            self._evaluation_finished,
        )

    def _evaluation_finished(self) -> None:
        self._changed("strip", "rows")
        self._warn_of_chance()
        self._follow_layers()

    def _warn_of_chance(self) -> None:
        """Once for each set of samples."""
        samples, shown = self._document.scored, self._scores.shown
        if samples is None or shown is None or self._warned_of == samples.hash:
            return
        warning = chance_warning(samples, shown)
        if warning:
            self._warned_of = samples.hash
            self._say(Message("warning", warning))

    def set_metric(self, metric: str) -> None:
        """Measure something else of the same outputs, by its name; "" for what fits them best."""
        if metric != self._document.metric:
            self._document = replace(self._document, metric=metric)
            self._changed("strip")
            self._evaluate()

    def set_output(self, output: str) -> None:
        """Score another output of the model, by its name; "" for the one that fits best.

        A metric that was chosen goes with the output it was chosen for; the user's own stays.

        Raises:
            QvizError: nothing is open, or the model has no such output.
        """
        model, document = self._require_model(), self._document
        if output and output not in model.outputs:
            raise QvizError(
                f"output '{output}'",
                "the model has no such output",
                f"Use one of {', '.join(model.outputs)}",
            )
        if output != document.output:
            own = document.own_metric
            kept = document.metric if own is not None and document.metric == own.name else ""
            self._document = replace(document, output=output, metric=kept)
            self._changed("strip")
            self._evaluate()

    def open_metric(self, path: str | Path, *, run_code: bool = False) -> None:
        """Measure what a Python file's metric(outputs, labels) gives; it runs, with `run_code`.

        Raises:
            QvizError: a file that may not be run, or that gives no metric.
        """
        file = Path(path)
        if not run_code:
            raise refused(file)
        own = read_metric(file)
        self._document = replace(self._document, own_metric=own, metric="")
        self._scores = Scores()
        self.set_metric(own.name)

    def _follow_layers(self) -> None:
        """With lanes, as soon as there is a number."""
        if self._live:
            self._measure_layers()

    def _know_outputs(self) -> None:
        """Without lanes, the errors of layers are found when they are asked for."""
        if not self._live and self._scores.is_current(self._score_key()):
            self._measure_layers()

    def _measure_layers(self) -> None:
        """Measure all slots' errors and follow the plan's from layer to layer, unless known."""
        executor, document, findings = self._executor, self._document, self._findings
        if executor is None or document.plan.key in findings.outputs:
            self._lanes["layers"].cancel()
            return
        self._lanes["layers"].restart(
            "Following errors through the layers",
            lambda token: measure_layers(executor, document, findings, token),
            self._measured,
            self._say_failed,
            lambda: None,
        )

    def _measure_errors(self, groups: Collection[str] | None = None) -> None:
        """Measure the errors of these slots, or of all; not how they add up."""
        model, document, findings = self._document.model, self._document, self._findings
        if model is not None:
            self._lanes["layers"].restart(
                "Measuring errors",
                lambda token: measure_errors(model, document.plan, findings, groups, token),
                self._measured,
                self._say_failed,
                lambda: None,
            )

    def _say_failed(self, error: Exception) -> None:
        self._say(complaint(error))

    def _evaluation_failed(self, error: Exception) -> None:
        self._work_failed(error)
        self._measure_errors()  # which are known even so

    def _work_failed(self, error: Exception) -> None:
        """The last good number stays, greyed; the strip says what failed."""
        message = complaint(error)
        self._scores.failure = message.text
        self._say(message)
        self._changed("strip")

    def measure(self) -> None:
        """Find every slot's encoding and error now; for notebooks and the command line."""
        self._start_evaluation()
        if not self._live:
            self._measure_errors()

    def evaluate(self, part: Part | None = None, limit: int | None = None) -> Evaluation:
        """Score the plan now and return the number; for notebooks and the command line.

        `part` and `limit` (samples to score at most) stay chosen for later calls.

        Raises:
            QvizError: nothing is open, or the samples and the model do not fit.
        """
        if self._live:
            raise QvizError("evaluate", "this session works in the background", "Read strip()")
        self._require_model()
        if self._document.scored is None:
            raise QvizError("samples", "there are none to evaluate on", "Open some with the model")
        if part is not None:
            self._document = replace(self._document, part=known_part(part))
        self._limit = self._limit if limit is None else checked_limit(limit)
        self._start_evaluation()
        if self._scores.shown is None or not self._scores.is_current(self._score_key()):
            raise QvizError("evaluate", "no sample was scored", "Open samples first")
        return self._scores.shown
