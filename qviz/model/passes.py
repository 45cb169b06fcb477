"""Rewrites of the graph that keep its outputs: each takes a graph and says whether it changed it.

A pass works on the main graph in place; subgraphs of If, Loop and Scan stay as they are, but for
their weights (inner_weights.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import onnx_ir as ir
import torch
from onnx_ir.passes import common

from qviz.errors import QvizError
from qviz.model.model import Step, Value
from qviz.model.result_sizes import result_elements
from qviz.model.step_runner import StepRunner
from qviz.model.steps import captured, inner_nodes, make_step
from qviz.model.tensors import from_onnx, size_bytes, to_onnx, torch_dtype

Pass = Callable[[ir.Model], tuple[ir.Model, bool]]

# A folded constant may not be larger than this, unless it is no larger than what it is made from.
_FOLDED_BYTES = 64 << 20
_FLOAT = 4  # bytes
NEVER_FOLDED = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


def run_passes(graph: ir.Model, passes: Iterable[Pass]) -> ir.Model:
    """Run the passes one after the other."""
    for each in passes:
        graph, _ = each(graph)
    return graph


def inline_functions(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Replace calls of the model's own functions by their bodies, where onnx_ir can."""
    if not graph.functions:
        return graph, False
    copy = graph.clone()
    for function in copy.functions.values():
        for node in function:
            node.name = node.name or node.op_type
    try:
        result = common.InlinePass()(copy)
    except (ValueError, ir.passes.PassError):
        return graph, False  # the calls then run as functions in onnxruntime
    return result.model, result.modified


