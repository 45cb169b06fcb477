"""The pass that takes the file's own quantizers out of a graph and remembers their scales.

QuantizeLinear and DequantizeLinear in front of a layer's operand go; the layer then reads floats,
and the quantizer is kept under the name of what it reads. Elsewhere they stay operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir
from torch import Tensor

from qviz.errors import QvizError
from qviz.model import passes
from qviz.model.model import Value
from qviz.model.quantized.layout import lay_out, moved_quantizer, moves
from qviz.model.quantized.node_parts import (
    constant_codes,
    constant_sizes,
    constant_tensor,
    inputs_of,
    is_op,
    whole,
)
from qviz.model.quantized.pairs import paired
from qviz.model.quantized.quantizer import Quantizer, lowest_code, remember, remembered
from qviz.model.step_runner import StepRunner
from qviz.model.steps import make_step

Quantizable = Callable[[ir.Node, int], bool]

_NEVER_NEGATIVE = {"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Abs", "Exp", "Softplus"}


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
            if (quantizer := remembered(value)) is not None:
                self._behind[value] = (value, quantizer)

    def visit(self, node: ir.Node) -> bool:
        """Rewrite what this node reads and makes; says whether anything changed."""
        changed = self._read_past(node)
        if is_op(node, "DequantizeLinear"):
            pair = paired(node)
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
            lowest = lowest_code(quantizer.code)
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
        codes, scale, zero = (constant_codes(value) for value in inputs_of(node, 3))
        floats = self._run(node, [constant_tensor(value) for value in node.inputs])
        if codes is None or scale is None or floats is None:
            return False
        constant = self._replace(node, floats)
        if codes[1] != "int32":  # an accumulator's type: biases, which have no slots
            axis, block = whole(node, "axis", 1), whole(node, "block_size", 0)
            zeros = None if zero is None else zero[0]
            self._note(constant, lay_out(codes[1], floats.shape, scale[0], zeros, axis, block))
        return True

    def _move(self, node: ir.Node) -> bool:
        """A constant and its quantizer go through an operator that only rearranges values."""
        first = node.inputs[0] if node.inputs else None
        if first is None or first not in self._behind or not moves(node):
            return False
        source, quantizer = self._behind[first]
        floats = self._run(node, [constant_tensor(value) for value in (source, *node.inputs[1:])])
        if floats is None or not source.is_initializer():
            return False
        moved = moved_quantizer(node, quantizer, constant_sizes(source), tuple(floats.shape))
        if source is first:
            self._note(self._replace(node, floats), moved)
            return True
        if moved is None:
            return False
        name = self._free_name(f"{source.name}::{node.op_type.lower()}")
        self._behind[node.outputs[0]] = (passes.add_constant(self._graph, name, floats), moved)
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
        constant = passes.add_constant(self._graph, name, floats.contiguous().clone())
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
