"""Files that ship with qviz: the demo model and its samples, fonts and icons."""

from __future__ import annotations

from pathlib import Path

from qviz.errors import QvizError


def resource_path(*parts: str) -> Path:
    """A bundled file: inside the installed package, or at the root of a checkout."""
    package = Path(__file__).parents[1]
    for root in (package / "resources", package.parent / "resources"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise QvizError("/".join(parts), "this file of qviz is missing", "Install qviz again")


def demo_model() -> Path:
    """The bundled Fashion-MNIST network."""
    return resource_path("demo", "fashion_cnn.onnx")


def demo_samples() -> Path:
    """The bundled Fashion-MNIST test images."""
    return resource_path("demo", "fashion_test_2000.npz")
