"""The pass that takes the file's own quantizers out of a graph and remembers their scales.

QuantizeLinear and DequantizeLinear in front of a layer's operand go; the layer then reads floats,
and the quantizer is kept under the name of what it reads. Elsewhere they stay operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.errors import QvizError
from qviz.model import passes
from qviz.model.model import Value
from qviz.model.step_runner import StepRunner
from qviz.model.steps import make_step
from qviz.model.tensors import from_onnx, onnx_dtype, to_onnx, widened

Quantizable = Callable[[ir.Node, int], bool]

_MOVES = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_NEVER_NEGATIVE = {"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Abs", "Exp", "Softplus"}
_DOMAINS = ("", "com.microsoft")  # onnxruntime's domain has 4- and 16-bit codes before opset 21
_QUANTIZER = "quantizer"  # in a constant's `meta`: its Quantizer, or None where none can hold it


@dataclass(frozen=True, eq=False, slots=True)
class Quantizer:
    """A quantizer as a file holds it, in terms of the tensor that the layer reads.

    `scale` is float32 and `zero_point` int32 of shape [1], [channels] along `axis`, or
    [channels, blocks] for blocks of `block` consecutive values of a channel. `code` is the type of
    the codes in ONNX's spelling ("int8", "uint4", "float8e4m3fn"), or "nf4".
    """

    code: str
    scale: Tensor
    zero_point: Tensor
    axis: int | None = None  # negative where the tensor's rank is unknown
    block: int | None = None

    def same_as(self, other: Quantizer) -> bool:
        """Whether both give the same values."""
        ours, theirs = (self.code, self.axis, self.block), (other.code, other.axis, other.block)
        return (
            ours == theirs
            and torch.equal(self.scale, other.scale)
            and torch.equal(self.zero_point, other.zero_point)
        )


def take_quantizers(graph: ir.Model, quantizable: Quantizable) -> tuple[dict[str, Quantizer], bool]:
    """Quantizers by the name of the float value that a layer reads once they are gone.

    `quantizable(node, position)` says which operands are layers' slots. Codes that are constants
    become floats, moved through Transpose, Reshape and the like. Runs before folding does.
    """
    taker = _Taker(graph, quantizable)
    changed = False
    for node in list(graph.graph):
        changed |= taker.visit(node)
    taker.write_relus()
    if changed:
        passes.drop_unused(graph)
    return taker.at_slots(), changed


def quantized_note(graph: ir.Model, quantizers: Mapping[str, Quantizer]) -> str:
    """One line for the user about a graph whose quantizers were taken; "" for a float model."""
    constants = graph.graph.initializers
    weights = sum(name in constants for name in quantizers)
    inputs = len(quantizers) - weights
    elsewhere = sum(_quantizes_computed(node) for node in graph.graph)
    bare = sum(value.meta.get(_QUANTIZER, False) is None for value in constants.values())
    parts = []
    if quantizers:
        kept = [_count(n, word) for n, word in ((weights, "weight"), (inputs, "input")) if n]
        verb = "keeps" if len(quantizers) == 1 else "keep"
        parts.append(f"{' and '.join(kept)} {verb} the file's scales")
    if bare:
        parts.append(f"{_count(bare, 'constant')} opened as values, without scales")
    if elsewhere:
        places = "another place runs" if elsewhere == 1 else "other places run"
        kind = "operator" if elsewhere == 1 else "operators"
        parts.append(f"{_count(elsewhere, 'quantizer')} at {places} as {kind}")
    return f"quantized file: {'; '.join(parts)}" if parts else ""


def add_constant(graph: ir.Model, name: str, tensor: Tensor) -> ir.Value:
    """A new initializer of the graph."""
    held = to_onnx(tensor, name)
    value = ir.Value(name=name, const_value=held, shape=ir.Shape(tensor.shape))
    value.dtype = held.dtype
    graph.graph.register_initializer(value)
    return value


def remember(constant: ir.Value, quantizer: Quantizer | None) -> None:
    """Note on a constant what quantizer the file has for it; None where none can hold it."""
    constant.meta[_QUANTIZER] = quantizer


def carries_quantizer(value: ir.Value | None) -> bool:
    """Whether the constant is a weight whose scales the file gave."""
    return value is not None and isinstance(value.meta.get(_QUANTIZER), Quantizer)


def constant_codes(value: ir.Value | None) -> tuple[Tensor, str] | None:
    """A constant's tensor, types torch lacks widened, and the name of its ONNX type."""
    tensor = _constant(value)
    if tensor is None:
        return None
    code = onnx_dtype(tensor).name.lower()
    return (tensor if isinstance(tensor, Tensor) else widened(tensor)), code


