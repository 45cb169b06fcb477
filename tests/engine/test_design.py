"""The first number from few samples: exact at the end, unbiased, and valid at every moment."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime import InferenceSession

import qviz
from qviz.data.bundled import demo_model, demo_samples
from qviz.engine.estimates import Design, Estimate

Array = NDArray[np.float64]


def pool(size: int, seed: int, noise: float) -> tuple[Array, Array, Array]:
    """Reference, margins and values of a synthetic classifier whose margins get noise."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(2.0, 1.5, size)
    reference, values = margins > 0, margins + noise * rng.standard_normal(size) > 0
    return reference.astype(float), np.abs(margins), values.astype(float)


def stream(reference: Array, margins: Array, values: Array, seed: int) -> list[Estimate]:
    """What is shown, chunk by chunk, until all are seen."""
    design, shown = Design(reference, margins, seed), []
    while len(rows := design.next(64)):
        design.add(rows, values[rows])
        shown.append(design.estimate())
    return shown


def holds(shown: list[Estimate], truth: float) -> bool:
    return all(e.low - 1e-12 <= truth <= e.high + 1e-12 for e in shown)


def reached(shown: list[Estimate], half_width: float = 0.01) -> int:
    return next(e.seen for e in shown if e.high - e.low <= 2 * half_width)


@pytest.mark.parametrize("size", [1, 2, 10, 64, 333])
def test_every_sample_is_drawn_once_and_the_end_is_exact(size: int) -> None:
    reference, margins, values = pool(size, 3, 0.5)
    design = Design(reference, margins, 1)
    drawn: list[int] = []
    while len(rows := design.next(50)):
        design.add(rows, values[rows])
        drawn += rows.tolist()
    found = design.estimate()
    assert sorted(drawn) == list(range(size))
    assert found.exact
    assert found.low == found.value == found.high == pytest.approx(values.mean(), abs=1e-12)


def test_the_same_seed_asks_for_the_same_samples() -> None:
    reference, margins, values = pool(500, 0, 0.5)

    def asked(seed: int) -> list[int]:
        design, rows = Design(reference, margins, seed), []
        for _ in range(4):
            given = design.next(32)
            design.add(given, values[given])
            rows += given.tolist()
        return rows

    assert asked(7) == asked(7)
    assert asked(7) != asked(8)


def test_chunks_may_be_asked_for_ahead_and_added_in_parts() -> None:
    reference, margins, values = pool(500, 0, 0.5)
    design = Design(reference, margins)
    ahead = np.concatenate([design.next(64), design.next(64)])
    design.add(ahead[:10], values[ahead[:10]])
    design.add(ahead[10:], values[ahead[10:]])
    assert len(design.next(0)) == 0
    assert design.estimate().seen == 128
    with pytest.raises(ValueError, match="more samples"):
        design.add(ahead[:1], values[ahead[:1]])


def test_samples_out_of_order_and_values_out_of_range_are_refused() -> None:
    reference, margins, values = pool(500, 0, 0.5)
    design = Design(reference, margins)
    rows = design.next(8)
    with pytest.raises(ValueError, match="not the next"):
        design.add(rows[::-1], values[rows[::-1]])
    with pytest.raises(ValueError, match=r"0\.\.1"):
        design.add(rows, np.full(8, 1.5))
    with pytest.raises(ValueError, match="lies outside"):
        Design(np.array([2.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="arrays"):
        Design(np.zeros(3), np.zeros(2))


def test_low_margins_are_drawn_first_where_only_they_change() -> None:
    reference, margins, values = pool(4000, 0, 0.1)
    design = Design(reference, margins)
    design.add(rows := design.next(256), values[rows])
    later = design.next(256)
    lowest = margins < np.quantile(margins, 0.1)
    assert lowest[later].mean() > 2 * lowest.mean()


@pytest.mark.parametrize("noise", [0.1, 1.0, 6.0])
def test_the_value_has_no_bias_and_the_interval_holds_throughout(noise: float) -> None:
    reference, margins, values = pool(600, 5, noise)
    runs = [stream(reference, margins, values, seed) for seed in range(100)]
    truth = values.mean()
    for look in (0, 2, 6):
        errors = np.array([run[look].value for run in runs]) - truth
        assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(len(errors))
    assert np.mean([holds(run, truth) for run in runs]) >= 0.95


def test_shares_of_positions_are_means_too() -> None:
    rng = np.random.default_rng(2)
    reference = rng.beta(8, 2, 1000)
    margins = rng.exponential(1, 1000)
    values = np.clip(reference - 0.03 * rng.random(1000) * np.exp(-margins), 0, 1)
    runs = [stream(reference, margins, values, seed) for seed in range(20)]
    assert np.mean([holds(run, values.mean()) for run in runs]) >= 0.95
    assert np.mean([reached(run) for run in runs]) < 500


def test_margins_that_say_nothing_cost_little() -> None:
    reference, _, values = pool(3000, 0, 1.0)
    shown = stream(reference, np.full(3000, np.nan), values, 0)
    assert holds(shown, values.mean())
    assert shown[-1].exact


@pytest.fixture(scope="module")
def predictions() -> dict[str, Array]:
    """The demo's labels' margins in float, and which samples a plan gets right, in order."""
    session, labels = qviz.open(demo_model(), demo_samples()), np.load(demo_samples())["labels"]
    model = session.current().model
    assert model is not None
    found = {"margins": _label_margins(labels)}
    for bits in (8, 5, 3):
        for layer in model.layers:
            for slot in layer.slots:
                weight = slot.endswith(".weight")
                session.set(slot, f"int{bits}:channel" if weight else f"uint{bits}")
        score = session.evaluate()
        assert score.predictions is not None
        assert score.total == len(labels)
        found[f"W{bits}A{bits}"] = np.zeros(len(labels))
        found[f"W{bits}A{bits}"][score.rows] = score.predictions == labels[score.rows]
    return found


def _label_margins(labels: NDArray[np.int64]) -> Array:
    """By how much the label's logit beats the best other one."""
    runner = InferenceSession(demo_model())
    images = np.load(demo_samples())["image"].astype(np.float32)
    logits = np.concatenate(
        [
            np.asarray(runner.run(None, {"image": images[i : i + 100]})[0], np.float64)
            for i in range(0, len(images), 100)
        ]
    )
    every = np.arange(len(labels))
    own = logits[every, labels]
    logits[every, labels] = -np.inf
    return np.asarray(own - logits.max(1))


@pytest.mark.parametrize(
    ("plan", "most", "runs"), [("W8A8", 400, 40), ("W5A5", 1000, 20), ("W3A3", 6000, 3)]
)
def test_streams_of_real_predictions(
    predictions: dict[str, Array], plan: str, most: int, runs: int
) -> None:
    held, needed = 0, []
    for seed in range(runs):
        chosen = np.random.default_rng(seed).integers(0, len(predictions[plan]), 10_000)
        margins, values = predictions["margins"][chosen], predictions[plan][chosen]
        design, whole = Design((margins > 0).astype(float), margins, seed), True
        shown = design.estimate()
        while shown.high - shown.low > 0.02:
            design.add(rows := design.next(64), values[rows])
            shown = design.estimate()
            whole &= holds([shown], values.mean())
        held += whole
        needed.append(shown.seen)
    assert held >= 0.95 * runs
    assert np.mean(needed) < most
