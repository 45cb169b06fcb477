"""Whether the operators of a graph are called as the ONNX standard defines them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from qviz.errors import QvizError
from qviz.model.steps import inner_nodes

# Bounds on what functions unfold to: far beyond what exporters write.
_DEEPEST = 64
_MOST_NODES = 1 << 20
_OPTION = onnx.defs.OpSchema.FormalParameterOption


def check_nodes(path: Path, graph: ir.Model) -> None:
    """Raise QvizError for a node without an input or attribute it needs, or a body that misfits.

    Operators that the standard does not know are left to onnxruntime.
    """
    for outer in graph.graph:
        for node in (outer, *inner_nodes(outer)):
            cause = _wrong(node, graph.graph.opset_imports)
            if cause:
                raise QvizError(
                    path.name,
                    f"its node '{node.name or node.op_type}' ({node.op_type}) {cause}",
                    "Export the model again; onnx.checker.check_model names what is wrong",
                )


def check_calls(path: Path, graph: ir.Model) -> None:
    """Raise QvizError when the model's functions call themselves or unfold to too many nodes."""
    sizes: dict[Any, int] = {}
    for function in graph.functions:
        _unfolded(path, graph, function, sizes, ())
    total = sum(sizes.get(node.op_identifier(), 1) for node in graph.graph)
    if total > _MOST_NODES:
        raise _endless(path, f"unfold to {total:,} nodes")


def _unfolded(
    path: Path, graph: ir.Model, name: Any, sizes: dict[Any, int], callers: tuple[Any, ...]
) -> int:
    """Nodes of a function with those of the functions that it calls."""
    if name in callers:
        raise _endless(path, f"call themselves: {name[1]}")
    if len(callers) > _DEEPEST:
        raise _endless(path, f"call each other more than {_DEEPEST} deep")
    if name not in sizes:
        nodes = [n for outer in graph.functions[name] for n in (outer, *inner_nodes(outer))]
        called = (node.op_identifier() for node in nodes)
        sizes[name] = sum(
            _unfolded(path, graph, each, sizes, (*callers, name)) if each in graph.functions else 1
            for each in called
        )
    return sizes[name]


def _endless(path: Path, what: str) -> QvizError:
    return QvizError(path.name, f"its functions {what}", "Export the model again without functions")


def _wrong(node: ir.Node, opsets: Mapping[str, int]) -> str:
    """What is wrong with a node; "" when nothing is seen to be."""
    schema = _schema(node.op_type, node.version or opsets.get(node.domain, 1), node.domain)
    if schema is None:
        return ""
    return _wrong_operands(node, schema) or _wrong_attributes(node, schema) or _wrong_body(node)


@lru_cache(maxsize=1024)
def _schema(op: str, version: int, domain: str) -> Any:
    try:
        return onnx.defs.get_schema(op, version, domain)
    except onnx.defs.SchemaError:
        return None
    except TypeError:  # a version that is no C integer
        return None


def _wrong_operands(node: ir.Node, schema: Any) -> str:
    given = len(node.inputs)
    while given and node.inputs[given - 1] is None:
        given -= 1
    if not schema.min_input <= given <= schema.max_input:
        return f"has {given} inputs, which are too {'few' if given < schema.min_input else 'many'}"
    if len(node.outputs) > schema.max_output:
        return f"has {len(node.outputs)} outputs, which are too many"
    for value, formal in zip(node.inputs, schema.inputs, strict=False):
        if value is None and formal.option == _OPTION.Single:
            return f"lacks its input '{formal.name}'"
    return ""


def _wrong_attributes(node: ir.Node, schema: Any) -> str:
    for name, formal in schema.attributes.items():
        attr = node.attributes.get(name)
        if attr is None:
            if formal.required:
                return f"lacks its attribute '{name}'"
        elif int(attr.type) != int(formal.type.value):
            return f"has an attribute '{name}' of type {attr.type.name}"
    return ""


def _wrong_body(node: ir.Node) -> str:
    """Whether If, Loop and Scan get as many values from their bodies as they give on."""
    if node.op_type == "If":
        made = {len(node.attributes[name].as_graph().outputs) for name in _BRANCHES}
        return "" if made == {len(node.outputs)} else _MISFIT
    if node.op_type not in ("Loop", "Scan") or node.attributes["body"].is_ref():
        return ""
    body = node.attributes["body"].as_graph()
    if node.op_type == "Loop":
        fits = len(body.inputs) == len(node.inputs) and len(body.outputs) == len(node.outputs) + 1
        return "" if fits else _MISFIT
    scanned = node.attributes["num_scan_inputs"].as_int()
    fits = 0 < scanned <= len(node.inputs) and len(body.outputs) == len(node.outputs)
    return "" if fits else _MISFIT


_BRANCHES = ("then_branch", "else_branch")
_MISFIT = "gets another number of values from its body than it should"
