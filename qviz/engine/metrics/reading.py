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


def find_reading(outputs: Mapping[str, object], count: int) -> Reading:
    """The first floating-point output with an entry for each of `count` samples.

    Others, such as a loss, are passed over.

    Raises:
        QvizError: no such output, or none with an entry per sample.
    """
    refused = ""
    shape: tuple[int, ...] = ()
    for name, value in outputs.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        axes = [axis for axis, size in enumerate(value.shape[:2]) if size == count]
        if axes:
            return Reading(name, axes[0], certain=len(axes) == 1)
        if not refused:
            refused, shape = name, tuple(value.shape)
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
    """The axis of an output that the file gives the name of the batch of the inputs `columns`."""
    batches = {info.shape[0] for info in model.inputs if info.name in columns and info.shape}
    names = {batch for batch in batches if isinstance(batch, str)}
    value = next((value for value in model.graph.graph.outputs if value.name == output), None)
    if value is None or value.shape is None:
        return None
    sizes = [size if isinstance(size, int) else size.value for size in value.shape]
    return next((axis for axis, size in enumerate(sizes[:2]) if size in names), None)


def origin(model: Model, output: str) -> Origin:
    """What the numbers of an output are, as far as the operator that made them tells."""
    producers = {name: step for step in model.steps for name in step.outputs}
    step = producers.get(output)
    while step is not None and step.op in _CARRIES:
        step = producers.get(step.inputs[0])
    if step is None:
        return "unknown"
    return _ORIGINS.get(step.op, "unknown")
