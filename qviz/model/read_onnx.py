"""From an ONNX file to a Model."""

from __future__ import annotations

from pathlib import Path

from qviz.model.build import Source, build_model
from qviz.model.model import Model
from qviz.model.onnx_file import check_tensors, load_file


def read_onnx(path: Path) -> Model:
    """Read, check and prepare a model; raises QvizError naming the file, the cause and the cure."""
    path = Path(path)
    file = load_file(path)
    check_tensors(path, file.graph)
    return build_model(file.graph, Source(path, file.hash, file.size))
