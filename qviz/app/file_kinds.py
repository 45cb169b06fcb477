"""What a file is by its name: a model or a project, samples, a plan, a program."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from qviz.app.project_file import SUFFIX as PROJECT
from qviz.data.read_samples import READERS
from qviz.model.read_model import PYTHON, SUFFIXES

Kind = Literal["model", "program", "samples", "plan", ""]

MODEL_SUFFIXES = (*(suffix for suffix in SUFFIXES if suffix != PYTHON), PROJECT)
SAMPLE_SUFFIXES = tuple(READERS)


def kind_of(path: str | Path) -> Kind:
    """By its ending: an `.npz` and a folder are taken for samples, unknown endings for nothing."""
    name = Path(path).name.lower()
    if name.endswith(PYTHON):
        return "program"
    if name.endswith(SAMPLE_SUFFIXES) or Path(path).is_dir():
        return "samples"
    if name.endswith(MODEL_SUFFIXES):
        return "model"
    return "plan" if name.endswith(".json") else ""


def patterns(suffixes: tuple[str, ...]) -> str:
    """For a file dialog: "*.onnx *.pt2"."""
    return " ".join(f"*{suffix}" for suffix in suffixes)
