"""Opening: the work that reads models and samples, and what follows when it ends or fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from qviz.app.jobs import Deliver, Work
from qviz.app.pipelines.opening import open_samples, open_synthetic
from qviz.app.state import complaint
from qviz.app.taking import Taking
from qviz.app.views import Message
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.errors import QvizError


@dataclass(frozen=True, eq=False, slots=True)
class SamplesWish:
    """Samples to open once a model is there, how to read them and what to measure."""

    samples: str | Path | None
    reading: Reading | None = None
    values: Mapping[str, float] | None = None
    metric: str = ""
    output: str = ""  # the one to score


class Opening(Taking):
    """Runs the lane that opens models and samples. Use `Session`."""

    _opens_model = False  # what the lane "open" does, or did when it was stopped
    _waiting: SamplesWish | None = None  # samples opened while a model was

    def _open_model(
        self,
        name: str,
        work: Work,
        opened: Deliver,
        plan: str | Path | None,
        wish: SamplesWish,
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

    def _go_on(self, wish: SamplesWish) -> None:
        """After a model: its samples, those opened in the meantime, or what it brought with it."""
        wish, self._waiting = self._waiting or wish, None
        if wish.samples is not None:
            self.open_samples(wish.samples, wish.reading, wish.values, wish.metric, wish.output)
        elif self._document.samples is not None:
            self._document = replace(self._document, metric=wish.metric, output=wish.output)
            self._calibrate()
        else:
            self._evaluate()

    def open_samples(
        self,
        samples: str | Path,
        reading: Reading | None = None,
        values: Mapping[str, float] | None = None,
        metric: str = "",
        output: str = "",
    ) -> None:
        """Open samples for the model that is open; `values` feed inputs they do not go by.

        While a model is being opened they wait for it.
        """
        if self._opens_model and not self._idle("open"):
            self._waiting = SamplesWish(samples, reading, values, metric, output)
            return
        model, findings = self._require_model(), self._findings
        path, seed = Path(samples), self._document.seed
        how, given = reading or AS_PROPOSED, dict(values or {})

        def finished() -> None:
            chosen = self._document
            self._document = replace(
                chosen, metric=metric or chosen.metric, output=output or chosen.output
            )
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
