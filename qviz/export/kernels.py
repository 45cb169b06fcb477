"""Kernels: which layers onnxruntime's integer kernels take, and how the others keep their numbers.

Its transformer WeightBiasQuantization rounds the bias of a layer to s_w·s_x, and float weights to
int8 with one scale, wherever an input comes from a DequantizeLinear with one scale and the output
goes to a QuantizeLinear. That is the price of an integer kernel; a layer that none runs pays it
for nothing. One scale written once for every channel means the same and is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from qviz.export.containers import container_of
from qviz.export.inputs import Spread, input_container
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.grids import Integers

_ROUNDED = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # it makes a Gemm of MatMul and Add


def spread_of(
    model: Model, slot: Slot, encodings: Mapping[str, Encoding], opset: int
) -> Spread | None:
    """Along what to repeat the scale of an input that no integer kernel reads; None for others."""
    layer = model.layers[slot.layer]
    weight = next((model.slots[name] for name in layer.slots if name.endswith(".weight")), None)
    if layer.step is None or weight is None or weight.operand != 1 or slot.operand != 0:
        return None
    step = model.steps[layer.step]
    if step.op not in _ROUNDED or step.domain or not isinstance(slot.axis, int):
        return None
    if _on_bytes(encodings[slot.name]) and _weight_on_bytes(encodings.get(weight.name), opset):
        return None
    shape = model.declared(weight.value).shape
    if step.op == "MatMul":
        return slot.axis, int(shape[-2] if len(shape) > 1 else shape[0])
    if step.op == "Conv":
        return slot.axis, int(shape[1]) * int(step.attributes.get("group", 1))
    return slot.axis, int(shape[1] if step.attributes.get("transB", 0) else shape[0])


def _on_bytes(encoding: Encoding) -> bool:
    """Whether an input uses all codes of a byte."""
    kind, grid = input_container(encoding), encoding.grid
    return isinstance(grid, Integers) and kind is not None and grid.qmax - grid.qmin == 255


def _weight_on_bytes(encoding: Encoding | None, opset: int) -> bool:
    """Whether a weight is integers in a byte each, which DequantizeLinear alone reads."""
    if not isinstance(encoding, Scaled) or not isinstance(encoding.grid, Integers):
        return False
    if encoding.block is not None:
        return False
    zeros, grid = encoding.zero_point, encoding.grid
    low, high = min(grid.qmin, int(zeros.min())), max(grid.qmax, int(zeros.max()))
    kind = container_of(low, high, opset)
    return kind.high - kind.low == 255
