"""The guess from gradients: it ranks like what is measured, or says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper
from scipy.stats import spearmanr

import qviz
from qviz.engine.chunks import feeder
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.float_run import FloatRun
from qviz.engine.memo import Memo
from qviz.engine.program import Encodings
from qviz.engine.sensitivity.gradient import Guess, NoGradientError
from qviz.engine.sensitivity.sweep import Sweep
from qviz.quant.encode import find_encoding
from qviz.quant.spelling import parse_scheme


def guess_and_measure(
    model: Path,
    samples: Path,
    scheme: str,
    role: str = "weight",
    count: int = 256,
    never: Callable[[], bool] = lambda: False,
) -> tuple[list[float], list[float]]:
    """Guessed and measured KL of each layer, both on samples of their own."""
    session = qviz.open(model, samples)
    document, findings = session.current(), session.findings
    network = document.model
    assert network is not None
    assert document.scored is not None
    feed = feeder(network, document.scored, sum((findings.macs or {}).values()))
    rows = np.random.default_rng(0).permutation(document.scored.count)[:count]
    candidates: list[Encodings] = []
    for layer in network.layers:
        slots = [network.slots[name] for name in layer.slots if network.slots[name].role == role]
        parsed = parse_scheme(scheme)
        own = {s.name: find_encoding(findings.statistics[s.group], parsed) for s in slots}
        if own:
            candidates.append(own)
    executor = Executor(network, Memo(0))
    run = FloatRun(executor, feed, rows, "", lambda: False)
    chunk = feed.chunk(feed.cut(rows)[0])
    with torch.inference_mode():
        task = run.task(run.output(chunk))
    guess = Guess(candidates)
    guess.add(network, executor.runtime, chunk, run.reading, task, never)
    sweep = Sweep(network, feed, rows, {}, candidates)
    for _ in sweep.run():
        pass
    effects = [sweep.effect(number) for number in range(len(candidates))]
    return guess.values(), [effect.kl or 0.0 for effect in effects if effect is not None]


@pytest.mark.parametrize(
    ("scheme", "role"), [("int4:channel", "weight"), ("int8:channel", "weight"), ("uint4", "input")]
)
def test_the_guess_ranks_the_demo_as_measured(
    demo_model: Path, demo_samples: Path, scheme: str, role: str
) -> None:
    guessed, measured = guess_and_measure(demo_model, demo_samples, scheme, role)
    assert spearmanr(guessed, measured)[0] >= 0.8


def test_the_guess_is_in_nats(demo_model: Path, demo_samples: Path) -> None:
    """Of small changes KL is quadratic: most guesses are within a factor of three."""
    guessed, measured = guess_and_measure(demo_model, demo_samples, "int8:channel")
    ratios = np.array(guessed) / np.array(measured)
    assert 1 / 3 < np.median(ratios) < 3


def test_positions_add_up_to_the_mean_kl_of_a_sample(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(6, 5)).astype(np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="only")]
    model = write_model("seq.onnx", nodes, weights, {"x": ["n", 40, 6]}, {"y": ["n", 40, 5]})
    samples = tmp_path / "seq.npz"
    x = rng.normal(size=(64, 40, 6)).astype(np.float32)
    np.savez(samples, x=x, labels=rng.integers(0, 5, (64, 40)))
    (guessed,), (measured,) = guess_and_measure(model, samples, "int5")
    assert guessed == pytest.approx(measured, rel=0.4)


def test_a_layer_that_the_output_does_not_use_costs_nothing(
    write_model: Callable[..., Path], mlp_samples: Path
) -> None:
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=(6, 4)).astype(np.float32) for name in ("w", "v")}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], name="used"),
        helper.make_node("MatMul", ["x", "v"], ["z"], name="beside"),
        helper.make_node("ReduceSum", ["z"], ["sum"], keepdims=0),
    ]
    model = write_model("two.onnx", nodes, weights, {"x": ["n", 6]}, {"y": ["n", 4], "sum": []})
    guessed, measured = guess_and_measure(model, mlp_samples, "int3")
    assert guessed[0] > 0.0
    assert guessed[1] == measured[1] == 0.0


@pytest.mark.parametrize("between", ["onnxruntime", "integers", "a shape alone"])
def test_a_model_without_gradients_says_so(
    write_model: Callable[..., Path], mlp_samples: Path, between: str
) -> None:
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(6, 4)).astype(np.float32),
        "v": rng.normal(size=(4 if between != "onnxruntime" else 1, 4)).astype(np.float32),
    }
    middle = {
        "onnxruntime": [
            helper.make_node("Reshape", ["h", "square"], ["m"]),
            helper.make_node("Det", ["m"], ["d"]),  # has no meaning in torch
            helper.make_node("Unsqueeze", ["d", "last_axis"], ["t"]),
        ],
        "integers": [
            helper.make_node("Cast", ["h"], ["i"], to=6),
            helper.make_node("Cast", ["i"], ["t"], to=1),
        ],
        "a shape alone": [
            helper.make_node("Shape", ["h"], ["s"]),
            helper.make_node("ConstantOfShape", ["s"], ["t"]),
        ],
    }[between]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="first"),
        *middle,
        helper.make_node("MatMul", ["t", "v"], ["y"], name="last"),
    ]
    shapes = {"square": np.array([-1, 2, 2]), "last_axis": np.array([1])}
    model = write_model("none.onnx", nodes, weights, {"x": ["n", 6]}, {"y": ["n", 4]}, shapes)
    with pytest.raises(NoGradientError):
        guess_and_measure(model, mlp_samples, "int4")


def test_a_guess_stops_when_it_is_cancelled(mlp: Path, mlp_samples: Path) -> None:
    with pytest.raises(WorkCancelledError):
        guess_and_measure(mlp, mlp_samples, "int4", never=lambda: True)
