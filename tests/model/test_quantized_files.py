"""Files that are already quantized open as float graphs with the quantizers they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
)

from qviz.model import passes
from qviz.model.build import Source, build_model
from qviz.model.model import Model, Value
from qviz.model.node_session import open_session
from qviz.model.quantized.expand import expand_quantized
from qviz.model.quantized.note import quantized_note
from qviz.model.quantized.quantizer import Quantizer
from qviz.model.quantized.take import take_quantizers
from qviz.model.read_onnx import read_onnx
from qviz.model.step_runner import StepRunner
from qviz.quant.codebooks import NF4
from qviz.quant.encoding import Scaled
from qviz.quant.grids import Grid, Integers, NarrowFloat, codebook

Arrays = Mapping[str, NDArray[Any]]
Rng = np.random.Generator

FLOAT = TensorProto.FLOAT
ORT = "com.microsoft"
U8 = np.uint8
OPERANDS = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2, "MatMul": 2, "Gather": 1}
OPERANDS |= {"LSTM": 3, "GRU": 3, "RNN": 3}
PREPARE = (
    passes.fix_initializer_inputs,
    passes.sort_nodes,
    passes.name_values,
    passes.lift_constants,
    passes.drop_identities,
)


def quantizable(node: ir.Node, position: int) -> bool:
    if node.domain == ORT:
        return node.op_type == "Attention" and position < 2
    return not node.domain and position < OPERANDS.get(node.op_type, 0)


@dataclass(frozen=True, eq=False)
class Opened:
    """A file, its own results, and what became of both."""

    expected: list[NDArray[Any]]
    expanded: list[NDArray[Any]]
    taken: list[NDArray[Any]]
    model: Model
    quantizers: dict[str, Quantizer]
    note: str

    @property
    def ops(self) -> list[str]:
        return [step.op for step in self.model.steps]

    def assert_same(self, atol: float = 0.0, rtol: float = 1e-5) -> None:
        """Outputs of the expanded and of the taken graph are the file's to `atol` and `rtol`."""
        for expected, *found in zip(self.expected, self.expanded, self.taken, strict=True):
            least = rtol * max(1.0, float(np.abs(expected).max()))
            for result in found:
                np.testing.assert_allclose(result, expected, rtol=0, atol=atol + least)


def opened(path: Path, **feeds: NDArray[Any]) -> Opened:
    """Expand and take; run the file, the expanded graph and the layers with their quantizers."""
    expected = open_session(str(path)).run(None, feeds)
    graph = passes.run_passes(ir.load(path), PREPARE)
    graph, _ = expand_quantized(graph)
    written = path.with_name("expanded.onnx")
    ir.save(graph, written)
    expanded = open_session(str(written)).run(None, feeds)
    quantizers, _ = take_quantizers(graph, quantizable)
    note = quantized_note(graph, quantizers)
    model = build_model(graph, Source(path, "", 0))
    return Opened(expected, expanded, run(model, quantizers, feeds), model, quantizers, note)


def run(model: Model, quantizers: Mapping[str, Quantizer], feeds: Arrays) -> list[NDArray[Any]]:
    """The model's outputs with every taken quantizer applied at the slots that read its value."""
    encodings = {name: encoding(quantizer) for name, quantizer in quantizers.items()}
    places = {
        (model.layers[slot.layer].step, slot.operand): encodings[slot.value]
        for slot in model.slots.values()
        if slot.value in encodings
    }
    assert set(quantizers) <= {slot.value for slot in model.slots.values()}
    runner = StepRunner(model.graph, model.constants)
    values: dict[str, Value] = {name: torch.from_numpy(x) for name, x in feeds.items()}
    values |= model.constants
    for step in model.steps:
        inputs = [values[name] if name else None for name in step.inputs]
        for operand, value in enumerate(inputs):
            if isinstance(value, torch.Tensor) and (step.index, operand) in places:
                inputs[operand] = places[step.index, operand].apply(value)
        captures = {name: values[name] for name in step.captures}
        values.update(zip(step.outputs, runner.run(step, inputs, captures), strict=True))
    results = [values[name] for name in model.outputs]
    return [result.numpy() for result in results if isinstance(result, torch.Tensor)]


def encoding(quantizer: Quantizer) -> Scaled:
    q = quantizer
    return Scaled(grid(q.code), q.scale, q.zero_point, q.axis, q.block)


def grid(code: str) -> Grid:
    if code == "nf4":
        return codebook(torch.tensor(NF4, dtype=torch.float64))
    if code.startswith("float8"):
        return NarrowFloat(getattr(torch, code.replace("float8", "float8_")))
    bits = int(code.lstrip("uint"))
    return (
        Integers(0, 2**bits - 1)
        if code[0] == "u"
        else Integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


class Batches(CalibrationDataReader):
    def __init__(self, feeds: Arrays) -> None:
        self._batches = iter([dict(feeds)])

    def get_next(self) -> dict[str, NDArray[Any]]:
        return next(self._batches, {})


def floats(rng: Rng, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape).astype(np.float32)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, NDArray[Any] | onnx.TensorProto],
    opset: int = 21,
    outputs: Sequence[str] = ("y",),
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(n, FLOAT, list(s)) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, FLOAT, None) for n in outputs],
        [
            held if isinstance(held, onnx.TensorProto) else numpy_helper.from_array(held, name)
            for name, held in constants.items()
        ],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(ORT, 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), path)
    return path


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def demo(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with its BatchNorms folded, as quantizers want it."""
    path = tmp_path_factory.mktemp("demo") / "demo.onnx"
    ir.save(read_onnx(demo_model).graph, path)
    return path


@pytest.fixture(scope="module")
def images(demo_samples: Path) -> NDArray[np.float32]:
    with np.load(demo_samples) as data:
        return np.asarray(data["image"][:32] / 255, np.float32)


def mlp(path: Path, rng: Rng) -> Path:
    """Input x [N, 70] → MatMul, Add, Relu → MatMul; 70 leaves a ragged block."""
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["m1"], name="fc1"),
        helper.make_node("Add", ["m1", "b1"], ["a1"], name="bias"),
        helper.make_node("Relu", ["a1"], ["h"], name="relu"),
        helper.make_node("MatMul", ["h", "w2"], ["y"], name="fc2"),
    ]
    held = {"w1": floats(rng, 70, 48), "b1": floats(rng, 48), "w2": floats(rng, 48, 10)}
    return save(path, nodes, {"x": ["N", 70]}, held)


def attention(path: Path, rng: Rng) -> Path:
    """One head over x [N, 6, 16]: softmax(Q·Kᵀ)·V, then a projection."""
    nodes = [helper.make_node("MatMul", ["x", f"w{n}"], [n], name=n) for n in "qkv"]
    nodes += [
        helper.make_node("Transpose", ["k"], ["kt"], name="turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["scores"], name="scores"),
        helper.make_node("Softmax", ["scores"], ["p"], name="softmax", axis=-1),
        helper.make_node("MatMul", ["p", "v"], ["mixed"], name="mix"),
        helper.make_node("MatMul", ["mixed", "wo"], ["y"], name="out"),
    ]
    held = {f"w{n}": floats(rng, 16, 16) / 4 for n in "qkvo"}
    return save(path, nodes, {"x": ["N", 6, 16]}, held)


def conv_net(path: Path, rng: Rng) -> Path:
    """Input x [N, 3, 8, 8] → Conv, Relu, MaxPool, Conv, Flatten, Gemm."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu"),
        helper.make_node(
            "MaxPool", ["r1"], ["p1"], name="pool", kernel_shape=[2, 2], strides=[2, 2]
        ),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], name="conv2"),
        helper.make_node("Flatten", ["c2"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], name="fc", transB=1),
    ]
    held = {"w1": floats(rng, 6, 3, 3, 3), "b1": floats(rng, 6), "w2": floats(rng, 8, 6, 3, 3)}
    held |= {"w3": floats(rng, 5, 32), "b3": floats(rng, 5)}
    return save(path, nodes, {"x": ["N", 3, 8, 8]}, held, opset=17)


