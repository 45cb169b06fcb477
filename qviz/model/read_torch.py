"""From a file of torch.export.save, or any ExportedProgram, to a Model."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx_ir as ir
import torch

from qviz.errors import QvizError, root_cause
from qviz.model.build import Source, build_model
from qviz.model.model import Model
from qviz.model.torch_archive import open_archive
from qviz.model.torch_program import load_program

_SCOPES = "pkg.torch.onnx.name_scopes"
_NO_MODULE = "_empty_nn_module_stack_from_metadata_hook"
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "GRU", "RNN"}
_UNNAMED = ("val_", "onnx::")
_OPERANDS = {"LSTM": "XWRB", "GRU": "XWRB", "RNN": "XWRB"}

# torch's exporters keep their state in globals: one conversion at a time.
_EXPORTING = threading.Lock()


def read_torch(path: Path) -> Model:
    """Read a .pt2 file without running anything in it; layers are named after their modules.

    Raises QvizError naming the file, the cause and the cure.
    """
    path = Path(path)
    archive = open_archive(path)
    digest = hashlib.sha256(archive.data)
    source = Source(path, digest.hexdigest(), len(archive.data))
    with quiet_torch():
        try:
            program = load_program(archive)
        except QvizError:
            raise
        except Exception as error:
            raise QvizError(
                path.name,
                f"PyTorch {torch.__version__} cannot read its graph: {root_cause(error)}",
                "Save it again with torch.export.save of this PyTorch version",
            ) from error
    return build_exported(program, source)


def build_exported(program: torch.export.ExportedProgram, source: Source) -> Model:
    """The Model of an exported program.

    Raises QvizError when it was exported for training, or ONNX has no words for it.
    """
    _check_mode(program, source)
    with quiet_torch():
        try:
            converted = torch.onnx.export(program, dynamo=True, verbose=False)
        except Exception as error:
            raise QvizError(
                source.path.name,
                f"it cannot be turned into ONNX operators: {root_cause(error)}",
                "Replace that operator in the module, or convert it with torch.onnx.export and a "
                "custom translation",
            ) from error
    if converted is None:
        raise QvizError(source.path.name, "PyTorch gave no graph for it", "Update PyTorch")
    graph = converted.model
    name_nodes(graph, [_scope(node) for node in graph.graph.all_nodes()])
    _name_sizes(graph)
    _drop_traces(graph)
    return build_model(graph, source)


def _check_mode(program: torch.export.ExportedProgram, source: Source) -> None:
    """Dropout at random and norms of the batch at hand are baked into a training graph."""
    for node in program.graph.nodes:
        if not isinstance(node.target, torch._ops.OpOverload):
            continue
        for position, argument in enumerate(node.target._schema.arguments):
            if argument.name not in ("train", "training"):
                continue
            given = node.args[position] if position < len(node.args) else None
            if node.kwargs.get(argument.name, given) is True:
                raise QvizError(
                    source.path.name,
                    f"it was exported for training: its step '{node.name}' drops values at random "
                    "or follows each batch",
                    "Call eval() on the module before it is exported",
                )


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Keep what torch's exporters print about themselves from the terminal, one thread at a time.

    What is wrong arrives as an exception; the rest is advice to exporters' developers.
    """
    loggers = [logging.getLogger(name) for name in ("torch", "onnxscript", "onnx_ir")]
    with _EXPORTING, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def name_nodes(graph: ir.Model, modules: Sequence[str]) -> None:
    """Name every node after its module ("" at the root), and its folded weights after the node.

    `modules` goes with `graph.graph.all_nodes()`, the nodes inside branches and loops included.
    The step that holds the module's weights gets the module's name alone; a module's other steps
    add their operator, and from the second on a number.
    """
    nodes = list(graph.graph.all_nodes())
    owners = [_owner(node) or module for node, module in zip(nodes, modules, strict=True)]
    parents = {owner.rpartition(".")[0] for owner in owners}
    population = Counter(owners)
    taken: set[str] = set()
    for node, owner in sorted(
        zip(nodes, owners, strict=True), key=lambda pair: not _is_weighted(pair[0])
    ):
        alone = population[owner] == 1 and owner not in parents
        if owner and (alone or _is_weighted(node)):
            wish = owner
        else:
            wish = f"{owner}.{node.op_type}" if owner else node.op_type
        node.name = _unique(wish, taken)
        taken.add(node.name)
        _name_weights(graph, node)


def _owner(node: ir.Node) -> str:
    """The module whose parameter the node multiplies; "" when it multiplies none."""
    for value in node.inputs if _is_weighted(node) else ():
        if value is not None and value.is_initializer() and "." in (value.name or ""):
            return (value.name or "").rpartition(".")[0]
    return ""


def _scope(node: ir.Node) -> str:
    """The innermost module that was being called when the exporter wrote the node."""
    text = node.metadata_props.get(_SCOPES, "")
    # A list of strings in Python's notation: the modules from the outside in, then the step.
    scopes = re.findall(r"'([^']*)'", text)[:-1]
    return next((scope for scope in reversed(scopes) if scope and scope != _NO_MODULE), "")


def _is_weighted(node: ir.Node) -> bool:
    """Whether the node multiplies, or looks up, a constant matrix."""
    return node.op_type in _WEIGHTED and any(
        value is not None
        and value.is_initializer()
        and value.shape is not None
        and len(value.shape) > 1
        for value in node.inputs
    )


def _name_weights(graph: ir.Model, node: ir.Node) -> None:
    """The exporter calls what it transposed or packed 'val_65'; call it after its step."""
    if not _is_weighted(node):
        return
    for position, value in enumerate(node.inputs):
        if value is None or not value.is_initializer() or "." in (value.name or ""):
            continue
        if not (value.name or "").startswith(_UNNAMED):
            continue
        letters = _OPERANDS.get(node.op_type, "")
        role = letters[position] if position < len(letters) else "weight"
        wish = f"{node.name}.{role}"
        value.name = _unique(wish, set(graph.graph.initializers))


def _unique(wish: str, taken: Iterable[str]) -> str:
    known = set(taken)
    name, number = wish, 1
    while name in known:
        number += 1
        name = f"{wish}_{number}"
    return name


def _name_sizes(graph: ir.Model) -> None:
    """Call the first input's open first dimension the batch, where torch says 's77'.

    A size that the export fixed arrives as the text '4', and becomes the number.
    """
    first = next((value.shape for value in graph.graph.inputs if value.shape), None)
    symbol = str(first[0].value) if first and isinstance(first[0], ir.SymbolicDim) else ""
    if not re.fullmatch(r"s\d+", symbol):
        symbol = "batch"
    for value in _values(graph):
        for axis, size in enumerate(value.shape or ()):
            if value.shape is not None and isinstance(size, ir.SymbolicDim) and size.value:
                text = re.sub(rf"\b{symbol}\b", "batch", str(size.value))
                value.shape[axis] = int(text) if text.isdecimal() else text


def _drop_traces(graph: ir.Model) -> None:
    """Forget the exporter's notes: they hold source lines and paths of the author's machine."""
    for node in graph.graph.all_nodes():
        node.metadata_props.clear()
        node.meta.clear()
    for value in _values(graph):
        value.metadata_props.clear()
        value.meta.clear()


def _values(graph: ir.Model) -> Iterator[ir.Value]:
    yield from graph.graph.inputs
    yield from graph.graph.initializers.values()
    for node in graph.graph.all_nodes():
        yield from node.outputs
