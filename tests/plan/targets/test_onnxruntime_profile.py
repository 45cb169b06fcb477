"""The onnxruntime profile against what the installed onnxruntime makes of one-layer models."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from qviz.plan.targets.read_target import bundled_target
from qviz.quant.spelling import parse_scheme

TYPES: dict[str, Any] = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "fp8": ml_dtypes.float8_e4m3fn,
}
SHAPES = {"Conv": (32, 32, 1, 1), "ConvTranspose": (32, 32, 1, 1), "MatMul": (32, 32)}
INPUTS = {"Conv": (1, 32, 4, 4), "ConvTranspose": (1, 32, 4, 4)}
INTEGER = {"QLinearConv", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat"}


class Layer:
    """Builds one layer: the input quantized, the weight stored, the output quantized again."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def quantized(self, value: str, kind: str) -> str:
        if kind == "float":
            return value
        zero = self.constant(f"{value}_zero", np.array(0, TYPES[kind]))
        ends = [self.constant(f"{value}_scale", np.float32(0.02)), zero]
        codes = self.node("QuantizeLinear", [value, *ends], f"{value}_codes")
        return self.node("DequantizeLinear", [codes, *ends], f"{value}_floats")

    def weight(self, op: str, kind: str, grain: str) -> str:
        shape = SHAPES.get(op, (32, 32))
        values = np.random.default_rng(0).integers(0, 7, shape)
        if kind == "float":
            return self.constant("w", values.astype(np.float32) / 7)
        axis, along = (0, 1) if op == "Conv" else (1, 0)
        count: tuple[int, ...] = ()
        attributes: dict[str, int] = {}
        if grain == "channel":
            count, attributes = (32,), {"axis": axis}
        elif grain == "group":
            count = tuple(2 if at == along else size for at, size in enumerate(shape))
            attributes = {"axis": along, "block_size": 16}
        codes = self.constant("codes", values.astype(TYPES[kind]))
        scale = self.constant("scale", np.full(count, 0.01, np.float32))
        zero = self.constant("zero", np.zeros(count, TYPES[kind]))  # Gemm wants it even so
        return self.node("DequantizeLinear", [codes, scale, zero], "w", **attributes)


def build(op: str, weight: str, grain: str, value: str) -> bytes:
    layer = Layer()
    x = layer.quantized("x", value)
    layer.node(op, [x, layer.weight(op, weight, grain)], "h")
    layer.node("Identity", [layer.quantized("h", value)], "y")
    graph = helper.make_graph(
        layer.nodes,
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, INPUTS.get(op, (4, 32)))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        layer.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    found: bytes = model.SerializeToString()
    return found


def run(model: bytes, op: str, path: Path) -> set[str]:
    """The operators that onnxruntime runs; raises what it raises."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.optimized_model_filepath = str(path)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session.run(None, {"x": np.ones(INPUTS.get(op, (4, 32)), np.float32)})
    return {node.op_type for node in onnx.load(path).graph.node}


def way(op: str, weight: str, grain: str, value: str) -> Any:
    spelled = (
        weight if weight == "float" else f"{weight}:{'group=16' * (grain == 'group') or grain}"
    )
    scale = {"int8": "int8:full", "int16": "int16:full"}.get(value, value)
    return bundled_target("onnxruntime-cpu").way_of(
        op, [("weight", parse_scheme(spelled)), ("input", parse_scheme(scale))]
    )


CASES = [
    (op, weight, grain, value)
    for op, weight, grain, value in product(
        ("Conv", "ConvTranspose", "MatMul", "Gemm"),
        ("int8", "uint8", "int4"),
        ("tensor", "channel", "group"),
        ("uint8", "int8", "int16", "float"),
    )
    # Blocks of a convolution are stored as rows and reshaped, which no layer alone shows.
    if not (grain == "group" and op in SHAPES and op != "MatMul")
]


@pytest.mark.parametrize(("op", "weight", "grain", "value"), CASES)
def test_each_way_is_onnxruntimes(
    op: str, weight: str, grain: str, value: str, tmp_path: Path
) -> None:
    claimed = way(op, weight, grain, value)
    model, path = build(op, weight, grain, value), tmp_path / "optimized.onnx"
    if claimed is None:
        with pytest.raises(Exception, match=r"QLinearMatMul|MatMulIntegerToFloat"):
            run(model, op, path)
        return
    ops = run(model, op, path)
    kernel = "integer" if ops & INTEGER else "decoded" if "MatMulNBits" in ops else "float"
    assert kernel == claimed.kernel


@pytest.mark.parametrize("op", ["Conv", "Gemm"])
@pytest.mark.parametrize(("weight", "value"), [("fp8", "fp8"), ("int8", "fp8"), ("fp8", "uint8")])
def test_eight_bit_floats_do_not_load(op: str, weight: str, value: str, tmp_path: Path) -> None:
    assert way(op, weight, "channel", value) is None
    with pytest.raises(Exception, match=r"float8e4m3fn|NOT_IMPLEMENTED"):
        run(build(op, weight, "channel", value), op, tmp_path / "optimized.onnx")


@pytest.mark.parametrize("op", ["Conv", "Gemm"])
def test_float_weights_are_quantized_behind_ones_back(op: str, tmp_path: Path) -> None:
    assert way(op, "float", "tensor", "uint8") is None
    assert run(build(op, "float", "tensor", "uint8"), op, tmp_path / "optimized.onnx") & INTEGER
    assert way("MatMul", "float", "tensor", "uint8").kernel == "float"
    plain = run(build("MatMul", "float", "tensor", "uint8"), "MatMul", tmp_path / "matmul.onnx")
    assert not plain & INTEGER
