"""Samples meet the model's inputs: by name, or because each is the only one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qviz.data.fit import fit_to_inputs, with_values
from qviz.data.samples import InputSpec, Samples
from qviz.errors import QvizError


def samples(**arrays: NDArray[Any]) -> Samples:
    return Samples("x.npz", "/x.npz", "hash", arrays, None)


def spec(name: str, dtype: str = "float32", *shape: int | None) -> InputSpec:
    return InputSpec(name, dtype, shape or None)


def refused(given: Samples, *inputs: InputSpec) -> QvizError:
    with pytest.raises(QvizError) as caught:
        fit_to_inputs(given, inputs)
    assert caught.value.subject == "x.npz"
    return caught.value


def test_the_only_array_feeds_the_only_input_whatever_its_name() -> None:
    x = np.ones((2, 3), np.float32)
    assert fit_to_inputs(samples(other=x), (spec("input"),)).columns["input"] is x


def test_several_are_matched_by_name_and_spare_ones_left() -> None:
    a, b = np.zeros((2, 1), np.float32), np.ones((2, 1), np.float32)
    fitted = fit_to_inputs(samples(b=b, spare=a, a=a), (spec("a"), spec("b"))).columns
    assert list(fitted) == ["a", "b"]
    assert fitted["a"] is a
    assert fitted["b"] is b
    assert fit_to_inputs(samples(b=b, spare=a), (spec("b"),)).columns["b"] is b


def test_a_missing_array_is_named_with_those_there() -> None:
    x = np.ones((2, 1), np.float32)
    error = refused(samples(a=x), spec("a"), spec("mask"), spec("ids"))
    assert error.cause == "no array for model input 'mask', 'ids' (it has 'a')"
    error = refused(samples(p=x, q=x), spec("a"))
    assert error.cause == "no array for model input 'a' (it has 'p', 'q')"


@pytest.mark.parametrize(
    ("have", "want", "cause"),
    [
        ((5, 28, 28), (None, 1, 28, 28), "takes samples of shape 1×28×28, but these are 28×28"),
        ((5, 1, 32, 28), (None, 1, 28, 28), "of shape 1×28×28, but these are 1×32×28"),
        ((5, 3, 28), (None, 1, 28), "takes samples of shape 1×28, but these are 3×28"),
        ((5, 3), (None, None, 4), "takes samples of shape any×4, but these are 3"),
        ((5, 3), (None,), "takes samples of shape scalar, but these are 3"),
        ((5,), (1, 3), "takes samples of shape 3, but these are scalar"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(
    have: tuple[int, ...], want: tuple[int | None, ...], cause: str
) -> None:
    error = refused(samples(x=np.ones(have, np.float32)), spec("in", "float32", *want))
    assert cause in error.cause
    assert "'in'" in error.cause


@pytest.mark.parametrize("want", [None, (None, None, 4), (None, 3, 4), (1, 3, 4), (5, None, None)])
def test_shapes_that_fit_whatever_the_batch(want: tuple[int | None, ...] | None) -> None:
    x = np.ones((5, 3, 4), np.float32)
    assert fit_to_inputs(samples(x=x), (InputSpec("in", "float32", want),)).columns["in"] is x


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ("float32", "float32"),
        ("uint8", "float32"),
        ("int64", "float32"),
        ("bool", "float32"),
        ("float64", "float32"),
        ("float64", "float16"),
        ("float16", "float32"),
        ("uint8", "float16"),
        ("int64", "int32"),
        ("uint8", "int8"),
        ("int32", "int64"),
        ("bool", "int64"),
    ],
)
def test_types_that_can_be_cast(have: str, want: str) -> None:
    x = np.ones((2, 3), have)
    assert fit_to_inputs(samples(x=x), (spec("in", want),)).columns["in"] is x


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ("float32", "int64"),
        ("float64", "uint8"),
        ("int64", "bool"),
        ("complex64", "float32"),
        ("<U3", "float32"),
    ],
)
def test_types_that_cannot(have: str, want: str) -> None:
    error = refused(samples(x=np.ones((2, 3), have)), spec("in", want))
    assert error.cause == f"model input 'in' takes {want} but the array is {np.dtype(have).name}"
    assert error.cure == f"Save the array as {want}"


@pytest.mark.parametrize(
    ("x", "want", "cause"),
    [
        (np.array([0, 300]), "uint8", "takes uint8, which cannot hold 0 to 300"),
        (np.array([-1, 3]), "uint8", "takes uint8, which cannot hold -1 to 3"),
        (np.array([200], np.uint8), "int8", "takes int8, which cannot hold 200 to 200"),
        (np.array([2**40]), "int32", "takes int32, which cannot hold"),
        (np.array([1e300]), "float32", "takes float32, which cannot hold 1e+300"),
        (np.array([70_000]), "float16", "takes float16, which cannot hold 70000"),
    ],
)
def test_values_that_would_wrap_or_overflow(x: NDArray[Any], want: str, cause: str) -> None:
    assert cause in refused(samples(x=x), spec("in", want)).cause


STATE = InputSpec("state", "float32", (2, None, 128))
RATE = InputSpec("sr", "int64", ())


def test_scalars_and_first_states_are_the_same_for_all_samples() -> None:
    given = replace(samples(input=np.ones((5, 512), np.float32)), constants={"sr": np.array(16000)})
    fitted = fit_to_inputs(given, (spec("input", "float32", None, None), STATE, RATE))
    assert list(fitted.columns) == ["input"]
    assert fitted.constants["sr"].item() == 16000
    assert fitted.constants["state"].shape == (2, 1, 128)
    assert not fitted.constants["state"].any()
    assert fitted.notes == ("Input 'state' is not in the samples: zeros are fed",)


def test_a_value_of_the_users_feeds_an_input_that_the_samples_lack() -> None:
    given = samples(anything=np.ones((5, 512), np.float32))
    inputs = (spec("input", "float32", None, None), RATE)
    assert "--input sr=VALUE" in refused(given, *inputs).cure
    fitted = fit_to_inputs(with_values(given, inputs, {"sr": 8000.0}), inputs)
    assert fitted.constants["sr"].dtype == np.int64
    assert fitted.constants["sr"].item() == 8000
    assert list(fitted.columns) == ["input"]


def test_a_constant_that_fits_no_input_is_refused() -> None:
    given = replace(samples(input=np.ones((5, 4))), constants={"state": np.zeros((3, 1, 128))})
    assert "neither a row per sample" in refused(given, spec("input"), STATE).cause


def test_values_are_part_of_what_the_samples_are(samples_of_one: Samples) -> None:
    inputs = (spec("input", "float32", None, None), RATE)
    hashes = {with_values(samples_of_one, inputs, {"sr": rate}).hash for rate in (8000, 16000)}
    assert len(hashes | {samples_of_one.hash}) == 3
    assert with_values(samples_of_one, inputs, {}) is samples_of_one
    with pytest.raises(QvizError, match="no such input"):
        with_values(samples_of_one, inputs, {"rate": 1.0})


@pytest.fixture
def samples_of_one() -> Samples:
    return samples(input=np.ones((5, 4), np.float32))
