"""Counts the nodes of an ONNX file that multiply by trained weights, with the onnx package alone.

qviz's own reader takes no part, so that a layer which it overlooks shows as a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, TensorProto

# Where weights are among an operator's inputs; either side of a product can be one.
_WEIGHTS: dict[str, tuple[int, ...]] = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "Einsum": (0, 1, 2),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "RNN": (1, 2),
    "Gather": (0,),
}
_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
Constants = dict[str, tuple[int, int]]  # data type and, where known, rank (-1 elsewhere)


def count_weight_nodes(path: Path) -> int:
    """Nodes with a constant float weight, those in bodies of If, Loop and Scan included."""
    model: Any = onnx.load(path)
    return sum(1 for _ in _weight_nodes(model.graph, {}))


def _weight_nodes(graph: Any, outer: Mapping[str, tuple[int, int]]) -> Iterator[Any]:
    fed = {info.name for info in graph.input}
    constants = dict(outer)
    for tensor in graph.initializer:
        if tensor.name not in fed:
            constants[tensor.name] = tensor.data_type, len(tensor.dims)
    for node in graph.node:
        bodies = [a.g for a in node.attribute if a.type == AttributeProto.GRAPH]
        for body in bodies:
            yield from _weight_nodes(body, {**constants, **_carried(node, body, constants)})
        if bodies:
            continue
        if all(name in constants for name in node.input if name):
            constants.update(_computed(node, constants))
        elif any(_is_weight(node, place, constants) for place in _WEIGHTS.get(node.op_type, ())):
            yield node


def _is_weight(node: Any, place: int, constants: Constants) -> bool:
    if place >= len(node.input) or node.input[place] not in constants:
        return False
    kind, rank = constants[node.input[place]]
    if node.op_type == "Gather":  # a table of rows; others pick from lists and shapes
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        return kind in _FLOATS and rank == 2 and axis == 0
    return kind in _FLOATS


def _computed(node: Any, constants: Constants) -> Constants:
    """What a node makes of constants only: the type of its first input, unless it says another."""
    kind, rank = constants[node.input[0]] if node.input else (TensorProto.FLOAT, -1)
    for attribute in node.attribute:
        if attribute.name == "to":
            kind = attribute.i
        if attribute.type == AttributeProto.TENSOR:
            kind, rank = attribute.t.data_type, len(attribute.t.dims)
    if node.op_type == "Shape":
        kind, rank = TensorProto.INT64, 1
    if node.op_type == "DequantizeLinear":
        kind = constants[node.input[1]][0]
    return {name: (kind, rank) for name in node.output if name}


def _carried(node: Any, body: Any, constants: Constants) -> Constants:
    """The state of a Loop that starts as a constant and that the body hands on as it is."""
    if node.op_type != "Loop":
        return {}
    made = {n.output[0]: n.input[0] for n in body.node if n.op_type == "Identity"}
    found = {}
    for start, inside, after in zip(node.input[2:], body.input[2:], body.output[1:], strict=False):
        if start in constants and made.get(after.name, after.name) == inside.name:
            found[inside.name] = constants[start]
    return found
