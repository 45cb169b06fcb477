"""Whole networks against onnxruntime, and how the runtime treats its values."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from qviz.errors import QvizError
from qviz.model.model import Step, Value
from qviz.model.node_session import open_session
from qviz.model.parity import check_against_onnxruntime
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime, synthetic_feeds

if TYPE_CHECKING:
    from tests.model.conftest import Write

Rng = np.random.Generator


def floats(rng: Rng, *shape: int) -> NDArray[np.float32]:
    return (rng.standard_normal(shape) * 0.3).astype(np.float32)


def cnn(write: Write, rng: Rng) -> Path:
    """Convolutions with a residual, depthwise, pooling, and a classifier; any batch size."""
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], name="conv0", pads=[1] * 4),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], name="dw", pads=[1] * 4, group=8),
        helper.make_node("Clip", ["c1", "low", "high"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="pw"),
        helper.make_node("Add", ["c2", "r0"], ["s"]),
        helper.make_node("MaxPool", ["s"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["p"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], name="fc", transB=1),
    ]
    constants = {
        "w0": floats(rng, 8, 3, 3, 3),
        "b0": floats(rng, 8),
        "w1": floats(rng, 8, 1, 3, 3),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
        "w2": floats(rng, 8, 8, 1, 1),
        "w3": floats(rng, 10, 8),
        "b3": floats(rng, 10),
    }
    return write(nodes, {"x": ["batch", 3, 12, 12]}, ["y"], constants)


def mlp(write: Write, rng: Rng) -> Path:
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h0"], name="fc0"),
        helper.make_node("Add", ["h0", "b0"], ["a0"]),
        helper.make_node("Erf", ["a0"], ["e0"]),
        helper.make_node("Gemm", ["e0", "w1", "b1"], ["l"], name="fc1"),
        helper.make_node("Softmax", ["l"], ["y"], axis=-1),
    ]
    constants = {
        "w0": floats(rng, 6, 16),
        "b0": floats(rng, 16),
        "w1": floats(rng, 16, 5),
        "b1": floats(rng, 5),
    }
    return write(nodes, {"x": ["batch", 6]}, ["y"], constants)


def attention(write: Write, rng: Rng) -> Path:
    """One transformer block with two heads over any number of tokens."""
    nodes = [
        helper.make_node("LayerNormalization", ["x", "g", "b"], ["n"]),
        helper.make_node("Shape", ["n"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "two"], ["lead"]),
        helper.make_node("Concat", ["lead", "heads"], ["split"], axis=0),
    ]
    for part in "qkv":
        nodes += [
            helper.make_node("MatMul", ["n", f"w{part}"], [f"{part}0"], name=part),
            helper.make_node("Reshape", [f"{part}0", "split"], [f"{part}1"]),
            helper.make_node("Transpose", [f"{part}1"], [part], perm=[0, 2, 1, 3]),
        ]
    nodes += [
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "kt"], ["scores"], name="scores"),
        helper.make_node("Div", ["scores", "root"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["mixed"], name="mix"),
        helper.make_node("Transpose", ["mixed"], ["m"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["m", "merge"], ["merged"]),
        helper.make_node("MatMul", ["merged", "wo"], ["o"], name="out"),
        helper.make_node("Add", ["o", "x"], ["y"]),
    ]
    constants: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        "g": floats(rng, 8),
        "b": floats(rng, 8),
        **{f"w{part}": floats(rng, 8, 8) for part in "qkvo"},
        "zero": np.array([0]),
        "two": np.array([2]),
        "heads": np.array([2, 4]),
        "merge": np.array([0, 0, 8]),
        "root": np.array(2, np.float32),
    }
    return write(nodes, {"x": ["batch", "tokens", 8]}, ["y"], constants)


def lstm(write: Write, rng: Rng) -> Path:
    """A bidirectional LSTM over a sequence, then a classifier of its last state."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node(
            "LSTM",
            ["t", "w", "r", "b"],
            ["", "h"],
            name="lstm",
            hidden_size=7,
            direction="bidirectional",
        ),
        helper.make_node("Transpose", ["h"], ["ht"], perm=[1, 0, 2]),
        helper.make_node("Flatten", ["ht"], ["f"]),
        helper.make_node("Gemm", ["f", "wo", "bo"], ["y"], name="fc"),
    ]
    constants = {
        "w": floats(rng, 2, 28, 5),
        "r": floats(rng, 2, 28, 7),
        "b": floats(rng, 2, 56),
        "wo": floats(rng, 14, 3),
        "bo": floats(rng, 3),
    }
    return write(nodes, {"x": ["batch", 9, 5]}, ["y"], constants)


