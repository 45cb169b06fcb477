"""How large an operator's result will be, so that what cannot fit is refused before it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from qviz.model.model import Step, Value

_BROADCASTS = frozenset(
    {"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where", "PRelu"}
    | {"And", "Or", "Xor", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"}
    | {"BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"}
)


def result_elements(step: Step, inputs: Sequence[Value]) -> int:
    """Values in the result of an operator that can make much of little; 0 for all others.

    The inputs need not fit: what is wrong with them is for the operator to say.
    """
    given = [value if isinstance(value, torch.Tensor) else None for value in inputs]
    if step.domain:
        return 0
    if step.op in _BROADCASTS:
        return math.prod(_broadcast([t.shape for t in given if t is not None]))
    rule = _RULES.get(step.op)
    try:
        return 0 if rule is None else rule(step, given)
    except (IndexError, AttributeError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return 0


Given = Sequence[torch.Tensor | None]


def _broadcast(shapes: Sequence[Sequence[int]]) -> list[int]:
    """The larger of the sizes at every axis, from the last on."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return [max(sizes) for sizes in zip(*padded, strict=True)]


def _numbers(value: torch.Tensor | None) -> list[int]:
    return [] if value is None else [int(number) for number in value.reshape(-1).tolist()]


def _shape(value: torch.Tensor | None) -> list[int]:
    return [] if value is None else list(value.shape)


def _expand(_step: Step, given: Given) -> int:
    return math.prod(_broadcast([_shape(given[0]), _numbers(given[1])]))


def _tile(_step: Step, given: Given) -> int:
    return math.prod(_shape(given[0])) * math.prod(_numbers(given[1]))


def _filled(_step: Step, given: Given) -> int:
    return math.prod(_numbers(given[0]))


def _range(_step: Step, given: Given) -> int:
    start, limit, delta = (float(value) for value in given if value is not None)
    return math.ceil((limit - start) / delta)


def _pad(step: Step, given: Given) -> int:
    shape = _shape(given[0])
    pads = _numbers(given[1]) if len(given) > 1 else list(step.attributes.get("pads", ()))
    half = len(pads) // 2
    axes = _numbers(given[3]) if len(given) > 3 and given[3] is not None else range(half)
    for place, axis in enumerate(axes):
        shape[axis] = max(shape[axis] + pads[place] + pads[half + place], 0)
    return math.prod(shape)


def _one_hot(_step: Step, given: Given) -> int:
    return math.prod(_shape(given[0])) * _numbers(given[1])[0]


def _resize(step: Step, given: Given) -> int:
    data, sizes = given[0], given[3] if len(given) > 3 else None
    if sizes is not None:
        return math.prod(_numbers(sizes)) * (
            math.prod(_shape(data)[: -len(sizes)]) if "axes" in step.attributes else 1
        )
    scales = given[2] if len(given) > 2 else given[1]
    factor = math.prod(float(scale) for scale in scales.tolist()) if scales is not None else 1.0
    return math.ceil(math.prod(_shape(data)) * factor)


def _random(step: Step, _given: Given) -> int:
    return math.prod(step.attributes.get("shape", ()))


def _product(_step: Step, given: Given) -> int:
    left, right = _shape(given[0]), _shape(given[1])
    rows = left[-2] if len(left) > 1 else 1
    columns = right[-1] if len(right) > 1 else 1
    return math.prod(_broadcast([left[:-2], right[:-2]])) * rows * columns


def _gemm(step: Step, given: Given) -> int:
    left, right = _shape(given[0]), _shape(given[1])
    rows: int = left[1 if step.attributes.get("transA", 0) else 0]
    columns: int = right[0 if step.attributes.get("transB", 0) else 1]
    return rows * columns


def _gather(step: Step, given: Given) -> int:
    data, axis = _shape(given[0]), int(step.attributes.get("axis", 0))
    return math.prod(data) // max(data[axis], 1) * math.prod(_shape(given[1]))


def _concat(_step: Step, given: Given) -> int:
    return sum(math.prod(_shape(value)) for value in given)


def _einsum(step: Step, given: Given) -> int:
    """An index that is in several operands has the same size in all of them."""
    equation = step.attributes["equation"]
    text = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    left, arrow, output = text.partition("->")
    sizes: dict[str, int] = {}
    for term, value in zip(left.split(","), given, strict=True):
        sizes.update(zip(term, _shape(value), strict=False))
    kept = output if arrow else {index for index in sizes if left.count(index) == 1}
    return math.prod(sizes.get(index, 1) for index in kept)


def _convolution(step: Step, given: Given) -> int:
    """Batch times filters times the spatial sizes, without a stride where it cannot be read."""
    data, weight = _shape(given[0]), _shape(given[1])
    rank = len(data) - 2
    pads = list(step.attributes.get("pads", ())) or [0] * 2 * rank
    strides = list(step.attributes.get("strides", ())) or [1] * rank
    if step.op == "Conv":
        sizes: list[int] = [
            (data[2 + i] + pads[i] + pads[rank + i] - 1) // strides[i] + 1 for i in range(rank)
        ]
        return data[0] * weight[0] * math.prod(max(size, 0) for size in sizes)
    dilations = list(step.attributes.get("dilations", ())) or [1] * rank
    sizes = [
        (data[2 + i] - 1) * strides[i] + (weight[2 + i] - 1) * dilations[i] + 1 for i in range(rank)
    ]
    filters: int = weight[1] * step.attributes.get("group", 1)
    return data[0] * filters * math.prod(max(size, 0) for size in sizes)


_RULES: Mapping[str, Callable[[Step, Given], int]] = {
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Pad": _pad,
    "OneHot": _one_hot,
    "Resize": _resize,
    "Upsample": _resize,
    "HannWindow": _filled,
    "HammingWindow": _filled,
    "BlackmanWindow": _filled,
    "RandomNormal": _random,
    "RandomUniform": _random,
    "MatMul": _product,
    "Gemm": _gemm,
    "Gather": _gather,
    "Concat": _concat,
    "Einsum": _einsum,
    "Conv": _convolution,
    "ConvTranspose": _convolution,
}
