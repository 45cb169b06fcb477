"""Runs one step: its torch meaning where there is one, else a one-node onnxruntime session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import onnx_ir as ir
import torch

from qviz.errors import QvizError, first_line
from qviz.model.model import Step, Value
from qviz.model.node_session import NodeSession, signature
from qviz.model.operators import Operator, UnsupportedError, find_operator
from qviz.model.result_sizes import result_elements
from qviz.model.tensors import size_bytes

# Constants up to this size are built into a session, which packs them once.
_BUILT_IN_BYTES = 64 << 20
# More values in one result are taken for a mistake in the model: 2 GiB of float32.
LARGEST_RESULT = 1 << 29
CPU = torch.device("cpu")


@contextmanager
def naming(step: Step) -> Iterator[None]:
    """Whatever fails within is said of the step; raises QvizError.

    A device without memory left is no fault of the step: that error goes on as it is.
    """
    try:
        yield
    except (QvizError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise QvizError(
            f"{step.name} ({step.op})",
            f"it cannot run: {first_line(error)[:300].rstrip('.')}",
            "Check that the samples have the shapes and types the model's inputs declare",
        ) from error


def moved(value: Value, place: torch.device) -> Value:
    """A value on a device; what is no tensor stays where it is."""
    if isinstance(value, list):
        return [moved(item, place) for item in value]
    return value.to(place) if isinstance(value, torch.Tensor) else value


class StepRunner:
    """Runs steps of one graph on a device and keeps the sessions they need."""

    def __init__(
        self, graph: ir.Model, constants: Mapping[str, torch.Tensor], place: torch.device = CPU
    ) -> None:
        """Remember the graph's functions and constants; nothing is built or moved yet."""
        self.place = place
        self._graph = graph
        self._constants = constants
        self._moved: dict[str, torch.Tensor] = {}
        self._sessions: dict[tuple[object, ...], NodeSession] = {}
        self._fallen_back: set[str] = set()

    @property
    def fallen_back(self) -> frozenset[str]:
        """Operators that so far ran in onnxruntime."""
        return frozenset(self._fallen_back)

    def constant(self, name: str) -> torch.Tensor:
        """One of the graph's constants where steps run; it is moved there once."""
        if self.place == CPU:
            return self._constants[name]
        if name not in self._moved:
            self._moved[name] = self._constants[name].to(self.place)
        return self._moved[name]

    def run(
        self, step: Step, inputs: Sequence[Value], captures: Mapping[str, Value]
    ) -> tuple[Value, ...]:
        """The outputs of a step; raises QvizError naming the step when its inputs do not fit."""
        _check_size(step, inputs)
        with naming(step):
            try:
                if self.place == CPU:
                    return self._run(step, inputs, captures)
                with self.place:  # what an operator makes, an index or a shape, is made there
                    outputs = self._run(step, inputs, captures)
                return tuple(moved(value, self.place) for value in outputs)
            except Exception:
                if step.op == "Gather":
                    _check_look_up(step, inputs)
                raise

    def _run(
        self, step: Step, inputs: Sequence[Value], captures: Mapping[str, Value]
    ) -> tuple[Value, ...]:
        found = find_operator(step.domain, step.op, step.version)
        if found is not None and _accepts(found, inputs):
            try:
                return _as_outputs(found.function(step, *_trimmed(inputs)), step)
            except (UnsupportedError, NotImplementedError):
                pass
        return self._run_session(step, inputs, captures)

    def _run_session(
        self, step: Step, inputs: Sequence[Value], captures: Mapping[str, Value]
    ) -> tuple[Value, ...]:
        self._fallen_back.add(step.op)
        if self.place != CPU:  # onnxruntime's values are in the memory of the CPU
            inputs = [self._on_cpu(n, v) for n, v in zip(step.inputs, inputs, strict=True)]
            captures = {name: self._on_cpu(name, value) for name, value in captures.items()}
        declared = step.node.inputs
        values = {
            name: value
            for name, value, info in zip(step.inputs, inputs, declared, strict=True)
            if name and (value is not None or _optional(info))
        }
        values.update({name: captures[name] for name in step.captures})
        fixed = {name: value for name, value in values.items() if self._is_fixed(name, value)}
        key = (step.index, step.key, signature(values), tuple(fixed))
        session = self._sessions.get(key)
        if session is None:
            with CPU:
                session = NodeSession(step, values, _tensors(fixed), self._graph)
            self._sessions[key] = session
        with CPU:
            return session.run(values)

    def _on_cpu(self, name: str, value: Value) -> Value:
        """A value from the device; of a constant the graph's own, which a session builds in."""
        if value is not None and value is self._moved.get(name):
            return self._constants[name]
        return moved(value, CPU)

    def _is_fixed(self, name: str, value: Value) -> bool:
        """Whether the value is the model's own constant, not a substitute for it."""
        if not isinstance(value, torch.Tensor) or size_bytes(value) > _BUILT_IN_BYTES:
            return False
        return self._constants.get(name) is value


def _check_size(step: Step, inputs: Sequence[Value]) -> None:
    elements = result_elements(step, inputs)
    if elements > LARGEST_RESULT:
        raise QvizError(
            f"{step.name} ({step.op})",
            f"its result would have {elements:,} values, too many to hold",
            "Check the sizes that the model computes, or give samples of other sizes",
        )


def _check_look_up(step: Step, inputs: Sequence[Value]) -> None:
    """Say it where ids of tokens, or their positions, are beyond the rows of an embedding."""
    table, indices = inputs[0], inputs[1]
    if not isinstance(table, torch.Tensor) or not isinstance(indices, torch.Tensor):
        return
    rows = table.shape[int(step.attributes.get("axis", 0))] if table.dim() else 0
    if not rows or not indices.numel() or -rows <= indices.min() <= indices.max() < rows:
        return
    length = indices.shape[-1] if indices.dim() else 1
    raise QvizError(
        f"{step.name} ({step.op})",
        f"it looks up row {int(indices.max())} of a table of {rows:,}, for {length:,} tokens",
        f"If the table is of positions, give at most {rows:,} tokens at once: --reading "
        f"length={rows}, or Samples Options; if it is the vocabulary, take this model's tokenizer",
    )


def _tensors(values: Mapping[str, Value]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}


def _accepts(found: Operator, inputs: Sequence[Value]) -> bool:
    return found.any_value or all(x is None or isinstance(x, torch.Tensor) for x in inputs)


def _optional(info: ir.Value | None) -> bool:
    return info is not None and isinstance(info.type, ir.OptionalType)


def _trimmed(inputs: Sequence[Value]) -> Sequence[Value]:
    """Without absent inputs at the end, so that operators' defaults apply."""
    count = len(inputs)
    while count and inputs[count - 1] is None:
        count -= 1
    return inputs[:count]


def _as_outputs(result: Any, step: Step) -> tuple[Value, ...]:
    outputs = result if isinstance(result, tuple) else (result,)
    missing = len(step.outputs) - len(outputs)
    if missing > 0 and any(step.outputs[len(outputs) :]):
        raise UnsupportedError(f"output {len(outputs)} of {step.op}")
    return outputs[: len(step.outputs)] + (None,) * missing