NETS = {"cnn": cnn, "mlp": mlp, "attention": attention, "lstm": lstm}


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("net", NETS)
def test_networks_match_onnxruntime(write: Write, rng: Rng, net: str, batch: int) -> None:
    model = read_onnx(NETS[net](write, rng))
    feeds = synthetic_feeds(model, batch)
    parity = check_against_onnxruntime(model, {n: t.numpy() for n, t in feeds.items()})
    assert parity.ok
    assert parity.max_relative <= 1e-5
    assert "match onnxruntime" in parity.text
    assert parity.output == "y"


@pytest.mark.parametrize("net", NETS)
def test_the_rewritten_graph_is_a_model_of_its_own(
    write: Write, rng: Rng, tmp_path: Path, net: str
) -> None:
    """Export starts from it: valid, its nodes named as the steps, its outputs the same."""
    model = read_onnx(NETS[net](write, rng))
    saved = tmp_path / "saved.onnx"
    ir.save(model.graph, saved)
    onnx.checker.check_model(saved, full_check=True)
    assert [node.name for node in model.graph.graph] == [step.name for step in model.steps]
    assert set(model.graph.graph.initializers) == set(model.constants)
    feeds = {name: t.numpy() for name, t in synthetic_feeds(model, 3).items()}
    assert check_against_onnxruntime(read_onnx(saved), feeds).ok
    ours = tensor(Runtime(model).run(synthetic_feeds(model, 3))["y"]).numpy()
    theirs = open_session(str(saved)).run(None, feeds)[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_which_runtime_runs_what(write: Write, rng: Rng) -> None:
    runtime = Runtime(read_onnx(lstm(write, rng)))
    assert runtime.onnxruntime_ops == ("LSTM",)


def test_parity_names_the_output_that_differs(write: Write, rng: Rng) -> None:
    path = mlp(write, rng)
    model = read_onnx(path)
    mlp(write, rng)  # other weights under the same path
    feeds = {name: t.numpy() for name, t in synthetic_feeds(model).items()}
    parity = check_against_onnxruntime(model, feeds)
    assert not parity.ok
    assert parity.max_relative > 1e-3
    assert "differ from onnxruntime at output 'y'" in parity.text


def test_parity_without_a_model_onnxruntime_can_run(write: Write, rng: Rng) -> None:
    path = mlp(write, rng)
    model = read_onnx(path)
    path.write_bytes(b"")
    parity = check_against_onnxruntime(model, {"x": floats(rng, 1, 6)})
    assert not parity.ok
    assert "could not run" in parity.text


def test_substitutes_replace_constants(write: Write, rng: Rng) -> None:
    for net, weight in ((mlp, "w0"), (lstm, "r")):
        model = read_onnx(net(write, rng))
        runtime = Runtime(model)
        feeds = synthetic_feeds(model, 2)
        plain = tensor(runtime.run(feeds)["y"])
        same = {weight: model.constants[weight].clone()}
        assert torch.equal(tensor(runtime.run(feeds, substitute=same)["y"]), plain)
        zero = {weight: torch.zeros_like(model.constants[weight])}
        assert not torch.equal(tensor(runtime.run(feeds, substitute=zero)["y"]), plain)
        assert torch.equal(tensor(runtime.run(feeds)["y"]), plain)


def test_what_to_keep(write: Write, rng: Rng) -> None:
    model = read_onnx(cnn(write, rng))
    runtime = Runtime(model)
    feeds = synthetic_feeds(model, 2)
    assert set(runtime.run(feeds)) == {"y"}
    assert runtime.run(feeds, keep=()) == {}
    kept = runtime.run(feeds, keep=["c0", "x", "w0"])
    assert tensor(kept["c0"]).shape == (2, 8, 12, 12)
    assert kept["x"] is feeds["x"]
    assert kept["w0"] is model.constants["w0"]


def test_values_are_freed_after_their_last_use(write: Write, rng: Rng) -> None:
    model = read_onnx(cnn(write, rng))
    alive: dict[str, weakref.ref[torch.Tensor]] = {}
    most = 0

    def observe(step: Step, inputs: Sequence[Value], outputs: tuple[Value, ...]) -> None:
        nonlocal most
        assert len(inputs) == len(step.inputs)
        for name, value in zip(step.outputs, outputs, strict=True):
            alive[name] = weakref.ref(tensor(value))
        most = max(most, sum(ref() is not None for ref in alive.values()))

    Runtime(model).run(synthetic_feeds(model), observe=observe)
    assert list(alive) == [name for step in model.steps for name in step.outputs]
    assert most == 3  # the residual, what is read and what is written


def test_steps_alone_give_what_a_run_gives(write: Write, rng: Rng) -> None:
    model = read_onnx(attention(write, rng))
    runtime = Runtime(model)
    feeds = synthetic_feeds(model, 3)
    values: dict[str, Value] = {**model.constants, **feeds}
    for step in model.steps:
        outputs = runtime.run_step(step, [values[n] if n else None for n in step.inputs])
        values.update(zip(step.outputs, outputs, strict=True))
    assert torch.equal(tensor(values["y"]), tensor(runtime.run(feeds)["y"]))


def test_gradients_pass_through(write: Write, rng: Rng) -> None:
    model = read_onnx(cnn(write, rng))
    weight = model.constants["w0"].clone().requires_grad_()
    result = Runtime(model).run(synthetic_feeds(model), substitute={"w0": weight})
    tensor(result["y"]).sum().backward()
    assert weight.grad is not None
    assert bool(weight.grad.abs().sum() > 0)


def test_subgraphs_read_outer_values(write: Write, rng: Rng) -> None:
    """If and Loop run in onnxruntime and see values and constants of the main graph."""
    cond = helper.make_node("Greater", ["total", "zero"], ["cond"])
    result = [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)]
    then = helper.make_graph([helper.make_node("Mul", ["h", "w"], ["r"])], "then", [], result)
    other = helper.make_graph([helper.make_node("Neg", ["h"], ["r"])], "else", [], result)
    nodes = [
        helper.make_node("Relu", ["x"], ["h"]),
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        cond,
        helper.make_node("If", ["cond"], ["y"], name="if", then_branch=then, else_branch=other),
    ]
    constants = {"w": floats(rng, 3), "zero": np.array(0, np.float32)}
    model = read_onnx(write(nodes, {"x": ["n", 3]}, ["y"], constants))
    assert set(model.steps[-1].captures) == {"h", "w"}
    for sign in (1, -1):
        x = np.abs(floats(rng, 2, 3)) * np.float32(sign)
        assert check_against_onnxruntime(model, {"x": x}).ok
    runtime = Runtime(model)
    ones = torch.ones(1, 3)
    doubled = runtime.run({"x": ones}, substitute={"w": torch.full((3,), 2.0)})["y"]
    assert tensor(doubled).tolist() == [[2.0, 2.0, 2.0]]


