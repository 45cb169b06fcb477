"""What the user is told about a file whose quantizers were taken."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qviz.model.quantized.node_parts import FLOAT_STATE, is_op
from qviz.model.quantized.quantizer import Quantizer, lost_quantizer


def quantized_note(graph: ir.Model, quantizers: Mapping[str, Quantizer]) -> str:
    """One line for the user about a graph whose quantizers were taken; "" for a float model."""
    constants = graph.graph.initializers
    weights = sum(name in constants for name in quantizers)
    inputs = len(quantizers) - weights
    elsewhere = sum(_quantizes_computed(node) for node in graph.graph)
    bare = sum(map(lost_quantizer, constants.values()))
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
    states = sum(FLOAT_STATE in node.meta for node in graph.graph)
    if states:
        parts.append(f"the state of {_count(states, 'LSTM')}, quantized in the file, is float here")
    return f"quantized file: {'; '.join(parts)}" if parts else ""


def _quantizes_computed(node: ir.Node) -> bool:
    if not (is_op(node, "QuantizeLinear") or is_op(node, "DynamicQuantizeLinear")):
        return False
    source = node.inputs[0]
    return source is not None and ir.convenience.get_const_tensor(source) is None


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
