"""Every torch operator against onnxruntime, in many of its forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper

from qviz.model.node_session import open_session
from qviz.model.operators import find_operator, operator_names
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.model.tensors import from_numpy, to_numpy

_RNG = np.random.default_rng(7)


@dataclass(frozen=True, eq=False)
class Case:
    """One node, its inputs (None for an absent one) and what to compare."""

    op: str
    inputs: list[NDArray[Any] | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    outputs: int = 1
    in_torch: bool = True

    def __str__(self) -> str:
        shown = ",".join(f"{k}={v}" for k, v in self.attributes.items())
        return f"{self.op}[{shown}]@{self.opset}".replace(" ", "")


def f(*shape: int) -> NDArray[np.float32]:
    return _RNG.standard_normal(shape).astype(np.float32)


def pos(*shape: int) -> NDArray[np.float32]:
    return (np.abs(f(*shape)) + np.float32(0.1)).astype(np.float32)


def i(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def ints(*shape: int) -> NDArray[np.int64]:
    return _RNG.integers(-5, 6, shape)


def bools(*shape: int) -> NDArray[np.bool_]:
    return _RNG.integers(0, 2, shape).astype(bool)


def s(value: Any, dtype: Any = np.int64) -> NDArray[Any]:
    return np.array(value, dtype=dtype)


X4 = f(2, 4, 9, 8)

CONVOLUTION = [
    Case("Conv", [f(2, 3, 9), f(4, 3, 3)], {"pads": [1, 1]}),
    Case("Conv", [X4, f(6, 4, 3, 3), f(6)], {"strides": [2, 1]}),
    Case("Conv", [X4, f(6, 2, 3, 3), f(6)], {"group": 2, "pads": [1, 1, 1, 1]}),
    Case("Conv", [X4, f(4, 1, 3, 3)], {"group": 4, "dilations": [2, 2]}),
    Case("Conv", [X4, f(6, 4, 3, 3)], {"pads": [0, 1, 2, 0]}),
    Case("Conv", [X4, f(6, 4, 4, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", [X4, f(6, 4, 4, 3)], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    Case("Conv", [X4, f(6, 4, 4, 3)], {"auto_pad": "VALID"}),
    Case("Conv", [f(1, 2, 5, 6, 4), f(3, 2, 2, 3, 2)], {"pads": [1, 0, 1, 0, 1, 0]}),
    Case("ConvTranspose", [f(2, 3, 5), f(3, 2, 4)], {"strides": [3]}),
    Case("ConvTranspose", [X4, f(4, 3, 3, 3), f(3)], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("ConvTranspose", [X4, f(4, 3, 3, 3)], {"strides": [2, 2], "output_padding": [1, 1]}),
    Case("ConvTranspose", [X4, f(4, 3, 3, 3)], {"strides": [3, 2], "output_shape": [28, 18]}),
    Case("ConvTranspose", [X4, f(4, 3, 3, 3), f(3)], {"strides": [3, 2], "pads": [0, 1, 2, 0]}),
    Case("ConvTranspose", [X4, f(4, 2, 3, 3)], {"group": 2, "dilations": [2, 1]}),
    Case("ConvTranspose", [X4, f(4, 2, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("ConvTranspose", [X4, f(4, 2, 3, 3)], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
]
POOLING = [
    Case("MaxPool", [f(2, 3, 9)], {"kernel_shape": [3], "strides": [2]}),
    Case("MaxPool", [X4], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}),
    Case("MaxPool", [X4], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    Case("MaxPool", [X4], {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1}),
    Case("MaxPool", [X4], {"kernel_shape": [3, 3], "pads": [0, 1, 2, 0]}),
    Case("MaxPool", [X4], {"kernel_shape": [2, 2], "dilations": [2, 3]}),
    Case("MaxPool", [X4], {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    Case("MaxPool", [f(1, 2, 5, 6, 4)], {"kernel_shape": [2, 2, 2]}),
    Case("MaxPool", [X4], {"kernel_shape": [2, 2]}, outputs=2, in_torch=False),
    Case("AveragePool", [f(2, 3, 9)], {"kernel_shape": [3], "pads": [1, 1]}),
    Case("AveragePool", [X4], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    Case(
        "AveragePool", [X4], {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2], "count_include_pad": 1}
    ),
    Case("AveragePool", [X4], {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1}, 19),
    Case("AveragePool", [X4], {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}),
    Case("AveragePool", [f(1, 2, 5, 6, 4)], {"kernel_shape": [2, 2, 2], "pads": [1] * 6}),
    Case("AveragePool", [X4], {"kernel_shape": [2, 2], "dilations": [2, 2]}, 19, in_torch=False),
    Case("LpPool", [X4], {"kernel_shape": [2, 3], "p": 3, "pads": [1, 1, 0, 0]}, 18),
    Case("GlobalAveragePool", [X4]),
    Case("GlobalMaxPool", [X4]),
    Case("GlobalLpPool", [X4], {"p": 3}),
]
LINEAR = [
    Case("MatMul", [f(5, 4), f(4, 3)]),
    Case("MatMul", [f(2, 1, 5, 4), f(3, 4, 6)]),
    Case("MatMul", [f(4), f(2, 4, 3)]),
    Case("Gemm", [f(5, 4), f(4, 3), f(3)]),
    Case("Gemm", [f(5, 4), f(3, 4), f(3)], {"transB": 1}),
    Case(
        "Gemm", [f(4, 5), f(3, 4), f(5, 1)], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}
    ),
    Case("Gemm", [f(5, 4), f(4, 3)], {"alpha": 2.0}),
    Case("Gemm", [f(5, 4), f(3, 4), f(1)], {"transB": 1}),
    Case("Einsum", [f(2, 3, 4), f(2, 4, 5)], {"equation": "bij, bjk -> bik"}),
    Case("Einsum", [f(2, 3, 4)], {"equation": "...ij->...ji"}),
]
ACTIVATION = [
    *[Case(op, [f(3, 4) * 3]) for op in ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign")],
    *[Case(op, [f(3, 4) * 3]) for op in ("Elu", "Selu", "LeakyRelu", "HardSigmoid", "HardSwish")],
    Case("Elu", [f(3, 4)], {"alpha": 0.3}),
    Case("Selu", [f(3, 4)], {"alpha": 2.0, "gamma": 1.5}),
    Case("LeakyRelu", [f(3, 4)], {"alpha": 0.2}),
    Case("HardSigmoid", [f(3, 4) * 3], {"alpha": 0.3, "beta": 0.4}),
    Case("Celu", [f(3, 4)], {"alpha": 2.0}),
    Case("ThresholdedRelu", [f(3, 4) * 2], {"alpha": 0.7}),
    Case("Shrink", [f(3, 4) * 2], {"lambd": 0.7, "bias": 0.2}),
    Case("Mish", [f(3, 4)], opset=18),
    Case("Gelu", [f(3, 4)], opset=20),
    Case("Gelu", [f(3, 4)], {"approximate": "tanh"}, 20),
    Case("PRelu", [f(2, 3, 4), pos(3, 1)]),
    *[Case(op, [f(2, 3, 4)], {"axis": 1}, 11) for op in ("Softmax", "LogSoftmax", "Hardmax")],
    *[Case(op, [f(2, 3, 4)], {"axis": 1}, 13) for op in ("Softmax", "LogSoftmax", "Hardmax")],
    Case("Softmax", [f(2, 3, 4)], {}, 11),
    Case("Softmax", [f(2, 3, 4)], {}, 13),
]
_UNARY = ("Abs", "Asinh", "Atan", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "Neg")
_MORE_UNARY = ("Reciprocal", "Round", "Sign", "Sin", "Sinh", "Tan")
ELEMENTWISE = [
    *[Case(op, [f(3, 4)]) for op in _UNARY + _MORE_UNARY],
    *[Case(op, [pos(3, 4)]) for op in ("Sqrt", "Log")],
    *[Case(op, [np.tanh(f(3, 4))]) for op in ("Acos", "Asin", "Atanh")],
    Case("Acosh", [pos(3, 4) + 1]),
    Case("Round", [s([0.5, 1.5, 2.5, -0.5, -1.5], np.float32)]),
    *[Case(op, [f(2, 3, 4), f(3, 1)]) for op in ("Add", "Sub", "Mul", "Div")],
    *[Case(op, [ints(3, 4), ints(4) * 2 + 1]) for op in ("Add", "Sub", "Mul", "Div")],
    Case("Pow", [pos(3, 4), f(4)]),
    Case("Pow", [f(3, 4), s(2)]),
    Case("Mod", [ints(3, 4), ints(4) * 2 + 1]),
    Case("Mod", [f(3, 4), f(4)], {"fmod": 1}),
    *[Case(op, [f(3, 4), f(4), f(3, 1)]) for op in ("Max", "Min", "Sum", "Mean")],
    Case("Clip", [f(3, 4)], {"min": -0.5, "max": 0.5}, 6 + 3),
    Case("Clip", [f(3, 4), s(-0.5, np.float32), s(0.5, np.float32)]),
    Case("Clip", [f(3, 4), None, s(0.5, np.float32)]),
    Case("Clip", [f(3, 4), s(1, np.float32), s(-1, np.float32)]),
    Case("BitShift", [s([1, 2, 8], np.uint8), s([1, 2, 1], np.uint8)], {"direction": "LEFT"}),
    Case("BitShift", [s([1, 2, 8], np.uint8), s([1, 2, 1], np.uint8)], {"direction": "RIGHT"}),
    *[Case(f"Bitwise{op}", [ints(3, 4), ints(4)], opset=18) for op in ("And", "Or", "Xor")],
    Case("BitwiseNot", [ints(3, 4)], opset=18),
]
_COMPARE = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
COMPARISON = [
    *[Case(op, [ints(3, 4), ints(4)]) for op in _COMPARE],
    *[Case(op, [bools(3, 4), bools(4)]) for op in ("And", "Or", "Xor")],
    Case("Not", [bools(3, 4)]),
    Case("IsNaN", [s([1, np.nan, np.inf], np.float32)]),
    Case("IsInf", [s([1, -np.inf, np.inf], np.float32)]),
    Case("IsInf", [s([1, -np.inf, np.inf], np.float32)], {"detect_negative": 0}),
    Case("IsInf", [s([1, -np.inf, np.inf], np.float32)], {"detect_positive": 0}),
    Case("Where", [bools(3, 4), f(4), f(3, 1)]),
]
_STATISTICS = [f(4), f(4), f(4), pos(4)]
NORMALIZATION = [
    Case("BatchNormalization", [X4, *_STATISTICS], {"epsilon": 1e-3}),
    Case("BatchNormalization", [f(5, 4), *_STATISTICS]),
    Case("InstanceNormalization", [X4, f(4), f(4)], {"epsilon": 1e-3}),
    Case("LayerNormalization", [f(2, 3, 4), f(4), f(4)]),
    Case("LayerNormalization", [f(2, 3, 4), f(3, 4), f(3, 4)], {"axis": 1}),
    Case("LayerNormalization", [f(2, 3, 4), f(4)], outputs=3),
    Case("GroupNormalization", [X4, f(4), f(4)], {"num_groups": 2}, 21),
    Case("GroupNormalization", [X4, f(2), f(2)], {"num_groups": 2}, 18),
    Case("RMSNormalization", [f(2, 3, 4), f(4)], opset=23),
    Case("LRN", [X4], {"size": 3, "alpha": 0.1, "beta": 0.5, "bias": 2.0}),
    Case("LRN", [X4], {"size": 1}),
    Case("LpNormalization", [f(2, 3, 4)], {"axis": 1, "p": 1}),
    Case("LpNormalization", [f(2, 3, 4)], {"p": 2}),
    Case("MeanVarianceNormalization", [X4], {"axes": [0, 2, 3]}),
]
_REDUCE = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"]
REDUCTION = [
    *[Case(f"Reduce{op}", [pos(2, 3, 4)], {"axes": [0, 2], "keepdims": 0}, 11) for op in _REDUCE],
    *[Case(f"Reduce{op}", [pos(2, 3, 4), i(-1)], {}, 18) for op in _REDUCE],
    *[Case(f"Reduce{op}", [pos(2, 3, 4)], {"keepdims": 0}, 18) for op in _REDUCE],
    Case("ReduceSum", [f(2, 3), i()], {"noop_with_empty_axes": 1}, 13),
    Case("ReduceSum", [ints(2, 3), i(0)], {}, 13),
    Case("ReduceMean", [ints(2, 3), i(0)], {}, 18, in_torch=False),
    *[Case(op, [ints(4, 6)], {"axis": 1, "keepdims": 0}) for op in ("ArgMax", "ArgMin")],
    *[Case(op, [ints(4, 6)], {"select_last_index": 1}) for op in ("ArgMax", "ArgMin")],
    Case("CumSum", [f(3, 4), s(1)]),
    Case("CumSum", [f(3, 4), s(0)], {"exclusive": 1, "reverse": 1}),
    Case("TopK", [ints(3, 8), i(3)], {"axis": 1}, outputs=2),
    Case("TopK", [f(8, 3), i(2)], {"axis": 0, "largest": 0}, outputs=2),
]
SHAPE = [
    Case("Identity", [f(3)]),
    Case("Dropout", [f(3, 4)]),
    Case("Dropout", [f(3, 4)], outputs=2),
    Case("ConstantOfShape", [i(2, 3)], {"value": helper.make_tensor("v", 6, [1], [7])}),
    Case("ConstantOfShape", [i(2, 3)]),
    Case("Shape", [f(2, 3, 4)]),
    Case("Shape", [f(2, 3, 4)], {"start": -2, "end": 3}),
    Case("Size", [f(2, 3)]),
    Case("Reshape", [f(2, 3, 4), i(0, -1, 2)]),
    Case("Reshape", [f(0, 3), i(3, 0)], {"allowzero": 1}),
    Case("Flatten", [f(2, 3, 4)], {"axis": 2}),
    Case("Flatten", [f(2, 3, 4)], {"axis": 0}),
    Case("Flatten", [f(2, 3, 4)], {"axis": -1}),
    Case("Squeeze", [f(1, 3, 1)], {"axes": [0]}, 11),
    Case("Squeeze", [f(1, 3, 1), i(-1)]),
    Case("Squeeze", [f(1, 3, 1)]),
    Case("Unsqueeze", [f(3, 4)], {"axes": [0, 3]}, 11),
    Case("Unsqueeze", [f(3, 4), i(-1, 0)]),
    Case("Transpose", [f(2, 3, 4)]),
    Case("Transpose", [f(2, 3, 4)], {"perm": [1, 0, 2]}),
    Case("Concat", [f(2, 3), f(2, 1)], {"axis": -1}),
    Case("Split", [f(6, 2)], {"split": [1, 5]}, 11, 2),
    Case("Split", [f(6, 2), i(2, 4)], {}, 13, 2),
    Case("Split", [f(2, 7)], {"axis": 1, "num_outputs": 3}, 18, 3),
    Case("Split", [f(6, 2)], {}, 13, 3),
    Case("Expand", [f(3, 1), i(2, 1, 4)]),
    Case("Tile", [f(2, 3), i(2, 1)]),
    Case("Range", [s(1), s(10), s(3)]),
    Case("Range", [s(5, np.float32), s(0, np.float32), s(-1.5, np.float32)]),
    Case("EyeLike", [f(3, 4)], {"k": 1}),
    Case("Trilu", [f(2, 4, 5), s(1)], {"upper": 0}),
    Case("Trilu", [f(4, 4)]),
    Case("DepthToSpace", [f(1, 8, 2, 3)], {"blocksize": 2}),
    Case("DepthToSpace", [f(1, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}),
    Case("SpaceToDepth", [f(1, 2, 4, 6)], {"blocksize": 2}),
    Case("Pad", [f(2, 3)], {"pads": [0, 1, 1, 2], "value": 1.5}, 10),
    Case("Pad", [f(2, 3), i(0, 1, 1, -1), s(2, np.float32)]),
    Case("Pad", [f(3, 5, 4), i(1, 2, 1, 0), None, i(1, 0)], {}, 18),
    *[Case("Pad", [f(3, 4), i(2, 1, 2, 3)], {"mode": mode}, 19) for mode in ("edge", "reflect")],
    Case("Pad", [f(3, 4), i(2, 1, 2, 3)], {"mode": "wrap"}, 19),
    Case("Cast", [f(3, 4) * 5], {"to": 7}),
    Case("Cast", [ints(3, 4)], {"to": 9}),
    Case("Cast", [f(3, 4)], {"to": 10}),
    Case("Cast", [f(3, 4)], {"to": 8}, in_torch=False),
    Case("CastLike", [f(3, 4), i(1)]),
]
INDEXING = [
    Case("Gather", [f(5, 4), s([[0, -1], [2, 3]])]),
    Case("Gather", [f(5, 4), s(1)], {"axis": 1}),
    Case("GatherElements", [f(3, 4), s([[0, -1], [2, 3]])], {"axis": 1}),
    Case("GatherND", [f(2, 3, 4), s([[0, 1], [-1, 2]])]),
    Case("GatherND", [f(2, 3, 4), s([[1], [2]])], {"batch_dims": 1}),
    Case("ScatterElements", [f(3, 4), s([[0, 2], [1, -1]]), f(2, 2)], {"axis": 1}),
    Case("ScatterElements", [f(3, 4), s([[0, 0]]), f(1, 2)], {"axis": 1, "reduction": "add"}, 18),
    Case("ScatterElements", [f(3, 4), s([[0, 0]]), f(1, 2)], {"axis": 1, "reduction": "max"}, 18),
    Case("ScatterND", [f(4, 3), s([[1], [-1]]), f(2, 3)]),
    Case("ScatterND", [f(4, 3), s([[1], [1]]), f(2, 3)], {"reduction": "add"}, 18),
    Case("ScatterND", [f(4, 3), s([[1], [2]]), f(2, 3)], {"reduction": "mul"}, 18, in_torch=False),
    Case("Slice", [f(5, 6)], {"starts": [1, -3], "ends": [4, 99]}, 9),
    Case("Slice", [f(5, 6), i(-1, 0), i(-99, 5), i(0, 1), i(-2, 2)]),
    Case("Slice", [f(5, 6), i(3), i(1)]),
    Case("OneHot", [s([0, -1, 9]), s(4), s([0, 2], np.float32)], {"axis": 0}),
    Case("NonZero", [ints(3, 4)]),
    Case("Compress", [f(3, 4), s([1, 0, 1], bool)], {"axis": 0}),
    Case("Compress", [f(3, 4), s([0, 1, 1], bool)]),
]
_SIZES = i(1, 2, 7, 5)
_SCALES = s([1, 1, 1.7, 0.6], np.float32)
_COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
RESIZE = [
    *[
        Case(
            "Resize",
            [f(1, 2, 4, 6), None, *chosen],
            {"mode": mode, "coordinate_transformation_mode": coordinates},
            opset=13,
        )
        for mode in ("nearest", "linear")
        for coordinates in _COORDINATES
        for chosen in ([_SCALES], [None, _SIZES])
        if not (coordinates == "align_corners" and len(chosen) == 1)
    ],
    *[
        Case("Resize", [f(1, 2, 4, 6), None, _SCALES], {"nearest_mode": mode}, 13)
        for mode in ("round_prefer_ceil", "floor", "ceil")
    ],
    Case("Resize", [f(1, 2, 4, 6), None, None, i(8, 9)], {"axes": [2, 3], "mode": "linear"}, 18),
    Case("Resize", [f(1, 2, 4, 6), None, _SCALES], {"mode": "cubic"}, 13, in_torch=False),
    Case("Resize", [f(1, 2, 4, 6), s([1, 1, 2, 2], np.float32)], {"mode": "nearest"}, 10),
    Case("Upsample", [f(1, 2, 4, 6), s([1, 1, 2, 3], np.float32)], {"mode": "nearest"}, 9),
    Case("Upsample", [f(1, 2, 4, 6)], {"scales": [1.0, 1.0, 2.0, 2.0], "mode": "linear"}, 7),
]
_SCALE = s(0.05, np.float32)
QUANTIZATION = [
    Case("QuantizeLinear", [f(3, 4) * 5, _SCALE, s(3, np.int8)]),
    Case("QuantizeLinear", [f(3, 4), _SCALE]),
    Case("QuantizeLinear", [f(3, 4), pos(3) / 20, s([1, 2, 3], np.uint8)], {"axis": 0}),
    Case("DequantizeLinear", [s([[1, -7]], np.int8), _SCALE, s(3, np.int8)]),
    Case("DequantizeLinear", [ints(3, 4).astype(np.int8), pos(4)], {"axis": 1}),
    Case("DynamicQuantizeLinear", [f(3, 4)], outputs=3),
]
CASES = [
    *(CONVOLUTION + POOLING + LINEAR + ACTIVATION + ELEMENTWISE + COMPARISON + NORMALIZATION),
    *(REDUCTION + SHAPE + INDEXING + RESIZE + QUANTIZATION),
]
# Rarer ones, which only the ONNX node tests exercise, and those of models rather than of one node.
ELSEWHERE = {"Constant", "Scatter", "Swish"}


def write_case(case: Case, path: Path) -> dict[str, NDArray[Any]]:
    """Write the case as a model whose inputs all are fed; returns the feeds."""
    names = [f"i{n}" if x is not None else "" for n, x in enumerate(case.inputs)]
    outputs = [f"o{n}" for n in range(case.outputs)]
    feeds = {n: x for n, x in zip(names, case.inputs, strict=True) if x is not None}
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for n, x in feeds.items()
    ]
    node = helper.make_node(case.op, names, outputs, **case.attributes)
    graph = helper.make_graph([node], "g", infos, [onnx.ValueInfoProto(name=o) for o in outputs])
    imports = [helper.make_opsetid("", case.opset)]
    model: Any = helper.make_model(graph, opset_imports=imports, ir_version=10)
    path.write_bytes(model.SerializeToString())
    return feeds


@pytest.mark.parametrize("case", CASES, ids=str)
def test_matches_onnxruntime(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "case.onnx"
    feeds = write_case(case, path)
    model = read_onnx(path)
    runtime = Runtime(model)
    tensors = {name: from_numpy(array) for name, array in feeds.items()}
    ours = runtime.run(tensors)
    theirs = open_session(str(path)).run(None, feeds)
    for name, expected in zip(model.outputs, theirs, strict=True):
        value = ours[name]
        assert isinstance(value, torch.Tensor | np.ndarray)
        found = to_numpy(value)
        assert found.dtype == expected.dtype
        if expected.dtype == object:
            assert [float(x) for x in found.flat] == [float(x) for x in expected.flat]
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert (case.op not in runtime.onnxruntime_ops) == case.in_torch


def test_every_torch_operator_is_tried() -> None:
    assert set(operator_names()) == {case.op for case in CASES} | ELSEWHERE


def test_a_meaning_depends_on_the_opset() -> None:
    old, new = find_operator("", "Softmax", 12), find_operator("", "Softmax", 13)
    assert old is not None
    assert new is not None
    assert old.function is not new.function
    assert find_operator("", "LSTM", 17) is None
    assert find_operator("com.example", "Softmax", 13) is None