def test_sequences(write: Write, rng: Rng) -> None:
    nodes = [
        helper.make_node("SplitToSequence", ["x"], ["parts"], axis=0),
        helper.make_node("ConcatFromSequence", ["parts"], ["y"], axis=1),
    ]
    model = read_onnx(write(nodes, {"x": [3, 2]}, ["y", "parts"]))
    x = floats(rng, 3, 2)
    assert check_against_onnxruntime(model, {"x": x}).ok
    assert isinstance(Runtime(model).run({"x": torch.from_numpy(x)})["parts"], list)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types(write: Write, rng: Rng, dtype: torch.dtype) -> None:
    code = {torch.float16: 10, torch.bfloat16: 16, torch.float64: 11}[dtype]
    nodes = [
        helper.make_node("Cast", ["w32"], ["w"], to=code),
        helper.make_node("MatMul", ["x", "w"], ["h"], name="fc"),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Cast", ["r"], ["y"], to=TensorProto.FLOAT),
    ]
    constants = {"w32": floats(rng, 4, 3)}
    model = read_onnx(write(nodes, {"x": [2, 4]}, ["y"], constants, dtype=code))
    assert model.inputs[0].dtype == dtype
    assert model.constants["w"].dtype == dtype
    assert list(model.slots) == ["fc.weight", "fc.input"]
    x = torch.from_numpy(floats(rng, 2, 4)).to(dtype)
    expected = torch.relu(x.double() @ torch.from_numpy(constants["w32"]).to(dtype).double())
    found = tensor(Runtime(model).run({"x": x})["y"]).double()
    tolerance = float(torch.finfo(dtype).eps)
    torch.testing.assert_close(found, expected, rtol=4 * tolerance, atol=4 * tolerance)


