"""Which reader opens which file."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.model.read_weights import READERS as WEIGHT_FILES
from qviz.model.read_weights import read_weights

PYTHON = ".py"
SCRIPTS = (".pt", ".pth", ".ts", ".torchscript")
SUFFIXES = (".onnx", ".pt2", ".torchscript", ".ts", *WEIGHT_FILES, PYTHON)

# Formats that qviz does not read, and how to come to one that it does.
_ELSEWHERE = {
    ".tflite": "Convert it to ONNX with tf2onnx: python -m tf2onnx.convert --tflite FILE",
    ".h5": "Convert it to ONNX with tf2onnx, from the Keras model",
    ".keras": "Convert it to ONNX with tf2onnx, from the Keras model",
    ".pb": "Convert it to ONNX with tf2onnx: python -m tf2onnx.convert --graphdef FILE",
    ".mlmodel": "Export the model to ONNX from the program it was trained in",
    ".mlpackage": "Export the model to ONNX from the program it was trained in",
    ".engine": "Open the ONNX file that the engine was built from",
    ".trt": "Open the ONNX file that the engine was built from",
    ".ort": "Open the ONNX file that it was made from",
    ".xml": "Export the model to ONNX from the program it was trained in",
    ".pdmodel": "Convert it to ONNX with paddle2onnx",
    ".ckpt": "Save model.state_dict() with safetensors, or export with torch.export",
    ".pkl": "Save model.state_dict() with safetensors; qviz never runs pickled objects",
}


def read_model(path: Path, inputs: Sequence[torch.Tensor] | None = None) -> Model:
    """Read any file but a Python program; TorchScript also needs example `inputs`.

    Raises:
        QvizError: a format that qviz does not read, or whatever the format's reader finds wrong.
    """
    path = Path(path)
    name = path.name.lower()
    _check_file(path)
    if name.endswith(".pt2"):
        from qviz.model.read_torch import read_torch  # torch's exporter takes a second to load

        return read_torch(path)
    if name.endswith(SCRIPTS) and _is_script(path):
        from qviz.model.read_torchscript import read_torchscript

        return read_torchscript(path, None if inputs is None else tuple(inputs))
    if name.endswith(tuple(WEIGHT_FILES)):
        return read_weights(path)
    cure = _ELSEWHERE.get(path.suffix.lower())
    if cure is not None:
        raise QvizError(path.name, f"qviz does not read {path.suffix} files", cure)
    return read_onnx(path)


def needs_inputs(path: Path) -> bool:
    """Whether the file is TorchScript, which records no shapes: it opens with example inputs."""
    return path.name.lower().endswith(SCRIPTS) and path.is_file() and _is_script(path)


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    from qviz.model.read_torchscript import is_torchscript

    return is_torchscript(path)


def _check_file(path: Path) -> None:
    if not path.exists():
        cause = f"there is no such file in {path.absolute().parent}"
        raise QvizError(path.name, cause, "Check the path")
    if path.is_dir():
        raise QvizError(path.name, "it is a folder", f"Choose a file: {', '.join(SUFFIXES)}")
    if path.stat().st_size == 0:
        raise QvizError(path.name, "it is empty", "Copy or export it again")
