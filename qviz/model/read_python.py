"""From a Python file that builds a module and its samples to a Model. Runs the file."""

from __future__ import annotations

import hashlib
import inspect
import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from qviz.errors import QvizError, root_cause
from qviz.model.build import Source
from qviz.model.forward_arguments import as_fed, match_arguments
from qviz.model.model import Model
from qviz.model.python_file import run_file
from qviz.model.read_torch import build_exported, quiet_torch
from qviz.model.tensors import size_bytes, to_numpy

LABELS = "labels"
_BATCHES = "get_eval_batches"
_HOW = "Define get_model(), which gives a module, and get_eval_batches(), which gives batches"


@dataclass(frozen=True, eq=False)
class PythonModel:
    """What the file gave: the model, and each batch as arrays by input name and "labels"."""

    model: Model
    batches: tuple[dict[str, NDArray[Any]], ...]


@dataclass(frozen=True, eq=False)
class _Batch:
    """One batch of the file: how forward is called, and the labels if it has any."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    labels: Any

    @property
    def leaves(self) -> list[Any]:
        """What forward is given, flat and in its order."""
        return pytree.tree_leaves((self.args, self.kwargs))


def read_python(path: Path, inputs: Mapping[str, torch.Tensor] | None = None) -> PythonModel:
    """Run the file and export its module; only for a file the user has agreed to run.

    `get_model()` gives the module, which is put in evaluation mode; `get_eval_batches()` gives
    pairs (inputs, labels) or inputs alone: a tensor, a tuple, or a dict by forward's names. A tuple
    of two is a pair. Without that function example `inputs`, by name, tell the shapes and there are
    no batches. Raises QvizError naming the file, the line, the exception and the cure.
    """
    path = Path(path)
    with run_file(path) as namespace:
        module = _module(path, _call(path, namespace, "get_model"))
        if inputs is not None and not callable(namespace.get(_BATCHES)):
            batches = []
            program = _export(path, module, _example(path, module, inputs))
        else:
            given = list(_call(path, namespace, _BATCHES))
            batches = [_batch(path, module, number, item) for number, item in enumerate(given)]
            if not batches:
                raise QvizError(path.name, "get_eval_batches() gave no batches", _HOW)
            program = _export(path, module, batches[0])
    model = build_exported(program, _source(path, program))
    arrays = tuple(_arrays(path, model, program, number, b) for number, b in enumerate(batches))
    return PythonModel(replace(model, notes=(*model.notes, *_notes(model))), arrays)


def _call(path: Path, namespace: Mapping[str, Any], name: str) -> Any:
    function = namespace.get(name)
    if not callable(function):
        samples = "; or open it together with samples, .npz or .npy" if name == _BATCHES else ""
        raise QvizError(path.name, f"it defines no function {name}()", f"{_HOW}{samples}")
    return function()


def _module(path: Path, made: object) -> torch.nn.Module:
    if not isinstance(made, torch.nn.Module):
        cause = f"get_model() gave {_kind(made)}, not a torch.nn.Module"
        raise QvizError(path.name, cause, "Return the module itself from get_model()")
    return made.eval().cpu()


def _batch(path: Path, module: torch.nn.Module, number: int, item: object) -> _Batch:
    """Tell inputs from labels, and bind the inputs to forward's arguments."""
    pair = isinstance(item, Sequence) and len(item) == 2
    inputs, labels = item if pair and isinstance(item, Sequence) else (item, None)
    inputs = pytree.tree_map(_tensor, inputs)
    signature = inspect.signature(module.forward)
    try:
        if isinstance(inputs, Mapping):
            bound = signature.bind(**inputs)
        elif isinstance(inputs, tuple | list):
            bound = signature.bind(*inputs)
        else:
            bound = signature.bind(inputs)
    except TypeError as error:
        raise QvizError(
            path.name,
            f"batch {number} of get_eval_batches() does not fit forward{signature}: {error}",
            "Give (inputs, labels), inputs being a tensor, a tuple or a dict by argument name; "
            "labels may be None",
        ) from error
    return _Batch(bound.args, bound.kwargs, labels)


def _example(path: Path, module: torch.nn.Module, inputs: Mapping[str, torch.Tensor]) -> _Batch:
    """Samples as the arguments of forward()."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    parameters = inspect.signature(module.forward).parameters.values()
    named = [parameter for parameter in parameters if parameter.kind in kinds]
    needed = [p.name for p in named if p.default is inspect.Parameter.empty]
    found = match_arguments(path, [p.name for p in named], needed, inputs)
    return _Batch(tuple(as_fed(inputs[array], module) for array in found.values()), {}, None)


def _tensor(value: Any) -> Any:
    """Arrays become tensors; tensors come to the CPU."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return value.detach().cpu() if isinstance(value, torch.Tensor) else value


