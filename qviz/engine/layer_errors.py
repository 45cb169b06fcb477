"""Layer errors: what quantization does to every layer's output, added there and arriving there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.execute import WorkCancelledError
from qviz.engine.metrics import sqnr_db
from qviz.engine.program import Encodings, slots_by_operand
from qviz.model.model import Model, Step, Value
from qviz.model.runtime import Runtime
from qviz.model.uses import count_uses, release

_SLAB = 1 << 17  # values that are widened to float64 at a time

# A value in the float and in the quantized model: one object as long as they are the same.
_Pair = tuple[Value, Value]


@dataclass(frozen=True, slots=True)
class OutputError:
    """A layer's output x̂ against the float model's x, over all samples seen."""

    sqnr_db: float  # 10·log10(Σx² / Σ(x-x̂)²); inf when exact
    cosine: float
    bias: float  # relative: mean(x̂-x) / rms(x)


@dataclass(frozen=True, slots=True)
class LayerError:
    """What a layer adds alone, fed the float model's input, and what has accumulated by its output.

    None where outputs cannot be compared: they are no floating-point tensors, or their shapes
    depend on the values and so differ from float.
    """

    local: OutputError | None
    accumulated: OutputError | None


@dataclass(frozen=True, slots=True)
class LayerErrors:
    """The errors of all layers, in the model's order, after `samples` of `total` samples."""

    layers: tuple[LayerError, ...]
    samples: int
    total: int


