"""Which reader opens which file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
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
    ".pkl": "Save model.state_dict() with safetensors; qviz never runs pickled objects",
}


def read_model(path: Path, inputs: Mapping[str, torch.Tensor] | None = None) -> Model:
    """Read any file but a Python program; TorchScript also needs example `inputs`, by name.

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

        return read_torchscript(path, inputs)
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
        inside = _models_in(path)
        cure = f"Open {inside}" if inside else f"Choose a file: {', '.join(SUFFIXES)}"
        raise QvizError(path.resolve().name or str(path), "it is a folder", cure)
    if path.stat().st_size == 0 and path.is_file():
        raise QvizError(path.name, "it is empty", "Copy or export it again")
    if path.is_file():
        _check_beginning(path)


def _models_in(folder: Path) -> str:
    """The likeliest model of a folder, as Hugging Face lays them out; "" without any."""
    names = sorted(file.name for file in folder.iterdir() if file.name[0] != ".")
    for suffix in (".onnx", ".pt2", *WEIGHT_FILES):
        found = [name for name in names if name.lower().endswith(suffix) and suffix != ".npz"]
        if found:
            more = f" or one of {len(found) - 1} more" if found[1:] else ""
            return f"{folder / found[0]}{more}"
    return ""


def _check_beginning(path: Path) -> None:
    """Refuse what a download leaves in place of a model."""
    with path.open("rb") as stream:
        start = stream.read(512).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise QvizError(
            path.name,
            "it is a pointer of Git LFS, not the file itself",
            "Fetch the file with 'git lfs pull', or download it again",
        )
    if start.startswith((b"<!doctype html", b"<html")):
        raise QvizError(
            path.name,
            "it is a web page, not a model",
            "Download the file itself, not the page that shows it",
        )