def _export(path: Path, module: torch.nn.Module, batch: _Batch) -> torch.export.ExportedProgram:
    """Export with the batch dimension open where torch can keep it so, else as it is given."""
    with torch.no_grad():
        module(*batch.args, **batch.kwargs)  # so what forward raises is told with its line
    size = _batch_size(batch.leaves)
    failure: Exception | None = None
    for is_open in (True, False) if size else (False,):
        try:
            # On a failure torch prints half the graph to stderr; forward itself has run above.
            with quiet_torch(), redirect_stderr(io.StringIO()):
                return _trace(module, batch, size if is_open else 0)
        except Exception as error:
            failure = error
    raise QvizError(
        path.name,
        f"torch.export cannot trace its forward: {root_cause(failure or Exception())}",
        "Rewrite what depends on the values of tensors (torch.cond), or give an ONNX file",
    ) from failure


def _trace(module: torch.nn.Module, batch: _Batch, size: int) -> torch.export.ExportedProgram:
    """Export with dimensions of this batch size open; with none when it is 0."""

    def doubled(leaf: Any) -> Any:
        # torch makes a size of 1 part of the graph, so it is shown two samples.
        return torch.cat([leaf, leaf]) if size == 1 and _has_batch(leaf, 1) else leaf

    args, kwargs = pytree.tree_map(doubled, (batch.args, batch.kwargs))
    shapes = torch.export.ShapesCollection()
    for leaf in pytree.tree_leaves((args, kwargs)) if size else ():
        if _has_batch(leaf, max(size, 2)):
            shapes[leaf] = {0: torch.export.Dim.AUTO}
    dynamic = shapes.dynamic_shapes(module, args, kwargs) if size else None
    return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic, strict=False)


def _batch_size(leaves: Sequence[Any]) -> int:
    """The first tensor's first dimension; 0 when there is none."""
    sizes = [leaf.shape[0] for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.dim()]
    return int(sizes[0]) if sizes else 0


def _has_batch(leaf: Any, size: int) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.dim() > 0 and leaf.shape[0] == size


def _source(path: Path, program: torch.export.ExportedProgram) -> Source:
    """What the model was made of: the file's bytes and every weight and constant."""
    text = path.read_bytes()
    digest = hashlib.sha256(text)
    size = len(text)
    for name, value in sorted({**program.state_dict, **program.constants}.items()):
        if isinstance(value, torch.Tensor):
            array = to_numpy(value.contiguous())
            digest.update(f"\0{name}{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
            size += size_bytes(value)
    return Source(path, digest.hexdigest(), size)


def _arrays(
    path: Path, model: Model, program: torch.export.ExportedProgram, number: int, batch: _Batch
) -> dict[str, NDArray[Any]]:
    """The batch by the model's input names, with its labels; plain values must stay the same."""
    names = program.graph_signature.user_inputs
    if len(names) != len(batch.leaves):
        raise QvizError(
            path.name,
            f"batch {number} of get_eval_batches() gives {len(batch.leaves)} inputs, "
            f"the first batch gave {len(names)}",
            "Give every batch the same inputs",
        )
    arrays: dict[str, NDArray[Any]] = {}
    for name, leaf in zip(names, batch.leaves, strict=True):
        if isinstance(leaf, torch.Tensor):
            arrays[str(name)] = to_numpy(leaf)
        elif leaf != name:
            raise QvizError(
                path.name,
                f"batch {number} of get_eval_batches() gives {leaf!r} where the first gave "
                f"{name!r}, which the export made part of the graph",
                "Give it as a tensor, or the same in every batch",
            )
    fed = {info.name for info in model.inputs}
    arrays = {name: array for name, array in arrays.items() if name in fed}
    if batch.labels is None:
        return arrays
    if LABELS in arrays:
        raise QvizError(
            path.name,
            f"forward takes an input '{LABELS}' and batch {number} has labels besides",
            "Give None as labels, or rename forward's argument",
        )
    return {**arrays, LABELS: _labels(path, number, batch.labels)}


def _labels(path: Path, number: int, labels: Any) -> NDArray[Any]:
    try:
        tensor = isinstance(labels, torch.Tensor)
        array = to_numpy(labels.detach().cpu()) if tensor else np.array(labels)
        if array.dtype == object:
            raise ValueError("no numbers")
    except ValueError as error:
        raise QvizError(
            path.name,
            f"the labels of batch {number} are {_kind(labels)} that makes no array",
            "Give the labels as one tensor, array or list of numbers",
        ) from error
    return array


def _notes(model: Model) -> tuple[str, ...]:
    """Say so where the export could not keep the batch dimension open."""
    fixed = [info.shape[0] for info in model.inputs if info.shape]
    if not fixed or not all(isinstance(size, int) for size in fixed):
        return ()
    return (f"The export fixed the batch size to {fixed[0]}",)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