STATIC = [
    (QuantFormat.QDQ, False, QuantType.QUInt8, QuantType.QInt8),
    (QuantFormat.QDQ, True, QuantType.QInt8, QuantType.QInt8),
    (QuantFormat.QDQ, True, QuantType.QUInt8, QuantType.QUInt8),
    (QuantFormat.QDQ, False, QuantType.QInt16, QuantType.QInt16),
    (QuantFormat.QDQ, True, QuantType.QUInt8, QuantType.QInt4),
    (QuantFormat.QDQ, False, QuantType.QUInt8, QuantType.QUInt4),
    (QuantFormat.QOperator, False, QuantType.QUInt8, QuantType.QUInt8),
    (QuantFormat.QOperator, True, QuantType.QUInt8, QuantType.QInt8),
]
CODES = {QuantType.QInt8: "int8", QuantType.QUInt8: "uint8", QuantType.QInt16: "int16"}
CODES |= {QuantType.QInt4: "int4", QuantType.QUInt4: "uint4"}


def statically(
    path: Path, feeds: Arrays, form: Any, per_channel: bool, inputs: Any, weights: Any
) -> Path:
    target = path.with_name("quantized.onnx")
    quantize_static(
        path,
        target,
        Batches(feeds),
        quant_format=form,
        per_channel=per_channel,
        activation_type=inputs,
        weight_type=weights,
    )
    return target


@pytest.mark.parametrize(("form", "per_channel", "inputs", "weights"), STATIC)
def test_the_demo_opens_with_the_scales_of_its_quantized_file(
    demo: Path,
    images: NDArray[np.float32],
    form: Any,
    per_channel: bool,
    inputs: Any,
    weights: Any,
) -> None:
    feeds = {"image": images}
    path = statically(demo, feeds, form, per_channel, inputs, weights)
    file = opened(path, image=images[:16])
    names = {slot.value: slot for slot in file.model.slots.values()}
    assert set(file.quantizers) == set(names)  # every slot of every layer
    for name, quantizer in file.quantizers.items():
        is_weight = names[name].role == "weight"
        several = per_channel and is_weight
        assert quantizer.axis == (0 if several else None)
        if several or not is_weight:
            assert len(quantizer.scale) == (file.model.constants[name].shape[0] if several else 1)
        if form is QuantFormat.QDQ:
            assert quantizer.code == CODES[weights if is_weight else inputs]
    count = 7 if form is QuantFormat.QDQ else 6
    note = "quantized file: 12 weights and 12 inputs keep the file's scales; "
    assert file.note == f"{note}{count} quantizers at other places run as operators"
    # A sum in another order may move an output by one code; few of the 160 do.
    step = output_step(path)
    file.assert_same(atol=1.001 * step)
    if inputs is not QuantType.QInt16:  # whose codes are finer, and not ONNX's before opset 21
        assert {op.domain for op in file.model.steps} == {""}
        assert (np.abs(file.taken[0] - file.expected[0]) > 0.5 * step).mean() <= 0.02


@pytest.mark.parametrize("build", [mlp, attention, conv_net])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_static_quantization_of_small_nets(build: Any, form: Any, tmp_path: Path, rng: Rng) -> None:
    path = build(tmp_path / "net.onnx", rng)
    x = floats(rng, *(int(size) if size else 8 for size in shape_of(path)))
    target = statically(path, {"x": x}, form, True, QuantType.QUInt8, QuantType.QInt8)
    file = opened(target, x=x)
    assert not any("QLinear" in op or op == "QGemm" for op in file.ops)
    slots = {slot.value for slot in file.model.slots.values()}
    assert set(file.quantizers) == slots
    file.assert_same(atol=1.001 * output_step(target))
    if form is QuantFormat.QOperator:
        names = {name for name in file.quantizers if name in file.model.constants}
        assert names == {t.name for t in onnx.load(path).graph.initializer if t.name[0] == "w"}


def output_step(path: Path) -> float:
    """The scale of the DequantizeLinear that makes the output."""
    graph = onnx.load(path).graph
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    (last,) = (node for node in graph.node if node.output[0] == graph.output[0].name)
    assert last.op_type == "DequantizeLinear"
    return float(held[last.input[1]])