def lay_out(
    code: str,
    shape: Sequence[int],
    scale: Tensor,
    zero_point: Tensor | None,
    axis: int = 0,
    block: int = 0,
) -> Quantizer | None:
    """DequantizeLinear's scale, for a constant of this shape; None where no Quantizer can hold it.

    A negative scale turns the codes round (c → qmin + qmax - c), which keeps every value; a scale
    of zero, which some writers store for blocks of zeros, becomes one.
    """
    scale = scale.to(torch.float32)
    zero = torch.zeros_like(scale) if zero_point is None else zero_point.to(torch.float32)
    if zero.numel() != scale.numel() or not bool(torch.isfinite(scale).all()):
        return None
    placed = _placed(shape, scale, axis, block)
    if placed is None or not torch.equal(zero, zero.round()):
        return None
    channel, blocks = placed
    scale, zero = (_rows(x, channel, blocks) for x in (scale, zero.reshape(scale.shape)))
    zero = torch.where(scale < 0, _code_sum(code) - zero, zero).to(torch.int32)
    scale = torch.where(scale == 0, 1.0, scale.abs())
    held = block if blocks > 1 else None
    return Quantizer(code, scale.contiguous(), zero.contiguous(), channel, held)


def _placed(
    shape: Sequence[int], scale: Tensor, axis: int, block: int
) -> tuple[int | None, int] | None:
    """Channel axis and blocks of a channel; None where blocks are not runs of one channel."""
    if scale.numel() == 1:
        return None, 1
    axis = axis + len(shape) if axis < 0 else axis
    if not 0 <= axis < len(shape):
        return None
    if scale.dim() == 1 and not block:
        return (axis, 1) if scale.numel() == shape[axis] else None
    blocks = -(-shape[axis] // block) if block else 0
    wanted = [blocks if place == axis else size for place, size in enumerate(shape)]
    others = [place for place, size in enumerate(shape) if place != axis and size > 1]
    if list(scale.shape) != wanted or len(others) > 1:
        return None
    return (others[0] if others else None), blocks


def _rows(parameter: Tensor, channel: int | None, blocks: int) -> Tensor:
    """[1], [channels] or [channels, blocks]."""
    moved = parameter
    if channel is not None and parameter.dim() > 1:
        moved = parameter.movedim(channel, 0)
    return moved.reshape(-1, blocks) if blocks > 1 else moved.reshape(-1)


def _code_sum(code: str) -> int:
    """Lowest plus highest code."""
    if code.startswith("int"):
        return -1
    return 2 ** int(code[4:]) - 1 if code.startswith("uint") else 0


def _lowest_code(code: str) -> int | None:
    """Of an integer type."""
    if code.startswith("uint"):
        return 0
    return -(2 ** (int(code[3:]) - 1)) if code.startswith("int") else None


class _Taker:
    """Visits the nodes in order.

    `_behind` names, for a value that went through a quantizer, the float value before it.
    """

    def __init__(self, graph: ir.Model, quantizable: Quantizable) -> None:
        self._graph = graph
        self._quantizable = quantizable
        self._runner = StepRunner(graph, {})
        self._behind: dict[ir.Value, tuple[ir.Value, Quantizer]] = {}
        self._taken: dict[ir.Value, Quantizer] = {}
        for value in graph.graph.initializers.values():
            if isinstance(quantizer := value.meta.get(_QUANTIZER), Quantizer):
                self._behind[value] = (value, quantizer)

    def visit(self, node: ir.Node) -> bool:
        """Rewrite what this node reads and makes; says whether anything changed."""
        changed = self._read_past(node)
        if _is(node, "DequantizeLinear"):
            pair = _paired(node)
            if pair is not None:
                self._behind[node.outputs[0]] = pair
                return changed
            return self._fold_codes(node) or changed
        return self._move(node) or changed

    def write_relus(self) -> None:
        """Write out the ReLU that a quantizer stood for: its codes begin at zero.

        onnxruntime's quantizer drops a ReLU before such a quantizer, which saturates there anyway.
        """
        for source, quantizer in list(self._taken.items()):
            node = source.producer()
            lowest = _lowest_code(quantizer.code)
            if lowest is None or bool((quantizer.zero_point != lowest).any()):
                continue
            if node is None or node.op_type in _NEVER_NEGATIVE:
                continue
            slots = [use for use in source.uses() if self._is_slot(use.node, use.idx, source)]
            relu = ir.node("Relu", [source], name=f"{node.name}::relu")
            relu.outputs[0].name = f"{source.name}::relu"
            relu.outputs[0].type, relu.outputs[0].shape = source.type, source.shape
            self._graph.graph.insert_after(node, relu)
            for use in slots:
                use.node.replace_input_with(use.idx, relu.outputs[0])
            self._taken[relu.outputs[0]] = self._taken.pop(source)

    def at_slots(self) -> dict[str, Quantizer]:
        """The quantizers of values that layers read as slots."""
        return {value.name or "": quantizer for value, quantizer in self._taken.items()}

    def _read_past(self, node: ir.Node) -> bool:
        """Let a layer's operands be read from before their quantizers."""
        changed = False
        for position, value in enumerate(node.inputs):
            if value is None or value not in self._behind:
                continue
            source, quantizer = self._behind[value]
            if self._is_slot(node, position, source) and self._agrees(source, value, quantizer):
                node.replace_input_with(position, source)
                self._taken[source] = quantizer
                if source.is_initializer():
                    remember(source, quantizer)
                changed |= source is not value
        return changed

    def _agrees(self, source: ir.Value, value: ir.Value, quantizer: Quantizer) -> bool:
        """A value has one quantizer for all its slots: none may read it bare or through another."""
        if source in self._taken:
            return self._taken[source].same_as(quantizer)
        bare = any(self._is_slot(use.node, use.idx, source) for use in source.uses())
        return source is value or not bare

    def _is_slot(self, node: ir.Node, position: int, source: ir.Value) -> bool:
        """Whether the operand would be a slot if it read this value; a Gather needs a table."""
        if node.graph is not self._graph.graph or not self._quantizable(node, position):
            return False
        table = source.is_initializer() and source.shape is not None and len(source.shape) == 2
        return node.op_type != "Gather" or table

    def _fold_codes(self, node: ir.Node) -> bool:
        """DequantizeLinear of constants becomes the floats it gives."""
        codes, scale, zero = (constant_codes(value) for value in _given(node, 3))
        floats = self._run(node, [_constant(value) for value in node.inputs])
        if codes is None or scale is None or floats is None:
            return False
        constant = self._replace(node, floats)
        if codes[1] != "int32":  # an accumulator's type: biases, which have no slots
            axis, block = _number(node, "axis", 1), _number(node, "block_size", 0)
            zeros = None if zero is None else zero[0]
            self._note(constant, lay_out(codes[1], floats.shape, scale[0], zeros, axis, block))
        return True

    def _move(self, node: ir.Node) -> bool:
        """A constant and its quantizer go through an operator that only rearranges values."""
        first = node.inputs[0] if node.inputs else None
        if first is None or first not in self._behind or not _moves(node):
            return False
        source, quantizer = self._behind[first]
        floats = self._run(node, [_constant(value) for value in (source, *node.inputs[1:])])
        if floats is None or not source.is_initializer():
            return False
        moved = _moved(node, quantizer, _sizes(source), tuple(floats.shape))
        if source is first:
            self._note(self._replace(node, floats), moved)
            return True
        if moved is None:
            return False
        name = self._free_name(f"{source.name}::{node.op_type.lower()}")
        self._behind[node.outputs[0]] = (add_constant(self._graph, name, floats), moved)
        return True

    def _run(self, node: ir.Node, inputs: Sequence[Value]) -> Tensor | None:
        """The node's output where all it reads is constant and nobody outside reads it."""
        given = [value is not None for value in node.inputs]
        if node.outputs[0].is_graph_output() or given != [value is not None for value in inputs]:
            return None
        step = make_step(0, node, self._graph.opset_imports)
        try:
            result = self._runner.run(step, inputs, {})[0]
        except QvizError:
            return None  # stays a node, which says what is wrong when it runs
        return result if isinstance(result, Tensor) and result.is_floating_point() else None

    def _replace(self, node: ir.Node, floats: Tensor) -> ir.Value:
        """A constant under the name of the node's output, for all its readers."""
        output = node.outputs[0]
        name = output.name or ""
        output.name = f"{name}::taken"
        constant = add_constant(self._graph, name, floats.contiguous().clone())
        output.replace_all_uses_with(constant)
        return constant

    def _note(self, constant: ir.Value, quantizer: Quantizer | None) -> None:
        remember(constant, quantizer)
        if quantizer is not None:
            self._behind[constant] = (constant, quantizer)

    def _free_name(self, wish: str) -> str:
        name, number = wish, 1
        while name in self._graph.graph.initializers:
            number += 1
            name = f"{wish}_{number}"
        return name


def _paired(node: ir.Node) -> tuple[ir.Value, Quantizer] | None:
    """The value before QuantizeLinear and DequantizeLinear that undo each other."""
    quantize = node.inputs[0].producer() if node.inputs[0] is not None else None
    if quantize is None or not _is(quantize, "QuantizeLinear"):
        return None
    value, *ours = _given(quantize, 3)
    _, *theirs = _given(node, 3)
    axis = _number(quantize, "axis", 1)
    odd = _number(quantize, "precision", 0) or not _number(quantize, "saturate", 1)
    blocks = _number(quantize, "block_size", 0) or _number(node, "block_size", 0)
    if value is None or odd or blocks or axis != _number(node, "axis", 1):
        return None
    scale, zero = (constant_codes(parameter) for parameter in ours)
    if scale is None or not all(map(_same, ours, theirs)):
        return None
    code = ir.DataType(_number(quantize, "output_dtype", 0) or ir.DataType.UINT8).name.lower()
    code, zeros = (code, None) if zero is None else (zero[1], zero[0])
    if not bool((scale[0] > 0).all()) or scale[0].dim() > 1:
        return None
    if value.is_initializer() or scale[0].numel() == 1:
        quantizer = lay_out(code, _sizes(value), scale[0], zeros, axis)
    else:
        quantizer = _along(value, code, scale[0], zeros, axis)
    return None if quantizer is None else (value, quantizer)


def _along(
    value: ir.Value, code: str, scale: Tensor, zero_point: Tensor | None, axis: int
) -> Quantizer:
    """Per-channel scales of a computed value, whose sizes nobody may know."""
    rank = len(value.shape) if value.shape is not None else 0
    zero = torch.zeros_like(scale) if zero_point is None else zero_point
    placed = axis + rank if axis < 0 else axis
    return Quantizer(code, scale.float(), zero.to(torch.int32), placed if rank else axis)


def _moved(
    node: ir.Node, quantizer: Quantizer, before: tuple[int, ...], after: tuple[int, ...]
) -> Quantizer | None:
    """The quantizer of a rearranged constant; None where its channels are no axis any more."""
    axis = quantizer.axis
    if node.op_type in ("Identity", "Cast") or (axis is None and quantizer.block is None):
        return quantizer
    if node.op_type == "Transpose":
        given = node.attributes.get("perm")
        order = list(reversed(range(len(before)))) if given is None else list(given.as_ints())
        others = [place for place in order if place != axis and before[place] > 1]
        if quantizer.block is not None and others != sorted(others):
            return None  # a block's values no longer follow one another
        return quantizer if axis is None else replace(quantizer, axis=order.index(axis))
    if axis is None:
        return quantizer
    ahead = math.prod(before[:axis])
    for place, size in enumerate(after):
        if size == before[axis] and math.prod(after[:place]) == ahead:
            return replace(quantizer, axis=place)
    return None


def _moves(node: ir.Node) -> bool:
    return node.domain == "" and node.op_type in _MOVES


def _is(node: ir.Node, op: str) -> bool:
    return node.op_type == op and node.domain in _DOMAINS


def _given(node: ir.Node, count: int) -> list[ir.Value | None]:
    """The node's first inputs, filled up with None."""
    return [*node.inputs[:count], *[None] * (count - len(node.inputs))]


def _number(node: ir.Node, name: str, default: int) -> int:
    attr = node.attributes.get(name)
    return default if attr is None else attr.as_int()


def _constant(value: ir.Value | None) -> Tensor | NDArray[Any] | None:
    held = None if value is None else ir.convenience.get_const_tensor(value)
    return None if held is None or held.dtype == ir.DataType.STRING else from_onnx(held)


def _sizes(value: ir.Value) -> tuple[int, ...]:
    """The shape of a constant; () for computed values."""
    return () if value.const_value is None else tuple(value.const_value.shape.numpy())


def _same(ours: ir.Value | None, theirs: ir.Value | None) -> bool:
    """Whether both are absent or equal constants."""
    if ours is None or theirs is None:
        return ours is theirs
    left, right = constant_codes(ours), constant_codes(theirs)
    if left is None or right is None:
        return False
    numbers = [codes.double().squeeze() for codes, _ in (left, right)]  # [1] is one number too
    return left[1] == right[1] and torch.equal(*numbers)


def _quantizes_computed(node: ir.Node) -> bool:
    if not (_is(node, "QuantizeLinear") or _is(node, "DynamicQuantizeLinear")):
        return False
    source = node.inputs[0]
    return source is not None and ir.convenience.get_const_tensor(source) is None


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
