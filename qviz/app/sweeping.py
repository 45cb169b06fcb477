"""Sweeping: what every layer costs, measured in a lane, remembered in the session and on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qviz.app.devices import DeviceLeft, DeviceTrusted
from qviz.app.document import Document
from qviz.app.jobs import Step, Token
from qviz.app.reading import Reading
from qviz.app.sensitivity.cache import cache_folder
from qviz.app.sensitivity.offers import scheme_choices
from qviz.app.sensitivity.present import Order, SensitivityView, about, sensitivity_view, why_not
from qviz.app.sensitivity.quantities import QuantityName
from qviz.app.sensitivity.request import DEFAULT_SAMPLES, Request, Roles, read_request
from qviz.app.sensitivity.result import Sensitivity
from qviz.app.sensitivity.work import sample_order, sweep_layers
from qviz.app.state import complaint
from qviz.app.views import Choice, Message
from qviz.engine.devices import Device
from qviz.engine.execute import Executor
from qviz.errors import QvizError

KEPT = 8  # results of plans that are not the current one


@dataclass(frozen=True, slots=True)
class _Found:
    """A result and the document that it was found from."""

    document: Document
    sensitivity: Sensitivity


class Sweeping(Reading):
    """Measures the sensitivity of every layer. Use `Session`."""

    _swept: tuple[_Found, ...] = ()
    _sweeping: tuple[Request, Document] | None = None  # what was asked for last
    _failed = ""  # and why it could not be measured
    _followed: tuple[Request, str] | None = None  # what the layer table shows, and its scheme

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
            elif isinstance(payload, DeviceTrusted | DeviceLeft):
                self._device_told(payload, "sweep")

        def run(executor: Executor, token: Token) -> Iterator[Step]:
            return sweep_layers(model, document, findings, request, folder, token, executor.place)

        work = self._placed_work(run)
        if work is None:
            raise ValueError("a sample order needs a model")
        self._sweeping, self._failed = (request, document), ""
        self._lanes["sweep"].restart(
            "Measuring sensitivity",
            work,
            deliver,
            self._sweep_failed,
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

    def sensitivity_view(
        self,
        request: Request,
        quantity: QuantityName = "kl",
        scheme: str = "",
        order: Order = "worst",
    ) -> SensitivityView:
        """What is known of a request, for the page that draws it.

        In the mode all-but that may be of another plan, where nothing is known of this one, and
        then the view says so.
        """
        document = self._document
        calibrating = not (self._idle("open") and self._idle("calibrate"))
        notice, wants_samples = why_not(document, self._findings, calibrating=calibrating)
        known = [
            found
            for found in self._swept
            if found.sensitivity.request == request and about(found.document) == about(document)
        ]
        own = [found for found in known if _same(found.document, document, request)]
        found = next(reversed(own or known), None)
        asked, start = self._sweeping or (None, document)
        current = asked == request and about(start) == about(document)
        return sensitivity_view(
            request,
            None if found is None else found.sensitivity,
            quantity=quantity,
            scheme=scheme,
            order=order,
            notice=notice,
            wants_samples=wants_samples,
            running=current and not self._idle("sweep"),
            failure=self._failed if current and _same(start, document, request) else "",
            other_plan=found is not None and not own,
            key=(request, *about(document)),
        )

    def follow_sensitivity(self, request: Request, scheme: str) -> None:
        """Have the layer table show what a request found under one of its schemes."""
        if (request, scheme) != self._followed:
            before, self._followed = self.column_of_sensitivity(), (request, scheme)
            if self.column_of_sensitivity() != before:
                self._changed("rows")

    def column_of_sensitivity(self) -> tuple[Sensitivity, str] | None:
        """What the layer table shows, and the scheme: those that were followed last.

        Where nothing of those holds, the latest result that does, and its last scheme.
        """
        known = self.sensitivities()
        request, scheme = self._followed or (None, "")
        for found in known:
            if found.request == request:
                return found, scheme
        return (known[-1], known[-1].request.schemes[-1]) if known else None

    def sensitivity_schemes(self, role: Roles) -> tuple[Choice, ...]:
        """What a sweep can try on the slots of a role: the usual schemes and the plan's own."""
        model = self._document.model
        if model is None:
            return scheme_choices(role)
        where = "input" if role == "inputs" else "weight"
        planned = self._schemes()
        slots = (slot.name for slot in model.slots.values() if slot.role == where)
        schemes = (planned[name] for name in slots)
        return scheme_choices(role, (str(scheme) for scheme in schemes if not scheme.is_float))

    def _stop_measuring(self) -> None:
        super()._stop_measuring()
        # They hold the model and samples that go.
        self._swept, self._sweeping, self._followed = (), None, None

    def _take_device(self, device: Device) -> None:
        super()._take_device(device)
        self._swept = ()
        self._changed("sensitivity")

    def _take(self, found: _Found) -> None:
        """One result for each request and, where it rests on one, plan.

        What is of other samples is forgotten, and of other plans all but the latest.
        """
        now, request = self._document, found.sensitivity.request
        kept = [
            old
            for old in self._swept
            if about(old.document) == about(now)
            and not (
                old.sensitivity.request == request and _same(old.document, found.document, request)
            )
        ]
        others = [old for old in kept if not _same(old.document, now, old.sensitivity.request)]
        gone = {id(old) for old in others[:-KEPT]}
        self._swept = (*(old for old in kept if id(old) not in gone), found)
        note = found.sensitivity.note
        if note and all(message.text != note for message in self._messages):
            self._say(Message("info", note))
        self._changed("sensitivity")

    def _sweep_failed(self, error: Exception) -> None:
        """Kept for the view of the request; what the user cannot mend there is said aloud."""
        self._failed = complaint(error).text
        if not isinstance(error, QvizError):
            self._say_failed(error)
        self._changed("sensitivity")


def _same(one: Document, other: Document, request: Request) -> bool:
    """Whether what a request found in one document holds in another."""
    return about(one) == about(other) and (request.mode == "only" or one.plan == other.plan)
