"""Trying a model out without samples: sizes that it leaves open, states and sampling rates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import qviz
from qviz.engine.trace import trace_float
from qviz.errors import QvizError
from qviz.model.read_onnx import read_onnx

Write = Callable[..., Path]


def cut_to(write: Write, length: int) -> Path:
    """A model of an open length that only takes one."""
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["r"], name="cut"),
        helper.make_node("MatMul", ["r", "w"], ["y"], name="mm"),
    ]
    return write(
        "cut.onnx",
        nodes,
        {"w": np.ones((length, 3), np.float32)},
        {"x": ["N", "T"]},
        {"y": ["N", 3]},
        integers={"shape": np.array([1, length], np.int64)},
    )


@pytest.mark.parametrize("length", [1, 16, 64, 224, 256, 512, 1024])
def test_usual_lengths_are_found(write_model: Write, length: int) -> None:
    run = trace_float(read_onnx(cut_to(write_model, length)), None)
    assert tuple(run.feeds["x"].shape) == (1, length)


def test_a_length_that_is_not_found_is_said_wherever_there_is_nothing_to_show(
    write_model: Write,
) -> None:
    path = cut_to(write_model, 77)
    with pytest.raises(QvizError, match="Input 'x' leaves a size open") as caught:
        trace_float(read_onnx(path), None)
    assert "it stops at cut (Reshape)" in caught.value.cause
    session = qviz.open(path)
    notice = session.distribution("mm.input").notice
    assert notice.startswith("Not run yet: it cannot run on random inputs")
    assert notice.endswith("Open samples for it")
    assert session.document().parity.startswith("not run yet: ")


def test_a_state_is_of_one_sample_and_a_rate_is_that_of_speech(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["r"], name="cut"),
        helper.make_node("Reshape", ["state", "one"], ["s"], name="state_of_one"),
        helper.make_node("Equal", ["sr", "rate"], ["right"], name="equal"),
        helper.make_node("Cast", ["right"], ["f"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["r", "w"], ["h"], name="mm"),
        helper.make_node("Add", ["h", "s"], ["a"], name="add"),
        helper.make_node("Mul", ["a", "f"], ["y"], name="mul"),
    ]
    constants = {
        "w": np.ones((512, 4), np.float32),
        "shape": np.array([1, 512]),
        "one": np.array([2, 4]),
        "rate": np.array(16000),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T"]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, "N", 4]),
            helper.make_tensor_value_info("sr", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "speech.onnx")
    run = trace_float(read_onnx(tmp_path / "speech.onnx"), None)
    assert [tuple(run.feeds[name].shape) for name in ("x", "state")] == [(1, 512), (2, 1, 4)]
    assert int(run.feeds["sr"]) == 16000