def shape_of(path: Path) -> list[int]:
    return [d.dim_value for d in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("build", [mlp, attention, conv_net])
def test_dynamic_quantization(build: Any, per_channel: bool, tmp_path: Path, rng: Rng) -> None:
    path, target = build(tmp_path / "net.onnx", rng), tmp_path / "quantized.onnx"
    kinds = ["MatMul", "Gemm"] + ([] if per_channel else ["Conv"])
    quantize_dynamic(
        path,
        target,
        op_types_to_quantize=kinds,
        per_channel=per_channel,
        weight_type=QuantType.QInt8,
    )
    x = floats(rng, *(size or 8 for size in shape_of(path)))
    file = opened(target, x=x)
    file.assert_same()
    assert "DynamicQuantizeLinear" in file.ops
    assert not any("Integer" in op for op in file.ops)
    wanted = {t.name: t for t in onnx.load(path).graph.initializer if t.name[0] == "w"}
    assert file.quantizers
    assert set(file.quantizers) <= set(wanted)
    for name in file.quantizers:  # the scales are those of the weights, not of their codes
        assert (file.quantizers[name].axis is not None) == per_channel
        weight = file.model.constants[name].numpy()
        original = numpy_helper.to_array(wanted[name])
        original = original if original.shape == weight.shape else original.T
        steps = float(file.quantizers[name].scale.max())
        assert np.abs(weight - original).max() <= 0.51 * steps + 1e-6


BITS = [
    (4, True, 32),
    (4, False, 32),
    (4, False, 128),
    (8, True, 32),
    (8, False, 128),
    (2, False, 32),
]


@pytest.mark.parametrize(("bits", "symmetric", "block"), BITS)
def test_weights_in_n_bit_blocks(
    bits: int, symmetric: bool, block: int, tmp_path: Path, rng: Rng
) -> None:
    path, target = mlp(tmp_path / "net.onnx", rng), tmp_path / "quantized.onnx"
    n_bits(path, target, QuantFormat.QOperator, bits, symmetric, block)
    file = opened(target, x=floats(rng, 4, 70))
    file.assert_same()
    assert file.ops == ["MatMul", "Add", "Relu", "MatMul"]
    first, second = file.quantizers["w1"], file.quantizers["w2"]
    assert first.code == second.code == f"uint{bits}"
    assert first.axis == second.axis == 1
    blocks = -(-70 // block)
    assert first.block == (block if blocks > 1 else None)
    assert first.scale.shape == ((48, blocks) if blocks > 1 else (48,))
    assert bool((first.scale > 0).all())
    assert file.note == "quantized file: 2 weights keep the file's scales"
    assert_fixed_points(file)


N_BITS_EXTRAS: dict[str, tuple[str, NDArray[Any], bool]] = {
    "bias": ("bias", np.linspace(-1, 1, 24, dtype=np.float32), True),
    "whole float zero points": ("zero_points", np.full((24, 3), 7, np.float32), True),
    "broken float zero points": ("zero_points", np.full((24, 3), 7.5, np.float32), False),
    "plain groups": ("g_idx", (np.arange(70) // 32).astype(np.int32), True),
    "mixed groups": ("g_idx", (np.arange(70) * 7 % 3).astype(np.int32), False),
}


@pytest.mark.parametrize("extra", N_BITS_EXTRAS)
def test_optional_inputs_of_n_bit_weights(extra: str, tmp_path: Path, rng: Rng) -> None:
    """Zero points between codes and columns out of order keep the values but not the scales."""
    place, tensor, scaled = N_BITS_EXTRAS[extra]
    held: dict[str, Any] = {"b": rng.integers(0, 256, (24, 3, 16)).astype(U8)}
    held |= {"s": rng.random((24, 3)).astype(np.float32) + np.float32(0.01), place: tensor}
    inputs = ["x", "b", "s", *(n if n == place else "" for n in ("zero_points", "g_idx", "bias"))]
    sizes: dict[str, Any] = {"N": 24, "K": 70, "bits": 4, "block_size": 32}
    node = helper.make_node("MatMulNBits", inputs, ["y"], name="fc", domain=ORT, **sizes)
    file = opened(
        save(tmp_path / "net.onnx", [node], {"x": ["N", 70]}, held, opset=17), x=floats(rng, 4, 70)
    )
    file.assert_same()
    assert bool(file.quantizers) == scaled
    assert file.note == (
        "quantized file: 1 weight keeps the file's scales"
        if scaled
        else "quantized file: 1 constant opened as values, without scales"
    )


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_in_blocks_before_a_matmul(
    symmetric: bool, per_channel: bool, tmp_path: Path, rng: Rng
) -> None:
    path, target = mlp(tmp_path / "net.onnx", rng), tmp_path / "quantized.onnx"
    n_bits(path, target, QuantFormat.QDQ, 4, symmetric, 32, per_channel)
    file = opened(target, x=floats(rng, 4, 70))
    file.assert_same()
    assert file.ops == ["MatMul", "Add", "Relu", "MatMul"]
    first, _ = file.quantizers.values()
    assert first.code == ("int4" if symmetric else "uint4")
    assert first.axis == 1
    assert first.scale.shape == ((48,) if per_channel else (48, 3))
    assert_fixed_points(file)


def n_bits(
    path: Path,
    target: Path,
    form: Any,
    bits: int,
    symmetric: bool,
    block: int,
    per_channel: bool = False,
) -> None:
    config = DefaultWeightOnlyQuantConfig(
        block_size=block,
        is_symmetric=symmetric,
        bits=bits,
        quant_format=form,
        channel_wised_quantize=per_channel,
    )
    quantizer = MatMulNBitsQuantizer(onnx.load(path), algo_config=config)
    quantizer.process()
    onnx.save(quantizer.model.model, target)


def assert_fixed_points(file: Opened) -> None:
    """Constants made from codes are values that their quantizers keep."""
    for name, quantizer in file.quantizers.items():
        weight = file.model.constants[name]
        torch.testing.assert_close(encoding(quantizer).apply(weight), weight, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("kind", "left"), [(MatMulBnb4Quantizer.NF4, 0), (MatMulBnb4Quantizer.FP4, 2)]
)
def test_normal_float_weights(kind: int, left: int, tmp_path: Path, rng: Rng) -> None:
    held = {"w1": floats(rng, 64, 24), "w2": floats(rng, 24, 5)}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"], name="fc1"),
        helper.make_node("MatMul", ["h", "w2"], ["y"], name="fc2"),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"x": ["N", 64]}, held)
    quantizer = MatMulBnb4Quantizer(onnx.load(path), kind, 32)
    quantizer.process()
    target = tmp_path / "quantized.onnx"
    onnx.save(quantizer.model.model, target)
    file = opened(target, x=floats(rng, 4, 64))
    file.assert_same()
    # Blocks run through the ends of the second weight's rows, and FP4 is no format of ONNX's.
    assert file.ops.count("MatMulBnb4") == max(left, 1)
    if not left:
        assert file.quantizers["w1"].code == "nf4"
        assert file.quantizers["w1"].scale.shape == (24, 2)
        assert_fixed_points(file)


def params(**values: tuple[float, int]) -> dict[str, Any]:
    """Scale `xs` and zero point `xz` for each x=(scale, zero point)."""
    held: dict[str, Any] = {}
    for name, (scale, zero) in values.items():
        held |= {f"{name}s": np.float32(scale), f"{name}z": U8(zero)}
    return held


X = ["xq", "xs", "xz"]
Y = ["ys", "yz"]
INTEGER_NODES: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "QLinearSigmoid": (ORT, [*X, *Y], {}),
    "QLinearLeakyRelu": (ORT, [*X, *Y], {"alpha": 0.3}),
    "QLinearGlobalAveragePool": (ORT, [*X, *Y], {}),
    "QLinearAveragePool": (
        ORT,
        [*X, *Y],
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1], "ceil_mode": 1},
    ),
    "QLinearSoftmax": (ORT, [*X, "ys2", "yz2"], {"axis": 1, "opset": 21}),
    "QLinearAdd": (ORT, [*X, "kq", "ks", "kz", *Y], {}),
    "QLinearMul": (ORT, [*X, "kq", "ks", "kz", *Y], {}),
    "QLinearConcat": (ORT, [*Y, *X, "kq", "ks", "kz"], {"axis": 2}),
    "QLinearWhere": (ORT, ["c", *X, "kq", "ks", "kz", *Y], {}),
    "QLinearConv": (
        "",
        [*X, "wq", "ws", "wz", *Y, "b"],
        {"group": 2, "strides": [2, 1], "dilations": [1, 2], "pads": [1, 2, 0, 1]},
    ),
    "QLinearMatMul": ("", [*X, "mq", "ms", "mz", *Y], {}),
}


