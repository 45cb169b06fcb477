"""Every format family on weights and on inputs, bit for bit and in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import helper
from torch import Tensor

from qviz.export.qdq import write_qdq
from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.model.tensors import to_numpy
from qviz.quant.encode import find_encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme
from tests.export.conftest import Write, floats
from tests.export.exported import Exported, checked, exported

Case = tuple[Model, dict[str, Tensor]]

WEIGHTS = (
    *("int8", "int8:channel", "int8:asym:channel", "int8:full", "uint8", "uint8:channel"),
    *("int1", "int2", "int2:channel", "int3:channel", "int4", "int4:channel", "uint4", "int5"),
    *("int7:channel", "int9", "int12:channel", "int16", "int16:asym:channel", "uint16"),
    *("int4:group=16", "uint4:group=32", "int8:group=16", "int2:group=16", "int8:channel:pow2"),
    *("int8:round=away", "int8:round=up", "int8:round=zero", "int8:channel:stochastic=3"),
    *("fp8-e4m3", "fp8-e4m3:channel", "fp8-e5m2", "fp6-e2m3", "fp6-e3m2:channel", "fp4-e2m1"),
    *("fp4-e2m1:group=16", "float16", "bfloat16"),
    *("mxfp4", "mxfp6-e2m3", "mxfp6-e3m2", "mxfp8-e4m3", "mxfp8-e5m2", "mxint8", "nvfp4"),
    *("nf4", "nf4:channel", "pot4", "pot3:channel", "apot4", "kmeans4", "kmeans2", "lloyd4"),
    *("lloyd8", "ternary", "ternary:channel", "binary", "binary:channel", "dorefa-w4"),
    *("dorefa-w1", "dorefa-w8"),
)
INPUTS = (
    *("uint8", "uint8:sym", "int8", "int8:full", "int8:asym", "uint4", "uint6", "int4", "uint2"),
    *("uint1", "int16", "uint16", "uint12", "int9", "uint8:pow2"),
    *("uint8:round=away", "uint8:round=up", "uint8:round=zero", "int8:round=zero"),
    *("fp8-e4m3", "fp8-e5m2", "fp6-e2m3", "fp6-e3m2", "fp4-e2m1", "float16", "bfloat16"),
    *("mxfp4", "mxfp6-e2m3", "mxfp6-e3m2", "mxfp8-e4m3", "mxfp8-e5m2", "mxint8", "nvfp4"),
    *("pot4", "apot4", "lloyd4", "lloyd8", "binary", "dorefa-a4", "dorefa-a1", "dorefa-a8"),
)


def assert_same_weights(case: Exported) -> None:
    slots = [name for name in case.encodings if case.model.slots[name].role == "weight"]
    assert slots
    for name in slots:
        weight = case.model.constants[case.model.slots[name].value]
        np.testing.assert_array_equal(
            case.weight(name), to_numpy(case.encodings[name].apply(weight))
        )


@pytest.mark.parametrize("scheme", WEIGHTS)
def test_weights_are_bit_for_bit_those_of_the_encoding(conv: Case, gemm: Case, scheme: str) -> None:
    for model, feeds in (conv, gemm):
        case = exported(model, feeds, weight=scheme)
        assert_same_weights(case)
        assert case.differences(feeds).max() <= 1e-6
        assert case.differences(feeds, optimised=True).max() <= 1e-6


@pytest.mark.parametrize("scheme", INPUTS)
def test_inputs_give_the_numbers_of_the_simulation(conv: Case, gemm: Case, scheme: str) -> None:
    for model, feeds in (conv, gemm):
        case = exported(model, feeds, inputs=scheme)
        assert case.differences(feeds).max() <= 1e-6
        assert case.differences(feeds, optimised=True).max() <= 1e-6


@pytest.mark.parametrize(
    ("weight", "inputs"),
    [
        ("int8:channel", "uint8"),
        ("int8", "int8:full"),
        ("nf4", "uint8"),
        ("int4:group=16", "uint6"),
    ],
)
def test_weights_and_inputs_together(conv: Case, weight: str, inputs: str) -> None:
    model, feeds = conv
    case = exported(model, feeds, weight, inputs)
    assert_same_weights(case)
    assert case.differences(feeds).max() <= 1e-6


@pytest.mark.parametrize("inputs", ["uint8", "uint6", "uint16", "fp8-e4m3"])
@pytest.mark.parametrize("weight", ["float", "int4:channel", "nf4", "uint4:group=16"])
def test_layers_without_an_integer_kernel_keep_their_numbers_when_optimised(
    weight: str, inputs: str, chain: Case
) -> None:
    """A layer between two quantizers, whose bias and float weights onnxruntime would round."""
    model, feeds = chain
    case = exported(model, feeds, weight, inputs)
    apart = case.differences(feeds, optimised=True)
    assert np.median(apart) <= 1e-6  # a tie may move a sample


@pytest.mark.parametrize("scheme", ["int8:channel", "int4:group=16", "nf4:channel", "int8"])
@pytest.mark.parametrize("axes", [(0, 1), (0, 2)])
def test_channels_along_several_axes(
    write_model: Write, scheme: str, axes: tuple[int, ...]
) -> None:
    """Each row of each of a stack of matrices."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")
    inputs, outputs = {"x": [3, "N", 20]}, {"y": [3, "N", 18]}
    path = write_model("stack.onnx", [node], {"w": floats(0, 3, 20, 18)}, inputs, outputs)
    model, feeds = read_onnx(path), {"x": torch.from_numpy(floats(1, 3, 4, 20))}
    found = find_encoding(measure(model.constants["w"], axes, keep=True), parse_scheme(scheme))
    encodings = {"fc.weight": found}
    case = checked(Exported(model, encodings, write_qdq(model, encodings)))
    assert_same_weights(case)
    np.testing.assert_allclose(case.run(feeds)["y"], case.simulated(feeds)["y"], atol=1e-5)


