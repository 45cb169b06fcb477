"""Programs: a model on codes gives what it gives in numbers, and what onnxruntime gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from qviz.data.read_npz import read_npz
from qviz.engine.chunks import Chunk, feeder
from qviz.engine.execute import Executor
from qviz.engine.kernels import Bytes, find_kernel, onednn_works
from qviz.engine.memo import Memo
from qviz.engine.program import Compiler, Encodings, Program, slots_by_operand
from qviz.engine.tasks import CALL_NS, FLOAT_NS, VALUE_NS, products
from qviz.errors import QvizError
from qviz.model.model import Model, Value
from qviz.model.node_session import open_session
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Write = Callable[..., Path]
Feeds = Mapping[str, Tensor]
Floats = NDArray[np.float32]
needs_native = pytest.mark.skipif(
    not onednn_works(), reason="torch's 8-bit operators are absent or saturate on this processor"
)


def encodings_of(
    model: Model, given: Feeds, weights: str = "int8:channel", inputs: str = "uint8"
) -> dict[str, Encoding]:
    """A scheme for all weights and one for all inputs, with the ranges of the float model."""
    values = Runtime(model).run(given, keep={slot.value for slot in model.slots.values()})
    found = {}
    for slot in model.slots.values():
        value, weight = values[slot.value], slot.role == "weight"
        assert isinstance(value, Tensor)
        scheme = parse_scheme(weights if weight else inputs)
        stats = measure(value, slot.axis if weight else None, keep=weight)
        found[slot.name] = find_encoding(stats, scheme)
    return found


def plainly(model: Model, given: Feeds, encodings: Mapping[str, Encoding]) -> dict[str, Value]:
    """Every value of the model, step by step on quantized numbers."""
    values: dict[str, Value] = {**model.constants, **given, "": None}
    slots, runtime = slots_by_operand(model), Runtime(model)
    for step in model.steps:
        operands = [values[name] for name in (*step.inputs, *step.captures)]
        for position, value in enumerate(operands):
            slot = slots.get((step.index, position))
            if slot is not None and slot.name in encodings and isinstance(value, Tensor):
                operands[position] = encodings[slot.name].apply(value)
        values.update(zip(step.outputs, runtime.run_step(step, operands), strict=True))
    return values


def run(executor: Executor, given: Feeds, encodings: Mapping[str, Encoding]) -> dict[str, Value]:
    chunk = Chunk("one", np.arange(1), given, 0)
    with torch.inference_mode():
        return executor.run(chunk, encodings, executor.program(encodings))


def first(outputs: Mapping[str, Value]) -> Tensor:
    found = next(iter(outputs.values()))
    assert isinstance(found, Tensor)
    return found


# The bundled model


@pytest.fixture(scope="module")
def demo(demo_model: Path, demo_samples: Path) -> tuple[Model, Feeds, dict[str, Encoding]]:
    """The model, 256 samples, and its 8-bit encodings."""
    model = read_onnx(demo_model)
    feed = feeder(model, read_npz(demo_samples), None)
    given = feed.chunk(np.arange(256)).feeds
    with torch.inference_mode():
        return model, given, encodings_of(model, given)


Demo = tuple[Model, Feeds, dict[str, Encoding]]


@needs_native
@pytest.mark.parametrize("inputs", ["uint8", "int8", "uint4"])
def test_both_kinds_of_kernels_give_the_same_bits(demo: Demo, inputs: str) -> None:
    model, given, encodings = demo
    if inputs != "uint8":
        encodings = encodings_of(model, given, "int4:channel", inputs)
    native = run(Executor(model, Memo(0), native=True), given, encodings)
    exact = run(Executor(model, Memo(0), native=False), given, encodings)
    assert torch.equal(first(native), first(exact))


@pytest.mark.parametrize(
    ("weights", "inputs"), [("int8:channel", "uint8"), ("int4:channel", "uint6:percentile=98")]
)
def test_codes_predict_what_numbers_do(demo: Demo, weights: str, inputs: str) -> None:
    model, given, _ = demo
    encodings = encodings_of(model, given, weights, inputs)
    codes = first(run(Executor(model, Memo(0)), given, encodings))
    numbers = first(run(Executor(model, Memo(0), integers=False), given, encodings))
    assert torch.equal(codes.argmax(1), numbers.argmax(1))
    difference = (codes - numbers).abs() / numbers.abs().max()
    assert float(difference.median()) < 1e-6


def test_every_layer_of_the_demo_gives_the_codes_of_its_numbers(demo: Demo) -> None:
    """Each fed what it is fed in numbers, its output made into codes of 8 bits."""
    model, given, encodings = demo
    slots = slots_by_operand(model)
    values = plainly(model, {"image": given["image"][:64]}, encodings)
    checked = 0
    for layer in model.layers:
        step = model.steps[layer.step or 0]
        taken, weight = (encodings[slots[step.index, at].name] for at in (0, 1))
        kernel = find_kernel(step, model.constants, taken, weight, native=onednn_works())
        assert kernel is not None
        x, numbers = values[step.inputs[0]], values[step.outputs[0]]
        assert isinstance(x, Tensor)
        assert isinstance(numbers, Tensor)
        form = Bytes.of(find_encoding(measure(numbers, None), parse_scheme("uint8")))
        assert form is not None
        at_once = kernel.run(kernel.taken.quantize(x), None, form)
        apart = (at_once.int() - form.quantize(numbers).int()).abs()
        assert int(apart.max()) <= 1
        assert float((apart > 0).float().mean()) <= 1e-4
        checked += 1
    assert checked == len(model.layers) == 12


def test_layers_hand_codes_to_each_other(demo: Demo) -> None:
    model, _, encodings = demo
    program = Executor(model, Memo(0)).program(encodings)
    handed = [ref[0] for task in program.tasks if task.steps for ref in task.writes if ref[1]]
    made = [task.reads[0][0] for task in program.tasks if not task.steps]
    deep = [f"block{n}.dw_relu" for n in (1, 2, 3, 4, 5)]
    joined = [f"block{n}.pw_relu" for n in (1, 2, 3, 4)]
    assert handed == ["conv1_relu", *deep]
    assert made == ["image", *joined, "flatten"]


def test_every_operator_that_really_ran_counts(demo: Demo) -> None:
    model, given, encodings = demo
    for integers in (False, True):
        executor = Executor(model, Memo(), integers=integers)
        run(executor, given, encodings)
        assert executor.steps_run == len(model.steps) == 27
        run(executor, given, encodings)
        assert executor.steps_run == 27
        values = model.constants[model.slots["fc.weight"].value]
        four_bits = find_encoding(measure(values, None, keep=True), parse_scheme("int4"))
        run(executor, given, encodings | {"fc.weight": four_bits})
        assert executor.steps_run == 28


# Against onnxruntime


def quantized_by_hand(
    names: list[str], encodings: Mapping[str, Encoding], arrays: Mapping[str, Floats]
) -> onnx.ModelProto:
    """Conv, Relu, Conv with QuantizeLinear and DequantizeLinear around every input and weight."""
    nodes: list[onnx.NodeProto] = []
    held: dict[str, NDArray[Any]] = {"b1": arrays["b1"], "b2": arrays["b2"]}

    def around(value: str, slot: str, kind: type) -> str:
        encoding = encodings[slot]
        assert isinstance(encoding, Scaled)
        one = encoding.scale.numel() == 1
        held[f"{slot}.s"] = encoding.scale.numpy().reshape(() if one else -1)
        held[f"{slot}.z"] = encoding.zero_point.numpy().astype(kind).reshape(() if one else -1)
        parameters = [f"{slot}.s", f"{slot}.z"]
        axis: dict[str, Any] = {} if one else {"axis": encoding.axis}
        quantize = helper.make_node("QuantizeLinear", [value, *parameters], [f"{slot}.q"], **axis)
        restore = helper.make_node(
            "DequantizeLinear", [f"{slot}.q", *parameters], [f"{slot}.d"], **axis
        )
        nodes.extend([quantize, restore])
        return f"{slot}.d"

    held |= {"w1": arrays["w1"], "w2": arrays["w2"]}
    for at, (name, x, y) in enumerate(zip(names, ("x", "r"), ("c", "y"), strict=True), 1):
        inputs = [around(x, f"{name}.input", np.uint8), around(f"w{at}", f"{name}.weight", np.int8)]
        nodes.append(helper.make_node("Conv", [*inputs, f"b{at}"], [y], pads=[1, 1, 1, 1]))
        if at == 1:
            nodes.append(helper.make_node("Relu", ["c"], ["r"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 9, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("weights", ["int8", "int8:channel"])
def test_two_convolutions_as_onnxruntime_quantizes_them(write_model: Write, weights: str) -> None:
    rng = np.random.default_rng(5)
    arrays = {
        "w1": rng.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "w2": rng.normal(size=(5, 8, 3, 3)).astype(np.float32),
        "b1": rng.normal(size=8).astype(np.float32),
        "b2": rng.normal(size=5).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"], name="one", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Conv", ["r", "w2", "b2"], ["y"], name="two", pads=[1, 1, 1, 1]),
    ]
    path = write_model("two.onnx", nodes, arrays, {"x": ["N", 3, 9, 8]}, {"y": []})
    model = read_onnx(path)
    x = rng.normal(size=(6, 3, 9, 8)).astype(np.float32)
    given = {"x": torch.from_numpy(x)}
    encodings = encodings_of(model, given, weights)
    proto = quantized_by_hand(["one", "two"], encodings, arrays)
    (expected,) = open_session(proto.SerializeToString()).run(None, {"x": x})
    found = first(run(Executor(model, Memo(0)), given, encodings)).numpy()
    float_output = first(run(Executor(model, Memo(0)), given, {})).numpy()
    assert np.abs(expected - float_output).max() > 0.01
    slots = encodings["two.input"], encodings["two.weight"]
    scales = [float(slot.scale.max()) for slot in slots if isinstance(slot, Scaled)]
    one_code = scales[0] * scales[1] * 127
    apart = np.abs(found - expected)
    assert apart.max() <= 4 * one_code
    assert np.median(apart) < 1e-6 * np.abs(expected).max()


# What stays in numbers, and what does not


def weight(*shape: int, kind: type = np.float32) -> NDArray[Any]:
    values = np.random.default_rng(sum(shape)).normal(size=shape)
    return (values * 3).astype(kind)


# Operator, inputs, their constants, attributes, shape and type of x, whether it runs on codes.
LAYERS: dict[str, tuple[str, list[str], dict[str, Any], dict[str, Any], tuple[int, ...], bool]] = {
    "no bias": ("Conv", ["x", "w", ""], {"w": weight(4, 3, 3, 3)}, {}, (2, 3, 7, 7), True),
    "one axis": ("Conv", ["x", "w"], {"w": weight(4, 3, 3)}, {"pads": [2, 0]}, (2, 3, 9), True),
    "three axes": ("Conv", ["x", "w"], {"w": weight(4, 3, 2, 2, 2)}, {}, (2, 3, 4, 4, 4), False),
    "crops": (
        "Conv",
        ["x", "w"],
        {"w": weight(4, 3, 3, 3)},
        {"pads": [-1, 0, 1, 2]},
        (2, 3, 7, 7),
        True,
    ),
    "transposed": ("ConvTranspose", ["x", "w"], {"w": weight(3, 4, 3, 3)}, {}, (2, 3, 5, 5), False),
    "gemm": (
        "Gemm",
        ["x", "w", "b"],
        {"w": weight(5, 6), "b": weight(5)},
        {"transB": 1},
        (4, 6),
        True,
    ),
    "scaled gemm": (
        "Gemm",
        ["x", "w", "b"],
        {"w": weight(6, 5), "b": weight(5)},
        {"alpha": 0.5, "beta": 2.0},
        (4, 6),
        False,
    ),
    "turned gemm": ("Gemm", ["x", "w"], {"w": weight(6, 5)}, {"transA": 1}, (6, 4), False),
    "bias of rows": (
        "Gemm",
        ["x", "w", "b"],
        {"w": weight(6, 5), "b": weight(5, 1)},
        {},
        (5, 6),
        False,
    ),
    "matrix": ("MatMul", ["x", "w"], {"w": weight(6, 5)}, {}, (2, 3, 6), True),
    "vector": ("MatMul", ["x", "w"], {"w": weight(6)}, {}, (2, 3, 6), False),
    "a row": ("MatMul", ["x", "w"], {"w": weight(6, 5)}, {}, (6,), True),
    "matrices": ("MatMul", ["x", "w"], {"w": weight(2, 6, 5)}, {}, (2, 3, 6), False),
    "on the left": ("MatMul", ["w", "x"], {"w": weight(5, 6)}, {}, (2, 6, 3), False),
    "double": ("MatMul", ["x", "w"], {"w": weight(6, 5, kind=np.float64)}, {}, (3, 6), False),
    "half": ("MatMul", ["x", "w"], {"w": weight(6, 5, kind=np.float16)}, {}, (3, 6), False),
    "lstm": (
        "LSTM",
        ["x", "w", "r"],
        {"w": weight(1, 16, 6), "r": weight(1, 16, 4)},
        {"hidden_size": 4},
        (3, 2, 6),
        False,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("scheme", ["int8:channel", "int8", "int4"])
def test_layers_of_all_kinds(tmp_path: Path, name: str, scheme: str) -> None:
    op, inputs, held, attributes, shape, on_codes = LAYERS[name]
    kind = held["w"].dtype
    number = helper.np_dtype_to_tensor_dtype(kind)
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ["y"], name="layer", **attributes)],
        "g",
        [helper.make_tensor_value_info("x", number, list(shape))],
        [helper.make_tensor_value_info("y", number, None)],
        [numpy_helper.from_array(array, key) for key, array in held.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, tmp_path / "layer.onnx")
    model = read_onnx(tmp_path / "layer.onnx")
    x = np.random.default_rng(2).normal(size=shape).astype(kind)
    given = {"x": torch.from_numpy(x)}
    per_channel = scheme if name not in ("vector", "matrices") else scheme.removesuffix(":channel")
    encodings = encodings_of(model, given, per_channel, "int8")
    executor = Executor(model, Memo(0))
    made_codes = [task for task in executor.program(encodings).tasks if not task.steps]
    assert bool(made_codes) is on_codes
    found = first(run(executor, given, encodings))
    expected = plainly(model, given, encodings)["y"]
    assert isinstance(expected, Tensor)
    assert found.dtype == expected.dtype
    if not on_codes:
        assert torch.equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6 * float(expected.abs().max()))


def test_integers_that_are_cast_run_on_codes(write_model: Write) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], name="down", to=TensorProto.INT32),
        helper.make_node("Cast", ["i"], ["f"], name="up", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "w"], ["y"], name="layer"),
    ]
    path = write_model("cast.onnx", nodes, {"w": weight(6, 5)}, {"x": [4, 6]}, {"y": []})
    model, given = read_onnx(path), {"x": torch.arange(24.0).reshape(4, 6)}
    encodings = encodings_of(model, given)
    found = first(run(Executor(model, Memo(0)), given, encodings))
    np.testing.assert_allclose(found, first_of(plainly(model, given, encodings)["y"]), rtol=1e-5)


def first_of(value: Value) -> Tensor:
    assert isinstance(value, Tensor)
    return value


def residual(write_model: Write) -> Model:
    """Two convolutions and a sum; what the second gives is an output, too."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c"], name="one", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Conv", ["r", "w2"], ["d"], name="two", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["d", "x"], ["s"], name="sum"),
        helper.make_node("Conv", ["s", "w3"], ["y"], name="three"),
    ]
    held = {f"w{n}": weight(4 + n // 3, 4, 3, 3) for n in (1, 2, 3)}
    return read_onnx(write_model("r.onnx", nodes, held, {"x": ["N", 4, 6, 6]}, {"y": []}))


def test_a_sample_that_is_no_number_runs_in_numbers(write_model: Write) -> None:
    model = residual(write_model)
    x = torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(4))
    encodings = encodings_of(model, {"x": x})
    bad = x.clone()
    bad[1, 2, 3, 3] = torch.nan
    memo = Memo()
    executor, plain = Executor(model, memo), Executor(model, Memo(), integers=False)
    for given in (x, bad, x, bad):  # on one memo, under the names that two chunks have
        chunk = Chunk("bad" if given is bad else "good", np.arange(3), {"x": given}, 0)
        with torch.inference_mode():
            found = first(executor.run(chunk, encodings, executor.program(encodings)))
            expected = first(plain.run(chunk, encodings, plain.program(encodings)))
        if given is bad:
            assert found[1].isnan().any()
            assert torch.equal(found.nan_to_num(7.0), expected.nan_to_num(7.0))
        else:
            assert found.isfinite().all()
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_infinite_samples_saturate(write_model: Write) -> None:
    model = residual(write_model)
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(5))
    encodings = {k: e for k, e in encodings_of(model, {"x": x}).items() if "three" not in k}
    x[0, 0, 0, 0], x[0, 1, 0, 0], x[1, 0, 2, 2] = torch.inf, -torch.inf, 3e38
    found = first(run(Executor(model, Memo(0)), {"x": x}, encodings))
    expected = first(run(Executor(model, Memo(0), integers=False), {"x": x}, encodings))
    same = (found - expected).abs() <= 1e-3 * (1 + expected.abs())
    assert bool((same | (found == expected) | (found.isnan() & expected.isnan())).all())


