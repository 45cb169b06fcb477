"""Device check: whether a device gives what the CPU gives, before any number of it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from qviz.engine.chunks import Chunk
from qviz.engine.devices import Device, DeviceFailedError, keep_full_precision
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.memo import Memo
from qviz.engine.program import Encodings, slots_by_operand
from qviz.errors import QvizError, root_cause
from qviz.model.model import Model, Step, Value
from qviz.model.runtime import Runtime
from qviz.quant.encode import encode
from qviz.quant.encoding import Encoding
from qviz.quant.spelling import parse_scheme

FLOAT_TOLERANCE = 1e-3  # of the norm of the outputs
# Sums in another order move a few values across a rounding threshold, by a whole step each.
QUANTIZED_TOLERANCE = 2e-2

Never = Callable[[], bool]
Outputs = Mapping[str, Value]


def check_device(model: Model, device: Device, chunk: Chunk, cancelled: Never) -> str:
    """Why a device is not to be used for a model; "" where it gives the CPU's outputs.

    Runs one chunk as floats and with every slot at 8 bits, first on the CPU.

    Raises:
        QvizError: the model cannot run on the chunk at all.
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    keep_full_precision()
    cpu = Executor(model, Memo(0), integers=False)
    with torch.inference_mode():
        eight = _eight_bits(model, chunk)
        try:
            there = Executor(model, Memo(0), place=device.place)
        except Exception as error:  # whatever a device that does not work may raise
            return _said(error)
        for encodings, tolerance in (({}, FLOAT_TOLERANCE), (eight, QUANTIZED_TOLERANCE)):
            expected = cpu.run(chunk, encodings, cpu.program(encodings), cancelled)
            try:
                found = there.run(chunk, encodings, there.program(encodings), cancelled)
            except WorkCancelledError:
                raise
            except Exception as error:  # it ran on the CPU a moment ago
                return _said(error)
            apart = largest_difference(found, expected)
            if not apart <= tolerance:
                what = "with 8 bits its outputs" if encodings else "its outputs"
                return f"{what} differ from the CPU's by {100 * apart:.2g} %"
    return ""


def largest_difference(found: Outputs, expected: Outputs) -> float:
    """The largest ‖found - expected‖ / ‖expected‖ of the outputs; inf where they do not compare."""
    return max((_difference(found.get(name), value) for name, value in expected.items()), default=0)


def _difference(found: Value, expected: Value) -> float:
    if not isinstance(expected, Tensor):
        return 0.0
    if not isinstance(found, Tensor) or found.shape != expected.shape:
        return float("inf")
    x, y = found.double(), expected.double()
    same = (x == y) | (x.isnan() & y.isnan())
    if not expected.is_floating_point():  # classes or indices: how many are others
        return float((~same).double().mean()) if same.numel() else 0.0
    error = torch.where(same, 0.0, x - y)
    size = y[y.isfinite()].norm()
    return float(error.norm() / size) if size > 0.0 else float(error.norm())


def _eight_bits(model: Model, chunk: Chunk) -> Encodings:
    """Every slot of real numbers at 8 bits, over the range that the float model gives it."""
    slots, weight, fed = slots_by_operand(model), parse_scheme("int8"), parse_scheme("uint8")
    found: dict[str, Encoding] = {}

    def observe(step: Step, inputs: Sequence[Value], _outputs: tuple[Value, ...]) -> None:
        for position, value in enumerate(inputs):
            slot = slots.get((step.index, position))
            if slot is None or not isinstance(value, Tensor) or not value.is_floating_point():
                continue
            if value.numel() and bool(value.isfinite().all()):
                low, high = value.amin().double().reshape(1), value.amax().double().reshape(1)
                found[slot.name] = encode(low, high, weight if slot.role == "weight" else fed, None)

    Runtime(model).run(chunk.feeds, keep=(), observe=observe)
    return found


def _said(error: Exception) -> str:
    if isinstance(error, DeviceFailedError):
        return error.cause
    if isinstance(error, QvizError):
        return f"{error.subject}: {error.cause}"  # the step and what it cannot do
    return root_cause(error).rstrip("!")
