"""Execute: run a model under encodings on one chunk, reusing every value the memo holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from torch import Tensor

from qviz.engine.chunks import Chunk
from qviz.engine.kernels import NotANumberError, onednn_works
from qviz.engine.memo import Memo
from qviz.engine.program import Compiler, Encodings, Program, as_is
from qviz.engine.tasks import Ref, Task
from qviz.model.model import Model, Value
from qviz.model.runtime import Runtime

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
        self, model: Model, memo: Memo, *, integers: bool = True, native: bool | None = None
    ) -> None:
        """Layers of integers run on codes: on 8-bit instructions if `native`, where they work.

        Without `integers` every layer runs on quantized floating-point numbers.
        """
        self.model = model
        self.memo = memo
        self.runtime = Runtime(model)
        self.pools: dict[Hashable, Pool] = {}  # what float gave for whole parts
        self.steps_run = 0  # how many operators really ran, over all calls
        self._integers = integers
        self._in_numbers: WeakKeyDictionary[Program, Program] = WeakKeyDictionary()
        native = onednn_works() if native is None else native
        self._compiler = Compiler(model, self.runtime, memo, native=native)

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

        `keep` says which values go to the memo; all are read from it.

        Raises:
            WorkCancelledError: `cancelled()` turned true between two operators.
        """
        outputs = program.outputs
        try:
            found = self._run(chunk, program, outputs, cancelled, keep)
        except NotANumberError:
            program = self._on_numbers(program, encodings)
            found = self._run(chunk, program, outputs, cancelled, keep)
        return {ref[0]: value for ref, value in found.items()}

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
        values: dict[Ref, Value] = {as_is(name): feed for name, feed in chunk.feeds.items()}
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
        return {ref: self._value(ref, values) for ref in wanted}

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
        given = [self._value(ref, values) for ref in task.reads]
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

    def _value(self, ref: Ref, values: Mapping[Ref, Value]) -> Value:
        if ref in values:
            return values[ref]
        return self.model.constants[ref[0]] if ref[0] else None