@pytest.mark.parametrize("op", INTEGER_NODES)
def test_integer_operators_as_floats(op: str, tmp_path: Path, rng: Rng) -> None:
    """Every operator gives the codes of onnxruntime's integer kernel, or the next ones."""
    domain, inputs, attributes = INTEGER_NODES[op]
    held = params(x=(0.0513, 121), y=(0.0397, 130), k=(0.0211, 100), m=(0.0307, 117))
    held |= {"ys2": np.float32(1 / 256), "yz2": U8(0), "c": rng.random((1, 4, 6, 5)) > 0.5}
    held |= {"kq": rng.integers(0, 256, (1, 4, 6, 5)).astype(U8)}
    held |= {"mq": rng.integers(0, 256, (5, 7)).astype(U8)}
    held |= {"wq": rng.integers(-127, 128, (6, 2, 3, 2)).astype(np.int8)}
    held |= {"ws": np.linspace(0.001, 0.01, 6, dtype=np.float32), "wz": np.zeros(6, np.int8)}
    held |= {"b": rng.integers(-900, 900, 6).astype(np.int32)}
    result = inputs[-1] if op == "QLinearSoftmax" else "yz"
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node(op, inputs, ["yq"], name="layer", domain=domain, **attributes),
        helper.make_node("DequantizeLinear", ["yq", result.replace("z", "s"), result], ["y"]),
    ]
    used = {name for node in nodes for name in node.input}
    path = save(
        tmp_path / "net.onnx",
        nodes,
        {"x": [1, 4, 6, 5]},
        {name: value for name, value in held.items() if name in used},
    )
    file = opened(path, x=3 * floats(rng, 1, 4, 6, 5))
    assert op not in file.ops
    assert op.removeprefix("QLinear") in file.ops
    step = float(held[result.replace("z", "s")])
    file.assert_same(atol=1.001 * step)
    wrong = np.abs(file.expanded[0] - file.expected[0]) > 0.5 * step
    assert wrong.mean() <= 0.02


@pytest.mark.parametrize("scaled", [True, False])
def test_a_quantized_gemm(scaled: bool, tmp_path: Path, rng: Rng) -> None:
    """With y_scale the result is quantized, without it is float; C has the products' scale."""
    held = params(x=(0.0513, 121), y=(0.61, 130))
    held |= {"wq": rng.integers(-127, 128, (7, 9)).astype(np.int8), "wz": np.zeros(7, np.int8)}
    held |= {"ws": np.linspace(0.01, 0.03, 7, dtype=np.float32)}
    held |= {"c": rng.integers(-9000, 9000, 7).astype(np.int32)}
    inputs = [*X, "wq", "ws", "wz", "c", *(Y if scaled else [])]
    out = "yq" if scaled else "y"
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("QGemm", inputs, [out], name="fc", domain=ORT, transB=1, alpha=1.5),
    ]
    if scaled:
        nodes.append(helper.make_node("DequantizeLinear", ["yq", "ys", "yz"], ["y"]))
    else:
        del held["ys"], held["yz"]
    path = save(tmp_path / "net.onnx", nodes, {"x": [3, 9]}, held)
    file = opened(path, x=3 * floats(rng, 3, 9))
    file.assert_same(atol=0.62 if scaled else 0.0)
    assert {name: q.axis for name, q in file.quantizers.items()} == {"x": None, "wq::float": 0}
    assert [layer.bias for layer in file.model.layers] == ["c::float"]


def test_integer_sums_without_scales(tmp_path: Path, rng: Rng) -> None:
    """ConvInteger and MatMulInteger on their own give the same integers."""
    held = params(x=(0.0513, 121))
    held |= {"wq": rng.integers(0, 256, (6, 4, 3, 3)).astype(U8), "wz": U8(128)}
    held |= {"mq": rng.integers(-127, 128, (6, 7)).astype(np.int8)}
    held |= {"mz": rng.integers(-3, 4, 7).astype(np.int8)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node(
            "ConvInteger", ["xq", "wq", "xz", "wz"], ["c"], name="c", pads=[1, 1, 1, 1]
        ),
        helper.make_node("MatMulInteger", ["xq", "mq", "xz", "mz"], ["m"], name="m"),
        helper.make_node("Cast", ["c"], ["y"], to=FLOAT),
        helper.make_node("Cast", ["m"], ["z"], to=FLOAT),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"x": [2, 4, 5, 6]}, held, outputs=["y", "z"])
    file = opened(path, x=3 * floats(rng, 2, 4, 5, 6))
    file.assert_same(rtol=0.0)
    assert file.ops.count("Conv") == file.ops.count("MatMul") == 1
    assert [float(q.scale.max()) for q in file.quantizers.values()] == [1.0, 1.0]


@pytest.mark.parametrize("op", ["MatMulIntegerToFloat", "DynamicQuantizeMatMul"])
def test_products_with_integer_weights_and_float_results(op: str, tmp_path: Path, rng: Rng) -> None:
    held = params(x=(0.0513, 121))
    held |= {"wq": rng.integers(-127, 128, (9, 7)).astype(np.int8), "wz": np.zeros(7, np.int8)}
    held |= {"ws": np.linspace(0.01, 0.03, 7, dtype=np.float32), "b": floats(rng, 7)}
    nodes = [helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"])]
    inputs = ["xq", "wq", "xs", "ws", "xz", "wz", "b"]
    if op == "DynamicQuantizeMatMul":
        nodes, inputs = [], ["x", "wq", "ws", "wz", "b"]
        del held["xs"], held["xz"]
    nodes.append(helper.make_node(op, inputs, ["y"], name="fc", domain=ORT))
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [3, 9]}, held), x=floats(rng, 3, 9))
    file.assert_same()
    assert file.quantizers["wq::float"].axis == 1
    assert file.ops[-2:] == ["MatMul", "Add"]
    assert ("DynamicQuantizeLinear" in file.ops) == (op == "DynamicQuantizeMatMul")