def test_types_numpy_lacks_cross_into_onnxruntime_and_back(write: Write, rng: Rng) -> None:
    """Float8 and 4-bit integers: what onnxruntime casts there and back is rounded once."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f8"], to=TensorProto.FLOAT8E4M3FN),
        helper.make_node("Cast", ["f8"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("QuantizeLinear", ["x", "scale"], ["i4"], output_dtype=TensorProto.INT4),
        helper.make_node("DequantizeLinear", ["i4", "scale"], ["b"]),
    ]
    scale = np.array(0.125, np.float32)
    path = write(nodes, {"x": [40]}, ["a", "b", "f8"], {"scale": scale}, opset=21)
    x = torch.from_numpy(floats(rng, 40))
    result = Runtime(read_onnx(path)).run({"x": x})
    rounded = x.to(torch.float8_e4m3fn)
    assert torch.equal(tensor(result["a"]), rounded.float())
    assert tensor(result["f8"]).dtype == torch.float8_e4m3fn
    assert torch.equal(tensor(result["f8"]).float(), rounded.float())
    assert torch.equal(tensor(result["b"]), torch.round(x / 0.125).clamp(-8, 7) * 0.125)


def test_feeds_that_do_not_fit(write: Write, rng: Rng) -> None:
    runtime = Runtime(read_onnx(cnn(write, rng)))
    with pytest.raises(QvizError, match="input 'x' was given no samples"):
        runtime.run({})
    with pytest.raises(
        QvizError, match=r"takes float32 \(batch, 3, 12, 12\), but .* \(1, 12, 12\)"
    ):
        runtime.run({"x": torch.zeros(1, 12, 12)})
    with pytest.raises(QvizError, match=r"float32 \(1, 1, 12, 12\)"):
        runtime.run({"x": torch.zeros(1, 1, 12, 12)})
    with pytest.raises(QvizError, match="float64"):
        runtime.run({"x": torch.zeros(1, 3, 12, 12, dtype=torch.float64)})


@pytest.mark.parametrize("op", ["MatMul", "Det"])
def test_a_step_that_cannot_run_is_named(write: Write, op: str) -> None:
    inputs = ["x", "x"] if op == "MatMul" else ["x"]
    node = helper.make_node(op, inputs, ["y"], name="the step")
    runtime = Runtime(read_onnx(write([node], {"x": ["a", "b"]}, ["y"])))
    with pytest.raises(QvizError) as raised:
        runtime.run({"x": torch.zeros(2, 3)})
    assert raised.value.subject == f"the step ({op})"


def test_synthetic_feeds(write: Write, rng: Rng) -> None:
    model = read_onnx(attention(write, rng))
    feeds = synthetic_feeds(model, batch=4)
    assert feeds["x"].shape == (4, 1, 8)
    assert torch.equal(feeds["x"], synthetic_feeds(model, batch=4)["x"])
    assert not torch.equal(feeds["x"], synthetic_feeds(model, batch=4, seed=1)["x"])
    ids = write([helper.make_node("Neg", ["x"], ["y"])], {"x": [50]}, ["y"], dtype=7)
    values = synthetic_feeds(read_onnx(ids))["x"]
    assert values.dtype == torch.int64
    assert set(values.tolist()) == {0, 1}


def test_synthetic_feeds_need_a_rank(tmp_path: Path) -> None:
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph([node], "g", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(QvizError, match="declares no tensor shape"):
        synthetic_feeds(read_onnx(tmp_path / "net.onnx"))


def tensor(value: Value) -> torch.Tensor:
    assert isinstance(value, torch.Tensor)
    return value