def test_outputs_without_a_name_pull_nothing(write_model: Write) -> None:
    """An absent limit of a Clip has the name of the LSTM's absent outputs."""
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["", "h", ""], name="lstm", hidden_size=4),
        helper.make_node("Squeeze", ["h"], ["q"], name="squeeze"),
        helper.make_node("MatMul", ["z", "m"], ["p"], name="layer"),
        helper.make_node("Sigmoid", ["p"], ["g"], name="sigmoid"),
        helper.make_node("Clip", ["g", "", "top"], ["y"], name="clip"),
    ]
    held = {"w": weight(1, 16, 6), "r": weight(1, 16, 4), "m": weight(3, 5)}
    held["top"] = np.array(0.75, np.float32)
    fed = {"x": [3, 1, 6], "z": [2, 3]}
    model = read_onnx(write_model("lstm.onnx", nodes, held, fed, {"y": [], "q": []}))
    given = {"x": torch.randn(3, 1, 6), "z": torch.randn(2, 3)}
    encodings = encodings_of(model, given, "int8", "int8")
    compiler = Compiler(model, Runtime(model), Memo(0), native=False)
    whole = compiler.compile(encodings)
    without = compiler.compile({k: e for k, e in encodings.items() if not k.startswith("lstm")})
    assert ("", b"") not in whole.writer
    assert whole.keys["y", b""] == without.keys["y", b""]
    assert whole.keys["q", b""] != without.keys["q", b""]


