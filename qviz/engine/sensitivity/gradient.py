"""Gradient: a first guess of every candidate's effect, from a few backward passes and no suffix.

To second order a change δ of a layer's output moves the predictions by KL ≈ ½·δᵀFδ, where
F = Jᵀ(diag(p) - ppᵀ)J is the Fisher information of that output (Amari 1998; FIT, 2210.08502, uses
the same for whole tensors). It is E[gᵀg] of the gradient g of Σ √p·ε·ln p with random signs ε and
√p held fixed, which varies far less than gradients of drawn classes. Of outputs that are no
classes the squared change is taken along random signs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from qviz.engine.chunks import Chunk
from qviz.engine.execute import WorkCancelledError
from qviz.engine.float_run import scored_output
from qviz.engine.metrics import Task
from qviz.engine.metrics.reading import Reading
from qviz.engine.program import Encodings, slots_by_operand
from qviz.model.model import Model, Step, Value
from qviz.model.runtime import Runtime
from qviz.quant.encoding import Encoding

DRAWS = 2  # backward passes, each with other signs
Never = Callable[[], bool]


class NoGradientError(Exception):
    """The model's scored output has no gradient with respect to a layer that it depends on."""


@dataclass(frozen=True, eq=False, slots=True)
class _Layer:
    """A layer's float operands and output on one chunk, and the gradients there, by draw."""

    step: Step
    operands: Sequence[Value]
    output: Tensor
    slopes: list[Tensor]  # none where the scored output does not depend on the layer


class Guess:
    """Sums over samples of each candidate's guessed effect."""

    def __init__(self, candidates: Sequence[Encodings], seed: int = 0) -> None:
        """Candidates hold the encodings of one layer's slots each, by slot name."""
        self._candidates = candidates
        self._sums = [0.0] * len(candidates)
        self._samples = 0
        self._generator = torch.Generator().manual_seed(seed)

    def add(
        self,
        model: Model,
        runtime: Runtime,
        chunk: Chunk,
        reading: Reading,
        task: Task,
        cancelled: Never = lambda: False,
    ) -> None:
        """Take one chunk into account.

        Raises:
            NoGradientError: a step between a layer and the output has no gradient.
            WorkCancelledError: `cancelled()` turned true between two candidates.
        """
        layers = self._layers(model, runtime, chunk, reading, task)
        slots = slots_by_operand(model)
        at = {slot.name: place for place, slot in slots.items()}
        for number, encodings in enumerate(self._candidates):
            if cancelled():
                raise WorkCancelledError
            places = {at[name]: encoding for name, encoding in encodings.items() if name in at}
            found = layers.get(next(iter(places))[0]) if places else None
            if found is not None:
                with torch.inference_mode():
                    self._sums[number] += _moved(runtime, found, places, chunk)
        self._samples += len(chunk.rows)

    def values(self) -> list[float]:
        """The guessed KL of each candidate in nats, or the squared change of outputs without."""
        return [total / max(self._samples * DRAWS, 1) for total in self._sums]

    def _layers(
        self, model: Model, runtime: Runtime, chunk: Chunk, reading: Reading, task: Task
    ) -> dict[int, _Layer]:
        """Every layer by its step, with gradients of its output."""
        wanted = {layer.step for layer in model.layers if layer.step is not None}
        leaves = {
            slot.value: model.constants[slot.value].detach().clone().requires_grad_()
            for slot in model.slots.values()
            if slot.role == "weight" and model.constants[slot.value].is_floating_point()
        }
        layers: dict[int, _Layer] = {}

        def observe(step: Step, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
            out = outputs[0] if outputs else None
            if step.index in wanted and isinstance(out, Tensor) and out.requires_grad:
                out.retain_grad()
                held = [v.detach() if isinstance(v, Tensor) else v for v in inputs]
                layers[step.index] = _Layer(step, held, out, [])

        with torch.enable_grad():
            try:
                outputs = runtime.run(chunk.feeds, substitute=leaves, observe=observe)
                output = scored_output(outputs, chunk, reading)
                if not output.requires_grad:
                    raise NoGradientError("the output has no gradient")
                for _ in range(DRAWS):
                    self._probe(output, task).backward(retain_graph=True)
                    for layer in layers.values():
                        if layer.output.grad is not None:
                            layer.slopes.append(layer.output.grad)
                        layer.output.grad = None
            except RuntimeError as error:  # an operator without a backward pass
                raise NoGradientError(str(error)) from error
        for index in wanted & _leading_to(model, reading.output):
            if index not in layers or not layers[index].slopes:
                raise NoGradientError(f"no gradient reaches {model.steps[index].name}")
        return layers

    def _probe(self, output: Tensor, task: Task) -> Tensor:
        """Σ √p·ε·ln p of every sample's classes; or the outputs added up with random signs."""
        if not task.classes:
            return (output * self._signs(output)).sum()
        logs = task.log_probabilities(output)
        positions = logs[0].numel() // logs.shape[-1]
        # Positions have signs of their own, so that squares of their sum add up: n·(1/√n)² a mean.
        roots = (0.5 * logs.detach()).exp() / sqrt(positions)
        return (roots * self._signs(logs) * logs).sum()

    def _signs(self, like: Tensor) -> Tensor:
        return torch.randint(0, 2, like.shape, generator=self._generator) * 2 - 1


def _leading_to(model: Model, output: str) -> set[int]:
    """Steps that an output depends on."""
    makers = {name: step for step in model.steps for name in step.outputs if name}
    found: set[int] = set()
    pending = [output]
    while pending:
        step = makers.get(pending.pop())
        if step is not None and step.index not in found:
            found.add(step.index)
            pending += [*step.inputs, *step.captures]
    return found


def _moved(
    runtime: Runtime,
    layer: _Layer,
    places: Mapping[tuple[int, int], Encoding],
    chunk: Chunk,
) -> float:
    """Σ ½(g·δ)² over samples and draws, δ the change of the layer's output under encodings."""
    operands = list(layer.operands)
    for (_, position), encoding in places.items():
        value = operands[position]
        if isinstance(value, Tensor):
            operands[position] = encoding.apply(value)
    (out, *_) = runtime.run_step(layer.step, operands)
    if not isinstance(out, Tensor):
        return 0.0
    change = _by_sample(out - layer.output.detach(), chunk)
    total = 0.0
    for slope in layer.slopes:
        along = (_by_sample(slope, chunk) * change).sum(1).double()
        total += 0.5 * float(along.square().sum())
    return total


def _by_sample(value: Tensor, chunk: Chunk) -> Tensor:
    """[n, …] of a value whose samples lie along its first axis, its second, or inside its first.

    Anything else is one row: products of different samples' gradients are 0 on average.
    """
    count = len(chunk.rows) + chunk.padded
    if value.ndim and value.shape[0] % count == 0:
        return chunk.trimmed(value.reshape(count, -1))
    if value.ndim > 1 and value.shape[1] == count:
        return chunk.trimmed(value.movedim(1, 0).reshape(count, -1))
    return value.reshape(1, -1)
