"""Evaluations: values, intervals, flips, parts and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper

import qviz
from qviz.data.read_npz import read_npz
from qviz.engine.chunks import feeder
from qviz.engine.estimates import wilson
from qviz.engine.evaluate import Evaluation, evaluate
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.engine.metrics import Task, kl_divergence
from qviz.errors import QvizError
from qviz.model.read_onnx import read_onnx
from qviz.quant.encode import find_encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme


@pytest.mark.parametrize(
    ("seen", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775327999),
        (1, 10, 0.0178762131, 0.4041500268),
        (5, 10, 0.2365930905, 0.7634069095),
        (81, 263, 0.2552885199, 0.3662095770),
        (990, 1000, 0.9816905311, 0.9945592456),
        (500, 500, 0.9923756595, 1.0),
    ],
)
def test_wilson_golden_values(seen: int, n: int, low: float, high: float) -> None:
    assert wilson(seen / n, n) == pytest.approx((low, high), abs=1e-9)


def test_the_interval_closes_when_all_samples_are_seen() -> None:
    widths = [high - low for low, high in (wilson(0.9, n, 1000) for n in (100, 500, 900, 1000))]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0.0
    assert wilson(0.9, 100, 1000)[0] > wilson(0.9, 100)[0]


def test_wilson_covers_the_value_of_the_whole_pool() -> None:
    rng = np.random.default_rng(0)
    pool = rng.random(1000) < 0.9
    truth = pool.mean()
    draws = [wilson(float(rng.permutation(pool)[:200].mean()), 200, 1000) for _ in range(400)]
    covered = np.mean([low <= truth <= high for low, high in draws])
    assert covered > 0.92


def test_a_limit_leaves_an_estimate_and_the_rest_makes_it_exact(
    demo_model: Path, demo_samples: Path
) -> None:
    session = qviz.open(demo_model, demo_samples)
    part = session.evaluate(part="tune", limit=100)
    assert (part.samples, part.total, part.exact) == (100, 960, False)
    assert part.low is not None
    assert part.high is not None
    assert part.low < part.value < part.high
    whole = session.evaluate(part="tune", limit=960)
    assert whole.exact
    assert whole.low == whole.value == whole.high
    assert part.low <= whole.value <= part.high


def test_flips_count_predictions_that_differ_from_float(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.set_defaults("int2", "uint2")
    evaluation = session.evaluate()
    assert evaluation.predictions is not None
    assert evaluation.float_predictions is not None
    assert evaluation.flips == int((evaluation.predictions != evaluation.float_predictions).sum())
    assert evaluation.flips > 0


def test_float_everywhere_is_the_float_model(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.set_defaults("float", "float")
    evaluation = session.evaluate()
    assert evaluation.value == evaluation.float_value
    assert evaluation.flips == 0
    assert evaluation.delta == 0.0


def test_without_labels_the_metric_is_agreement_with_float(mlp: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(2).normal(size=(40, 6)).astype(np.float32)
    np.savez(tmp_path / "plain.npz", x)
    session = qviz.open(mlp, tmp_path / "plain.npz")
    session.set_defaults("int3", "uint4")
    evaluation = session.evaluate()
    assert evaluation.metric == "agreement with float"
    assert evaluation.float_value == 100.0
    assert evaluation.flips is not None
    assert evaluation.value == pytest.approx(100.0 * (1 - evaluation.flips / 40))


def test_labels_out_of_range_name_the_sample(mlp: Path, tmp_path: Path) -> None:
    x = np.zeros((5, 6), np.float32)
    np.savez(tmp_path / "bad.npz", x=x, labels=[0, 1, 2, 7, 3])
    with pytest.raises(QvizError, match=r"label 7 of sample 3 is out of range.*4 classes"):
        qviz.open(mlp, tmp_path / "bad.npz")


def test_an_empty_part_is_refused(mlp: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=np.zeros((1, 6), np.float32))
    session = qviz.open(mlp, tmp_path / "one.npz")
    with pytest.raises(QvizError, match="confirm part holds no samples"):
        session.evaluate(part="confirm")
    assert math.isfinite(session.evaluate(part="all").value)


def test_an_output_without_a_row_per_sample_is_refused(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_model(
        "flat.onnx",
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="mm"),
            helper.make_node("Reshape", ["h", "shape"], ["y"], name="flat"),
        ],
        {"w": np.eye(4, dtype=np.float32)},
        {"x": ["N", 5, 4]},
        {"y": ["M", 4]},
        {"shape": np.array([-1, 4])},
    )
    np.savez(tmp_path / "x.npz", x=np.ones((70, 5, 4), np.float32))
    session = qviz.open(path, tmp_path / "x.npz")
    with pytest.raises(QvizError, match="no entry per sample"):
        session.evaluate()


def test_a_loss_before_the_logits_is_passed_over(write_model: Callable[..., Path]) -> None:
    w = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], name="mm"),
        helper.make_node("ReduceMean", ["y"], ["loss"], name="mean", keepdims=0),
    ]
    path = write_model("loss.onnx", nodes, {"w": w}, {"x": ["N", 6]}, {"loss": [], "y": ["N", 4]})
    x = np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32)
    (evaluation,) = quantized_evaluations(path, x, "float")
    assert evaluation.predictions is not None
    expected = (x[evaluation.rows] @ w).argmax(1)
    np.testing.assert_array_equal(evaluation.predictions, expected)


def scores(
    path: Path, size: int, metric: str, x: NDArray[Any], labels: NDArray[np.int64]
) -> list[float]:
    """Values of a float model, chunk by chunk; the first sample is in the first chunk."""
    np.savez(path.with_suffix(".npz"), x=x, labels=labels)
    model, samples = read_onnx(path), read_npz(path.with_suffix(".npz"))
    feed = replace(feeder(model, samples, None), size=size)
    rows = np.arange(samples.count, dtype=np.int64)
    found = list(evaluate(Executor(model, Memo()), feed, {}, rows, "all", metric=metric))
    order = found[-1].rows
    if (order[0], rows[0]) != (0, 0):  # again, the first sample first
        x, labels = x.copy(), labels.copy()
        x[[0, order[0]]], labels[[0, order[0]]] = x[[order[0], 0]], labels[[order[0], 0]]
        np.savez(path.with_suffix(".npz"), x=x, labels=labels)
        feed = replace(feeder(model, read_npz(path.with_suffix(".npz")), None), size=size)
        found = list(evaluate(Executor(model, Memo()), feed, {}, rows, "all", metric=metric))
    return [evaluation.value for evaluation in found]


@pytest.mark.parametrize("batch", ["N", "M"])
def test_samples_lie_along_the_second_axis_though_a_chunk_has_as_many_as_steps(
    write_model: Callable[..., Path], batch: str
) -> None:
    w = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[1, 0, 2]),
        helper.make_node("MatMul", ["t", "w"], ["y"], name="mm"),
    ]
    path = write_model("t.onnx", nodes, {"w": w}, {"x": ["N", 4, 6]}, {"y": ["T", batch, 5]})
    x = np.random.default_rng(1).normal(size=(10, 4, 6)).astype(np.float32)
    labels = (x @ w).argmax(-1)
    assert scores(path, 4, "top-1", x=x, labels=labels) == [100.0] * 3


@pytest.mark.parametrize("last", ["MatMul", "Mul"])
def test_one_sample_does_not_make_logits_probabilities(
    write_model: Callable[..., Path], last: str
) -> None:
    w = np.eye(3, dtype=np.float32) if last == "MatMul" else np.ones((1, 3), np.float32)
    nodes = [helper.make_node(last, ["x", "w"], ["y"], name="last")]
    path = write_model("one.onnx", nodes, {"w": w}, {"x": [1, 3]}, {"y": [1, 3]})
    x = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    x[0] = 0.2, 0.3, 0.5
    labels = np.arange(20) % 3
    found = scores(path, 1, "cross-entropy", x=x, labels=labels)
    p = softmax(x.astype(np.float64), 1)[np.arange(20), labels]
    assert found[0] == pytest.approx(-np.log(p[0]), rel=1e-5)
    assert found[-1] == pytest.approx(-np.log(p).mean(), rel=1e-5)


def test_shares_that_no_softmax_made_are_seen_to_be_some(write_model: Callable[..., Path]) -> None:
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"], name="last")]
    w = np.ones((1, 3), np.float32)
    path = write_model("one.onnx", nodes, {"w": w}, {"x": [1, 3]}, {"y": [1, 3]})
    x = softmax(np.random.default_rng(1).normal(size=(90, 3)), 1).astype(np.float32)
    found = scores(path, 1, "cross-entropy", x=x, labels=np.zeros(90, np.int64))
    assert found[-1] == pytest.approx(-np.log(x[:, 0]).mean(), rel=1e-5)


def test_splits_into_different_numbers_of_parts_are_told_apart(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    w = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    path = write_model(
        "splits.onnx",
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="mm"),
            helper.make_node("Split", ["h"], ["a", "b"], name="two", axis=1),
            helper.make_node("Split", ["h"], ["c", "d", "e"], name="three", axis=1),
            helper.make_node("Concat", ["a", "b", "c", "d", "e"], ["y"], name="cat", axis=1),
        ],
        {"w": w},
        {"x": ["N", 6]},
        {"y": ["N", 12]},
        version=13,
    )
    x = np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    session = qviz.open(path, tmp_path / "x.npz")
    session.set_defaults("int4", "float")
    evaluation = session.evaluate()
    top = np.abs(w).max() / 7
    h = x @ (np.clip(np.rint(w / top), -7, 7) * top)
    expected = np.concatenate([h, h], axis=1).argmax(1)
    assert evaluation.predictions is not None
    np.testing.assert_array_equal(evaluation.predictions, expected[evaluation.rows])


def test_an_input_whose_channels_are_the_batch_calibrates(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_model(
        "similarity.onnx",
        [
            helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[1, 0]),
            helper.make_node("MatMul", ["x", "t"], ["y"], name="similar"),
        ],
        {},
        {"x": ["N", 4]},
        {"y": ["N", "N"]},
    )
    x = np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    session = qviz.open(path, tmp_path / "x.npz")
    assert session.findings.calibration_done
    assert session.distribution("similar.input.B").counts.sum() == 400


def quantized_evaluations(
    path: Path, x: NDArray[np.float32], spelling: str, size: int = 64
) -> list[Evaluation]:
    """Evaluations of a model on samples `x`, its weights quantized per tensor."""
    np.savez(path.with_suffix(".npz"), x=x)
    model, samples = read_onnx(path), read_npz(path.with_suffix(".npz"))
    feed = replace(feeder(model, samples, None), size=size)
    encodings = {
        slot.name: find_encoding(
            measure(model.constants[slot.value], slot.axis, keep=True), parse_scheme(spelling)
        )
        for slot in model.slots.values()
        if slot.role == "weight" and spelling != "float"
    }
    rows = np.arange(len(x), dtype=np.int64)
    return list(evaluate(Executor(model, Memo()), feed, encodings, rows, "all"))


def softmax(logits: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis, keepdims=True))


def mean_kl(p: NDArray[np.float64], q: NDArray[np.float64], axis: int) -> float:
    return float((p * np.log(p / q)).sum(axis).mean())


def linear(
    write_model: Callable[..., Path], shape: list[int | str], *more: str
) -> tuple[Path, NDArray[np.float64], NDArray[np.float64]]:
    """A product along the last axis and the operators `more`; the weight, exact and in int3."""
    w = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    names = ["h", *(f"{op}_out" for op in more)]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="mm")]
    nodes += [
        helper.make_node(op, [names[n]], [names[n + 1]], name=op) for n, op in enumerate(more)
    ]
    path = write_model("linear.onnx", nodes, {"w": w}, {"x": shape}, {names[-1]: shape})
    exact = w.astype(np.float64)
    top = np.abs(exact).max() / 3
    return path, exact, np.clip(np.rint(exact / top), -3, 3) * top


@pytest.mark.parametrize(("shape", "axis"), [((30, 6), 1), ((30, 5, 6), 2), ((30, 3, 4, 6), 1)])
def test_kl_of_logits_is_the_mean_over_samples_and_positions(
    write_model: Callable[..., Path], shape: tuple[int, ...], axis: int
) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    path, w, quantized = linear(write_model, ["N", *shape[1:]])
    evaluations = quantized_evaluations(path, x, "int3:tensor", size=8)
    assert [e.samples for e in evaluations] == [8, 16, 24, 30]
    for evaluation in evaluations:
        part = x[evaluation.rows].astype(np.float64)
        wanted = mean_kl(softmax(part @ w, axis), softmax(part @ quantized, axis), axis)
        assert evaluation.kl == pytest.approx(wanted, rel=1e-4)


def test_probabilities_are_not_put_through_softmax_again(write_model: Callable[..., Path]) -> None:
    x = np.random.default_rng(1).normal(size=(30, 6)).astype(np.float32)
    path, w, quantized = linear(write_model, ["N", 6], "Softmax")
    (evaluation,) = quantized_evaluations(path, x, "int3:tensor")
    p, q = (softmax(x.astype(np.float64) @ v, 1) for v in (w, quantized))
    assert evaluation.kl == pytest.approx(mean_kl(p, q, 1), rel=1e-4)


def test_kl_of_the_float_model_is_zero_and_grows_as_bits_go(
    write_model: Callable[..., Path],
) -> None:
    x = np.random.default_rng(1).normal(size=(30, 6)).astype(np.float32)
    path, _, _ = linear(write_model, ["N", 6])
    found = [
        quantized_evaluations(path, x, spelling)[-1].kl or 0.0
        for spelling in ("float", "int8:tensor", "int5:tensor", "int3:tensor")
    ]
    assert found[0] == 0.0
    assert 0.0 < found[1] < found[2] < found[3]


def test_without_classes_there_is_no_kl(write_model: Callable[..., Path]) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")]
    w = np.full((6, 1), 0.3, np.float32)
    path = write_model("one.onnx", nodes, {"w": w}, {"x": ["N", 6]}, {"y": ["N", 1]})
    (evaluation,) = quantized_evaluations(path, np.ones((5, 6), np.float32), "int8:tensor")
    assert evaluation.metric == "output SQNR"
    assert evaluation.kl is None


def test_kl_golden_values_and_certain_classes_that_vanish() -> None:
    certain = Task("unlabelled", 2, probabilities=True)
    p, q = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    found = kl_divergence(certain, q, p)
    assert found.tolist() == pytest.approx([0.5 * math.log(4 / 3), 0.0], abs=1e-9)
    lost = kl_divergence(certain, q.flip(1), p)[1]  # all probability on another class
    assert lost == pytest.approx(-math.log(torch.finfo(torch.float32).tiny), rel=1e-6)
    masked = torch.tensor([[0.0, math.log(3.0), -math.inf]])
    shifted = torch.tensor([[0.0, 0.0, -math.inf]])
    wanted = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert kl_divergence(
        Task("unlabelled", 3, probabilities=False), shifted, masked
    ).item() == pytest.approx(wanted)
