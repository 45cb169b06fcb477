"""Small ONNX models to damage, and the pieces that malformed ones are put together from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Node = onnx.NodeProto


def floats(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Standard normal values."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def constant(name: str, values: NDArray[Any] | Sequence[int]) -> onnx.TensorProto:
    """An initializer; a list becomes int64."""
    array = values if isinstance(values, np.ndarray) else np.array(values, np.int64)
    return numpy_helper.from_array(array, name)


def info(name: str, shape: Sequence[int | str | None] | None, kind: int = FLOAT) -> Any:
    """The declaration of a tensor."""
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: Sequence[Node],
    constants: Sequence[onnx.TensorProto] = (),
    inputs: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
    opsets: Mapping[str, int] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
) -> Any:
    """A model from x [n, 4] to y, unless other inputs and outputs are given."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [info("x", ["n", 4])] if inputs is None else inputs,
        [info("y", None)] if outputs is None else outputs,
        constants,
    )
    imports = [helper.make_opsetid(*pair) for pair in (opsets or {"": 17}).items()]
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8)


def perceptron() -> Any:
    """Two Gemm and a Relu, of x [n, 4]."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="fc1", transB=1),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "w2"], ["y"], name="fc2"),
    ]
    weights = {"w1": floats(8, 4), "b1": floats(8, seed=1), "w2": floats(8, 3, seed=2)}
    return model(nodes, [constant(name, array) for name, array in weights.items()])


def convolutions() -> Any:
    """Conv, BatchNormalization, pooling, a reshape by computed sizes, Gemm."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], name="norm"),
        node("Clip", ["n", "zero", "six"], ["k"], name="clip"),
        node("MaxPool", ["k"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", ["p"], ["shape"]),
        node("Gather", ["shape", "first"], ["batch"], axis=0),
        node("Concat", ["batch", "rest"], ["sizes"], axis=0),
        node("Reshape", ["p", "sizes"], ["f"]),
        node("Gemm", ["f", "fc"], ["y"], name="fc", transB=1, alpha=0.5),
    ]
    constants = [
        constant("w", floats(4, 2, 3, 3)),
        *(constant(name, np.abs(floats(4, seed=n))) for n, name in enumerate("sbmv")),
        constant("zero", np.array(0, np.float32)),
        constant("six", np.array(6, np.float32)),
        constant("first", [0]),
        constant("rest", [-1]),
        constant("fc", floats(3, 16, seed=9)),
    ]
    return model(nodes, constants, [info("x", ["n", 2, 4, 4])])


def branches() -> Any:
    """An If with a layer in each branch, a Loop, and a Scan."""
    node = helper.make_node

    def branch(weight: str) -> onnx.GraphProto:
        inside = [node("MatMul", ["x", weight], [f"{weight}_y"], name=weight)]
        return helper.make_graph(
            inside, weight, [], [info(f"{weight}_y", None)], [constant(weight, floats(4, 4))]
        )

    loop = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["state", "state"], ["twice"])],
        "body",
        [info("i", [], INT64), info("go", [], TensorProto.BOOL), info("state", None)],
        [info("on", [], TensorProto.BOOL), info("twice", None)],
    )
    scan = helper.make_graph(
        [node("Add", ["sum", "row"], ["next"]), node("Identity", ["next"], ["out"])],
        "scan",
        [info("sum", [4]), info("row", [4])],
        [info("next", [4]), info("out", [4])],
    )
    nodes = [
        node("ReduceSum", ["x"], ["total"], keepdims=0),
        node("Greater", ["total", "limit"], ["positive"]),
        node("If", ["positive"], ["a"], then_branch=branch("yes"), else_branch=branch("no")),
        node("Loop", ["times", "true", "a"], ["l"], body=loop),
        node("Scan", ["start", "l"], ["last", "y"], body=scan, num_scan_inputs=1),
    ]
    constants = [
        constant("limit", np.array(0, np.float32)),
        constant("times", np.array(3)),
        constant("true", np.array(True)),
        constant("start", np.zeros(4, np.float32)),
    ]
    return model(nodes, constants, outputs=[info("y", None), info("last", None)])


def functions() -> Any:
    """A function of the model's own, with an attribute, called twice."""
    inside = [
        helper.make_node("Mul", ["a", "w"], ["m"]),
        helper.make_node("LeakyRelu", ["m"], ["b"]),
    ]
    reference = onnx.AttributeProto(
        name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope"
    )
    inside[1].attribute.append(reference)
    function = helper.make_function(
        "own", "Scaled", ["a", "w"], ["b"], inside, [helper.make_opsetid("", 17)], ["slope"]
    )
    nodes = [
        helper.make_node("Scaled", ["x", "w"], ["h"], domain="own", slope=0.1),
        helper.make_node("Scaled", ["h", "w"], ["y"], domain="own", slope=0.2),
    ]
    return model(nodes, [constant("w", floats(4))], None, None, {"": 17, "own": 1}, [function])


def quantized() -> Any:
    """QuantizeLinear and DequantizeLinear around a layer, as quantization tools write them."""
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        node("DequantizeLinear", ["w", "scales", "zeros"], ["wd"], axis=1),
        node("MatMul", ["d", "wd"], ["m"], name="fc"),
        node("QLinearMatMul", ["q", "scale", "zero", "w", "scale", "z8", "scale", "zero"], ["i"]),
        node("DequantizeLinear", ["i", "scale", "zero"], ["id"]),
        node("Add", ["m", "id"], ["y"]),
    ]
    constants = [
        constant("scale", np.array(0.1, np.float32)),
        constant("zero", np.array(128, np.uint8)),
        constant("z8", np.array(0, np.int8)),
        constant("w", np.arange(-6, 6, dtype=np.int8).reshape(4, 3)),
        constant("scales", np.full(3, 0.1, np.float32)),
        constant("zeros", np.zeros(3, np.int8)),
    ]
    return model(nodes, constants)


def recurrent() -> Any:
    """An embedding, an LSTM, attention by Einsum, LayerNormalization and text constants."""
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "ids"], ["e"], name="embedding"),
        node("LSTM", ["e", "w", "r", "b"], ["l"], name="lstm", hidden_size=4),
        node("Squeeze", ["l", "one"], ["s"]),
        node("Einsum", ["s", "k"], ["a"], name="einsum", equation="tbi,ij->tbj"),
        node("LayerNormalization", ["a", "g"], ["n"], name="norm"),
        node("Softmax", ["n"], ["y"]),
        node("Constant", [], ["text"], value_strings=["a", "b"]),
    ]
    constants = [
        constant("table", floats(10, 4)),
        constant("w", floats(1, 16, 4)),
        constant("r", floats(1, 16, 4, seed=1)),
        constant("b", floats(1, 32, seed=2)),
        constant("one", [1]),
        constant("k", floats(4, 4)),
        constant("g", floats(4)),
    ]
    return model(nodes, constants, [info("ids", ["t", "b"], INT64)])


def external() -> dict[str, bytes]:
    """The perceptron with its weights in a file of their own, net.data."""
    proto, data = perceptron(), b""
    for tensor in proto.graph.initializer:
        content = tensor.raw_data
        refer(tensor, "net.data", len(data), len(content))
        data += content
    return {"net.onnx": proto.SerializeToString(), "net.data": data}


def refer(tensor: Any, location: str, offset: object = None, length: object = None) -> None:
    """Make a tensor say that its values lie in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))


MODELS: Mapping[str, Callable[[], Any]] = {
    "perceptron": perceptron,
    "convolutions": convolutions,
    "branches": branches,
    "functions": functions,
    "quantized": quantized,
    "recurrent": recurrent,
}
