"""What is said of onnxruntime's outputs against ours, and what is refused before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import qviz
from qviz.errors import QvizError
from qviz.model.parity import check_against_onnxruntime, said_by_onnxruntime
from qviz.model.read_onnx import read_onnx

Write = Callable[..., Path]


def half_model(folder: Path, bits: int) -> Path:
    """Two layers of 16-bit floats whose outputs qviz and onnxruntime round differently."""
    rng = np.random.default_rng(0)
    float_type = {16: TensorProto.FLOAT16, 32: TensorProto.FLOAT}[bits]
    kind = {16: np.float16, 32: np.float32}[bits]
    shapes = {"w1": (64, 256), "w2": (256, 8)}
    weights = [
        numpy_helper.from_array((rng.normal(size=shape) / 8).astype(kind), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"], name="one"),
        helper.make_node("Sigmoid", ["h"], ["s"], name="sigmoid"),
        helper.make_node("MatMul", ["s", "w2"], ["y"], name="two"),
    ]
    ends = [
        helper.make_tensor_value_info(n, float_type, ["N", s]) for n, s in (("x", 64), ("y", 8))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / f"m{bits}.onnx")
    return folder / f"m{bits}.onnx"


def moved(path: Path, by: float) -> tuple[bool, str]:
    """The verdict on a file whose last weights were moved since it was read."""
    model = read_onnx(path)
    changed = onnx.load(path)
    last = changed.graph.initializer[1]
    values = numpy_helper.to_array(last)
    last.CopyFrom(numpy_helper.from_array((values * (1 + by)).astype(values.dtype), "w2"))
    onnx.save(changed, path)
    kind = values.dtype
    x = np.random.default_rng(1).normal(size=(4, 64)).astype(kind)
    parity = check_against_onnxruntime(model, {"x": x}, fed="4 samples")
    return parity.ok, parity.text


def test_sixteen_bit_floats_may_differ_by_their_rounding(tmp_path: Path) -> None:
    ok, text = moved(half_model(tmp_path, 16), 0.002)
    assert ok
    assert text.startswith("float outputs match onnxruntime on 4 samples: largest relative")
    assert text.endswith(", as 16-bit floats round")
    assert not moved(half_model(tmp_path, 16), 0.05)[0]


def test_float32_may_not(tmp_path: Path) -> None:
    ok, text = moved(half_model(tmp_path, 32), 0.002)
    assert not ok
    assert "differ from onnxruntime at output 'y' on 4 samples" in text
    assert "16-bit" not in text


def test_an_opset_that_onnxruntime_lacks_is_said_in_a_whole_sentence(write_model: Write) -> None:
    path = write_model(
        "new.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")],
        {"w": np.ones((6, 4), np.float32)},
        {"x": ["N", 6]},
        {"y": ["N", 4]},
        version=99,
    )
    text = qviz.open(path).document().parity
    assert text.startswith("onnxruntime could not run this model: it is written in opset 99, and ")
    assert text.endswith(", or update onnxruntime")


def test_what_onnxruntime_says_is_cut_between_words() -> None:
    text = said_by_onnxruntime(RuntimeError("[ONNXRuntimeError] : 1 : FAIL : " + "wordy " * 80))
    assert text.endswith("wordy …")
    assert len(text) <= 200


def norm(write: Write, training: int) -> Path:
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(3, 2, 1, 1)).astype(np.float32)}
    weights |= {name: np.ones(3, np.float32) for name in ("s", "b", "m", "v")}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node(
            "BatchNormalization",
            ["r", "s", "b", "m", "v"],
            ["y", "mean", "var"] if training else ["y"],
            name="norm",
            training_mode=training,
        ),
    ]
    return write("n.onnx", nodes, weights, {"x": ["N", 2, 4, 4]}, {"y": ["N", 3, 4, 4]})


def test_a_norm_that_follows_each_batch_is_refused(write_model: Write) -> None:
    qviz.open(norm(write_model, 0))
    with pytest.raises(QvizError, match="exported for training: its node 'norm'") as caught:
        qviz.open(norm(write_model, 1))
    assert "eval()" in caught.value.cure


def test_dropout_that_drops_is_refused(tmp_path: Path) -> None:
    def dropout(training: bool) -> Path:
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="mm"),
            helper.make_node("Dropout", ["h", "ratio", "on"], ["y"], name="drop"),
        ]
        constants = {
            "w": np.ones((6, 4), np.float32),
            "ratio": np.array(0.5, np.float32),
            "on": np.array(training),
        }
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / "d.onnx")
        return tmp_path / "d.onnx"

    qviz.open(dropout(False))
    with pytest.raises(QvizError, match=r"its node 'drop' \(Dropout\)"):
        qviz.open(dropout(True))
