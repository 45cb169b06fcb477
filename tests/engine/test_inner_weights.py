"""Weights inside the bodies of If and Loop: found, quantized, and run as onnxruntime would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qviz.engine.chunks import Chunk
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.model.model import Model
from qviz.model.node_session import open_session
from qviz.model.read_onnx import read_onnx
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Floats = NDArray[np.float32]
W1 = np.linspace(-1.0, 1.7, 12, dtype=np.float32).reshape(4, 3)
W2 = np.linspace(2.0, -3.1, 12, dtype=np.float32).reshape(3, 4)  # is transposed in its body


def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def branches(w1: Floats, w2: Floats) -> onnx.ModelProto:
    """One MatMul by an initializer of the body, or x·w2ᵀ by a Constant node and a Transpose."""
    first = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y1"], name="left")],
        "then",
        [],
        [value("y1", "n", 3)],
        [numpy_helper.from_array(w1, "w")],
    )
    second = helper.make_graph(
        [
            helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(w2)),
            helper.make_node("Transpose", ["c"], ["t"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "t"], ["y2"], name="right"),
        ],
        "else",
        [],
        [value("y2", "n", 3)],
    )
    node = helper.make_node(
        "If", ["choice"], ["y"], name="if", then_branch=first, else_branch=second
    )
    inputs = [value("x", "n", 4), value("choice", kind=TensorProto.BOOL)]
    return made(helper.make_graph([node], "g", inputs, [value("y", "n", 3)]))


def loop(w: Floats) -> onnx.ModelProto:
    """Three times h = h·w, the weight an initializer of the body."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["h", "w"], ["h_out"], name="turn"),
            helper.make_node("Identity", ["going"], ["still_going"]),
        ],
        "body",
        [
            value("i", kind=TensorProto.INT64),
            value("going", kind=TensorProto.BOOL),
            value("h", "n", 4),
        ],
        [value("still_going", kind=TensorProto.BOOL), value("h_out", "n", 4)],
        [numpy_helper.from_array(w, "w")],
    )
    node = helper.make_node("Loop", ["three", "", "x"], ["y"], name="loop", body=body)
    three = numpy_helper.from_array(np.array(3), "three")
    graph = helper.make_graph([node], "g", [value("x", "n", 4)], [value("y", "n", 4)], [three])
    return made(graph)


def made(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def opened(path: Path, proto: onnx.ModelProto) -> Model:
    onnx.save(proto, path)
    return read_onnx(path)


def quantized(model: Model, feeds: dict[str, Any], spelling: str) -> tuple[Floats, list[Encoding]]:
    """The output with every weight under a scheme, and the encodings in the order of the layers."""
    encodings: dict[str, Encoding] = {}
    for slot in model.slots.values():
        if slot.role == "weight":
            stats = measure(model.constants[slot.value], slot.axis, keep=True)
            encodings[slot.name] = find_encoding(stats, parse_scheme(spelling))
    executor = Executor(model, Memo(1 << 20))
    given = {name: torch.from_numpy(np.asarray(array)) for name, array in feeds.items()}
    chunk = Chunk("one", np.arange(2), given, 0)
    found = executor.run(chunk, encodings, executor.program(encodings))["y"]
    return np.asarray(found), list(encodings.values())


def theirs(proto: onnx.ModelProto, feeds: dict[str, Any]) -> Floats:
    (found,) = open_session(proto.SerializeToString()).run(None, feeds)
    return np.asarray(found)


X = np.array([[1.0, -2.0, 0.5, 3.0], [0.1, 0.2, -0.3, 0.4]], dtype=np.float32)


def test_weights_in_branches_are_layers(tmp_path: Path) -> None:
    model = opened(tmp_path / "if.onnx", branches(W1, W2))
    assert [(layer.name, layer.op, layer.step) for layer in model.layers] == [
        ("if/right", "MatMul", 0),
        ("if/left", "MatMul", 0),
    ]
    assert list(model.slots) == ["if/right.weight", "if/left.weight"]
    assert [slot.axis for slot in model.slots.values()] == [1, 1]
    assert [layer.weight_shape for layer in model.layers] == [(4, 3), (4, 3)]


def test_branches_whose_nodes_have_one_name_keep_their_slots(tmp_path: Path) -> None:
    proto = branches(W1, W2)
    then, other = (attribute.g for attribute in proto.graph.node[0].attribute)
    then.node[-1].name = other.node[-1].name = "fc"
    model = opened(tmp_path / "if.onnx", proto)
    assert [layer.name for layer in model.layers] == ["if/fc", "if/fc_2"]
    assert [layer.slots for layer in model.layers] == [("if/fc.weight",), ("if/fc_2.weight",)]
    assert [slot.layer for slot in model.slots.values()] == [0, 1]


@pytest.mark.parametrize("choice", [True, False])
def test_a_quantized_branch_runs_as_onnxruntime_runs_it(tmp_path: Path, choice: bool) -> None:
    model = opened(tmp_path / "if.onnx", branches(W1, W2))
    feeds = {"x": X, "choice": np.array(choice)}
    found, (right, left) = quantized(model, feeds, "int3:channel")
    w1 = left.apply(torch.from_numpy(W1)).numpy()
    w2 = right.apply(torch.from_numpy(np.ascontiguousarray(W2.T))).numpy().T
    expected = theirs(branches(w1, np.ascontiguousarray(w2)), feeds)
    assert np.abs(expected - theirs(branches(W1, W2), feeds)).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_quantized_loop_runs_as_onnxruntime_runs_it(tmp_path: Path) -> None:
    square = np.linspace(-0.9, 1.3, 16, dtype=np.float32).reshape(4, 4)
    model = opened(tmp_path / "loop.onnx", loop(square))
    assert [layer.name for layer in model.layers] == ["loop/turn"]
    found, (encoding,) = quantized(model, {"x": X}, "int4")
    expected = theirs(loop(encoding.apply(torch.from_numpy(square)).numpy()), {"x": X})
    assert np.abs(expected - theirs(loop(square), {"x": X})).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
