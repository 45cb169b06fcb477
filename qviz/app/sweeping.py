"""Sweeping: what every layer costs, measured in a lane, remembered in the session and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qviz.app.document import Document
from qviz.app.reading import Reading
from qviz.app.sensitivity.cache import cache_folder
from qviz.app.sensitivity.request import DEFAULT_SAMPLES, Request, read_request
from qviz.app.sensitivity.result import Sensitivity
from qviz.app.sensitivity.work import sample_order, sweep_layers
from qviz.app.views import Message
from qviz.errors import QvizError


@dataclass(frozen=True, slots=True)
class _Found:
    """A result and the document that it was found from."""

    document: Document
    sensitivity: Sensitivity


class Sweeping(Reading):
    """Measures the sensitivity of every layer. Use `Session`."""

    _swept: tuple[_Found, ...] = ()

    def sensitivity(
        self,
        schemes: Sequence[str] | None = None,
        role: str = "weights",
        mode: str = "only",
        samples: int | str = DEFAULT_SAMPLES,
        cache: str | Path | None = None,
    ) -> Sensitivity:
        """What every layer costs, measured now; for notebooks and the command line.

        `only` quantizes one layer at a time to each of the `schemes` (int8:channel and int4:channel
        by default); `all-but` leaves one layer of the plan in float at a time. `role`: weights,
        inputs or both. `samples`: how many, 256 by default, or "all" for exact numbers. What was
        measured before is read from the folder `cache`, the user's own by default.

        Raises:
            QvizError: nothing is open, no samples, or a scheme, role or mode that cannot be.
        """
        if self._live:
            why = "this session works in the background"
            raise QvizError("sensitivity", why, "Use start_sensitivity() and sensitivities()")
        request = self.start_sensitivity(schemes, role, mode, samples, cache)
        for found in self.sensitivities():
            if found.request == request:
                return found
        raise QvizError("sensitivity", "nothing was measured", "Open a model and samples first")

    def start_sensitivity(
        self,
        schemes: Sequence[str] | None = None,
        role: str = "weights",
        mode: str = "only",
        samples: int | str = DEFAULT_SAMPLES,
        cache: str | Path | None = None,
    ) -> Request:
        """Start measuring in the lane "sweep"; `sensitivities()` holds what is known so far.

        The arguments and errors are those of `sensitivity`.
        """
        model, document, findings = self._require_model(), self._document, self._findings
        request = read_request(schemes, role, mode, samples)
        sample_order(document)
        if not findings.calibration_done:
            raise QvizError("sensitivity", "the inputs are not calibrated yet", "Wait for it")
        folder = (cache_folder() if cache is None else Path(cache)) / "sensitivity"

        def deliver(payload: object) -> None:
            if isinstance(payload, Sensitivity):
                self._take(_Found(document, payload))

        self._lanes["sweep"].restart(
            "Measuring sensitivity",
            lambda token: sweep_layers(model, document, findings, request, folder, token),
            deliver,
            self._say_failed,
            lambda: self._changed("sensitivity"),
        )
        return request

    def sensitivities(self) -> tuple[Sensitivity, ...]:
        """What was measured on the open samples, whole or in part, the latest request last."""
        return tuple(
            found.sensitivity
            for found in self._swept
            if _same(found.document, self._document, found.sensitivity.request)
        )

    def _take(self, found: _Found) -> None:
        """One result for each request; what is of other samples is forgotten."""
        request = found.sensitivity.request
        kept = (
            old
            for old in self._swept
            if old.sensitivity.request != request
            and _same(old.document, self._document, old.sensitivity.request)
        )
        self._swept = (*kept, found)
        note = found.sensitivity.note
        if note and all(message.text != note for message in self._messages):
            self._say(Message("info", note))
        self._changed("sensitivity")


def _same(one: Document, other: Document, request: Request) -> bool:
    """Whether what a request found in one document holds in another."""
    alike = (
        one.model is other.model
        and one.samples is other.samples
        and (one.part, one.metric, one.output, one.seed)
        == (other.part, other.metric, other.output, other.seed)
        and one.own_metric is other.own_metric
    )
    return alike and (request.mode == "only" or one.plan == other.plan)
