"""Weights of layers inside the bodies of If, Loop and Scan, moved out to where plans reach them."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir
import torch

from qviz.errors import QvizError
from qviz.model.layer_kinds import layer_kind
from qviz.model.model import Value
from qviz.model.passes import NEVER_FOLDED, add_constant, too_large_to_fold
from qviz.model.step_runner import StepRunner
from qviz.model.steps import inner_nodes, make_step, subgraphs
from qviz.model.tensors import from_onnx, is_float


def lift_inner_weights(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Make a body's weights constants of the main graph, which the body then captures."""
    changed = False
    constants = _InnerConstants(graph)
    lifted: dict[ir.Value, ir.Value] = {}
    for node in [inner for outer in graph.graph for inner in inner_nodes(outer)]:
        kind = layer_kind(make_step(0, node, graph.opset_imports))
        for operand in () if kind is None else kind.operands:
            value = node.inputs[operand.position] if operand.position < len(node.inputs) else None
            if value is None or (value.is_initializer() and value.graph is graph.graph):
                continue
            if value not in lifted:
                tensor = constants.find(value)
                if not isinstance(tensor, torch.Tensor) or not is_float(tensor):
                    continue
                lifted[value] = add_constant(graph, f"{value.name}::weight", tensor)
            node.replace_input_with(operand.position, lifted[value])
            changed = True
    return graph, changed


class _InnerConstants:
    """What values inside bodies hold, where that depends on constants only."""

    def __init__(self, graph: ir.Model) -> None:
        self._graph = graph
        self._runner = StepRunner(graph, {})
        self._known: dict[ir.Value, Value] = {}
        self._carried = {
            inside: start
            for outer in graph.graph
            for node in (outer, *inner_nodes(outer))
            for inside, start in _carried(node)
        }

    def find(self, value: ir.Value) -> Value:
        """The value; None for what is computed from a body's or the model's inputs."""
        if value not in self._known:
            self._known[value] = None  # also while it is being looked for
            self._known[value] = self._computed(value)
        return self._known[value]

    def _computed(self, value: ir.Value) -> Value:
        node = value.producer()
        if node is None:
            start = self._carried.get(value)
            if start is not None:
                return self.find(start)
            return None if value.const_value is None else from_onnx(value.const_value)
        if node.op_type in NEVER_FOLDED or any(True for _ in subgraphs(node)):
            return None
        inputs = [None if given is None else self.find(given) for given in node.inputs]
        if any(g is not None and i is None for g, i in zip(node.inputs, inputs, strict=True)):
            return None
        step = make_step(0, node, self._graph.opset_imports)
        if too_large_to_fold(step, inputs):
            return None
        try:
            results = self._runner.run(step, inputs, {})
        except QvizError:
            return None
        return results[value.index() or 0]


def _carried(node: ir.Node) -> Iterator[tuple[ir.Value, ir.Value]]:
    """(state inside, what it starts as) of a Loop whose body hands the state on as it is.

    tf2onnx passes a recurrent cell's weights into its loop that way.
    """
    if node.op_type != "Loop" or node.domain:
        return
    for body in subgraphs(node):
        states = zip(node.inputs[2:], body.inputs[2:], body.outputs[1:], strict=False)
        for start, inside, after in states:
            if start is not None and _same_value(after, inside):
                yield inside, start


def _same_value(value: ir.Value, wanted: ir.Value) -> bool:
    """Whether a value is another one, perhaps through Identity nodes."""
    node = value.producer()
    while value is not wanted and node is not None and node.op_type == "Identity":
        value = node.inputs[0] if node.inputs[0] is not None else value
        node = value.producer()
    return value is wanted
