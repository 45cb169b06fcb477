"""Execute: run a model under encodings on one chunk, reusing every value the memo holds."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from qviz.engine.chunks import Chunk
from qviz.engine.memo import Memo
from qviz.model.model import Model, Step
from qviz.model.runtime import Runtime
from qviz.model.slots import Slot
from qviz.quant.encoding import Encoding

Encodings = Mapping[str, Encoding]  # slot name -> encoding


class WorkCancelledError(Exception):
    """The work was cancelled between two operators."""


def slots_by_operand(model: Model) -> dict[tuple[int, int], Slot]:
    """(step index, operand number) -> the slot there."""
    steps = {layer.index: layer.step for layer in model.layers if layer.step is not None}
    return {
        (steps[slot.layer], slot.operand): slot
        for slot in model.slots.values()
        if slot.layer in steps
    }


def count_uses(steps: Iterable[Step]) -> Counter[str]:
    """How often these steps read or write each value."""
    return Counter(name for step in steps for name in (*step.inputs, *step.captures, *step.outputs))


def release(step: Step, uses: Counter[str], values: dict[str, Any]) -> None:
    """After a step has run, drop the values that no later step uses."""
    for name in (*step.inputs, *step.captures, *step.outputs):
        uses[name] -= 1
        if not uses[name]:
            values.pop(name, None)


def _compact(value: Tensor) -> Tensor:
    """A copy of a small view, which would otherwise keep the whole of what it looks at."""
    held = value.untyped_storage().nbytes()
    return value.clone() if held > 2 * value.numel() * value.element_size() else value


class Executor:
    """Runs one model; keys are those of content-addressed activations."""

    def __init__(self, model: Model, memo: Memo) -> None:
        """Prepare the runtime and choose which values are worth storing."""
        self.model = model
        self.memo = memo
        self.runtime = Runtime(model)
        self.steps_run = 0  # how many operators really ran, over all calls
        self._operands = slots_by_operand(model)
        self._producer = {name: step for step in model.steps for name in step.outputs if name}
        self._kept = self._worth_keeping()

    def _worth_keeping(self) -> frozenset[str]:
        """What a later edit restarts from: inputs of layers, operands of joins, the outputs."""
        kept = set(self.model.outputs)
        kept.update(slot.value for slot in self.model.slots.values() if slot.role == "input")
        for step in self.model.steps:
            dynamic = [name for name in step.inputs if name in self._producer]
            if len(dynamic) > 1:
                kept.update(dynamic)
        return frozenset(kept)

    def keys(self, encodings: Encodings) -> dict[str, str]:
        """Value name -> content key under these encodings, the chunk left out."""
        keys = {info.name: f"input:{info.name}" for info in self.model.inputs}
        for name in self.model.constants:
            keys[name] = f"constant:{self.model.hash}:{name}"
        for step in self.model.steps:
            digest = hashlib.blake2b(step.key.encode(), digest_size=16)
            for position, name in enumerate((*step.inputs, *step.captures)):
                digest.update(keys.get(name, name).encode() + b"|")
                slot = self._operands.get((step.index, position))
                if slot is not None and slot.name in encodings:
                    digest.update(encodings[slot.name].key)
            for position, name in enumerate(step.outputs):
                keys[name] = f"{digest.hexdigest()}:{position}"
        return keys

    def run(
        self,
        chunk: Chunk,
        encodings: Encodings,
        keys: Mapping[str, str],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """The model's outputs on one chunk, by name; `keys` come from `keys(encodings)`.

        Raises:
            WorkCancelledError: `cancelled()` turned true between two operators.
        """
        values: dict[str, Any] = dict(chunk.feeds)
        needed = self._needed(chunk, keys, values)
        uses = count_uses(needed)
        uses.update(self.model.outputs)
        started = time.perf_counter()
        for step in needed:
            if cancelled():
                raise WorkCancelledError
            self._run_step(step, chunk, encodings, keys, values, started)
            release(step, uses, values)
        return {name: self._value(name, values) for name in self.model.outputs}

    def _needed(self, chunk: Chunk, keys: Mapping[str, str], values: dict[str, Any]) -> list[Step]:
        """Walk back from the outputs, stopping where the memo has the value; in run order."""
        needed: set[int] = set()
        pending = list(self.model.outputs)
        while pending:
            name = pending.pop()
            step = self._producer.get(name)
            if step is None or step.index in needed or name in values:
                continue
            stored = self.memo.get((keys[name], chunk.id)) if name in self._kept else None
            if stored is not None:
                values[name] = stored
                continue
            needed.add(step.index)
            pending.extend(n for n in (*step.inputs, *step.captures) if n in self._producer)
        return [step for step in self.model.steps if step.index in needed]

    def _run_step(
        self,
        step: Step,
        chunk: Chunk,
        encodings: Encodings,
        keys: Mapping[str, str],
        values: dict[str, Any],
        started: float,
    ) -> None:
        operands = [
            self._operand(step, position, name, encodings, values)
            for position, name in enumerate((*step.inputs, *step.captures))
        ]
        outputs = self.runtime.run_step(step, operands)
        self.steps_run += 1
        for name, value in zip(step.outputs, outputs, strict=False):
            if not name:
                continue
            values[name] = value
            if name in self._kept and isinstance(value, Tensor):
                seconds = time.perf_counter() - started
                self.memo.put((keys[name], chunk.id), _compact(value), seconds)

    def _operand(
        self,
        step: Step,
        position: int,
        name: str,
        encodings: Encodings,
        values: Mapping[str, Any],
    ) -> Any:
        value: Any = self._value(name, values) if name else None
        slot = self._operands.get((step.index, position))
        encoding = None if slot is None else encodings.get(slot.name)
        if encoding is None or slot is None:
            return value
        if slot.role == "input":
            return encoding.apply(value)
        key = ("weight", self.model.hash, slot.value, encoding.key)
        stored = self.memo.get(key)
        if stored is None:
            stored = encoding.apply(value)
            self.memo.put(key, stored, 1.0)  # small and asked for by every chunk: kept first
        return stored

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        return values[name] if name in values else self.model.constants[name]