@pytest.mark.parametrize("native", [False, pytest.param(True, marks=needs_native)])
@pytest.mark.parametrize(
    ("x", "z", "subject"),
    [((2, 5, 6, 6), (2, 4, 4, 4), "layer (Conv)"), ((2, 3, 6, 6), (2, 4, 3, 3), "sum (Add)")],
)
def test_what_fails_on_codes_is_said_of_the_step(
    write_model: Write, native: bool, x: tuple[int, ...], z: tuple[int, ...], subject: str
) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="layer"),
        helper.make_node("Add", ["c", "z"], ["y"], name="sum"),
    ]
    fed = {"x": ["N", "C", "H", "W"], "z": ["N", "K", "P", "Q"]}
    model = read_onnx(write_model("e.onnx", nodes, {"w": weight(4, 3, 3, 3)}, fed, {"y": []}))
    right = {"x": torch.randn(2, 3, 6, 6), "z": torch.randn(2, 4, 4, 4)}
    encodings = encodings_of(model, right)
    with pytest.raises(QvizError) as caught:
        run(
            Executor(model, Memo(0), native=native),
            {"x": torch.randn(x), "z": torch.randn(z)},
            encodings,
        )
    assert caught.value.subject == subject


def test_samples_that_are_no_numbers_compile_once(
    write_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = residual(write_model)
    x = torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(4))
    encodings = encodings_of(model, {"x": x})
    x[1, 2, 3, 3] = torch.nan
    executor, compiled, compile_ = Executor(model, Memo(0)), list[bool](), Compiler.compile

    def counted(self: Compiler, encodings: Encodings, *, integers: bool = True) -> Program:
        compiled.append(integers)
        return compile_(self, encodings, integers=integers)

    monkeypatch.setattr(Compiler, "compile", counted)
    program = executor.program(encodings)
    for name in "abc":
        with torch.inference_mode():
            executor.run(Chunk(name, np.arange(3), {"x": x}, 0), encodings, program)
    assert compiled == [True, False]


