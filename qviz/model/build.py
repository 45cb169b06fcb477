"""From a graph, wherever it was read from, to a Model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx_ir as ir
import torch

from qviz.errors import QvizError, root_cause
from qviz.model import passes
from qviz.model.check_nodes import check_calls, check_nodes
from qviz.model.finite import check_finite
from qviz.model.fold_batch_norm import fold_batch_norm
from qviz.model.infer_types import infer_types
from qviz.model.inner_weights import lift_inner_weights
from qviz.model.layer_kinds import Operand, layer_kind
from qviz.model.model import Model, Step, TensorInfo
from qviz.model.operators import find_operator
from qviz.model.quantized.expand import expand_quantized
from qviz.model.quantized.note import quantized_note
from qviz.model.quantized.quantizer import Quantizer
from qviz.model.quantized.take import take_quantizers
from qviz.model.slots import find_layers
from qviz.model.steps import make_step, make_steps
from qviz.model.tensors import from_onnx, to_onnx, torch_dtype
from qviz.quant.axes import Axes

_BEFORE_QUANTIZERS = (
    passes.inline_functions,
    passes.fix_initializer_inputs,
    passes.sort_nodes,
    passes.name_values,
    passes.drop_unused,
    passes.lift_constants,
    passes.drop_identities,
    expand_quantized,
)
_AFTER_QUANTIZERS = (lift_inner_weights, passes.fold_constants)


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a model was read from, with the data files beside it."""

    path: Path
    hash: str  # sha256
    size: int  # bytes


def build_model(graph: ir.Model, source: Source) -> Model:
    """Check and prepare a graph; raises QvizError naming the file, the cause and the cure."""
    path = source.path
    try:
        _check_interface(path, graph)
        _check_reads(path, graph)
        check_calls(path, graph)
        check_nodes(path, graph)
        return _build(graph, source)
    except QvizError as error:
        cause = error.cause if error.subject == path.name else f"{error.subject}: {error.cause}"
        raise QvizError(path.name, cause, error.cure) from error
    except Exception as error:
        raise _damaged(path, error) from error


def _build(graph: ir.Model, source: Source) -> Model:
    path = source.path
    graph, quantizers, notes = _prepare(graph)
    steps = make_steps(graph)
    constants = _constants(graph)
    check_finite(path, constants)
    ranks, dtypes = _known_types(graph)
    layers, slots = find_layers(steps, constants, ranks, dtypes)
    return Model(
        name=path.stem,
        path=str(path),
        hash=source.hash,
        graph=graph,
        steps=steps,
        inputs=tuple(_tensor_info(value) for value in graph.graph.inputs),
        outputs=tuple(value.name or "" for value in graph.graph.outputs),
        constants=constants,
        layers=layers,
        slots=slots,
        quantizers={
            slot.group: quantizers[slot.value]
            for slot in slots.values()
            if slot.value in quantizers
        },
        source_bytes=source.size,
        notes=(*notes, *_runtime_notes(steps)),
    )


def _prepare(graph: ir.Model) -> tuple[ir.Model, dict[str, Quantizer], tuple[str, ...]]:
    """Run the passes; the file's own quantizers by value, and notes of what was done."""
    graph = passes.run_passes(graph, _BEFORE_QUANTIZERS)
    quantizers, _ = take_quantizers(graph, partial(_quantizable, graph.opset_imports))
    kept = _along_channels(graph, quantizers)
    taken = quantized_note(graph, kept)  # before folding makes their constants others
    graph = passes.run_passes(graph, _AFTER_QUANTIZERS)
    before = sum(node.op_type == "BatchNormalization" for node in graph.graph)
    graph, _ = fold_batch_norm(graph)
    graph, _ = passes.drop_unused(graph)
    folded = before - sum(node.op_type == "BatchNormalization" for node in graph.graph)
    notes = (f"BatchNorm folded into {folded} layer{'s' * (folded != 1)}",) if folded else ()
    infer_types(graph)
    left = len(quantizers) - len(kept)
    across = f"{left} quantizer{'s' * (left != 1)} with scales across the sums of a layer left out"
    odd = (across,) if left else ()
    return graph, quantizers, (*notes, *([taken] if taken else []), *odd)


def _along_channels(graph: ir.Model, quantizers: Mapping[str, Quantizer]) -> dict[str, Quantizer]:
    """Those that a plan can keep: one scale, or for weights one per channel or block of it."""
    kept = {}
    for node in graph.graph:
        kind = layer_kind(make_step(0, node, graph.opset_imports))
        for operand in () if kind is None else kind.operands:
            value = node.inputs[operand.position] if operand.position < len(node.inputs) else None
            quantizer = None if value is None else quantizers.get(value.name or "")
            if value is None or quantizer is None:
                continue
            along = _channel_axes(operand, value)
            each = along if isinstance(along, tuple) else ()
            if quantizer.axis in (None, along, *each):
                kept[value.name or ""] = quantizer
    return kept


