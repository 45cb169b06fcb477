"""Devices: where the plan runs. A device is tried before it is trusted, and left when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qviz.app.document import Document, Findings
from qviz.app.jobs import Step, Token, Work
from qviz.app.scores import Scores
from qviz.app.state import State
from qviz.app.views import Message
from qviz.engine.chunks import SMALLEST, Chunk, feeder
from qviz.engine.device_check import check_device
from qviz.engine.devices import (
    CPU,
    THE_CPU,
    Device,
    DeviceFailedError,
    devices,
    find_device,
    memory_on,
    release_memory,
)
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.model.model import Model

Run = Callable[[Executor, Token], Iterator[Step]]


@dataclass(frozen=True, eq=False, slots=True)
class DeviceTrusted:
    """A device gave what the CPU gives."""

    executor: Executor


@dataclass(frozen=True, eq=False, slots=True)
class DeviceLeft:
    """A device is not used any more, or was not at all."""

    device: Device
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """The device that was chosen, and its executor once it is trusted; `cpu` is there always."""

    device: Device
    executor: Executor | None
    cpu: Executor
    budget: int | None  # bytes for results that may be used again

    def work(
        self, document: Document, findings: Findings, run: Run, token: Token
    ) -> Iterator[Step]:
        """Run on the device; on the CPU where it gives other numbers, and anew where it fails."""
        executor = self.executor
        if self.device.place == CPU:
            executor = self.cpu
        elif executor is None:
            chunk = _few(self.cpu.model, document, findings)
            if chunk is None:  # nothing to run
                executor = self.cpu
            elif why := check_device(self.cpu.model, self.device, chunk, token.cancelled):
                yield Step(0, 0, self._left(f"is not used: {why}. The CPU stays"))
                executor = self.cpu
            else:
                memo = Memo(memory_on(self.device.place, self.budget))
                executor = Executor(self.cpu.model, memo, place=self.device.place)
                yield Step(0, 0, DeviceTrusted(executor))
        failed = ""
        try:
            yield from run(executor, token)
        except DeviceFailedError as error:
            failed = error.cause
        if failed:  # after the error, which holds on to what was in the device's memory
            executor.forget()
            release_memory(executor.place)
            yield Step(0, 0, self._left(f"failed: {failed}. The CPU does it anew"))
            yield from run(self.cpu, token)

    def _left(self, what: str) -> DeviceLeft:
        return DeviceLeft(self.device, f"{self.device.title} {what}")


def _few(model: Model, document: Document, findings: Findings) -> Chunk | None:
    """The first samples of the part; None while nothing is scored."""
    samples, split = document.scored, document.split
    if samples is None or split is None or not findings.calibration_done:
        return None
    feed = feeder(model, samples, findings.macs_per_sample)
    chunks = feed.cut(split.indices(document.part)[:SMALLEST])
    return feed.chunk(chunks[0]) if chunks else None


class Placing(State):
    """Knows where the plan runs. Use `Session`."""

    _device: Device = THE_CPU
    _there: Executor | None = None  # of the open model and samples, once the device is trusted
    device_chosen = False  # in this session, be it the CPU

    def devices(self) -> tuple[Device, ...]:
        """The devices of this machine; those that cannot be chosen say why."""
        return devices()

    @property
    def device(self) -> str:
        """The name of the device that the plan runs on, or will once it is tried."""
        return self._device.name

    def set_device(self, name: str) -> None:
        """Run the plan on a device by its name: cpu, cuda, cuda:1 or mps.

        Before its first number it is tried against the CPU, which stays where they differ: a
        message says so. Calibration, errors of layers and gradients are always the CPU's.

        Raises:
            QvizError: there is no such device, or it cannot be chosen.
        """
        found = find_device(name, self.devices)
        self.device_chosen = True
        if found != self._device:
            self._take_device(found)
            self._evaluate()

    def set_memory(self, budget: int | None) -> None:
        """How many bytes of results are kept, see `State`; of a GPU's own a quarter at most."""
        super().set_memory(budget)
        if self._there is not None:
            self._there.memo.set_budget(memory_on(self._there.place, budget))

    def _take_device(self, device: Device) -> None:
        """Numbers of two devices are not shown together: those that are known go."""
        self._device, self._there = device, None
        self._memo.clear()
        self._scores = Scores()
        self._changed("device", "strip")

    def _placed_work(self, run: Run) -> Work | None:
        """The work on the device that is chosen now; None while nothing is open."""
        cpu, document, findings = self._executor, self._document, self._findings
        if cpu is None:
            return None
        place = Place(self._device, self._there, cpu, self._memory_budget)
        return lambda token: place.work(document, findings, run, token)

    def _device_told(self, told: DeviceTrusted | DeviceLeft, lane: str) -> None:
        """Take what the work of a lane found out about the device."""
        if isinstance(told, DeviceTrusted):
            self._there = told.executor
            return
        if told.device != self._device:
            return
        self._take_device(THE_CPU)
        self._say(Message("warning", told.text))
        if lane != "evaluate":
            self._evaluate()

    def _evaluate(self) -> None:
        """Score the plan again."""
