"""Whether our float outputs are onnxruntime's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from qviz.errors import QvizError, first_line
from qviz.model.model import Model, Step, Value
from qviz.model.node_session import open_session
from qviz.model.operators import find_operator
from qviz.model.runtime import Runtime
from qviz.model.tensors import from_numpy, to_numpy

_TOLERANCE = 1e-4
_STEPS = 0.05  # of an already quantized file: a few codes
# Of 16-bit floats: about ten times their rounding, which every operator repeats.
_ROUNDED: Mapping[torch.dtype, float] = {torch.float16: 5e-3, torch.bfloat16: 4e-2}
_NATIVE = "onnxruntime.capi.onnxruntime_pybind11_state"


@dataclass(frozen=True)
class Parity:
    """The output that differs most from onnxruntime's; relative is max|a - b| / max|b|."""

    output: str
    max_abs: float
    max_relative: float
    ok: bool
    text: str


def check_operators(model: Model) -> None:
    """See that every operator means something to us or to onnxruntime.

    Raises:
        QvizError: an operator that nobody here knows.
    """
    needed = {
        (step.domain, step.op)
        for step in model.steps
        if find_operator(step.domain, step.op, step.version) is None
    }
    needed -= {(domain, name) for domain, name, *_ in model.graph.functions}
    schemas = import_module(_NATIVE).get_all_operator_schema  # C code, without annotations
    known = {(schema.domain, schema.name) for schema in schemas()}
    unknown = sorted(f"{domain}::{op}" if domain else op for domain, op in needed - known)
    if unknown:
        raise QvizError(
            Path(model.path).name,
            f"neither qviz nor onnxruntime knows its operator {', '.join(unknown)}",
            "Export it with operators of the ONNX standard",
        )


def check_mode(model: Model) -> None:
    """See that nothing follows the batch at hand or drops values at random, as in training.

    Raises:
        QvizError: a BatchNormalization or Dropout in training mode.
    """
    for step in model.steps:
        if step.domain or not _trains(model, step):
            continue
        raise QvizError(
            Path(model.path).name,
            f"it was exported for training: its node '{step.name}' ({step.op}) drops values at "
            "random or follows each batch",
            "Call eval() on the module before it is exported",
        )


def _trains(model: Model, step: Step) -> bool:
    if step.op == "BatchNormalization":
        return bool(step.attributes.get("training_mode", 0))
    switch = step.inputs[2] if step.op == "Dropout" and len(step.inputs) > 2 else ""
    return switch in model.constants and bool(model.constants[switch].any())


def said_by_onnxruntime(error: Exception) -> str:
    """What it says in one line of whole words, without status code and C++ source location."""
    newer = re.search(r"Opset (\d+) is under development.* till opset (\d+)", str(error), re.S)
    if newer is not None:
        return (
            f"it is written in opset {newer[1]}, and onnxruntime {metadata.version('onnxruntime')} "
            f"takes {newer[2]} at most. Export it with opset {newer[2]}, or update onnxruntime"
        )
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", first_line(error))
    text = re.sub(r"\S*/onnxruntime\S*:\d+ .*?\) ", "", text)
    return shorten(text, 200, placeholder=" …").rstrip(". ")


def check_against_onnxruntime(
    model: Model,
    feeds: Mapping[str, NDArray[Any]],
    quantized: Mapping[str, Value] | None = None,
    fed: str = "",
) -> Parity:
    """Run the original file in onnxruntime, unoptimized, and compare every output with ours.

    Of a file that is not ONNX, onnxruntime runs the graph it was turned into. Of a file that is
    quantized already, `quantized` are our outputs under its own scales; where a value lies between
    two codes, they may differ by a step. `fed` says what the feeds are: "4 samples".
    """
    ours = quantized or Runtime(model).run({n: from_numpy(array) for n, array in feeds.items()})
    try:
        session = open_session(_runnable(model))
        names = [output.name for output in session.get_outputs()]
        theirs = dict(zip(names, session.run(names, dict(feeds)), strict=True))
    except Exception as error:
        text = f"onnxruntime could not run this model: {said_by_onnxruntime(error)}"
        return Parity("", float("nan"), float("nan"), False, text)
    worst = max(
        ((name, *_difference(ours[name], theirs[name])) for name in names),
        key=lambda entry: entry[2],
    )
    rounding = _rounding(model)
    ok = worst[2] <= (max(_TOLERANCE, rounding) if quantized is None else _STEPS)
    what = "float outputs" if quantized is None else "outputs under the file's own scales"
    verdict = "match onnxruntime" if ok else f"differ from onnxruntime at output '{worst[0]}'"
    on = f" on {fed}" if fed else ""
    within = ", as 16-bit floats round" if ok and worst[2] > _TOLERANCE and rounding else ""
    text = f"{what} {verdict}{on}: largest relative difference {worst[2]:.0e}{within}"
    return Parity(worst[0], worst[1], worst[2], ok, text)


def _rounding(model: Model) -> float:
    """What the rounding of its widest 16-bit floats may amount to; 0 without any."""
    kinds = {tensor.dtype for tensor in model.constants.values()}
    kinds |= {info.dtype for info in model.inputs if info.dtype is not None}
    return max((_ROUNDED.get(dtype, 0.0) for dtype in kinds), default=0.0)


def _runnable(model: Model) -> str | bytes:
    if Path(model.path).suffix.lower() == ".onnx":
        return model.path
    proto: Any = ir.to_proto(model.graph)
    content: bytes = proto.SerializeToString()
    return content


def _difference(ours: Any, theirs: Any) -> tuple[float, float]:
    """Largest absolute difference, and the same relative to the reference's largest value."""
    if isinstance(theirs, list):
        pairs = zip(_flat(ours), _flat(theirs), strict=True)
        differences = [_difference(a, b) for a, b in pairs]
        return max(differences, key=lambda pair: pair[1], default=(0.0, 0.0))
    if theirs is None or isinstance(theirs, dict):
        return (0.0, 0.0) if ours == theirs else (float("inf"), float("inf"))
    a, b = to_numpy(ours), np.asarray(theirs)
    if a.shape != b.shape:
        return float("inf"), float("inf")
    if b.dtype.kind in "OUS":
        return (0.0, 0.0) if bool((a == b).all()) else (float("inf"), float("inf"))
    return _numeric_difference(a, b)


def _numeric_difference(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    wide = np.complex128 if b.dtype.kind == "c" else np.float64
    a, b = a.astype(wide), b.astype(wide)
    differ = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if not differ.any():
        return 0.0, 0.0
    largest = float(np.abs(a[differ] - b[differ]).max())
    finite = np.abs(b[np.isfinite(b)])
    scale = float(finite.max()) if finite.size else 0.0
    if not np.isfinite(largest) or scale == 0.0:
        return largest, float("inf") if largest else 0.0
    return largest, largest / scale


def _flat(value: Value) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value
