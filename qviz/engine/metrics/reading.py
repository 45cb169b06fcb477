"""Reading: which output is scored, along which axis its samples lie, and what made its numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from qviz.errors import QvizError
from qviz.model.model import Model

# Operators that change neither what numbers are nor which of them belong together.
_CARRIES = {
    "Cast",
    "DequantizeLinear",
    "Dropout",
    "Flatten",
    "Identity",
    "QuantizeLinear",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}

Origin = Literal["softmax", "sigmoid", "logits", "unknown"]
_ORIGINS: dict[str, Origin] = {
    "Conv": "logits",
    "ConvTranspose": "logits",
    "Gemm": "logits",
    "LogSoftmax": "logits",
    "MatMul": "logits",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """The output that is scored and the axis of its samples: 0, or 1 as recurrent networks do."""

    output: str
    axis: int
    certain: bool = True  # False where both axes are as long as the batch


def find_readings(outputs: Mapping[str, object], count: int) -> tuple[Reading, ...]:
    """The floating-point outputs with an entry for each of `count` samples, one at least.

    Others, such as a loss, are passed over.

    Raises:
        QvizError: no such output, or none with an entry per sample.
    """
    refused = ""
    shape: tuple[int, ...] = ()
    found = []
    for name, value in outputs.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        axes = [axis for axis, size in enumerate(value.shape[:2]) if size == count]
        if axes:
            found.append(Reading(name, axes[0], certain=len(axes) == 1))
        elif not refused:
            refused, shape = name, tuple(value.shape)
    if found:
        return tuple(found)
    if refused:
        raise QvizError(
            f"output '{refused}'",
            f"its shape {shape} has no entry per sample",
            "Export the model with a batch axis",
        )
    raise QvizError(
        "the model", "it has no floating-point output to score", "Export its logits as an output"
    )


def declared_axis(model: Model, output: str, columns: Collection[str]) -> int | None:
    """The axis of an output that the file declares as the batch of the inputs `columns`.

    It has the batch's name or, where the batch is of a fixed size, alone has that size.
    """
    batches = {info.shape[0] for info in model.inputs if info.name in columns and info.shape}
    value = next((value for value in model.graph.graph.outputs if value.name == output), None)
    if value is None or value.shape is None:
        return None
    sizes = [size if isinstance(size, int) else size.value for size in value.shape][:2]
    named = [axis for axis, size in enumerate(sizes) if isinstance(size, str) and size in batches]
    fixed = [axis for axis, size in enumerate(sizes) if isinstance(size, int) and size in batches]
    if named:
        return named[0]
    return fixed[0] if len(fixed) == 1 else None


def origin(model: Model, output: str) -> Origin:
    """What the numbers of an output are, as far as the operator that made them tells."""
    producers = {name: step for step in model.steps for name in step.outputs}
    step = producers.get(output)
    while step is not None and step.op in _CARRIES:
        step = producers.get(step.inputs[0])
    if step is None:
        return "unknown"
    return _ORIGINS.get(step.op, "unknown")