@pytest.mark.parametrize("bits", [4, 8])
def test_a_table_of_codes(bits: int, tmp_path: Path, rng: Rng) -> None:
    """GatherBlockQuantized, and Gather followed by DequantizeLinear, become Gather of floats."""
    held: dict[str, Any] = {"scales": np.abs(floats(rng, 20, 3)) + 0.1}
    if bits == 8:
        held["data"] = rng.integers(0, 256, (20, 40)).astype(U8)
    else:
        codes = rng.integers(0, 16, 800)
        held["data"] = helper.make_tensor("data", TensorProto.UINT4, [20, 40], codes)
        held["zeros"] = helper.make_tensor(
            "zeros", TensorProto.UINT4, [20, 3], rng.integers(0, 16, 60)
        )
    held |= {"t": rng.integers(-127, 128, (9, 5)).astype(np.int8)}
    held |= {"ts": np.float32(0.1), "tz": np.int8(3)}
    inputs = ["data", "i", "scales", *(["zeros"] if bits == 4 else [])]
    sizes: dict[str, Any] = {"block_size": 16, "quantize_axis": 1, "gather_axis": 0, "bits": bits}
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("GatherBlockQuantized", inputs, ["y"], name="e1", domain=ORT, **sizes),
        helper.make_node("Gather", ["t", "i"], ["tq"], name="e2"),
        helper.make_node("DequantizeLinear", ["tq", "ts", "tz"], ["z"]),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"x": [2, 3]}, held, outputs=["y", "z"])
    file = opened(path, x=rng.integers(0, 9, (2, 3)).astype(np.float32))
    file.assert_same()
    assert file.ops == ["Cast", "Gather", "Gather"]
    blocked, plain = file.quantizers["data::float"], file.quantizers["t::float"]
    assert (blocked.axis, blocked.block, blocked.scale.shape) == (0, 16, (20, 3))
    assert (blocked.code, plain.code, int(plain.zero_point)) == (f"uint{bits}", "int8", 3)
    assert_fixed_points(file)


def test_nodes_without_a_float_form_stay(tmp_path: Path, rng: Rng) -> None:
    """Channels that lie last; an LSTM whose scales are computed."""
    held: dict[str, Any] = params(x=(0.05, 121), y=(0.04, 130))
    held |= {"W": rng.integers(-127, 128, (1, 4, 12)).astype(np.int8)}
    held |= {"R": rng.integers(-127, 128, (1, 3, 12)).astype(np.int8)}
    held |= {"s": np.full(1, 0.01, np.float32), "z": np.zeros(1, np.int8)}
    recurrent = ["l", "W", "R", "", "", "", "", "", "t", "z", "s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("QLinearGlobalAveragePool", [*X, *Y], ["yq"], domain=ORT, channels_last=1),
        helper.make_node("DequantizeLinear", ["yq", "ys", "yz"], ["y"]),
        helper.make_node("DynamicQuantizeLSTM", recurrent, ["h"], domain=ORT, hidden_size=3),
    ]
    inputs = {"x": [1, 3, 3, 8], "l": [5, 2, 4], "t": [1]}
    path = save(tmp_path / "net.onnx", nodes, inputs, held, outputs=["y", "h"])
    graph, changed = expand_quantized(passes.run_passes(ir.load(path), PREPARE))
    assert not changed
    assert {"QLinearGlobalAveragePool", "DynamicQuantizeLSTM"} <= {n.op_type for n in graph.graph}


@pytest.mark.parametrize("code", [np.int8, np.uint8])
@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("directions", [1, 2])
def test_an_lstm_with_integer_weights(
    directions: int, per_row: bool, code: Any, tmp_path: Path, rng: Rng
) -> None:
    """One step from a state of whole numbers 0..255, which the kernel's 8-bit codes hold."""
    rows = 12 if per_row else 1
    zero = 0 if per_row and code is np.int8 else 3  # all that the kernel takes
    held: dict[str, Any] = {}
    for name, sizes in (("W", 4), ("R", 3)):
        limits = np.iinfo(code)
        codes = rng.integers(limits.min, limits.max, (directions, sizes, 12), endpoint=True)
        shape = (directions, rows) if per_row else (directions,)
        held |= {f"{name}q": codes.astype(code), f"{name}z": np.full(shape, zero, code)}
        held[f"{name}s"] = rng.uniform(1, 3, shape).astype(np.float32) * (
            1e-2 if sizes > 3 else 1e-5
        )
    held["B"] = floats(rng, directions, 24)
    held["h0"] = np.tile(np.array([0, 101, 255], np.float32), (directions, 2, 1))
    held["c0"] = floats(rng, directions, 2, 3)
    inputs = ["x", "Wq", "Rq", "B", "", "h0", "c0", "", "Ws", "Wz", "Rs", "Rz"]
    both = "bidirectional" if directions > 1 else "forward"
    node = helper.make_node(
        "DynamicQuantizeLSTM",
        inputs,
        ["y", "", "c"],
        name="lstm",
        domain=ORT,
        hidden_size=3,
        direction=both,
    )
    x = {"x": [1, 2, 4]}
    path = save(tmp_path / "net.onnx", [node], x, held, outputs=["y", "c"])
    file = opened(path, x=floats(rng, 1, 2, 4))
    file.assert_same()
    assert file.ops[-1] == "LSTM"
    assert [layer.name for layer in file.model.layers] == ["lstm"]
    assert_fixed_points(file)
    rows_of = (0, 1) if directions > 1 else 1 if per_row else None
    for name in "WR":
        quantizer = file.quantizers[f"{name}q::float"]
        assert (quantizer.axis, quantizer.block) == (rows_of, None)
    assert file.note == (
        "quantized file: 2 weights keep the file's scales; 1 quantizer at another place runs as "
        "operator; the state of 1 LSTM, quantized in the file, is float here"
    )


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_dynamic_quantization_of_an_lstm(
    both: bool, per_channel: bool, tmp_path: Path, rng: Rng
) -> None:
    """Only the state, 8-bit codes in the file, makes a difference: a few steps of 1/255."""
    count = 2 if both else 1
    held: dict[str, Any] = {"W": floats(rng, count, 64, 8) / 4, "R": floats(rng, count, 64, 16) / 4}
    held |= {"B": floats(rng, count, 128), "M": floats(rng, 16, 5) / 4}
    direction = "bidirectional" if both else "forward"
    nodes = [
        helper.make_node(
            "LSTM", ["x", "W", "R", "B"], ["a"], name="lstm", hidden_size=16, direction=direction
        ),
        helper.make_node("MatMul", ["a", "M"], ["y"], name="fc"),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"x": [7, 3, 8]}, held)
    target = tmp_path / "quantized.onnx"
    quantize_dynamic(path, target, op_types_to_quantize=["LSTM", "MatMul"], per_channel=per_channel)
    assert "DynamicQuantizeLSTM" in {node.op_type for node in onnx.load(target).graph.node}
    file = opened(target, x=floats(rng, 7, 3, 8))
    largest = float(np.abs(file.expected[0]).max())
    file.assert_same(atol=0.02 * largest)
    assert [layer.op for layer in file.model.layers] == ["LSTM", "MatMul"]
    assert set(file.quantizers) == {"W", "R", "M"}
    for name in "WR":
        assert np.abs(file.model.constants[name].numpy() - held[name]).max() < 0.01
    assert_fixed_points(file)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("extra", ["", "mask", "past"])