@pytest.fixture
def products(write_model: Write) -> Case:
    """MatMul, Add, Relu, MatMul, MatMul, as transformers have them."""
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"], name="fc1"),
        helper.make_node("Add", ["h", "b"], ["g"], name="add"),
        helper.make_node("Relu", ["g"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "w2"], ["s"], name="fc2"),
        helper.make_node("MatMul", ["s", "w3"], ["y"], name="fc3"),
    ]
    weights = {"w1": floats(0, 64, 64), "b": floats(1, 64)}
    weights |= {"w2": floats(2, 64, 64), "w3": floats(3, 64, 32)}
    path = write_model("mm.onnx", nodes, weights, {"x": ["N", 64]}, {"y": ["N", 32]})
    return read_onnx(path), {"x": torch.from_numpy(floats(5, 16, 64))}


@pytest.mark.parametrize("weight", ["float", "int4:channel", "nf4", "uint4:group=16", "int3"])
@pytest.mark.parametrize("inputs", ["uint8", "uint5", "uint16"])
def test_products_of_matrices_keep_their_numbers_when_optimised(
    products: Case, weight: str, inputs: str
) -> None:
    model, feeds = products
    case = exported(model, feeds, weight, inputs)
    if weight != "float":
        assert_same_weights(case)
    assert np.median(case.differences(feeds, optimised=True)) <= 1e-6


@pytest.mark.parametrize("weight", ["int4:group=32", "uint4:group=16", "int8:group=32"])
def test_blocks_down_the_columns_of_a_matrix_need_no_transpose(products: Case, weight: str) -> None:
    """The form that onnxruntime's MatMulNBits takes."""
    model, feeds = products
    case = exported(model, feeds, weight)
    assert "Transpose" not in case.ops
    assert_same_weights(case)
    assert case.differences(feeds).max() <= 1e-6


def test_the_smallest_type_of_the_opset_holds_the_codes(conv: Case) -> None:
    model, feeds = conv
    wanted = {"int8": "int8", "int5": "int8", "int4": "int4", "int3": "int4", "uint4": "uint4"}
    wanted |= {"int12": "int16", "nf4": "uint4", "lloyd8": "uint8", "fp8-e4m3": "float8e4m3fn"}
    for scheme, kind in wanted.items():
        assert exported(model, feeds, scheme).written.containers == {"conv.weight": kind}
    assert exported(model, feeds, "int2", opset=25).written.containers == {"conv.weight": "int2"}


def test_the_opset_is_only_raised_as_far_as_the_plan_needs(conv: Case) -> None:
    model, feeds = conv
    assert exported(model, feeds, "int8:channel", "uint8").written.opset == 17
    assert exported(model, feeds, "fp8-e4m3").written.opset == 19
    assert exported(model, feeds, "int4:channel").written.opset == 21
    assert exported(model, feeds, "int8", opset=23).written.opset == 23
