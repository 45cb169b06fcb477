"""Small models read from ONNX files, and the shapes of their values by ONNX's own inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Built:
    """A model and the shape of every computed value and input for one sample."""

    model: Model
    shapes: Mapping[str, Shape]


class Build(Protocol):
    """Builds a model from nodes, its inputs' shapes and its float constants' shapes."""

    def __call__(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: Mapping[str, Shape],
        constants: Mapping[str, Shape],
        outputs: Sequence[str] = ("y",),
    ) -> Built: ...


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def build_model(
        nodes: Sequence[onnx.NodeProto],
        inputs: Mapping[str, Shape],
        constants: Mapping[str, Shape],
        outputs: Sequence[str] = ("y",),
    ) -> Built:
        rng = np.random.default_rng(0)
        graph = helper.make_graph(
            list(nodes),
            "graph",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [
                numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)
                for name, shape in constants.items()
            ],
        )
        proto: Any = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10
        )
        inferred: Any = shape_inference.infer_shapes(proto, strict_mode=True).graph
        shapes = {
            value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in [*inferred.input, *inferred.value_info, *inferred.output]
        }
        path = tmp_path / "net.onnx"
        path.write_bytes(proto.SerializeToString())
        return Built(read_onnx(path), shapes)

    return build_model