def sort_nodes(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Put every node after what it reads; the order stays where it is already so."""
    result = common.TopologicalSortPass()(graph)
    return result.model, result.modified


def name_values(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Give every value a name of its own; nodes without one get theirs when they become Steps."""
    taken: set[str] = set()
    nameless = []
    for node in graph.graph:
        if not node.name or node.name in taken:
            nameless.append(node)
        taken.add(node.name or "")
    result = common.NameFixPass()(graph)
    for node in nameless:
        node.name = None
    return result.model, result.modified


def lift_constants(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Make initializers of Constant nodes and of subgraph-free constants torch can hold.

    Initializers that torch cannot hold (text, 4-bit integers) become Constant nodes instead, so
    that every initializer is a tensor.
    """
    changed = False
    for node in list(graph.graph):
        if node.op_type != "Constant" or node.domain or node.outputs[0].is_graph_output():
            continue
        step = make_step(0, node, graph.opset_imports)
        results = _runner(graph).run(step, (), {})
        if isinstance(results[0], torch.Tensor):
            _replace_by_constant(graph, node.outputs[0], results[0])
            graph.graph.remove(node, safe=True)
            changed = True
    for value in list(graph.graph.initializers.values()):
        tensor = value.const_value
        if tensor is not None and torch_dtype(tensor.dtype) is None and value.uses():
            node = ir.node("Constant", [], {"value": tensor})
            node.outputs[0].name = f"{value.name}::constant"
            node.outputs[0].dtype = tensor.dtype
            first = next(iter(graph.graph), None)
            if first is None or value.is_graph_output():
                continue
            graph.graph.insert_before(first, node)
            value.replace_all_uses_with(node.outputs[0])
            graph.graph.initializers.pop(value.name or "")
            changed = True
    return graph, changed


def fix_initializer_inputs(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Initializers that are inputs too, as old exporters write them, are only constants."""
    result = common.RemoveInitializersFromInputsPass()(graph)
    return result.model, result.modified


def drop_identities(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Drop Identity and inference Dropout where no name of the model's interface is lost."""
    changed = False
    for node in list(graph.graph):
        if not _passes_through(node):
            continue
        source, result = node.inputs[0], node.outputs[0]
        if source is None:
            continue
        if result.is_graph_output():
            if source.producer() is None or source.is_graph_output():
                continue
            name = result.name
            result.replace_all_uses_with(source, replace_graph_outputs=True)
            result.name = f"{name}::dropped"
            source.name = name
        else:
            result.replace_all_uses_with(source)
        graph.graph.remove(node, safe=True)
        changed = True
    return graph, changed


def drop_unused(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Remove nodes and constants that no output needs."""
    result = common.RemoveUnusedNodesPass()(graph)
    return result.model, result.modified


def fold_constants(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Evaluate once what depends on constants only, where the result is small enough."""
    changed = False
    runner = _runner(graph)
    known: dict[ir.Value, Value] = {}
    for node in list(graph.graph):
        if node.op_type == "Constant" and not node.domain:
            known[node.outputs[0]] = runner.run(make_step(0, node, graph.opset_imports), (), {})[0]
            continue
        if not _foldable(node, known):
            continue
        step = make_step(0, node, graph.opset_imports)
        inputs = [_constant(value, known) for value in node.inputs]
        if too_large_to_fold(step, inputs):
            continue
        try:
            results = runner.run(step, inputs, {})
        except QvizError:
            continue
        tensors = [value for value in results if isinstance(value, torch.Tensor)]
        if len(tensors) != len(node.outputs) or not _small_enough(tensors, inputs):
            continue
        for output, tensor in zip(node.outputs, tensors, strict=True):
            known[_replace_by_constant(graph, output, tensor.contiguous().clone())] = tensor
        graph.graph.remove(node, safe=True)
        changed = True
    return graph, changed


def _runner(graph: ir.Model) -> StepRunner:
    return StepRunner(graph, {})


def _constant(value: ir.Value | None, known: dict[ir.Value, Value]) -> Value:
    """The constant a value holds, remembered; None for an absent input."""
    if value is None or value in known:
        return known.get(value) if value is not None else None
    known[value] = None if value.const_value is None else from_onnx(value.const_value)
    return known[value]


def _foldable(node: ir.Node, known: dict[ir.Value, Value]) -> bool:
    """Whether the node reads constants only and always gives the same."""
    if node.op_type in NEVER_FOLDED or any(value.is_graph_output() for value in node.outputs):
        return False
    if any(inner.op_type == "Loop" for inner in (node, *inner_nodes(node))):
        return False  # it may never end
    given = [value for value in node.inputs if value is not None]
    ready = all(value in known or value.is_initializer() for value in given)
    return ready and not any(True for _ in captured(node))


def too_large_to_fold(step: Step, inputs: Sequence[Value]) -> bool:
    """Whether the result need not even be made to see that it is too large."""
    return result_elements(step, inputs) * _FLOAT > max(_FOLDED_BYTES, _given_bytes(inputs))


def _small_enough(results: Sequence[torch.Tensor], inputs: Sequence[Value]) -> bool:
    made = sum(size_bytes(value) for value in results)
    return made <= max(_FOLDED_BYTES, _given_bytes(inputs))


def _given_bytes(inputs: Sequence[Value]) -> int:
    """What a result is made from; an operand that is given twice counts once."""
    distinct = {id(x): x for x in inputs if x is not None and not isinstance(x, list)}
    return sum(size_bytes(x) for x in distinct.values())


def _replace_by_constant(graph: ir.Model, value: ir.Value, tensor: torch.Tensor) -> ir.Value:
    """Make an initializer of this tensor, under the value's name, and let everyone read it."""
    name = value.name or ""
    value.name = f"{name}::folded"
    constant = add_constant(graph, name, tensor)
    value.replace_all_uses_with(constant)
    return constant


def add_constant(graph: ir.Model, name: str, tensor: torch.Tensor) -> ir.Value:
    """A new initializer of the main graph."""
    held = to_onnx(tensor, name)
    constant = ir.Value(name=name, const_value=held, shape=ir.Shape(tensor.shape))
    constant.dtype = held.dtype
    graph.graph.register_initializer(constant)
    return constant


def _passes_through(node: ir.Node) -> bool:
    if node.domain or any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return False
    if node.op_type == "Identity":
        return True
    if node.op_type != "Dropout":
        return False
    training = node.inputs[2] if len(node.inputs) > 2 else None
    if training is None:
        return True
    tensor = training.const_value if training.is_initializer() else None
    return tensor is not None and not bool(tensor.numpy().any())