def test_attention_with_integer_weights(
    extra: str, per_channel: bool, tmp_path: Path, rng: Rng
) -> None:
    held: dict[str, Any] = params(x=(0.03, 120))
    held |= {"Wq": rng.integers(-127, 128, (8, 24)).astype(np.int8), "b": floats(rng, 24)}
    held["Ws"] = np.linspace(0.001, 0.004, 24 if per_channel else 1, dtype=np.float32)
    held |= {"Wz": np.zeros_like(held["Ws"], np.int8), "m": np.array([3, 5], np.int32)}
    held["past"] = floats(rng, 2, 2, 2, 3, 4)
    given = {"": [], "mask": ["m"], "past": ["", "past"]}[extra]
    mask, past = [*given, "", ""][:2]
    inputs = ["xq", "Wq", "b", "xs", "Ws", mask, "xz", "Wz", past]
    outputs = ["y", "present"] if past else ["y"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node(
            "QAttention",
            inputs,
            outputs,
            name="attention",
            domain=ORT,
            num_heads=2,
            unidirectional=int(bool(past)),
        ),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"x": [2, 5, 8]}, held, outputs=outputs)
    file = opened(path, x=floats(rng, 2, 5, 8))
    file.assert_same()
    assert [layer.op for layer in file.model.layers] == ["Attention"]
    assert file.ops[-1] == "Attention"
    assert file.quantizers["Wq::float"].axis == (1 if per_channel else None)


# Type, codes' shape, scales' shape, axis and block size; then the channel axis and block found.
LAYOUTS: dict[str, tuple[int, list[int], int, int, int | None, int | None]] = {
    "uint4": (TensorProto.UINT4, [3, 12], 0, 16, 1, 16),
    "int4": (TensorProto.INT4, [36, 1], 1, 16, 0, None),
    "int8": (TensorProto.INT8, [12], 1, 0, 1, None),
    "int16": (TensorProto.INT16, [36], 0, 0, 0, None),
    "uint8": (TensorProto.UINT8, [], 1, 0, None, None),
    "float8e4m3fn": (TensorProto.FLOAT8E4M3FN, [3, 12], 0, 16, 1, 16),
    "float8e5m2": (TensorProto.FLOAT8E5M2, [12], -1, 0, 1, None),
}


def coded(rng: Rng, code: str, shape: Sequence[int]) -> tuple[list[Any], dict[str, Any]]:
    """Inputs of DequantizeLinear in this code and layout, and the constants behind them."""
    kind, scales, *_ = LAYOUTS[code]
    low = 0 if code[0] == "u" else -7
    codes = floats(rng, *shape) if code[0] == "f" else rng.integers(low, low + 16, shape)
    held: dict[str, Any] = {"q": helper.make_tensor("q", kind, shape, codes.flatten())}
    held["s"] = np.asarray(np.abs(floats(rng, *scales)) + 0.1, np.float32)
    if code[0] != "u":
        return ["q", "s"], held
    held["z"] = helper.make_tensor("z", kind, scales, np.full(scales, 7).flatten())
    return ["q", "s", "z"], held


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("code", LAYOUTS)
def test_weights_dequantized_before_a_layer(
    code: str, turned: bool, tmp_path: Path, rng: Rng
) -> None:
    """Each type of codes and layout of scales; also through Reshape, Transpose and Cast."""
    given, held = coded(rng, code, [36, 12])
    _, _, axis, block, channel, found = LAYOUTS[code]
    sizes: dict[str, Any] = {"axis": axis} | ({"block_size": block} if block else {})
    nodes = [helper.make_node("DequantizeLinear", given, ["w"], **sizes)]
    if turned:
        held |= {"high": np.array([1, 36, 12]), "flat": np.array([12, 36])}
        nodes += [
            helper.make_node("Reshape", ["w", "high"], ["w1"]),
            helper.make_node("Transpose", ["w1"], ["w2"], perm=[0, 2, 1]),
            helper.make_node("Cast", ["w2"], ["w3"], to=FLOAT),
            helper.make_node("Reshape", ["w3", "flat"], ["wt"]),
        ]
        channel = None if channel is None else 1 - channel
    name, width = ("wt", 36) if turned else ("w", 12)
    nodes.append(helper.make_node("Gemm", ["x", name], ["y"], transB=1))
    file = opened(
        save(tmp_path / "net.onnx", nodes, {"x": [2, width]}, held), x=floats(rng, 2, width)
    )
    file.assert_same()
    assert file.ops == ["Gemm"]
    assert list(file.quantizers) == [name]
    quantizer = file.quantizers[name]
    assert (quantizer.code, quantizer.axis, quantizer.block) == (code, channel, found)
    assert_fixed_points(file)
    assert file.note == "quantized file: 1 weight keeps the file's scales"


def qdq(value: str, result: str, parameter: str = "x", **attributes: Any) -> list[onnx.NodeProto]:
    given = [f"{parameter}s", f"{parameter}z"]
    return [
        helper.make_node("QuantizeLinear", [value, *given], [f"{result}::q"], **attributes),
        helper.make_node("DequantizeLinear", [f"{result}::q", *given], [result], **attributes),
    ]


def test_pairs_on_float_weights_keep_the_floats(tmp_path: Path, rng: Rng) -> None:
    """As training for quantization exports them; a Transpose behind the pair moves the axis."""
    held: dict[str, Any] = {"w": floats(rng, 7, 5), "v": floats(rng, 7, 3), "k": floats(rng, 3)}
    held |= {"ws": np.linspace(0.01, 0.03, 7, dtype=np.float32), "wz": np.zeros(7, np.int8)}
    held |= params(k=(0.01, 128))
    nodes = [
        *qdq("w", "wd", "w", axis=0),
        helper.make_node("Transpose", ["wd"], ["wt"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "wt"], ["h"], name="fc1"),
        *qdq("v", "vd", "w", axis=0),
        helper.make_node("Gemm", ["h", "vd"], ["m"], name="fc2"),
        *qdq("k", "kd", "k"),
        helper.make_node("Mul", ["m", "kd"], ["y"], name="mul"),
    ]
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [2, 5]}, held), x=floats(rng, 2, 5))
    file.assert_same()
    assert file.ops == ["MatMul", "Gemm", "Mul"]
    assert {name: q.axis for name, q in file.quantizers.items()} == {"w::transpose": 1, "v": 0}
    np.testing.assert_array_equal(file.model.constants["w::transpose"].numpy(), held["w"].T)
    np.testing.assert_array_equal(file.model.constants["v"].numpy(), held["v"])
    assert file.note == "quantized file: 2 weights keep the file's scales"


