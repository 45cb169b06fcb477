"""Runs the ONNX project's own tests of operators in onnxruntime and in qviz."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from qviz.errors import QvizError
from qviz.model.model import Value
from qviz.model.node_session import open_session
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.model.tensors import from_numpy


@dataclass(frozen=True, eq=False)
class Outcome:
    """How one case went in onnxruntime and in qviz."""

    name: str
    op: str
    onnxruntime: bool
    qviz: bool


def node_outcomes(folder: Path) -> list[Outcome]:
    """Every case of a single operator; each is written into `folder` as a model in turn."""
    path = folder / "case.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making the cases overflows on purpose
        cases = load_model_tests(kind="node")
        found = []
        for case in cases:
            model: Any = case.model
            data: Any = case.data_sets
            sets = [(_arrays(i), _arrays(o)) for i, o in data]
            path.write_bytes(model.SerializeToString())
            names = [info.name for info in model.graph.input]
            theirs = all(passes_in_onnxruntime(path, names, i, o, case) for i, o in sets)
            ours = all(passes_in_qviz(path, names, i, o, case) for i, o in sets)
            found.append(Outcome(case.name, model.graph.node[-1].op_type, theirs, ours))
    return found


def passes_in_onnxruntime(
    path: Path, names: Sequence[str], inputs: Sequence[Any], outputs: Sequence[Any], case: Any
) -> bool:
    try:
        found = open_session(str(path)).run(None, dict(zip(names, inputs, strict=False)))
    except Exception:  # of whatever kind: onnxruntime cannot run the case
        return False
    pairs = zip(found, outputs, strict=True)
    return all(_close(_value(a), b, case.rtol, case.atol) for a, b in pairs)


def passes_in_qviz(
    path: Path, names: Sequence[str], inputs: Sequence[Any], outputs: Sequence[Any], case: Any
) -> bool:
    try:
        model = read_onnx(path)
        feeds = {name: _value(x) for name, x in zip(names, inputs, strict=False)}
        found = Runtime(model).run(feeds)
    except QvizError:
        return False
    pairs = zip(model.outputs, outputs, strict=True)
    return all(_close(found[name], b, case.rtol, case.atol) for name, b in pairs)


def _arrays(values: Sequence[Any]) -> list[Any]:
    return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]


def _value(x: Any) -> Value:
    if isinstance(x, list | tuple):
        return [_value(item) for item in x]
    return None if x is None else from_numpy(np.asarray(x))


def _close(found: Value, expected: Any, rtol: float, atol: float) -> bool:
    if isinstance(expected, list | tuple):
        if not isinstance(found, list) or len(found) != len(expected):
            return False
        return all(_close(a, b, rtol, atol) for a, b in zip(found, expected, strict=True))
    if found is None or expected is None:
        return found is expected
    reference = _value(expected)
    if isinstance(found, list) or isinstance(reference, list) or reference is None:
        return False
    if found.dtype != reference.dtype or found.shape != reference.shape:
        return False
    if isinstance(found, np.ndarray) and found.dtype == object:
        return bool((found.astype(str) == np.asarray(reference).astype(str)).all())
    a, b = _wide(found), _wide(reference)
    return bool(np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True))


def _wide(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.astype(np.float64)
    return value.numpy() if value.is_complex() else value.double().numpy()


def read_case_data(path: Path) -> Any:
    """A tensor or a sequence, whichever the file holds."""
    content = path.read_bytes()
    try:
        return numpy_helper.to_array(onnx.load_tensor_from_string(content))
    except Exception:
        sequence: Any = onnx.SequenceProto()
        sequence.ParseFromString(content)
        return numpy_helper.to_list(sequence)