def test_a_recurrent_layer_costs_its_products(write_model: Write) -> None:
    """Each of 3·2 positions meets 2·(16·6 + 16·4) weights, whether all are given or the end."""
    nodes = [
        helper.make_node(
            "LSTM", ["x", "w", "r"], ["", "h", ""], hidden_size=4, direction="bidirectional"
        )
    ]
    held = {"w": weight(2, 16, 6), "r": weight(2, 16, 4)}
    model = read_onnx(write_model("l.onnx", nodes, held, {"x": [3, 2, 6]}, {"h": []}))
    (task,) = Compiler(model, Runtime(model), Memo(0), native=False).compile({}).tasks
    cost = task.cost_ns([torch.zeros(3, 2, 6)], [None, torch.zeros(2, 2, 4), None])
    products = 3 * 2 * 2 * (16 * 6 + 16 * 4)
    assert cost == pytest.approx(CALL_NS + products * FLOAT_NS + 16 * VALUE_NS)


def test_a_layer_with_a_computed_weight_costs_its_products(write_model: Write) -> None:
    """[2, 3, 8] by [2, 8, 5] adds up over 8, as a constant weight of that shape does."""
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    shapes: dict[str, list[int | str]] = {"a": [2, 3, 8], "b": [2, 8, 5]}
    computed = read_onnx(write_model("c.onnx", [node], {}, shapes, {"y": []}))
    held = {"b": weight(2, 8, 5)}
    constant = read_onnx(write_model("h.onnx", [node], held, {"a": [2, 3, 8]}, {"y": []}))
    values, costs = [torch.zeros(2, 3, 8), torch.zeros(2, 8, 5)], []
    for model in (computed, constant):
        (task,) = Compiler(model, Runtime(model), Memo(0), native=False).compile({}).tasks
        costs.append(task.cost_ns(values, [torch.zeros(2, 3, 5)]))
    assert costs == [pytest.approx(CALL_NS + 30 * 8 * FLOAT_NS)] * 2