def _channel_axes(operand: Operand, value: ir.Value) -> Axes:
    if not value.is_initializer() or value.shape is None:
        return None
    return operand.channels([size if isinstance(size, int) else 1 for size in value.shape])


def _quantizable(opsets: Mapping[str, int], node: ir.Node, position: int) -> bool:
    kind = layer_kind(make_step(0, node, opsets))
    return kind is not None and position in (operand.position for operand in kind.operands)


def _constants(graph: ir.Model) -> dict[str, torch.Tensor]:
    """The initializers as tensors, which from now on the graph shares."""
    constants = {}
    for name, value in graph.graph.initializers.items():
        if value.const_value is None:
            continue
        tensor = from_onnx(value.const_value)
        if isinstance(tensor, torch.Tensor):
            constants[name] = tensor
            value.const_value = to_onnx(tensor, name)
    return constants


def _known_types(graph: ir.Model) -> tuple[dict[str, int], dict[str, torch.dtype]]:
    """Rank and type of every value where they are known."""
    ranks: dict[str, int] = {}
    dtypes: dict[str, torch.dtype] = {}
    computed = [value for node in graph.graph for value in node.outputs]
    for value in [*graph.graph.inputs, *computed]:
        if not value.name:
            continue
        if value.shape is not None:
            ranks[value.name] = len(value.shape)
        dtype = torch_dtype(value.type.dtype) if isinstance(value.type, ir.TensorType) else None
        if dtype is not None:
            dtypes[value.name] = dtype
    return ranks, dtypes


def _tensor_info(value: ir.Value) -> TensorInfo:
    is_tensor = isinstance(value.type, ir.TensorType)
    dtype = torch_dtype(value.type.dtype) if isinstance(value.type, ir.TensorType) else None
    if value.shape is None or not is_tensor:
        return TensorInfo(value.name or "", dtype, None)
    declared = (size if isinstance(size, int) else size.value for size in value.shape)
    # Some exporters write -1 for a dimension they leave open.
    shape = tuple(None if isinstance(size, int) and size < 0 else size for size in declared)
    return TensorInfo(value.name or "", dtype, shape)


def _runtime_notes(steps: tuple[Step, ...]) -> tuple[str, ...]:
    missing = [s.op for s in steps if find_operator(s.domain, s.op, s.version) is None]
    if not missing:
        return ()
    names = ", ".join(sorted(set(missing)))
    plural = "s" * (len(missing) != 1)
    verb = "runs" if len(missing) == 1 else "run"
    return (f"{len(missing)} operator{plural} {verb} in onnxruntime: {names}",)


def _check_interface(path: Path, graph: ir.Model) -> None:
    if not len(graph.graph):
        raise QvizError(path.name, "it holds no operators", "Export the model again")
    if not graph.graph.outputs:
        raise QvizError(path.name, "it declares no outputs", "Export the model again with outputs")
    for what, values in (("input", graph.graph.inputs), ("output", graph.graph.outputs)):
        names = Counter(value.name or "" for value in values)
        name, count = names.most_common(1)[0] if names else ("", 1)
        if count > 1 or "" in names:
            cause = f"has the name '{name}' twice" if count > 1 else "has no name"
            raise QvizError(path.name, f"an {what} of it {cause}", "Export the model again")
    versions = graph.graph.opset_imports
    if versions.get("", 7) < 7:
        raise QvizError(
            path.name,
            f"it is written in opset {versions['']}, before opset 7",
            "Convert it with onnx.version_converter or export it with a newer opset",
        )


def _check_reads(path: Path, graph: ir.Model) -> None:
    """Every value a node reads must be an input, a constant or another node's output."""
    main = graph.graph
    known = set(main.inputs) | set(main.initializers.values())
    for node in main:
        known.update(node.outputs)
    for value in [v for node in main for v in node.inputs if v is not None] + list(main.outputs):
        if value not in known:
            raise QvizError(
                path.name,
                f"its graph reads '{value.name}', which nothing in it produces",
                "Export the model again; onnx.checker.check_model names what is wrong",
            )


def _damaged(path: Path, error: BaseException) -> QvizError:
    return QvizError(
        path.name,
        f"it is not a valid ONNX model: {root_cause(error)}",
        "Export the model again; onnx.checker.check_model names what is wrong",
    )
