"""What a damaged or hostile ONNX file is refused for, and what it cannot make qviz do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from qviz.errors import QvizError
from qviz.model import node_session
from qviz.model.feeds import synthetic_feeds
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime

if TYPE_CHECKING:
    from tests.model.conftest import Write

node = helper.make_node


def changed(path: Path, old: bytes, new: bytes) -> Path:
    """The file with some bytes replaced by as many others."""
    assert len(old) == len(new)
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def body(nodes: list[onnx.NodeProto], inputs: list[str], outputs: list[str]) -> onnx.GraphProto:
    kinds: dict[str, tuple[int, list[int] | None]] = {
        "i": (TensorProto.INT64, []),
        "go": (TensorProto.BOOL, []),
        "on": (9, []),
    }

    def info(name: str) -> onnx.ValueInfoProto:
        kind, shape = kinds.get(name, (TensorProto.FLOAT, None))
        return helper.make_tensor_value_info(name, kind, shape)

    return helper.make_graph(nodes, "body", [info(n) for n in inputs], [info(n) for n in outputs])


@pytest.mark.parametrize(
    ("name", "cause"), [(b"h\xff\xfed", "not UTF-8 text"), (b"h\x1b[m", "control characters")]
)
def test_names_must_be_plain_text(write: Write, name: bytes, cause: str) -> None:
    path = write([node("Relu", ["x"], ["hold"]), node("Relu", ["hold"], ["y"])], {"x": [2]}, ["y"])
    with pytest.raises(QvizError, match=cause):
        read_onnx(changed(path, b"hold", name))


@pytest.mark.parametrize(
    ("nodes", "cause"),
    [
        ([node("Relu", [], ["y"])], "has 0 inputs, which are too few"),
        ([node("Relu", ["x", "x"], ["y"])], "has 2 inputs, which are too many"),
        ([node("Gemm", ["x", ""], ["y"])], "too few"),
        ([node("Clip", ["", "x"], ["y"])], "lacks its input 'input'"),
        ([node("Relu", ["x"], ["y", "z"])], "has 2 outputs"),
        ([node("Einsum", ["x", "x"], ["y"])], "lacks its attribute 'equation'"),
        ([node("Flatten", ["x"], ["y"], axis="one")], "attribute 'axis' of type STRING"),
        ([node("If", ["x"], ["y"])], "lacks its attribute '"),
        (
            [
                node(
                    "Loop", ["", "", "x"], ["y"], body=body([node("Relu", ["x"], ["a"])], [], ["a"])
                )
            ],
            "another number of values from its body",
        ),
    ],
)
def test_operators_are_called_as_the_standard_says(
    write: Write, nodes: list[onnx.NodeProto], cause: str
) -> None:
    with pytest.raises(QvizError, match=cause) as raised:
        read_onnx(write(nodes, {"x": [2, 2]}, ["y"]))
    assert raised.value.subject == "net.onnx"


def function(name: str, *calls: str) -> onnx.FunctionProto:
    values = ["a", *(f"v{i}" for i in range(len(calls) - 1)), "b"]
    nodes = [
        node(op, [values[i]], [values[i + 1]], domain="" if op == "Relu" else "own")
        for i, op in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], nodes, opsets)


@pytest.mark.parametrize(
    ("functions", "cause"),
    [
        ([function("F0", "F0")], "call themselves: F0"),
        ([function("F0", "F1"), function("F1", "F0")], "call themselves"),
        (
            [*(function(f"F{i}", *[f"F{i + 1}"] * 2) for i in range(40)), function("F40", "Relu")],
            "unfold to 1,099,511,627,776 nodes",
        ),
        (
            [*(function(f"F{i}", f"F{i + 1}") for i in range(200)), function("F200", "Relu")],
            "more than 64 deep",
        ),
    ],
)
def test_functions_that_never_end(
    write: Write, functions: list[onnx.FunctionProto], cause: str
) -> None:
    call = node("F0", ["x"], ["y"], domain="own")
    path = write([call], {"x": [2]}, ["y"], functions=functions, domains=["own"])
    with pytest.raises(QvizError, match=cause):
        read_onnx(path)


def test_folding_stops_before_it_fills_the_memory(write: Write) -> None:
    doubling = [node("Concat", [f"v{i}"] * 2, [f"v{i + 1}"], axis=0) for i in range(40)]
    last = node("ReduceMax", ["v40"], ["m"], keepdims=0)
    nodes = [*doubling, last, node("Add", ["x", "m"], ["y"])]
    path = write(nodes, {"x": [2]}, ["y"], {"v0": np.ones(1, np.float32)})
    model = read_onnx(path)
    assert sum(tensor.numel() * 4 for tensor in model.constants.values()) <= 64 << 20
    square = [node("Mul", ["c", "r"], ["s"]), node("ReduceMax", ["s"], ["m"], keepdims=0)]
    sides = {"c": np.ones((100_000, 1), np.float32), "r": np.ones((1, 100_000), np.float32)}
    model = read_onnx(write([*square, nodes[-1]], {"x": [2]}, ["y"], sides))
    with pytest.raises(QvizError, match=r"would have 10,000,000,000 values"):
        Runtime(model).run({"x": torch.ones(2)})


def test_weights_are_folded_however_large_they_are(write: Write) -> None:
    weight = np.ones((5000, 4000), np.float32)
    nodes = [node("Mul", ["w", "two"], ["v"]), node("MatMul", ["x", "v"], ["y"])]
    path = write(nodes, {"x": ["n", 5000]}, ["y"], {"w": weight, "two": np.array(2, np.float32)})
    assert [step.op for step in read_onnx(path).steps] == ["MatMul"]


def test_a_loop_that_does_not_end_is_ended(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_session, "_LOOP_S", 0.2)
    inside = [node("Identity", ["go"], ["on"]), node("Add", ["s", "s"], ["t"])]
    loop = node("Loop", ["n", "yes", "s0"], ["l"], body=body(inside, ["i", "go", "s"], ["on", "t"]))
    constants = {"n": np.array(2**62), "yes": np.array(True), "s0": np.ones(1, np.float32)}
    path = write([loop, node("Add", ["x", "l"], ["y"])], {"x": [2]}, ["y"], constants)
    started = time.monotonic()
    model = read_onnx(path)
    with pytest.raises(QvizError, match="it cannot run"):
        Runtime(model).run({"x": torch.ones(2)})
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("shape", [[1, 2**40], [1] * 70, [2**62, 2**62]])
def test_inputs_too_large_to_try(write: Write, shape: list[int]) -> None:
    model = read_onnx(write([node("Relu", ["x"], ["y"])], {"x": shape}, ["y"]))
    with pytest.raises(QvizError, match="too much to try it with"):
        synthetic_feeds(model)


@pytest.mark.parametrize("names", [["x", "x"], ["x", ""]])
def test_inputs_have_names_of_their_own(write: Write, names: list[str]) -> None:
    path = write([node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"])
    proto: Any = onnx.load(path)
    proto.graph.input.add().CopyFrom(proto.graph.input[0])
    proto.graph.input[1].name = names[1]
    onnx.save(proto, path)
    with pytest.raises(QvizError, match="an input of it has"):
        read_onnx(path)


def external(path: Path, tensor: Any, location: str, length: int) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    (path.parent / "w.data").write_bytes(np.full(4, 3, np.float32).tobytes())


@pytest.mark.parametrize(
    ("location", "length", "cause"),
    [
        ("n" * 5000, 16, "cannot be found"),
        ("w\t.data", 16, "control characters|missing"),
        ("w.data", 8, "as many values as its shape"),
    ],
)
def test_weights_elsewhere(write: Write, location: str, length: int, cause: str) -> None:
    nodes = [node("Add", ["x", "w"], ["y"])]
    path = write(nodes, {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    proto: Any = onnx.load(path)
    external(path, proto.graph.initializer[0], location, length)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(QvizError, match=cause):
        read_onnx(path)


def test_weights_of_a_function_lie_beside_the_model(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tensor: Any = numpy_helper.from_array(np.ones(4, np.float32), "w")
    external(tmp_path / "net.onnx", tensor, "w.data", 16)
    (tmp_path / "elsewhere" / "w.data").write_bytes(b"\0" * 16)
    held = function("F0", "Relu")
    held.node.insert(0, node("Constant", [], ["w"], value=tensor))
    held.node[1].CopyFrom(node("Add", ["a", "w"], ["b"]))
    call = node("F0", ["x"], ["y"], domain="own")
    model = read_onnx(write([call], {"x": [4]}, ["y"], functions=[held], domains=["own"]))
    result = Runtime(model).run({"x": torch.zeros(4)})["y"]
    assert isinstance(result, torch.Tensor)
    assert result.tolist() == [3, 3, 3, 3]


def test_four_bit_weights_have_as_many_bytes_as_they_need(write: Write) -> None:
    path = write([node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    proto: Any = onnx.load(path)
    proto.graph.initializer[0].data_type = TensorProto.UINT4
    onnx.save(proto, path)
    with pytest.raises(QvizError, match="as many values as its shape"):
        read_onnx(path)


@pytest.mark.parametrize("size", [4, 1 << 40])
def test_weights_without_values_are_no_zeros(write: Write, size: int) -> None:
    path = write([node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    proto: Any = onnx.load(path)
    proto.graph.initializer[0].ClearField("raw_data")
    proto.graph.initializer[0].dims[:] = [size]
    onnx.save(proto, path)
    with pytest.raises(QvizError, match="as many values as its shape"):
        read_onnx(path)