@pytest.mark.parametrize(
    ("node", "shape", "terms"),
    [
        (helper.make_node("Gemm", ["x", "w"], ["y"]), (8, 5), 8),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), (5, 8), 8),
        (helper.make_node("Conv", ["x", "w"], ["y"], group=2), (6, 4, 3, 3), 36),
        (helper.make_node("ConvTranspose", ["x", "w"], ["y"], group=2), (8, 3, 3, 3), 36),
    ],
)
def test_a_layer_adds_up_over_what_its_weight_says(
    write_model: Write, node: onnx.NodeProto, shape: tuple[int, ...], terms: float
) -> None:
    sizes: list[int | str] = [1, 8, 9, 9]
    fed = {"x": sizes[: len(shape)]}
    model = read_onnx(write_model("w.onnx", [node], {"w": weight(*shape)}, fed, {"y": []}))
    assert products(model.steps[0], model.constants["w"]) == terms


def test_codes_are_fetched_and_of_a_chunk_with_nan_there_are_none(write_model: Write) -> None:
    model = residual(write_model)
    x = torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(4))
    encodings = encodings_of(model, {"x": x})
    executor = Executor(model, Memo())
    program = executor.program(encodings)
    codes = [ref for task in program.tasks for ref in task.reads if ref[1]]
    assert codes
    with torch.inference_mode():
        found = executor.fetch(Chunk("one", np.arange(3), {"x": x}, 0), program, codes)
        assert all(isinstance(v, Tensor) and not v.is_floating_point() for v in found.values())
        assert all((program.keys[ref], "one") in executor.memo for ref in codes if ref in found)
        lost = {"x": torch.full_like(x, torch.nan)}
        assert executor.fetch(Chunk("two", np.arange(3), lost, 0), program, codes) == {}
