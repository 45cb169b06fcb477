"""Runs a model step by step in torch; what torch does not mean runs in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import torch

from qviz.model.feeds import check_feeds, synthetic_feeds
from qviz.model.model import Model, Step, Value
from qviz.model.operators import find_operator
from qviz.model.step_runner import CPU, StepRunner, moved
from qviz.model.uses import count_uses, release

__all__ = ["Observer", "Runtime", "synthetic_feeds"]

Observer = Callable[[Step, Sequence[Value], tuple[Value, ...]], None]


class Runtime:
    """Runs one model. Differentiable where the inputs are; outputs may be views of inputs."""

    def __init__(self, model: Model, place: torch.device = CPU) -> None:
        """Prepare to run on a device, in torch and in onnxruntime's sessions, made when needed."""
        self._model = model
        self._runner = StepRunner(model.graph, model.constants, place)
        self._uses = count_uses(model.steps)

    @property
    def onnxruntime_ops(self) -> tuple[str, ...]:
        """Operators that run in onnxruntime, those that only so far turned out to included."""
        lacking = {
            step.op
            for step in self._model.steps
            if find_operator(step.domain, step.op, step.version) is None
        }
        return tuple(sorted(lacking | self._runner.fallen_back))

    @property
    def place(self) -> torch.device:
        """The device on which steps run."""
        return self._runner.place

    def constant(self, name: str) -> torch.Tensor:
        """One of the model's constants where steps run; it is moved there once."""
        return self._runner.constant(name)

    def run_step(self, step: Step, operands: Sequence[Value]) -> tuple[Value, ...]:
        """Outputs of one step for its inputs, None for absent ones, and then its captures."""
        count = len(step.inputs)
        captures = dict(zip(step.captures, operands[count:], strict=True))
        return self._runner.run(step, operands[:count], captures)

    def run(
        self,
        feeds: Mapping[str, Value],
        keep: Collection[str] | None = None,
        substitute: Mapping[str, torch.Tensor] | None = None,
        observe: Observer | None = None,
    ) -> dict[str, Value]:
        """Run all steps and return the values named in `keep` (the model's outputs by default).

        `substitute` replaces constants by name; `observe` sees every step's inputs and outputs.
        Every other value is freed after its last use. Raises QvizError when the feeds do not fit.
        """
        check_feeds(self._model, feeds)
        wanted = frozenset(self._model.outputs if keep is None else keep)
        given = {**(substitute or {}), **feeds}
        values = {name: moved(value, self.place) for name, value in given.items()}
        uses = self._uses.copy()
        uses.update(wanted)

        def read(name: str) -> Value:
            if not name:
                return None
            return values[name] if name in values else self.constant(name)

        for step in self._model.steps:
            inputs = [read(name) for name in step.inputs]
            outputs = self.run_step(step, [*inputs, *map(read, step.captures)])
            values.update({n: v for n, v in zip(step.outputs, outputs, strict=True) if n})
            if observe is not None:
                observe(step, inputs, outputs)
            del inputs, outputs
            release(step, uses, values)
        return {name: read(name) for name in wanted}