def test_a_pair_read_by_layers_and_others_goes_for_the_layers_only(
    tmp_path: Path, rng: Rng
) -> None:
    held: dict[str, Any] = {"w": floats(rng, 5, 5)} | params(x=(0.03, 120))
    nodes = [
        *qdq("x", "xd"),
        helper.make_node("MatMul", ["xd", "w"], ["m"], name="fc"),
        helper.make_node("Add", ["m", "xd"], ["y"], name="add"),
    ]
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [2, 5]}, held), x=floats(rng, 2, 5))
    file.assert_same()
    assert sorted(file.ops) == ["Add", "DequantizeLinear", "MatMul", "QuantizeLinear"]
    assert list(file.quantizers) == ["x"]
    assert file.note == (
        "quantized file: 1 input keeps the file's scales; "
        "1 quantizer at another place runs as operator"
    )


@pytest.mark.parametrize("other", ["bare", "another scale", "another code"])
def test_a_value_has_one_quantizer(other: str, tmp_path: Path, rng: Rng) -> None:
    """Where layers read one value differently, a pair stays an operator and the numbers hold."""
    held: dict[str, Any] = {"w": floats(rng, 5, 4), "v": floats(rng, 5, 4)}
    held |= params(x=(0.03, 0))
    if other != "bare":
        held |= {"ks": np.float32(0.03), "kz": np.int8(0)}
    if other == "another scale":
        held |= params(k=(0.2, 0))
    nodes = qdq("x", "xd") + (qdq("x", "kd", "k") if other != "bare" else [])
    nodes += [
        helper.make_node("MatMul", ["xd", "w"], ["m"], name="fc1"),
        helper.make_node("MatMul", ["x" if other == "bare" else "kd", "v"], ["n"], name="fc2"),
        helper.make_node("Add", ["m", "n"], ["y"], name="add"),
    ]
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [2, 5]}, held), x=floats(rng, 2, 5))
    file.assert_same()
    assert file.ops.count("QuantizeLinear") == 1
    assert list(file.quantizers) == ([] if other == "bare" else ["x"])


def test_pairs_that_stay(tmp_path: Path, rng: Rng) -> None:
    """Unequal scales, the model's own output, and a table that no layer looks up."""
    held: dict[str, Any] = {"w": floats(rng, 5, 4), "t": floats(rng, 4, 3, 2)}
    held |= params(x=(0.03, 120), k=(0.04, 120)) | {"i": np.array([2, 0])}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "ks", "kz"], ["xd"]),
        helper.make_node("MatMul", ["xd", "w"], ["m"], name="fc"),
        *qdq("m", "y"),
        *qdq("t", "td"),
        helper.make_node("Gather", ["td", "i"], ["z"], name="rows"),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"x": [2, 5]}, held, outputs=["y", "z"])
    file = opened(path, x=floats(rng, 2, 5))
    file.assert_same()
    assert file.quantizers == {}
    assert file.note == "quantized file: 2 quantizers at other places run as operators"


def test_a_recurrent_layer(tmp_path: Path, rng: Rng) -> None:
    """Codes of W and R, per tensor and per gate, a pair on X, and a bias of 32-bit codes."""
    held: dict[str, Any] = params(x=(0.03, 120))
    held |= {"Wq": rng.integers(-127, 128, (1, 12, 4)).astype(np.int8), "Ws": np.float32(0.01)}
    held |= {"Rq": rng.integers(-127, 128, (1, 12, 3)).astype(np.int8)}
    held |= {"Rs": np.linspace(0.01, 0.03, 12, dtype=np.float32)}
    held |= {"Bq": rng.integers(-999, 999, (1, 24)).astype(np.int32), "Bs": np.float32(1e-3)}
    nodes = [
        *qdq("x", "xd"),
        helper.make_node("DequantizeLinear", ["Wq", "Ws"], ["W"]),
        helper.make_node("DequantizeLinear", ["Rq", "Rs"], ["R"], axis=1),
        helper.make_node("DequantizeLinear", ["Bq", "Bs"], ["B"]),
        helper.make_node("LSTM", ["xd", "W", "R", "B"], ["y"], name="lstm", hidden_size=3),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"x": [6, 2, 4]}, held)
    file = opened(path, x=floats(rng, 6, 2, 4))
    file.assert_same()
    assert file.ops == ["LSTM"]
    assert {name: q.axis for name, q in file.quantizers.items()} == {"x": None, "W": None, "R": 1}
    assert [layer.bias for layer in file.model.layers] == ["B"]
    assert file.note == "quantized file: 2 weights and 1 input keep the file's scales"


def test_blocks_go_through_a_reshape(tmp_path: Path, rng: Rng) -> None:
    """A channel's values keep their order however the other axes are cut."""
    held: dict[str, Any] = {"q": rng.integers(-8, 8, (32, 4)).astype(np.int8)}
    held |= {"s": np.abs(floats(rng, 2, 4)) + np.float32(0.1), "new": np.array([2, 16, 4])}
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=0, block_size=16),
        helper.make_node("Reshape", ["w", "new"], ["v"]),
        helper.make_node("MatMul", ["x", "v"], ["y"], name="fc"),
    ]
    x = floats(rng, 2, 3, 16)
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": x.shape}, held), x=x)
    file.assert_same()
    assert (file.quantizers["v"].axis, file.quantizers["v"].block) == (2, 16)
    assert_fixed_points(file)


def test_nodes_inside_a_branch_have_no_slots(tmp_path: Path, rng: Rng) -> None:
    """Whether they read a value before or behind its pair, they read it as they did."""
    held: dict[str, Any] = {"w": floats(rng, 5, 4), "c": np.array(True)} | params(x=(0.03, 120))
    branches: dict[str, Any] = {
        name: helper.make_graph(
            [helper.make_node("MatMul", [operand, "w"], ["m"], name="inner")],
            name,
            [],
            [helper.make_tensor_value_info("m", FLOAT, None)],
        )
        for name, operand in (("then_branch", "xd"), ("else_branch", "x"))
    }
    nodes = [
        *qdq("x", "xd"),
        helper.make_node("If", ["c"], ["i"], **branches),
        helper.make_node("MatMul", ["xd", "w"], ["o"], name="outer"),
        helper.make_node("Add", ["i", "o"], ["y"]),
    ]
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [2, 5]}, held), x=floats(rng, 2, 5))
    file.assert_same()
    assert list(file.quantizers) == ["x"]
    assert file.ops == ["QuantizeLinear", "DequantizeLinear", "If", "MatMul", "Add"]


