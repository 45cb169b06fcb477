"""Which operators are layers, which of their operands a plan quantizes, and where channels lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from qviz.model.model import Step
from qviz.quant.axes import Axes

MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Operand:
    """How one input position of an operator is quantized."""

    position: int
    suffix: str
    weight_axis: Axes  # channel axis when the operand is constant
    input_axis: int | None  # channel axis when it is computed
    stacked: bool = False  # of a constant, axes before the last two hold matrices of their own

    def channels(self, shape: Sequence[int]) -> Axes:
        """The channel axes of a constant of this shape: every place along them is one output's."""
        rank, axis = len(shape), self.weight_axis
        if axis is None or rank < 2:
            return None
        stack = range(rank - 2 if self.stacked else 0)
        *others, last = (*stack, *(axis if isinstance(axis, tuple) else (axis % rank,)))
        if max(*others, last, 0) >= rank:  # an equation of another rank
            return None
        long = tuple(at for at in others if shape[at] > 1)
        return (*long, last) if long else last


@dataclass(frozen=True, slots=True)
class LayerKind:
    """The operands of a layer that multiply, in the order of its slots, and its bias."""

    operands: tuple[Operand, ...]
    bias: int | None = None
    constant_first: bool = False  # a layer only where the first operand is a table of constants


def layer_kind(step: Step) -> LayerKind | None:
    """How a step is quantized; None when it is no layer."""
    find = _KINDS.get((step.domain, step.op))
    return None if find is None else find(step)


def _convolution(step: Step) -> LayerKind:
    channels = 1 if step.op == "ConvTranspose" else 0
    return LayerKind((Operand(1, "W", channels, channels), Operand(0, "X", 1, 1)), bias=2)


def _gemm(step: Step) -> LayerKind:
    rows_first = not step.attributes.get("transA", 0)
    columns = 0 if step.attributes.get("transB", 0) else 1
    data = Operand(0, "A", 0 if rows_first else 1, 1 if rows_first else 0)
    return LayerKind((Operand(1, "B", columns, columns), data), bias=2)


def _matmul(step: Step) -> LayerKind:
    """Also com.microsoft's FusedMatMul, which can swap the last two axes of either side."""
    left = (-1, -2) if step.attributes.get("transA", 0) else (-2, -1)
    right = -2 if step.attributes.get("transB", 0) else -1
    operands = Operand(1, "B", right, right, stacked=True), Operand(0, "A", *left, stacked=True)
    return LayerKind(operands)


def _recurrent(step: Step) -> LayerKind:
    """Weights [directions, gates·hidden, n]: both directions have rows of their own."""
    del step
    weights = (Operand(1, "W", (0, 1), 1), Operand(2, "R", (0, 1), 1))
    return LayerKind((*weights, Operand(0, "X", None, -1)), bias=3)


def _embedding(step: Step) -> LayerKind | None:
    if step.attributes.get("axis", 0) != 0:
        return None
    return LayerKind((Operand(0, "data", 0, None),), constant_first=True)


def _attention(step: Step) -> LayerKind:
    del step
    return LayerKind(tuple(Operand(n, "QKV"[n], -1, -1, stacked=True) for n in range(3)))


def _fused_attention(step: Step) -> LayerKind:
    """com.microsoft Attention: one weight [hidden, 3·hidden] makes query, key and value."""
    del step
    return LayerKind((Operand(1, "W", 1, 1), Operand(0, "X", None, -1)), bias=2)


def _einsum(step: Step) -> LayerKind | None:
    """Channels of a weight: its indices in the output, if the other operands lack one of them."""
    terms = einsum_terms(step)
    if terms is None or len(terms[0]) < 2:
        return None
    return LayerKind(tuple(_einsum_operand(n, *terms) for n in range(len(terms[0]))))


def einsum_terms(step: Step) -> tuple[list[str], str] | None:
    """The operands' indices and the output's; None where an ellipsis hides some."""
    equation = step.attributes.get("equation")
    text = (equation.decode() if isinstance(equation, bytes) else str(equation)).replace(" ", "")
    if "." in text:
        return None
    left, arrow, output = text.partition("->")
    operands = left.split(",")
    if not arrow:  # numpy's rule: the indices that occur once, in alphabetical order
        output = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    return operands, output


def _einsum_operand(n: int, operands: list[str], output: str) -> Operand:
    own = operands[n]
    others = "".join(operands[:n] + operands[n + 1 :])
    alone = any(index in output and index not in others for index in own)
    kept = tuple(at for at, index in enumerate(own) if index in output)
    summed = next((at for at, index in enumerate(own) if index not in output), None)
    return Operand(n, str(n), kept if alone else None, summed)


_KINDS: Mapping[tuple[str, str], Callable[[Step], LayerKind | None]] = {
    ("", "Conv"): _convolution,
    ("", "ConvTranspose"): _convolution,
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul,
    ("", "LSTM"): _recurrent,
    ("", "GRU"): _recurrent,
    ("", "RNN"): _recurrent,
    ("", "Gather"): _embedding,
    ("", "Attention"): _attention,
    ("", "Einsum"): _einsum,
    (MICROSOFT, "FusedConv"): _convolution,
    (MICROSOFT, "FusedGemm"): _gemm,
    (MICROSOFT, "FusedMatMul"): _matmul,
    (MICROSOFT, "Attention"): _fused_attention,
}
