"""Random windows: padding, strides, dilations and ceil_mode mean what they mean in onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from qviz.model.node_session import open_session
from qviz.model.step_runner import StepRunner
from qviz.model.steps import make_step

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
SMALL = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADS = st.tuples(*[st.integers(0, 2)] * 4)
AUTO = st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])


def compare(op: str, x: Any, constants: dict[str, Any], attributes: dict[str, Any]) -> None:
    """Run one node in both and compare; a window that fits nowhere is no case."""
    node = helper.make_node(op, ["x", *constants], ["y"], **attributes)
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph([node], "g", [info], [result], weights)
    imports = [helper.make_opsetid("", 19)]
    model: Any = helper.make_model(graph, opset_imports=imports, ir_version=9)
    try:
        expected = open_session(model.SerializeToString()).run(None, {"x": x})[0]
    except Exception:
        expected = np.zeros(0)
    assume(expected.size > 0)
    read: ir.Model = ir.from_proto(model)
    step = make_step(0, read.graph[0], read.graph.opset_imports)
    inputs = [torch.from_numpy(x), *(torch.from_numpy(array) for array in constants.values())]
    runner = StepRunner(read, {})
    (found,) = runner.run(step, inputs, {})
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@settings(max_examples=150)
@given(
    op=st.sampled_from(["MaxPool", "AveragePool", "LpPool"]),
    size=SIZES,
    kernel=SMALL,
    strides=SMALL,
    pads=PADS,
    ceil=st.integers(0, 1),
    include=st.integers(0, 1),
)
def test_pools(
    op: str,
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, ...],
    ceil: int,
    include: int,
) -> None:
    assume(all(pad < k for pad, k in zip(pads, kernel * 2, strict=True)))
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "ceil_mode": ceil}
    if op == "AveragePool":
        attributes["count_include_pad"] = include
    compare(op, numbers(2, 3, *size), {}, attributes)


@settings(max_examples=100)
@given(size=SIZES, kernel=SMALL, strides=SMALL, dilations=SMALL, pads=PADS, auto=AUTO)
def test_convolutions(
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    auto: str,
) -> None:
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "auto_pad": auto}
    if auto == "NOTSET":
        attributes["pads"] = pads
    compare("Conv", numbers(2, 3, *size), {"w": numbers(4, 3, *kernel)}, attributes)


@settings(max_examples=100)
@given(size=SIZES, kernel=SMALL, strides=SMALL, dilations=SMALL, pads=PADS, extra=SMALL)
def test_transposed_convolutions(
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    extra: tuple[int, int],
) -> None:
    output_padding = [e - 1 for e in extra]
    assume(all(e < s for e, s in zip(output_padding, strides, strict=True)))
    attributes: dict[str, Any] = {
        "strides": strides,
        "dilations": dilations,
        "pads": pads,
        "output_padding": output_padding,
    }
    constants = {"w": numbers(3, 2, *kernel), "b": numbers(2)}
    compare("ConvTranspose", numbers(2, 3, *size), constants, attributes)


@settings(max_examples=200)
@given(
    size=st.integers(1, 8),
    start=st.integers(-10, 10),
    end=st.integers(-10, 10),
    stride=st.integers(-4, 4).filter(bool),
)
def test_slices(size: int, start: int, end: int, stride: int) -> None:
    places = {
        "starts": np.array([start]),
        "ends": np.array([end]),
        "axes": np.array([1]),
        "steps": np.array([stride]),
    }
    compare("Slice", numbers(2, size), places, {})
