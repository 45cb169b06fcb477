"""Execute: run a model under encodings on one chunk, reusing every value the memo holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from qviz.engine.chunks import Chunk
from qviz.engine.devices import CPU, failure, is_blamed
from qviz.engine.kernels import NotANumberError, onednn_works
from qviz.engine.memo import Memo
from qviz.engine.program import Compiler, Encodings, Program
from qviz.engine.tasks import Ref, Task
from qviz.model.model import Model, Value
from qviz.model.runtime import Runtime
from qviz.model.step_runner import moved

if TYPE_CHECKING:
    from qviz.engine.pool import Pool

Keep = Literal["all", "outputs", "nothing"]
WORTH = 0.25  # ns a byte must save: what it costs to write it to memory that is not in use yet


class WorkCancelledError(Exception):
    """The work was cancelled between two operators."""


def _compact(value: Tensor) -> Tensor:
    """A copy of a small view, which would otherwise keep the whole of what it looks at."""
    held = value.untyped_storage().nbytes()
    return value.clone() if held > 2 * value.numel() * value.element_size() else value


class Executor:
    """Runs programs of one model, chunk by chunk."""

    def __init__(
        self,
        model: Model,
        memo: Memo,
        *,
        integers: bool = True,
        native: bool | None = None,
        place: torch.device = CPU,
    ) -> None:
        """Layers of integers run on codes: on 8-bit instructions if `native`, where they work.

        Without `integers`, and on all devices but the CPU, every layer runs on quantized
        floating-point numbers. The memo is of one device, where it keeps its values.
        """
        self.model = model
        self.memo = memo
        self.place = place
        self.runtime = Runtime(model)  # on the CPU, for what is measured there
        self.pools: dict[Hashable, Pool] = {}  # what float gave for whole parts
        self.steps_run = 0  # how many operators really ran, over all calls
        self._integers = integers and place == CPU
        self._there = self.runtime if place == CPU else Runtime(model, place)
        self._in_numbers: WeakKeyDictionary[Program, Program] = WeakKeyDictionary()
        native = onednn_works() if native is None else native
        self._compiler = Compiler(model, self._there, memo, native=native)

    def forget(self) -> None:
        """Drop what is known of the samples so far: others are open."""
        self.memo.clear()
        self.pools.clear()

    def program(self, encodings: Encodings) -> Program:
        """What `run` needs to run the model under encodings."""
        return self._compiler.compile(encodings, integers=self._integers)

    def run(
        self,
        chunk: Chunk,
        encodings: Encodings,
        program: Program,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        keep: Keep = "all",
    ) -> dict[str, Value]:
        """The model's outputs on one chunk, by name; `program` comes from `program(encodings)`.

        `keep` says which values go to the memo; all are read from it. Outputs are on the CPU.

        Raises:
            WorkCancelledError: `cancelled()` turned true between two operators.
            DeviceFailedError: the device cannot do it, or has too little memory.
        """
        outputs = program.outputs
        with self._blaming():
            try:
                found = self._run(chunk, program, outputs, cancelled, keep)
            except NotANumberError:
                program = self._on_numbers(program, encodings)
                found = self._run(chunk, program, outputs, cancelled, keep)
            return {ref[0]: moved(value, CPU) for ref, value in found.items()}

    def fetch(
        self,
        chunk: Chunk,
        program: Program,
        refs: Sequence[Ref],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[Ref, Value]:
        """Values of a program on one chunk, which go to the memo.

        None where the chunk holds NaN: it runs in numbers, where there are no codes to fetch.

        Raises:
            WorkCancelledError, DeviceFailedError: as `run` does.
        """
        with self._blaming():
            try:
                return self._run(chunk, program, refs, cancelled, "outputs")
            except NotANumberError:
                return {}

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        """Say it of the device where it is what failed."""
        try:
            yield
        except Exception as error:
            if self.place == CPU or not is_blamed(error):
                raise
            raise failure(self.place, error) from error

    def _on_numbers(self, program: Program, encodings: Encodings) -> Program:
        """The same without integers, compiled once: samples with NaN seldom come alone."""
        found = self._in_numbers.get(program)
        if found is None:
            found = self._compiler.compile(encodings, integers=False)
            self._in_numbers[program] = found
        return found

    def _run(
        self,
        chunk: Chunk,
        program: Program,
        wanted: Sequence[Ref],
        cancelled: Callable[[], bool],
        keep: Keep,
    ) -> dict[Ref, Value]:
        kept = {"all": program.kept, "outputs": frozenset(wanted), "nothing": frozenset()}[keep]
        values: dict[Ref, Value] = {}
        needed = self._needed(chunk, program, wanted, values)
        uses = Counter(ref for task in needed for ref in (*task.reads, *task.writes))
        uses.update(wanted)
        work: dict[Ref, float] = {}  # what recomputing a value costs, from what is kept, in ns
        for task in needed:
            if cancelled():
                raise WorkCancelledError
            self._run_task(task, chunk, program, values, work, kept)
            for ref in (*task.reads, *task.writes):
                uses[ref] -= 1
                if not uses[ref]:
                    values.pop(ref, None)
        return {ref: self._value(ref, chunk, values) for ref in wanted}

    def _needed(
        self, chunk: Chunk, program: Program, wanted: Sequence[Ref], values: dict[Ref, Value]
    ) -> list[Task]:
        """Walk back from what is wanted to where the memo has the values; in run order."""
        needed: set[int] = set()
        pending = list(wanted)
        while pending:
            ref = pending.pop()
            at = program.writer.get(ref)
            if at is None or at in needed or ref in values:
                continue
            stored = self.memo.get((program.keys[ref], chunk.id)) if ref in program.kept else None
            if stored is not None:
                values[ref] = stored
                continue
            needed.add(at)
            pending.extend(program.tasks[at].reads)
        return [program.tasks[at] for at in sorted(needed)]

    def _run_task(
        self,
        task: Task,
        chunk: Chunk,
        program: Program,
        values: dict[Ref, Value],
        work: dict[Ref, float],
        kept: frozenset[Ref],
    ) -> None:
        given = [self._value(ref, chunk, values) for ref in task.reads]
        outputs = task.run(given)
        self.steps_run += len(task.steps)
        cost = task.cost_ns(given, outputs) + sum(work.get(ref, 0.0) for ref in task.reads)
        for ref, value in zip(task.writes, outputs, strict=False):
            if not ref[0]:
                continue
            values[ref] = value
            work[ref] = cost
            if ref not in kept or not isinstance(value, Tensor):
                continue
            if cost >= WORTH * value.nbytes or self.memo.is_pinned(program.keys[ref]):
                self.memo.put((program.keys[ref], chunk.id), _compact(value), cost * 1e-9)
                work[ref] = 0.0

    def _value(self, ref: Ref, chunk: Chunk, values: dict[Ref, Value]) -> Value:
        """A value that was made, a feed, which is read now, or a constant."""
        name, codes = ref
        if ref in values or not name:
            return values.get(ref)
        if codes or name not in chunk.feeds:
            return self._there.constant(name)
        values[ref] = found = moved(chunk.feeds[name], self.place)
        return found
