"""From an ONNX graph to Steps: attributes as Python values, captures and content keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from qviz.model.model import Step
from qviz.model.tensors import from_onnx, onnx_dtype, to_numpy


def make_steps(model: ir.Model) -> tuple[Step, ...]:
    """One Step for each node of the main graph; names the nodes uniquely as it goes."""
    taken: set[str] = set()
    steps = []
    given = {node.name for node in model.graph if node.name}
    for index, node in enumerate(model.graph):
        name = node.name or ""
        if not name or name in taken:
            name = _unique(f"{node.op_type}_{index}", taken, given)
        taken.add(name)
        node.name = name
        steps.append(make_step(index, node, model.graph.opset_imports))
    return tuple(steps)


def make_step(index: int, node: ir.Node, opsets: Mapping[str, int]) -> Step:
    """The Step of one node, whose name is taken as it is."""
    version = node.version or opsets.get(node.domain) or 1
    attributes = {
        name: _attribute(attr) for name, attr in node.attributes.items() if not attr.is_ref()
    }
    outputs = tuple(value.name or "" for value in node.outputs)
    return Step(
        index=index,
        name=node.name or f"{node.op_type}_{index}",
        op=node.op_type,
        domain=node.domain,
        version=version,
        inputs=tuple("" if value is None else value.name or "" for value in node.inputs),
        outputs=outputs,
        attributes=attributes,
        captures=tuple(dict.fromkeys(value.name or "" for value in captured(node))),
        node=node,
        key=_key(node.domain, node.op_type, version, attributes, outputs),
    )


def subgraphs(node: ir.Node) -> Iterator[ir.Graph]:
    """The graphs held in the node's attributes, not those further inside."""
    for attr in node.attributes.values():
        if attr.is_ref():
            continue
        if attr.type == ir.AttributeType.GRAPH:
            yield attr.as_graph()
        elif attr.type == ir.AttributeType.GRAPHS:
            yield from attr.as_graphs()


def inner_nodes(node: ir.Node) -> Iterator[ir.Node]:
    """Every node of the graphs held in the node, at any depth."""
    for graph in subgraphs(node):
        for child in graph:
            yield child
            yield from inner_nodes(child)


def captured(node: ir.Node) -> Iterator[ir.Value]:
    """Values of outer graphs that the node's subgraphs read."""
    for graph in subgraphs(node):
        inner = set(graph.inputs) | set(graph.initializers.values())
        for child in graph:
            inner.update(child.outputs)
        for child in graph:
            wanted = [value for value in child.inputs if value is not None]
            yield from (value for value in wanted if value not in inner)
            yield from (value for value in captured(child) if value not in inner)
        yield from (value for value in graph.outputs if value not in inner)


def _unique(wish: str, *taken: set[str]) -> str:
    name, number = wish, 1
    while any(name in names for names in taken):
        number += 1
        name = f"{wish}_{number}"
    return name


def _attribute(attr: ir.Attr) -> Any:
    if attr.type == ir.AttributeType.TENSOR:
        return from_onnx(attr.as_tensor())
    if attr.type == ir.AttributeType.TENSORS:
        return tuple(from_onnx(tensor) for tensor in attr.as_tensors())
    if isinstance(attr.value, list):
        return tuple(attr.value)
    return attr.value


def _key(
    domain: str, op: str, version: int, attributes: Mapping[str, Any], outputs: tuple[str, ...]
) -> str:
    """Which outputs are asked for is part of the meaning: Split goes by their number."""
    asked = "".join("1" if name else "0" for name in outputs)
    digest = hashlib.sha256(f"{domain}\0{op}\0{version}\0{asked}".encode())
    for name in sorted(attributes):
        digest.update(f"\0{name}\0".encode())
        digest.update(_content(attributes[name]))
    return digest.hexdigest()


def _content(value: Any) -> bytes:
    if isinstance(value, torch.Tensor):
        head = f"{onnx_dtype(value).name}{tuple(value.shape)}"
        return head.encode() + to_numpy(value).tobytes()
    if isinstance(value, np.ndarray):
        body = repr(value.tolist()).encode() if value.dtype == object else value.tobytes()
        return f"{onnx_dtype(value).name}{value.shape}".encode() + body
    if isinstance(value, ir.Graph):
        proto: Any = ir.to_proto(value)
        return bytes(proto.SerializeToString(deterministic=True))
    if isinstance(value, tuple):
        return b"(" + b",".join(_content(item) for item in value) + b")"
    return f"{type(value).__name__}:{value!r}".encode()
