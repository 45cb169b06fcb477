"""Optimisers: which of onnxruntime's graph optimisers change the numbers, found by leaving out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from torch import Tensor

from qviz.errors import QvizError
from qviz.export.runtime import FileSession
from qviz.export.verdict import CLOSE, Optimiser
from qviz.model.model import Value

# What each does to the numbers (onnxruntime, core/optimizer).
_SUSPECTS = {
    "WeightBiasQuantization": "rounds biases to int32 at s_w·s_x, and float weights to int8 with "
    "one scale, so that layers run on integer kernels",
    "QDQSelectorActionTransformer": "runs layers on integer kernels, which round once more to the "
    "codes of the layer after them",
    "ReluQuantRewrite": "drops a Relu before a QuantizeLinear whose lowest code is its zero point",
    "ConstantFolding": "computes weights beforehand",
}
_SETTINGS = {
    "session.qdq_matmulnbits_accuracy_level": (
        "1",
        "MatMulNBits rounds the inputs of a layer to int8 as they come, unless this entry is 1",
    ),
}
_LESS = 0.1  # of the difference is left without one that is to blame
_INTEGER = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "DynamicQuantize", "MatMulNBits")


def find_optimisers(file: Path, feeds: Mapping[str, Value], output: str) -> tuple[Optimiser, ...]:
    """Those without which at most a tenth of the difference is left, on one chunk."""
    base = _scored(FileSession(file, optimised=False), feeds, output)
    whole = _apart(_scored(FileSession(file, optimised=True), feeds, output), base)
    if whole <= CLOSE:
        return ()
    found = []
    for name, text in _SUSPECTS.items():
        try:
            session = FileSession(file, optimised=True, without=(name,))
            left = _apart(_scored(session, feeds, output), base)
        except QvizError:
            continue
        if left <= _LESS * whole:
            found.append(Optimiser(name, left, f"{name} {text}"))
    for name, (value, text) in _SETTINGS.items():
        session = FileSession(file, optimised=True, config={name: value})
        left = _apart(_scored(session, feeds, output), base)
        if left <= _LESS * whole:
            found.append(Optimiser(name, left, f"{text} ({name})"))
    return tuple(found)


def integer_nodes(file: Path) -> int:
    """How many operators of the optimised graph run on integer kernels."""
    with TemporaryDirectory(prefix="qviz-") as folder:
        saved = Path(folder) / "optimised.onnx"
        FileSession(file, optimised=True, optimised_path=saved)
        graph = onnx.load(saved, load_external_data=False).graph
    return sum(node.op_type.startswith(_INTEGER) for node in graph.node)


def _scored(session: FileSession, feeds: Mapping[str, Value], output: str) -> Tensor:
    found = session.run(feeds)[output]
    if not isinstance(found, Tensor):
        raise TypeError(f"output '{output}' is no tensor")
    return found.double()


def _apart(found: Tensor, base: Tensor) -> float:
    if found.shape != base.shape or not base.numel():
        return 0.0 if found.shape == base.shape else float("inf")
    largest = float(base.abs().max())
    apart = float((found - base).abs().nan_to_num(nan=float("inf")).max())
    return apart / largest if largest else apart
