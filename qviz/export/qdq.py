"""QDQ: the model's graph with a quantizer in front of every operand that has an encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from qviz.errors import QvizError
from qviz.export.inputs import Spread, write_input
from qviz.export.kernels import spread_of
from qviz.export.nodes import Nodes
from qviz.export.opset import CONTRIB, in_contrib, needed_by, raised
from qviz.export.weights import write_weight
from qviz.model.model import Model
from qviz.model.passes import drop_unused
from qviz.model.slots import Slot
from qviz.model.steps import inner_nodes
from qviz.quant.encoding import Encoding


@dataclass(frozen=True, eq=False, slots=True)
class Written:
    """A graph with its quantizers, and what an export should be told of them."""

    graph: ir.Model
    opset: int
    quantized: Mapping[str, str]  # slot name -> the value that the layer reads instead
    containers: Mapping[str, str]  # slot name -> the type of its codes, "" for none
    notes: tuple[str, ...]


def write_qdq(model: Model, encodings: Mapping[str, Encoding], opset: int | None = None) -> Written:
    """The model with its slots quantized as `encodings` say, by slot name; the model stays.

    `opset` is the least opset of the result; what an encoding needs may raise it. Where nobody can
    raise the graph so far, onnxruntime's own quantizers are taken, and a note says so.

    Raises:
        QvizError: a file of weights, or a graph that cannot be raised to the opset needed.
    """
    if not model.runs:
        raise QvizError(model.name, "it has no graph that could be exported", "Open a model")
    graph, notes = _in_opset(model, encodings, opset)
    writer = _Writer(model, encodings, graph)
    if notes:
        writer.nodes.quantizers = CONTRIB
    for name in encodings:
        writer.write(model.slots[name])
    graph, _ = drop_unused(graph)
    _drop_traces(graph)
    version = graph.opset_imports.get("", 1)
    return Written(graph, version, writer.quantized, writer.containers, notes)


def _in_opset(
    model: Model, encodings: Mapping[str, Encoding], opset: int | None
) -> tuple[ir.Model, tuple[str, ...]]:
    present = model.graph.opset_imports.get("", 1)
    wanted = max(present, opset or 0)
    needed = needed_by(model, encodings, wanted) if encodings else wanted
    try:
        return raised(model, needed), ()
    except QvizError as error:
        if opset is not None or not in_contrib(encodings, present):
            raise
        text = f"QuantizeLinear is that of {CONTRIB}, which onnxruntime alone runs: {error.cause}"
        return model.graph.clone(), (text,)


def _drop_traces(graph: ir.Model) -> None:
    """Exporters note source lines on every node, in a small model a tenth of the quantized file."""
    for outer in graph.graph:
        for node in (outer, *inner_nodes(outer)):
            node.metadata_props.clear()
            for value in node.outputs:
                value.metadata_props.clear()


class _Writer:
    """Puts quantizers into one graph; slots that share a value and an encoding share theirs."""

    def __init__(self, model: Model, encodings: Mapping[str, Encoding], graph: ir.Model) -> None:
        self.nodes = Nodes(graph)
        self.quantized: dict[str, str] = {}
        self.containers: dict[str, str] = {}
        self._model = model
        self._encodings = encodings
        self._places = {node.name: node for node in graph.graph}
        computed = [output for node in graph.graph for output in node.outputs]
        given = (*graph.graph.inputs, *computed)
        self._values = {value.name or "": value for value in given}
        self._known = {
            value.name: value
            for node in model.graph.graph
            for value in (*model.graph.graph.inputs, *node.outputs)
        }
        self._made: dict[tuple[str, bytes, Spread | None], tuple[ir.Value, str]] = {}

    def write(self, slot: Slot) -> None:
        """One slot's quantizer, right behind the value that it quantizes, and its layer on it."""
        layer = self._model.layers[slot.layer]
        if layer.step is None:
            return
        encoding = self._encodings[slot.name]
        spread = None
        if slot.role == "input":
            spread = spread_of(self._model, slot, self._encodings, self.nodes.opset)
        key = (slot.value, encoding.key, spread)
        if key not in self._made:
            self._made[key] = self._quantizer(slot, encoding, spread), self.nodes.container
        value, container = self._made[key]
        self.quantized[slot.name], self.containers[slot.name] = value.name or "", container
        _connect(self._places[self._model.steps[layer.step].name], slot, value)

    def _quantizer(self, slot: Slot, encoding: Encoding, spread: Spread | None) -> ir.Value:
        nodes, source = self.nodes, self._values.get(slot.value)
        nodes.stem = slot.value if slot.role == "input" else slot.name
        if source is None:
            done = write_weight(nodes, self._model.constants[slot.value], encoding)
            nodes.insert(None)
            return done
        known = self._known[slot.value]  # raising the opset may lose what was inferred
        source.type, source.shape = known.type, known.shape
        done = write_input(nodes, source, encoding, spread)
        nodes.insert(source.producer())
        return done


def _connect(node: ir.Node, slot: Slot, value: ir.Value) -> None:
    """Let an operand of the node, or what its bodies read of it, be the quantized value."""
    if slot.operand < len(node.inputs):
        node.replace_input_with(slot.operand, value)
        return
    for inner in inner_nodes(node):
        for at, read in enumerate(inner.inputs):
            if read is not None and read.name == slot.value:
                inner.replace_input_with(at, value)
