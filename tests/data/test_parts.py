"""The split: every sample in one part, the same whatever the order of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qviz.data.bundled import demo_model, demo_samples, resource_path
from qviz.data.parts import CALIBRATION_LIMIT, Part, Split, require_samples, split_samples, unsplit
from qviz.data.read_npz import read_npz
from qviz.data.samples import Samples
from qviz.errors import QvizError

PARTS: tuple[Part, ...] = ("calibration", "tune", "confirm")


def samples(x: NDArray[Any]) -> Samples:
    return Samples("x.npz", "/x.npz", f"hash of {x.shape}", {"x": x}, None)


def distinct(n: int) -> NDArray[np.int64]:
    return np.arange(n, dtype=np.int64).reshape(n, 1)


def sizes(split: Split) -> tuple[int, ...]:
    return tuple(len(split.indices(part)) for part in PARTS)


@given(st.integers(1, 300), st.integers(-(2**70), 2**70))
def test_parts_are_disjoint_and_cover_all(n: int, seed: int) -> None:
    split = split_samples(samples(distinct(n)), seed)
    together = np.concatenate([split.indices(part) for part in PARTS])
    assert sorted(together.tolist()) == list(range(n))
    scored_first = np.concatenate([split.tune, split.confirm])
    assert np.array_equal(split.indices("all")[: len(scored_first)], scored_first)
    assert split.seed == seed


@pytest.mark.parametrize(
    ("n", "wanted"),
    [
        (1, (1, 0, 0)),
        (2, (1, 1, 0)),
        (3, (1, 2, 0)),
        (4, (1, 2, 1)),
        (5, (1, 3, 1)),
        (10, (2, 5, 3)),
        (2000, (400, 960, 640)),
        (4000, (CALIBRATION_LIMIT, 2093, 1395)),
    ],
)
def test_sizes(n: int, wanted: tuple[int, ...]) -> None:
    assert sizes(split_samples(samples(distinct(n)))) == wanted


def test_the_split_does_not_depend_on_the_order_of_the_file() -> None:
    x = distinct(200)
    shuffled = np.random.default_rng(0).permutation(x)
    one, other = split_samples(samples(x), 3), split_samples(samples(shuffled), 3)
    for part in PARTS:
        mine, theirs = x[one.indices(part)], shuffled[other.indices(part)]
        np.testing.assert_array_equal(mine, theirs)


def test_the_split_is_the_same_every_time() -> None:
    one, other = (split_samples(samples(distinct(50)), 1) for _ in range(2))
    assert one.hash == other.hash
    assert np.array_equal(one.indices("all"), other.indices("all"))
    # Fixed for ever: numbers published for a seed must be found again.
    split = split_samples(samples(distinct(10)))
    order = [*split.calibration, *split.tune, *split.confirm]
    assert order == [7, 5, 3, 4, 0, 9, 2, 1, 8, 6]


def test_seeds_and_samples_give_other_splits() -> None:
    hashes = {split_samples(samples(distinct(50)), seed).hash for seed in (0, 1, 2, -1)}
    hashes.add(split_samples(samples(distinct(51)), 0).hash)
    assert len(hashes) == 5
    first, second = (set(split_samples(samples(distinct(50)), s).tune.tolist()) for s in (0, 1))
    assert first != second


def test_samples_are_drawn_evenly_over_the_file() -> None:
    split = split_samples(samples(distinct(2000)))
    # The mean index of 960 of 2,000 without replacement has a standard deviation of 13.4.
    assert abs(float(split.tune.mean()) - 999.5) < 4 * 13.4


def test_all_inputs_decide_the_order() -> None:
    x = distinct(40)
    alone = Samples("x.npz", "", "same", {"a": np.zeros_like(x), "b": x}, None)
    constant = Samples("x.npz", "", "same", {"a": np.zeros_like(x), "b": np.zeros_like(x)}, None)
    assert split_samples(constant).calibration.tolist() == list(range(8))
    assert split_samples(alone).calibration.tolist() != list(range(8))


def test_samples_that_are_not_split_are_looked_at_once() -> None:
    split = unsplit(samples(distinct(16)))
    parts: tuple[Part, ...] = ("calibration", "tune", "all")
    for part in parts:
        assert split.indices(part).tolist() == list(range(16))
    assert not len(split.indices("confirm"))


def test_an_empty_part_is_refused_with_its_name() -> None:
    split = split_samples(samples(distinct(3)))
    require_samples(split.indices("tune"), "tune", "x.npz")
    with pytest.raises(QvizError, match=r"x\.npz: the confirm part holds no samples.*another part"):
        require_samples(split.indices("confirm"), "confirm", "x.npz")


def test_the_bundled_demo_is_there() -> None:
    assert demo_model().is_file()
    demo = read_npz(demo_samples())
    assert demo.count == 2000
    assert demo.labels is not None
    assert set(demo.labels.tolist()) == set(range(10))
    assert sizes(split_samples(demo)) == (400, 960, 640)


def test_a_missing_resource_says_to_install_again() -> None:
    with pytest.raises(QvizError, match=r"demo/nothing\.onnx: .*missing\. Install qviz again"):
        resource_path("demo", "nothing.onnx")
    assert resource_path("demo") == Path(demo_model()).parent
