"""Multiply-accumulates of every layer, from the shapes of one run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from qviz.model.layer_kinds import einsum_terms
from qviz.model.model import Model, Step
from qviz.model.slots import Layer

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]  # value name -> shape of one run, batch axis included
Count = Callable[[Step, list[Shape], Shape], int]  # of a step, its operands' shapes, its output's


def count_macs(model: Model, shapes: Shapes) -> dict[int, int]:
    """Multiply-accumulates of every layer, from the shapes of one float run.

    They are of the whole batch that `shapes` comes from. A layer whose operands' shapes are
    missing counts 0, and one inside a body, whose shapes are not seen.
    """
    return {layer.index: _macs(model, layer, shapes) for layer in model.layers}


def _macs(model: Model, layer: Layer, shapes: Shapes) -> int:
    step = None if layer.step is None else model.steps[layer.step]
    if step is None or step.op != layer.op or step.op not in _COUNTS:
        return 0
    operands = [
        tuple(model.constants[name].shape) if name in model.constants else shapes.get(name)
        for name in step.inputs
        if name
    ]
    known = [shape for shape in operands[:3] if shape is not None]
    # A recurrent layer may leave out its first output, which its count does not need.
    output = () if step.op in _RECURRENT else shapes.get(step.outputs[0])
    if len(known) < min(len(operands), 3) or len(known) < 2 or output is None:
        return 0
    return _COUNTS[step.op](step, known, output)


def _conv(_: Step, operands: list[Shape], output: Shape) -> int:
    return math.prod(output) * math.prod(operands[1][1:])


def _conv_transpose(_: Step, operands: list[Shape], output: Shape) -> int:
    del output
    return math.prod(operands[0]) * math.prod(operands[1][1:])


def _gemm(step: Step, operands: list[Shape], output: Shape) -> int:
    return math.prod(output) * operands[0][0 if step.attributes.get("transA", 0) else 1]


def _matmul(step: Step, operands: list[Shape], output: Shape) -> int:
    return math.prod(output) * operands[0][-2 if step.attributes.get("transA", 0) else -1]


def _recurrent(_: Step, operands: list[Shape], output: Shape) -> int:
    """Every time step multiplies all of W and R."""
    del output
    x, *weights = operands
    return x[0] * x[1] * sum(math.prod(weight) for weight in weights)


def _einsum(step: Step, operands: list[Shape], output: Shape) -> int:
    """Every combination of all indices; an ellipsis hides some, and counts 0."""
    del output
    terms = einsum_terms(step)
    if terms is None:
        return 0
    sizes = {
        index: size
        for term, shape in zip(terms[0], operands, strict=False)
        for index, size in zip(term, shape, strict=False)
    }
    return math.prod(sizes.values())


def _attention(step: Step, operands: list[Shape], output: Shape) -> int:
    """Queries by keys, and weights by values. com.microsoft's first makes the three by a weight."""
    if step.domain:
        x, weight = operands[:2]
        return math.prod(x) * weight[1] + 2 * math.prod(output) * x[1]
    queries, keys = operands[:2]
    return (math.prod(queries) + math.prod(output)) * keys[-2]


_RECURRENT = ("LSTM", "GRU", "RNN")
_COUNTS: Mapping[str, Count] = {
    "Conv": _conv,
    "FusedConv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "FusedGemm": _gemm,
    "MatMul": _matmul,
    "FusedMatMul": _matmul,
    **dict.fromkeys(_RECURRENT, _recurrent),
    "Einsum": _einsum,
    "Attention": _attention,
}