def layer_errors(
    model: Model,
    runtime: Runtime,
    feeder: Feeder,
    rows: Indices,
    encodings: Encodings,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[LayerErrors]:
    """Run the float and the quantized model side by side, yielding after every chunk.

    Slots without an encoding stay float. Besides the weights, memory holds what is alive in two
    models at one step.

    Raises:
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    with torch.inference_mode():
        lockstep = _Lockstep(model, runtime, encodings, cancelled)
    seen = 0
    for chunk_rows in feeder.cut(rows):
        with torch.inference_mode():
            lockstep.run(feeder.chunk(chunk_rows))
        seen += len(chunk_rows)
        yield LayerErrors(lockstep.errors(), seen, len(rows))


@dataclass(slots=True)
class _Sums:
    """Sums in float64 over the values x of one output and their errors e = x̂-x."""

    count: int = 0
    xx: float = 0.0
    qq: float = 0.0
    xq: float = 0.0
    ee: float = 0.0
    e: float = 0.0
    comparable: bool = True

    def add(self, reference: Tensor, output: Tensor) -> None:
        # In the order of memory, where channels may come last: another order would be a copy.
        order = sorted(range(reference.ndim), key=reference.stride, reverse=True)
        flat = (value.permute(order).reshape(-1).split(_SLAB) for value in (reference, output))
        for narrow_x, narrow_q in zip(*flat, strict=True):
            x, q = narrow_x.double(), narrow_q.double()
            e = q - x
            self.xx += float(x @ x)
            self.qq += float(q @ q)
            self.xq += float(x @ q)
            self.ee += float(e @ e)
            self.e += float(e.sum())
        self.count += reference.numel()

    def error(self) -> OutputError | None:
        if not self.comparable or not self.count:
            return None
        rms = sqrt(self.xx / self.count)
        bias = self.e / self.count / rms if rms != 0.0 else 0.0
        return OutputError(sqnr_db(self.xx, self.ee), self._cosine(), bias)

    def _cosine(self) -> float:
        norms = sqrt(self.xx), sqrt(self.qq)
        if 0.0 in norms:  # two zero vectors are alike, one is like nothing
            return float(norms[0] == norms[1])
        return max(min(self.xq / norms[0] / norms[1], 1.0), -1.0)  # in this order nan stays nan


class _Lockstep:
    """Runs both models a step at a time and adds up the errors of their layers."""

    def __init__(
        self,
        model: Model,
        runtime: Runtime,
        encodings: Encodings,
        cancelled: Callable[[], bool],
    ) -> None:
        """Quantize the weights once, for all chunks."""
        self._model = model
        self._runtime = runtime
        self._encodings = encodings
        self._cancelled = cancelled
        self._slots = {
            place: slot for place, slot in slots_by_operand(model).items() if slot.name in encodings
        }
        self._weights = self._quantized_weights()
        self._sums = {step: (_Sums(), _Sums()) for step in _layer_steps(model)}
        last = max(self._sums, default=-1)
        self._steps = [step for step in model.steps if step.index <= last]

    def _quantized_weights(self) -> dict[str, Tensor]:
        """By the name of the slot; slots that share a weight and its encoding share the result."""
        shared: dict[tuple[str, bytes], Tensor] = {}
        weights: dict[str, Tensor] = {}
        for slot in self._slots.values():
            if slot.role != "weight":
                continue
            self._check()
            encoding = self._encodings[slot.name]
            key = (slot.value, encoding.key)
            if key not in shared:
                shared[key] = encoding.apply(self._model.constants[slot.value])
            weights[slot.name] = shared[key]
        return weights

    def errors(self) -> tuple[LayerError, ...]:
        """The errors over the chunks so far."""
        sums = (self._sums[step] for step in _layer_steps(self._model))
        return tuple(LayerError(local.error(), accumulated.error()) for local, accumulated in sums)

    def run(self, chunk: Chunk) -> None:
        """Run one chunk through both models, up to their last layer."""
        values: dict[str, _Pair] = {name: (feed, feed) for name, feed in chunk.feeds.items()}
        uses = count_uses(self._steps)
        for step in self._steps:
            self._run_step(step, chunk, values)
            release(step, uses, values)

    def _run_step(self, step: Step, chunk: Chunk, values: dict[str, _Pair]) -> None:
        names = (*step.inputs, *step.captures)
        pairs = [self._pair(name, values) if name else (None, None) for name in names]
        exact = [x for x, _ in pairs]
        reference = self._outputs(step, exact)
        local = reference
        if any((step.index, operand) in self._slots for operand in range(len(names))):
            local = self._outputs(step, self._quantized(step, exact))
        accumulated = local
        if any(x is not q for x, q in pairs):
            accumulated = self._outputs(step, self._quantized(step, [q for _, q in pairs]))
        if step.index in self._sums:
            _compare(step, chunk, reference, (local, accumulated), self._sums[step.index])
        for name, x, q in zip(step.outputs, reference, accumulated, strict=True):
            values[name] = (x, q)

    def _quantized(self, step: Step, operands: Sequence[Value]) -> list[Value]:
        return [self._operand(step, n, value) for n, value in enumerate(operands)]

    def _operand(self, step: Step, operand: int, value: Value) -> Value:
        slot = self._slots.get((step.index, operand))
        if slot is None or not isinstance(value, Tensor):
            return value
        if slot.role == "weight":
            return self._weights[slot.name]
        return self._encodings[slot.name].apply(value)

    def _outputs(self, step: Step, operands: Sequence[Value]) -> tuple[Value, ...]:
        self._check()
        return self._runtime.run_step(step, operands)

    def _pair(self, name: str, values: Mapping[str, _Pair]) -> _Pair:
        if name in values:
            return values[name]
        constant = self._model.constants[name]
        return constant, constant

    def _check(self) -> None:
        if self._cancelled():
            raise WorkCancelledError


def _compare(
    step: Step,
    chunk: Chunk,
    reference: tuple[Value, ...],
    outputs: tuple[tuple[Value, ...], tuple[Value, ...]],
    sums: tuple[_Sums, _Sums],
) -> None:
    """Add the errors of a layer's first output, local and accumulated."""
    first = next((n for n, name in enumerate(step.outputs) if name), 0)
    x = reference[first]
    if not isinstance(x, Tensor) or not x.is_floating_point():
        return
    for total, values in zip(sums, outputs, strict=True):
        q = values[first]
        if isinstance(q, Tensor) and q.shape == x.shape:
            total.add(*(_without_padding(v, chunk, _batch_axis(step, first)) for v in (x, q)))
        else:
            total.comparable = False


def _batch_axis(step: Step, output: int) -> int | None:
    """Where ONNX defines it to be: recurrent layers give [steps, directions, batch, hidden]."""
    if step.op not in ("LSTM", "GRU", "RNN"):
        return None
    if step.attributes.get("layout", 0):
        return 0
    return 2 if output == 0 else 1


def _without_padding(output: Tensor, chunk: Chunk, known: int | None = None) -> Tensor:
    """Only the chunk's own rows, along the first axis but the last that is as long as the batch.

    Where there is none, samples are taken to lie one after the other along the first axis. Of
    some operators the axis is `known`.
    """
    batch = len(chunk.rows) + chunk.padded
    if not chunk.padded or not output.ndim:
        return output
    sizes = list(output.shape)
    axis = known
    if axis is None:
        axis = sizes.index(batch) if batch in sizes[:-1] else 0
    return output.narrow(axis, 0, sizes[axis] - sizes[axis] // batch * chunk.padded)


def _layer_steps(model: Model) -> list[int]:
    return [layer.step for layer in model.layers if layer.step is not None]