def test_pooling_that_says_where_stays_on_codes(tmp_path: Path, rng: Rng) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("MaxPool", ["xq"], ["pq", "at"], kernel_shape=[2, 2]),
        helper.make_node("DequantizeLinear", ["pq", "xs", "xz"], ["y"]),
        helper.make_node("Cast", ["at"], ["z"], to=FLOAT),
    ]
    held = params(x=(0.03, 120))
    path = save(tmp_path / "net.onnx", nodes, {"x": [1, 2, 5, 5]}, held, outputs=["y", "z"])
    file = opened(path, x=floats(rng, 1, 2, 5, 5))
    file.assert_same(rtol=0.0)
    assert file.ops == ["QuantizeLinear", "MaxPool", "DequantizeLinear", "Cast"]


def test_codes_that_two_layers_read_with_their_own_scales(tmp_path: Path, rng: Rng) -> None:
    held: dict[str, Any] = {"wq": rng.integers(-127, 128, (5, 4)).astype(np.int8)}
    held |= {"s": np.float32(0.1), "t": np.float32(0.2)}
    nodes = [
        helper.make_node("DynamicQuantizeMatMul", ["x", "wq", "s"], ["m"], domain=ORT),
        helper.make_node("DynamicQuantizeMatMul", ["x", "wq", "t"], ["n"], domain=ORT),
        helper.make_node("DynamicQuantizeMatMul", ["x", "wq", "t"], ["o"], domain=ORT),
        helper.make_node("Sum", ["m", "n", "o"], ["y"]),
    ]
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [2, 5]}, held), x=floats(rng, 2, 5))
    file.assert_same()
    scales = {name: round(float(q.scale), 6) for name, q in file.quantizers.items()}
    assert scales == {"wq::float": 0.1, "wq::float_2": 0.2}


@pytest.mark.parametrize("why", ["a stack of matrices", "channels merged", "blocks torn"])
def test_scales_that_no_quantizer_holds_leave_the_values(
    why: str, tmp_path: Path, rng: Rng
) -> None:
    """Blocks that are no runs of values along one channel axis."""
    shape = [3, 32, 4] if why == "a stack of matrices" else [32, 4]
    held: dict[str, Any] = {"q": rng.integers(-8, 8, shape).astype(np.int8)}
    held["s"] = np.abs(floats(rng, *shape[:-2], 2, 4)) + np.float32(0.1)
    nodes = [helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=-2, block_size=16)]
    if len(shape) == 2:
        held["new"] = np.array([16, 8] if why == "channels merged" else [2, 16, 4])
        nodes.append(helper.make_node("Reshape", ["w", "new"], ["r"]))
    if why == "blocks torn":
        nodes.append(helper.make_node("Transpose", ["r"], ["t"], perm=[1, 0, 2]))
    nodes.append(helper.make_node("MatMul", ["x", nodes[-1].output[0]], ["y"], name="fc"))
    x = floats(rng, 16 if why == "blocks torn" else 3, 5, {"a": 32, "c": 16, "b": 2}[why[0]])
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": x.shape}, held), x=x)
    file.assert_same()
    assert file.ops == ["MatMul"]
    assert file.quantizers == {}
    assert file.note == "quantized file: 1 constant opened as values, without scales"


def test_accumulators_have_no_quantizer(tmp_path: Path, rng: Rng) -> None:
    """32-bit codes are no format of a slot; a layer that reads them reads floats."""
    held: dict[str, Any] = {"q": rng.integers(-99, 99, (5, 4)).astype(np.int32)}
    held["s"] = np.float32(0.1)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"], name="fc"),
    ]
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [2, 5]}, held), x=floats(rng, 2, 5))
    file.assert_same()
    assert (file.ops, file.quantizers, file.note) == (["MatMul"], {}, "")


def test_negative_scales_turn_the_codes_round(tmp_path: Path, rng: Rng) -> None:
    """As onnxruntime's symmetric 4-bit blocks have them; a scale of zero stands for zeros."""
    codes = np.stack([np.arange(16), np.arange(16), np.arange(16)], axis=1)
    held: dict[str, Any] = {"q": helper.make_tensor("q", TensorProto.UINT4, [16, 3], codes.ravel())}
    held["z"] = helper.make_tensor("z", TensorProto.UINT4, [3], [5, 5, 5])
    held["s"] = np.array([0.5, -0.5, 0.0], np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=1),
        helper.make_node("MatMul", ["x", "w"], ["y"], name="fc"),
    ]
    file = opened(save(tmp_path / "net.onnx", nodes, {"x": [2, 16]}, held), x=floats(rng, 2, 16))
    file.assert_same()
    quantizer = file.quantizers["w"]
    assert quantizer.scale.tolist() == [0.5, 0.5, 1.0]
    assert quantizer.zero_point.tolist() == [5, 10, 5]
    assert_fixed_points(file)
    levels = encoding(quantizer).levels(1)
    assert levels.tolist() == sorted(file.model.constants["w"][:, 1].tolist())


def test_a_float_model_is_left_alone(tmp_path: Path, rng: Rng) -> None:
    graph = passes.run_passes(ir.load(conv_net(tmp_path / "net.onnx", rng)), PREPARE)
    before = [(node.op_type, node.name) for node in graph.graph]
    graph, expanded = expand_quantized(graph)
    quantizers, taken = take_quantizers(graph, quantizable)
    assert (expanded, taken, quantizers) == (False, False, {})
    assert quantized_note(graph, quantizers) == ""
    assert [(node.op_type, node.name) for node in graph.graph] == before


def test_a_second_time_changes_nothing(demo: Path, images: NDArray[np.float32]) -> None:
    feeds = {"image": images}
    path = statically(demo, feeds, QuantFormat.QOperator, True, QuantType.QUInt8, QuantType.QInt8)
    graph = passes.run_passes(ir.load(path), PREPARE)
    assert expand_quantized(graph)[1]
    assert not expand_quantized(graph)[1]
    first, changed = take_quantizers(graph, quantizable)
    assert changed
    again, changed = take_quantizers(graph, quantizable)
    assert not changed
    weights = [name for name in first if name in graph.graph.initializers]
    assert len(weights) == 12
    assert all(again[name].same_as(first[name]) for name in weights)
