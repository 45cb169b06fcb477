"""Layer errors: what each layer adds alone, and what has accumulated by its output."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from qviz.data.parts import Indices
from qviz.data.read_npz import read_npz
from qviz.data.samples import Samples
from qviz.engine.chunks import Feeder, feeder
from qviz.engine.evaluate import evaluate
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.layer_errors import LayerErrors, OutputError, layer_errors
from qviz.engine.memo import Memo
from qviz.model.model import Model, Step, Value
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.quant.axes import Axes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Write = Callable[..., Path]


def encoding(values: torch.Tensor, spelling: str, axis: Axes = None) -> Encoding:
    return find_encoding(measure(values, axis, keep=True), parse_scheme(spelling))


def weight_encodings(model: Model, spelling: str) -> dict[str, Encoding]:
    return {
        slot.name: encoding(model.constants[slot.value], spelling, slot.axis)
        for slot in model.slots.values()
        if slot.role == "weight"
    }


def input_encodings(model: Model, spelling: str, width: float = 3.0) -> dict[str, Encoding]:
    found = encoding(torch.tensor([-width, width]), spelling)
    return {slot.name: found for slot in model.slots.values() if slot.role == "input"}


def opened(model: Path, samples: Path) -> tuple[Model, Samples, Feeder]:
    read, data = read_onnx(model), read_npz(samples)
    return read, data, feeder(read, data, None)


def rows_up_to(count: int) -> Indices:
    return np.arange(count, dtype=np.int64)


def last_errors(
    model: Model, feed: Feeder, rows: Indices, encodings: Mapping[str, Encoding]
) -> LayerErrors:
    *_, last = layer_errors(model, Runtime(model), feed, rows, encodings)
    return last


def expected(x: NDArray[np.float64], q: NDArray[np.float64]) -> OutputError:
    error = q - x
    return OutputError(
        sqnr_db=float(10 * np.log10((x**2).sum() / (error**2).sum())),
        cosine=float((x * q).sum() / np.linalg.norm(x) / np.linalg.norm(q)),
        bias=float(error.mean() / np.sqrt((x**2).mean())),
    )


def assert_close(got: OutputError | None, wanted: OutputError | None, rel: float = 1e-4) -> None:
    assert got is not None
    assert wanted is not None
    assert got.sqnr_db == pytest.approx(wanted.sqnr_db, rel=rel)
    assert got.cosine == pytest.approx(wanted.cosine, rel=rel)
    assert got.bias == pytest.approx(wanted.bias, rel=rel, abs=1e-6)


def rounded(x: NDArray[np.float64], scale: float, top: int) -> NDArray[np.float64]:
    return np.clip(np.rint(x / scale), -top, top) * scale


def test_a_perceptron_against_numpy(mlp: Path, mlp_samples: Path) -> None:
    model, samples, feed = opened(mlp, mlp_samples)
    encodings = weight_encodings(model, "int4:tensor") | input_encodings(model, "int8:tensor")
    errors = last_errors(model, feed, rows_up_to(60), encodings)

    x = np.asarray(samples.arrays["x"], np.float64)
    w1, b1, w2 = (model.constants[name].double().numpy() for name in ("w1", "b1", "w2"))
    q1, q2 = (rounded(w, np.abs(w).max() / 7, 7) for w in (w1, w2))
    step = 3.0 / 127
    h = x @ w1.T + b1
    r = np.maximum(h, 0)
    h_quantized = rounded(x, step, 127) @ q1.T + b1
    r_quantized = np.maximum(h_quantized, 0)
    y = r @ w2.T
    assert_close(errors.layers[0].local, expected(h, h_quantized))
    assert_close(errors.layers[1].local, expected(y, rounded(r, step, 127) @ q2.T))
    assert_close(errors.layers[1].accumulated, expected(y, rounded(r_quantized, step, 127) @ q2.T))
    assert errors.layers[0].accumulated == errors.layers[0].local
    assert (errors.samples, errors.total) == (60, 60)


def test_every_layer_of_the_demo_against_runs_with_other_weights(
    demo_model: Path, demo_samples: Path
) -> None:
    model, samples, feed = opened(demo_model, demo_samples)
    encodings = weight_encodings(model, "int4:channel")
    rows = rows_up_to(20)
    errors = last_errors(model, feed, rows, encodings)
    runtime, feeds = Runtime(model), feed.chunk(rows).feeds
    outputs = {
        layer.index: model.steps[layer.step].outputs[0]
        for layer in model.layers
        if layer.step is not None
    }
    weights = {
        layer.index: {
            model.slots[name].value: encodings[name].apply(model.constants[model.slots[name].value])
            for name in layer.slots
            if name in encodings
        }
        for layer in model.layers
    }

    def outputs_with(layers: Iterable[int]) -> dict[str, NDArray[np.float64]]:
        substitute = {name: w for layer in layers for name, w in weights[layer].items()}
        with torch.inference_mode():
            values = runtime.run(feeds, keep=outputs.values(), substitute=substitute)
        return {n: v.double().numpy() for n, v in values.items() if isinstance(v, torch.Tensor)}

    exact, quantized = outputs_with([]), outputs_with(weights)
    assert samples.count > 20
    for layer, error in enumerate(errors.layers):
        name = outputs[layer]
        assert_close(error.local, expected(exact[name], outputs_with([layer])[name]))
        assert_close(error.accumulated, expected(exact[name], quantized[name]))
    assert errors.layers[0].accumulated == errors.layers[0].local
    assert errors.layers[-1].accumulated != errors.layers[-1].local


def test_float_everywhere_is_exact(demo_model: Path, demo_samples: Path) -> None:
    model, _, feed = opened(demo_model, demo_samples)
    for error in last_errors(model, feed, rows_up_to(8), {}).layers:
        assert error.local == error.accumulated
        assert error.local is not None
        assert error.local.sqnr_db == math.inf
        assert error.local.cosine == pytest.approx(1.0, abs=1e-15)
        assert error.local.bias == 0.0


def test_a_float_layer_adds_nothing_but_passes_errors_on(mlp: Path, mlp_samples: Path) -> None:
    model, _, feed = opened(mlp, mlp_samples)
    weights = weight_encodings(model, "int4:tensor")
    errors = last_errors(model, feed, rows_up_to(60), {"fc1.weight": weights["fc1.weight"]})
    first, second = errors.layers
    assert second.local is not None
    assert second.accumulated is not None
    assert second.local.sqnr_db == math.inf
    assert second.accumulated.sqnr_db < 40.0
    alone = last_errors(model, feed, rows_up_to(60), {"fc2.weight": weights["fc2.weight"]})
    both = last_errors(model, feed, rows_up_to(60), weights)
    assert alone.layers[0].accumulated is not None
    assert alone.layers[0].accumulated.sqnr_db == math.inf
    assert both.layers[1].local == alone.layers[1].local == alone.layers[1].accumulated
    assert both.layers[0] == first


def test_every_yield_is_the_value_of_all_samples_so_far(mlp: Path, mlp_samples: Path) -> None:
    model, _, feed = opened(mlp, mlp_samples)
    encodings = weight_encodings(model, "int4:tensor") | input_encodings(model, "int8:tensor")
    small = replace(feed, size=25)
    streamed = list(layer_errors(model, Runtime(model), small, rows_up_to(60), encodings))
    assert [errors.samples for errors in streamed] == [25, 50, 60]
    for errors in streamed:
        whole = last_errors(model, feed, rows_up_to(errors.samples), encodings)
        for got, wanted in zip(errors.layers, whole.layers, strict=True):
            assert_close(got.local, wanted.local, rel=1e-5)
            assert_close(got.accumulated, wanted.accumulated, rel=1e-5)


def test_the_last_layer_has_the_error_that_an_evaluation_measures(
    write_model: Write, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=(5, 5)).astype(np.float32) for name in ("a", "b")}
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
        helper.make_node("Tanh", ["h"], ["t"], name="tanh"),
        helper.make_node("MatMul", ["t", "b"], ["f"], name="second"),
        helper.make_node("Reshape", ["f", "shape"], ["y"], name="deep"),
    ]
    five_axes = {"shape": np.array([-1, 1, 1, 5, 1])}  # no classes: the metric is output SQNR
    path = write_model(
        "two.onnx", nodes, weights, {"x": ["N", 5]}, {"y": ["N", 1, 1, 5, 1]}, five_axes
    )
    np.savez(tmp_path / "x.npz", x=rng.normal(size=(30, 5)).astype(np.float32))
    model, _, feed = opened(path, tmp_path / "x.npz")
    encodings = weight_encodings(model, "int4:channel") | input_encodings(model, "int8:tensor")
    rows = rows_up_to(30)
    *_, evaluation = evaluate(Executor(model, Memo(), integers=False), feed, encodings, rows, "all")
    error = last_errors(model, feed, rows, encodings).layers[-1].accumulated
    assert error is not None
    assert evaluation.metric == "output SQNR"
    assert error.sqnr_db == pytest.approx(evaluation.value, rel=1e-9)
    assert evaluation.kl is None


def fixed_batch(write_model: Write, batch: int | str) -> Path:
    """Two products over [time, batch, features], so that samples lie along the second axis."""
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(size=(4, 4)).astype(np.float32) for name in ("a", "b", "c")}
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
        helper.make_node("Transpose", ["h"], ["t"], name="turn", perm=[1, 0, 2]),
        helper.make_node("MatMul", ["t", "b"], ["u"], name="second"),
        helper.make_node("Transpose", ["u"], ["v"], name="back", perm=[1, 0, 2]),
        helper.make_node("Reshape", ["v", "flat"], ["w"], name="fold"),
        helper.make_node("MatMul", ["w", "c"], ["z"], name="third"),
        helper.make_node("Reshape", ["z", "whole"], ["y"], name="unfold"),
    ]
    shape: list[int | str] = [batch, 7, 4]
    shapes = {"flat": np.array([-1, 4]), "whole": np.array([-1, 7, 4])}
    return write_model(f"{batch}.onnx", nodes, weights, {"x": shape}, {"y": shape}, shapes)


def test_padded_rows_of_a_fixed_batch_do_not_count(write_model: Write, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(6, 7, 4)).astype(np.float32)
    x[5] *= 20  # counted more than once, this sample would show
    np.savez(tmp_path / "x.npz", x=x)
    found = []
    for batch in ("N", 4):
        model, _, feed = opened(fixed_batch(write_model, batch), tmp_path / "x.npz")
        encodings = weight_encodings(model, "int4:tensor") | input_encodings(model, "int8:tensor")
        found.append(last_errors(model, feed, rows_up_to(6), encodings))
    free, fixed = found
    assert (fixed.samples, fixed.total) == (6, 6)
    for got, wanted in zip(fixed.layers, free.layers, strict=True):
        assert_close(got.local, wanted.local, rel=1e-5)
        assert_close(got.accumulated, wanted.accumulated, rel=1e-5)


@pytest.mark.parametrize("output", ["Y", "Y_h"])
@pytest.mark.parametrize(("steps", "batch"), [(4, 4), (3, 2)])
def test_padding_of_recurrent_layers_lies_where_their_batch_does(
    output: str, steps: int, batch: int, write_model: Write, tmp_path: Path
) -> None:
    """The batch is as large as the number of steps, or as that of directions."""
    rng = np.random.default_rng(5)
    weights = {
        "w": rng.normal(size=(2, 12, 4)).astype(np.float32),
        "r": rng.normal(size=(2, 12, 3)).astype(np.float32),
    }
    x = rng.normal(size=(batch + 1, steps, 4)).astype(np.float32)
    x[-1] *= 20  # counted more than once, this sample would show
    np.savez(tmp_path / "x.npz", x=x)
    names, order = (["z"], [2, 0, 1, 3]) if output == "Y" else (["", "z"], [1, 0, 2])
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[1, 0, 2]),
        helper.make_node(
            "LSTM", ["t", "w", "r"], names, "lstm", hidden_size=3, direction="bidirectional"
        ),
        helper.make_node("Transpose", ["z"], ["y"], name="back", perm=order),
    ]
    found = []
    for size in ("N", batch):
        shape: list[int | str] = [size, steps, 4]
        ends: list[int | str] = [size, steps, 2, 3] if output == "Y" else [size, 2, 3]
        path = write_model(f"lstm{size}.onnx", nodes, weights, {"x": shape}, {"y": ends})
        model, _, feed = opened(path, tmp_path / "x.npz")
        encodings = weight_encodings(model, "int3:tensor")
        found.append(last_errors(model, feed, rows_up_to(batch + 1), encodings))
    free, fixed = found
    assert_close(fixed.layers[0].local, free.layers[0].local, rel=1e-5)


def test_an_lstm_with_two_weights_and_no_sequence_output(
    write_model: Write, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(1, 12, 4)).astype(np.float32),
        "r": rng.normal(size=(1, 12, 3)).astype(np.float32),
    }
    lstm = helper.make_node("LSTM", ["t", "w", "r"], ["", "h"], name="lstm", hidden_size=3)
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[1, 0, 2]),
        lstm,
        helper.make_node("Squeeze", ["h", "axes"], ["y"], name="squeeze"),
    ]
    path = write_model(
        "lstm.onnx",
        nodes,
        weights,
        {"x": ["N", 6, 4]},
        {"y": ["N", 3]},
        {"axes": np.array([0])},
    )
    x = rng.normal(size=(9, 6, 4)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    model, _, feed = opened(path, tmp_path / "x.npz")
    encodings = weight_encodings(model, "int3:tensor")
    assert set(encodings) == {"lstm.weight", "lstm.weight.R"}
    (error,) = last_errors(model, feed, rows_up_to(9), encodings).layers

    def last_state(w: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
        h, c = np.zeros((9, 3)), np.zeros((9, 3))
        for t in range(6):
            gates = np.split(x[:, t].astype(np.float64) @ w.T + h @ r.T, 4, axis=1)
            i, o, f = (1 / (1 + np.exp(-gate)) for gate in gates[:3])
            c = f * c + i * np.tanh(gates[3])
            h = o * np.tanh(c)
        return h

    w, r = (weights[name][0].astype(np.float64) for name in ("w", "r"))
    quantized = [rounded(v, np.abs(v).max() / 3, 3) for v in (w, r)]
    assert_close(error.local, expected(last_state(w, r), last_state(*quantized)))
    assert error.accumulated == error.local


def test_errors_reach_a_layer_through_what_a_branch_captures(
    write_model: Write, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=(4, 4)).astype(np.float32) for name in ("a", "b")}
    out = helper.make_tensor_value_info("branch", TensorProto.FLOAT, None)
    then, other = (
        helper.make_graph([helper.make_node(op, ["h"], ["branch"], name=op)], op, [], [out])
        for op in ("Tanh", "Neg")
    )
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
        helper.make_node("ReduceSum", ["x"], ["sum"], name="sum", keepdims=0),
        helper.make_node("Cast", ["sum"], ["yes"], name="cast", to=TensorProto.BOOL),
        helper.make_node("If", ["yes"], ["c"], name="if", then_branch=then, else_branch=other),
        helper.make_node("MatMul", ["c", "b"], ["y"], name="second"),
    ]
    path = write_model("if.onnx", nodes, weights, {"x": ["N", 4]}, {"y": ["N", 4]})
    x = rng.normal(size=(10, 4)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    model, _, feed = opened(path, tmp_path / "x.npz")
    encodings = weight_encodings(model, "int3:tensor")
    errors = last_errors(model, feed, rows_up_to(10), encodings)
    a, b = (weights[name].astype(np.float64) for name in ("a", "b"))
    a_quantized, b_quantized = (rounded(w, np.abs(w).max() / 3, 3) for w in (a, b))
    y = np.tanh(x @ a) @ b
    assert_close(errors.layers[1].local, expected(y, np.tanh(x @ a) @ b_quantized))
    assert_close(errors.layers[1].accumulated, expected(y, np.tanh(x @ a_quantized) @ b_quantized))


def test_a_shape_that_follows_the_values_leaves_only_the_local_error(
    write_model: Write, tmp_path: Path
) -> None:
    weights = {
        "a": np.array([[0.3, 1.0]], np.float32),  # int2 rounds 0.3 to 0
        "b": np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
        helper.make_node("NonZero", ["h"], ["places"], name="places"),
        helper.make_node("Transpose", ["places"], ["turned"], name="turn"),
        helper.make_node("Cast", ["turned"], ["floats"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["floats", "b"], ["z"], name="second"),
    ]
    path = write_model("places.onnx", nodes, weights, {"x": ["N", 1]}, {"z": ["M", 3]})
    np.savez(tmp_path / "x.npz", x=np.ones((5, 1), np.float32))
    model, _, feed = opened(path, tmp_path / "x.npz")
    encodings = weight_encodings(model, "int2:tensor")
    first, second = last_errors(model, feed, rows_up_to(5), encodings).layers
    assert first.accumulated is not None
    assert second.accumulated is None
    assert second.local is not None
    assert math.isfinite(second.local.sqnr_db)


def test_cancelling_stops_between_operators(mlp: Path, mlp_samples: Path) -> None:
    model, _, feed = opened(mlp, mlp_samples)
    ran: list[str] = []

    class Recorded(Runtime):
        def run_step(self, step: Step, operands: Sequence[Value]) -> tuple[Value, ...]:
            ran.append(step.name)
            return super().run_step(step, operands)

    work = layer_errors(
        model,
        Recorded(model),
        feed,
        rows_up_to(60),
        weight_encodings(model, "int4:tensor"),
        cancelled=lambda: len(ran) >= 3,
    )
    with pytest.raises(WorkCancelledError):
        next(work)
    assert ran == ["fc1", "fc1", "relu"]


def chain(write_model: Write, tmp_path: Path, length: int) -> tuple[Model, Feeder]:
    """Products by one shared weight, one after the other."""
    w = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32) / 2
    names = ["x", *(f"v{n}" for n in range(1, length)), "y"]
    nodes: list[onnx.NodeProto] = [
        helper.make_node("MatMul", [names[n], "w"], [names[n + 1]], name=f"layer{n}")
        for n in range(length)
    ]
    path = write_model("chain.onnx", nodes, {"w": w}, {"x": ["N", 6]}, {"y": ["N", 6]})
    x = np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    model, _, feed = opened(path, tmp_path / "x.npz")
    return model, replace(feed, size=5)


def test_values_are_freed_after_their_last_use(write_model: Write, tmp_path: Path) -> None:
    model, feed = chain(write_model, tmp_path, 12)
    outputs: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    class Watched(Runtime):
        def run_step(self, step: Step, operands: Sequence[Value]) -> tuple[Value, ...]:
            found = super().run_step(step, operands)
            outputs.extend(weakref.ref(v) for v in found if isinstance(v, torch.Tensor))
            alive.append(sum(output() is not None for output in outputs))
            return found

    encodings = weight_encodings(model, "int4:tensor")
    *_, last = layer_errors(model, Watched(model), feed, rows_up_to(20), encodings)
    assert last.samples == 20
    assert max(alive) == 5  # two inputs of a layer; its float, local and accumulated output


def test_a_shared_weight_is_quantized_once(write_model: Write, tmp_path: Path) -> None:
    model, feed = chain(write_model, tmp_path, 3)
    applied: list[torch.Tensor] = []

    class Counted(Scaled):
        def apply(self, x: torch.Tensor) -> torch.Tensor:
            applied.append(x)
            return super().apply(x)

    plain = weight_encodings(model, "int4:tensor")
    some = plain["layer0.weight"]
    assert isinstance(some, Scaled)
    counted = Counted(some.grid, some.scale, some.zero_point, some.axis)
    errors = last_errors(model, feed, rows_up_to(20), dict.fromkeys(plain, counted))
    assert len(applied) == 1
    assert errors == last_errors(model, feed, rows_up_to(20), plain)
