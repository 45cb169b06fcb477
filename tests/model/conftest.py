"""Small ONNX models written to disk, and the same models run by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qviz.model.node_session import open_session

Arrays = Mapping[str, NDArray[Any]]
Shape = Sequence[int | str | None]


class Write(Protocol):
    """Writes a model and returns its path."""

    def __call__(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: Mapping[str, Shape],
        outputs: Sequence[str],
        constants: Arrays | None = None,
        opset: int = 17,
        dtype: int = TensorProto.FLOAT,
        functions: Sequence[onnx.FunctionProto] = (),
        domains: Sequence[str] = (),
    ) -> Path: ...


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_model(
        nodes: Sequence[onnx.NodeProto],
        inputs: Mapping[str, Shape],
        outputs: Sequence[str],
        constants: Arrays | None = None,
        opset: int = 17,
        dtype: int = TensorProto.FLOAT,
        functions: Sequence[onnx.FunctionProto] = (),
        domains: Sequence[str] = (),
    ) -> Path:
        graph = helper.make_graph(
            list(nodes),
            "graph",
            [helper.make_tensor_value_info(n, dtype, list(s)) for n, s in inputs.items()],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
        )
        imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        model: Any = helper.make_model(
            graph, opset_imports=imports, functions=list(functions), ir_version=10
        )
        path = tmp_path / "net.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write_model


Reference = Callable[[Path, Arrays], dict[str, NDArray[Any]]]


@pytest.fixture
def reference() -> Reference:
    """Run a file in onnxruntime, unoptimized: outputs by name."""

    def run(path: Path, feeds: Arrays) -> dict[str, NDArray[Any]]:
        session = open_session(str(path))
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
