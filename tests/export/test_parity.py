"""Parity: what the verdict says of files that are right, wrong, and beyond onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from qviz.data.read_npz import read_npz
from qviz.engine.chunks import feeder
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.memo import Memo
from qviz.errors import QvizError
from qviz.export.latency import measure_latency
from qviz.export.onnx_file import save_onnx
from qviz.export.parity import Comparison, Progress
from qviz.export.qdq import write_qdq
from qviz.export.verdict import Verdict
from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.quant.encoding import Encoding, Scaled
from tests.export.conftest import Write, floats
from tests.export.exported import encodings_of

Change = Callable[[onnx.ModelProto], None]


def comparison(
    model: Model,
    samples: Path,
    encodings: Mapping[str, Encoding],
    out: Path,
    change: Change | None = None,
) -> Comparison:
    """The exported model over all samples; `change` damages the file."""
    written = write_qdq(model, encodings)
    save_onnx(written.graph, out, {})
    if change is not None:
        proto = onnx.load(out)
        change(proto)
        onnx.save(proto, out)
    data = read_npz(samples)
    rows = np.arange(data.count, dtype=np.int64)
    feed = feeder(model, data, None)
    return Comparison(Executor(model, Memo(None)), feed, rows, "all", encodings, written, out)


def verdict_of(
    model: Model,
    samples: Path,
    schemes: tuple[str, str],
    out: Path,
    change: Change | None = None,
) -> Verdict:
    given = {model.inputs[0].name: torch.from_numpy(np.load(samples)["x"])}
    encodings = encodings_of(model, given, *schemes)
    *steps, last = comparison(model, samples, encodings, out, change).run()
    assert all(isinstance(step, Progress) for step in steps)
    assert isinstance(last, Verdict)
    return last


def scaled(name: str, factor: float) -> Change:
    """Multiply a stored scale."""

    def change(proto: onnx.ModelProto) -> None:
        held = next(tensor for tensor in proto.graph.initializer if tensor.name == name)
        array: NDArray[np.float32] = numpy_helper.to_array(held) * np.float32(factor)
        held.CopyFrom(numpy_helper.from_array(array, name))

    return change


@pytest.mark.parametrize(
    "schemes", [("int8:channel", "uint8"), ("int4", "float"), ("nf4", "mxfp4"), ("float", "float")]
)
def test_what_was_exported_gives_our_numbers(
    mlp: Path, mlp_samples: Path, tmp_path: Path, schemes: tuple[str, str]
) -> None:
    verdict = verdict_of(read_onnx(mlp), mlp_samples, schemes, tmp_path / "out.onnx")
    assert verdict.ok, verdict.reasons
    assert verdict.samples == 60
    assert verdict.metric == "top-1"
    assert verdict.off.value == pytest.approx(verdict.ours)
    assert verdict.off.relative <= 1e-4
    assert verdict.off.flips == ()
    assert [layer.name for layer in verdict.layers] == ["fc1", "fc2"]
    assert all(layer.local <= 1e-5 and layer.wrong == 0 for layer in verdict.layers)


def test_layers_are_measured_in_steps_of_the_next_quantizer(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    first, last = verdict_of(
        read_onnx(mlp), mlp_samples, ("int8", "uint8"), tmp_path / "out.onnx"
    ).layers
    assert first.lsb is not None
    assert first.lsb < 0.01
    assert last.lsb is None
    assert first.values == 60 * 6


def test_wrong_weights_are_found_and_named(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    change = scaled("fc2.weight/scale", 1.01)
    verdict = verdict_of(
        read_onnx(mlp), mlp_samples, ("int8", "uint8"), tmp_path / "out.onnx", change
    )
    assert not verdict.ok
    assert "fc2" in verdict.reasons[0]
    assert verdict.first is not None
    assert (verdict.first.layer, verdict.first.reason) == ("fc2", "operator")


def test_a_wrong_quantizer_of_an_input_is_found_and_named(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    change = scaled("r/scale", 1.01)
    verdict = verdict_of(
        read_onnx(mlp), mlp_samples, ("int8", "uint8"), tmp_path / "out.onnx", change
    )
    assert not verdict.ok
    assert verdict.first is not None
    assert (verdict.first.layer, verdict.first.reason) == ("fc2", "quantizer")
    assert verdict.layers[1].wrong > 0


def test_wrong_weights_under_float_inputs_are_no_tie(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    change = scaled("fc1.weight/scale", 1.0003)
    verdict = verdict_of(
        read_onnx(mlp), mlp_samples, ("int8", "float"), tmp_path / "out.onnx", change
    )
    assert not verdict.ok


def test_a_file_that_onnxruntime_cannot_load_is_no(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    def unknown(proto: onnx.ModelProto) -> None:
        proto.graph.node[-1].op_type = "Gemmm"

    verdict = verdict_of(
        read_onnx(mlp), mlp_samples, ("int8", "uint8"), tmp_path / "out.onnx", unknown
    )
    assert not verdict.ok
    assert "cannot load" in verdict.reasons[0]
    assert verdict.layers == ()


def on_a_tie(write_model: Write) -> tuple[Model, Path, dict[str, Encoding]]:
    """Sums that lie on a half in float32 or beside it, as they are added up."""
    count = 4000
    weights = {"w1": np.full((1, count), 1e-3, np.float32), "w2": np.ones((2, 1), np.float32)}
    nodes = [
        helper.make_node("Gemm", ["x", "w1"], ["h"], name="sum", transB=1),
        helper.make_node("Gemm", ["h", "w2"], ["y"], name="out", transB=1),
    ]
    path = write_model("tie.onnx", nodes, weights, {"x": ["N", count]}, {"y": ["N", 2]})
    model = read_onnx(path)
    x = np.abs(floats(3, 8, count))
    exact = (x.astype(np.float64) * 1e-3).sum(1)
    x *= (np.round(exact * 2) / 2 / exact)[:, None].astype(np.float32)
    samples = path.with_name("tie.npz")
    np.savez(samples, x=x)
    seen = encodings_of(model, {"x": torch.from_numpy(x)}, "float", "uint8")["out.input"]
    assert isinstance(seen, Scaled)
    one = Scaled(seen.grid, torch.ones(1), torch.zeros(1, dtype=torch.int32), None)
    return model, samples, {"out.input": one}


def test_ties_are_set_aside_and_named(write_model: Write, tmp_path: Path) -> None:
    model, samples, encodings = on_a_tie(write_model)
    *_, verdict = comparison(model, samples, encodings, tmp_path / "out.onnx").run()
    assert isinstance(verdict, Verdict)
    assert verdict.ok
    if verdict.off.beyond:  # sums in another order
        assert verdict.first is not None
        assert (verdict.first.layer, verdict.first.reason) == ("out", "tie")
        assert "tie" in verdict.remarks[0]


def test_what_optimisations_change_is_told_with_the_optimiser(
    tmp_path: Path, write_model: Write
) -> None:
    """A bias far smaller than s_w·s_x: WeightBiasQuantization rounds it away."""
    nodes, value = [], "x"
    for at in range(3):
        names = [value, f"w{at}", f"b{at}"]
        nodes.append(helper.make_node("Conv", names, [f"c{at}"], f"conv{at}", pads=[0] * 4))
        nodes.append(helper.make_node("Relu", [f"c{at}"], [f"r{at}"], f"relu{at}"))
        value = f"r{at}"
    weights = {f"w{at}": 30 * floats(at, 6, 6, 1, 1) for at in range(3)}
    weights |= {f"b{at}": np.full(6, 0.1, np.float32) for at in range(3)}
    path = write_model("m.onnx", nodes, weights, {"x": ["N", 6, 3, 3]}, {"r2": ["N", 6, 3, 3]})
    samples = tmp_path / "m.npz"
    np.savez(samples, x=floats(5, 32, 6, 3, 3))
    verdict = verdict_of(read_onnx(path), samples, ("int8:full", "uint8"), tmp_path / "out.onnx")
    assert verdict.ok, verdict.reasons
    assert verdict.on.beyond > 0
    assert "WeightBiasQuantization" in [each.name for each in verdict.optimisers]
    assert verdict.integer_nodes > 0
    assert any("optimisations on" in remark for remark in verdict.remarks)


def test_matrices_of_few_bits_are_told_to_round_their_inputs(
    write_model: Write, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"], name="fc1"),
        helper.make_node("MatMul", ["h", "w2"], ["y"], name="fc2"),
    ]
    weights = {"w1": floats(0, 64, 64), "w2": floats(1, 64, 32)}
    path = write_model("mm.onnx", nodes, weights, {"x": ["N", 64]}, {"y": ["N", 32]})
    samples = tmp_path / "mm.npz"
    np.savez(samples, x=floats(5, 32, 64))
    schemes = ("int4:group=32", "float")
    verdict = verdict_of(read_onnx(path), samples, schemes, tmp_path / "out.onnx")
    assert verdict.ok
    assert verdict.off.beyond == 0
    assert verdict.on.beyond > 0
    names = [each.name for each in verdict.optimisers]
    assert "session.qdq_matmulnbits_accuracy_level" in names


def test_it_can_be_cancelled(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    what = comparison(read_onnx(mlp), mlp_samples, {}, tmp_path / "out.onnx")
    with pytest.raises(WorkCancelledError):
        list(what.run(lambda: True))


def test_latency_is_the_median_of_runs_in_turn(mlp: Path) -> None:
    feeds = {"x": torch.from_numpy(floats(0, 16, 6))}
    found = measure_latency(mlp, mlp.read_bytes(), feeds, 16)
    assert found.samples == 16
    assert found.threads == 1
    assert found.repeats >= 3
    assert 0.1 < found.speedup < 10  # one and the same model


def test_latency_of_what_cannot_be_run(mlp: Path) -> None:
    with pytest.raises(QvizError, match="cannot load"):
        measure_latency(mlp, b"no model", {}, 1)
