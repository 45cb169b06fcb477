"""Program: a model under encodings as tasks, its layers on integer kernels where they can be.

Layers hand codes to each other where nobody else wants the numbers. What runs together depends on
the graph and the encodings alone, never on what is remembered, so that results do not either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from qviz.engine.chains import Chain, find_chains, users_of
from qviz.engine.kernels import Bytes, Kernel, find_kernel
from qviz.engine.memo import Memo
from qviz.engine.tasks import (
    CODE_NS,
    FLOAT_NS,
    INTEGER_NS,
    VALUE_NS,
    Ref,
    Run,
    Task,
    making_codes,
    on_codes,
    on_numbers,
    products,
)
from qviz.model.model import Model, Step
from qviz.model.runtime import Runtime
from qviz.model.slots import Slot
from qviz.quant.encoding import Encoding

Encodings = Mapping[str, Encoding]  # slot name -> encoding
KERNELS = 4  # of each layer, kept for plans that come back
_RECURRENT = ("LSTM", "GRU", "RNN")


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Program:
    """Tasks in the order of the graph, and who writes and who keeps what."""

    tasks: tuple[Task, ...]
    writer: Mapping[Ref, int]  # position of the task
    keys: Mapping[Ref, str]  # content: equal keys are equal values, whatever the plan
    kept: frozenset[Ref]  # what a later edit restarts from
    outputs: tuple[Ref, ...]


def slots_by_operand(model: Model) -> dict[tuple[int, int], Slot]:
    """(step index, operand number) -> the slot there."""
    steps = {layer.index: layer.step for layer in model.layers if layer.step is not None}
    return {
        (steps[slot.layer], slot.operand): slot
        for slot in model.slots.values()
        if slot.layer in steps
    }


class Compiler:
    """Makes programs of one model; layers whose encodings stay the same keep their kernels."""

    def __init__(self, model: Model, runtime: Runtime, memo: Memo, *, native: bool) -> None:
        """Find what follows what; quantized weights go to the memo. `native`: see `find_kernel`."""
        self.model = model
        self.runtime = runtime
        self.memo = memo
        self.native = native
        self.slots = slots_by_operand(model)
        self.users = users_of(model)
        chains = find_chains(model, self.users, self.slots)
        self.chained = {step.index for chain in chains for step in chain.steps}
        self.chains = {chain.steps[-1].index: chain for chain in chains}
        self._kernels: dict[int, dict[bytes, Kernel | None]] = {}

    def compile(self, encodings: Encodings, *, integers: bool = True) -> Program:
        """The program of the model under encodings; without `integers` all of it in numbers."""
        kernels: dict[int, Kernel] = {}
        for chain in self.chains.values() if integers else ():
            found = self._kernel(chain.steps[0], encodings)
            if found is not None:
                kernels[chain.steps[0].index] = found
        return _Draft(self, encodings, kernels).program()

    def operands(self, step: Step, encodings: Encodings) -> dict[int, tuple[Slot, Encoding]]:
        """What quantizes which inputs and captures of a step."""
        found = {}
        for position in range(len(step.inputs) + len(step.captures)):
            slot = self.slots.get((step.index, position))
            if slot is not None and slot.name in encodings:
                found[position] = slot, encodings[slot.name]
        return found

    def _kernel(self, step: Step, encodings: Encodings) -> Kernel | None:
        found = self.operands(step, encodings)
        if sorted(found) != [0, 1]:
            return None
        (_, taken), (_, weight) = found[0], found[1]
        key = taken.key + weight.key
        known = self._kernels.setdefault(step.index, {})
        if key not in known:
            if len(known) == KERNELS:
                known.pop(next(iter(known)))
            known[key] = find_kernel(step, self.model.constants, taken, weight, native=self.native)
        known[key] = found_kernel = known.pop(key)  # last in, last out
        return found_kernel


@dataclass(eq=False)
class _Draft:
    """One program in the making."""

    compiler: Compiler
    encodings: Encodings
    kernels: Mapping[int, Kernel]  # by step index
    keys: dict[Ref, str] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    kept: set[Ref] = field(default_factory=set)

    def program(self) -> Program:
        """Walk the graph once; a chain stands where its last step does."""
        compiler, model = self.compiler, self.compiler.model
        self.keys.update({as_is(info.name): f"input:{info.name}" for info in model.inputs})
        for name in model.constants:
            self.keys[as_is(name)] = f"constant:{model.hash}:{name}"
        for step in model.steps:
            chain = compiler.chains.get(step.index)
            if chain is not None:
                self._add_chain(chain)
            elif step.index not in compiler.chained:
                self._add_step(step)
        outputs = tuple(as_is(name) for name in model.outputs)
        writer = {ref: at for at, task in enumerate(self.tasks) for ref in task.writes if ref[0]}
        kept = frozenset(ref for ref in (*self.kept, *outputs) if ref in writer)
        return Program(tuple(self.tasks), writer, self.keys, kept, outputs)

    def _add_chain(self, chain: Chain) -> None:
        layer, end = chain.steps[0], chain.steps[-1].outputs[0]
        others = tuple(as_is(name) for name in chain.others)
        layer_kernel = self.kernels.get(layer.index)
        if layer_kernel is None:
            reads = (*_operands_of(layer), *others)
            self._add(chain.steps, reads, (as_is(end),), self._on_numbers(layer, chain))
        else:
            given = None if others or chain.clips[1:] else self._wanted(end)
            reads = (self._codes(layer.inputs[0], layer_kernel.taken), *others)
            write = as_is(end) if given is None else (end, given.key)
            run = on_codes(layer_kernel, chain, given)
            self._add(chain.steps, reads, (write,), run, integer=True)
        self.kept.update(reads)

    def _wanted(self, name: str) -> Bytes | None:
        """The codes that all users of a value take it as, if all of uint8."""
        if name in self.compiler.model.outputs:
            return None
        formats: set[Bytes | None] = set()
        for step, position in self.compiler.users.get(name, ()):
            user = self.kernels.get(step.index) if position == 0 else None
            formats.add(None if user is None else user.taken)
        only = formats.pop() if len(formats) == 1 else None
        return only if only is not None and only.top == 255 else None

    def _codes(self, name: str, wanted: Bytes) -> Ref:
        """Where a value's codes are; made of its numbers unless its layer gives them."""
        ref = (name, wanted.key)
        if ref not in self.keys:
            self._add((), (as_is(name),), (ref,), making_codes(wanted))
        return ref

    def _add_step(self, step: Step) -> None:
        reads = tuple(_operands_of(step))
        self._add((step,), reads, tuple(map(as_is, step.outputs)), self._on_numbers(step))
        computed = [ref for ref in reads if ref[0] not in self.compiler.model.constants]
        layer = any((step.index, position) in self.compiler.slots for position in range(len(reads)))
        if layer or len(computed) > 1:  # a join restarts from the side that an edit left alone
            self.kept.update(computed)

    def _on_numbers(self, step: Step, chain: Chain | None = None) -> Run:
        compiler = self.compiler
        operands = compiler.operands(step, self.encodings)
        return on_numbers(operands, compiler.runtime, compiler.memo, step, chain)

    def _add(
        self,
        steps: tuple[Step, ...],
        reads: tuple[Ref, ...],
        writes: tuple[Ref, ...],
        run: Run,
        *,
        integer: bool = False,
    ) -> None:
        digest = hashlib.blake2b(b"integer" if integer else b"", digest_size=16)
        for step in steps:
            digest.update(step.key.encode())
            for position, (_, encoding) in self.compiler.operands(step, self.encodings).items():
                digest.update(b"%d" % position + encoding.key)
            for ref in _operands_of(step):  # a kernel's weights, which its task does not read
                digest.update(self.keys.get(ref, "").encode() + b"|")
        for ref in reads:
            digest.update(self.keys.get(ref, ref[0]).encode() + b"|")
        for _, form in writes:
            digest.update(form + b"|")
        self.tasks.append(Task(steps, reads, writes, run, *self._costs(steps, integer)))
        for position, ref in enumerate(writes):
            if ref[0]:  # a name that stands for nothing is read elsewhere, too
                self.keys[ref] = f"{digest.hexdigest()}:{position}"

    def _costs(self, steps: tuple[Step, ...], integer: bool) -> tuple[float, float, float]:
        """About what a value of the output, one of the first input and a product cost, in ns.

        Products count by themselves where the weight, and so how many there are, is computed.
        """
        if not steps:
            return CODE_NS, 0.0, 0.0
        if steps[-1].index not in self.compiler.chains:
            return VALUE_NS, self._recurrent_terms(steps[0]) * FLOAT_NS, 0.0
        weight = self.compiler.model.constants.get(steps[0].inputs[1])
        if weight is None:
            return 0.0, 0.0, FLOAT_NS
        return products(steps[0], weight) * (INTEGER_NS if integer else FLOAT_NS), 0.0, 0.0

    def _recurrent_terms(self, step: Step) -> float:
        """Products for each value of a recurrent layer's input; 0 for other steps.

        Each position of a sequence [seq, batch, in] meets all weights: of W [directions, gates, in]
        and of R [directions, gates, hidden].
        """
        if step.domain or step.op not in _RECURRENT:
            return 0.0
        constants = self.compiler.model.constants
        held = [constants[name] for name in step.inputs[1:3] if name in constants]
        if len(held) < 2:
            return 0.0
        return sum(weight.numel() for weight in held) / max(held[0].shape[-1], 1)


def as_is(name: str) -> Ref:
    """A value in its own numbers."""
    return name, b""


def _operands_of(step: Step) -> Iterator[Ref]:
    """What a step reads: its inputs, absent ones too, then its captures."""
    return (as_is(name) for name in (*step.inputs, *step.captures))
