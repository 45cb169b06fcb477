"""Samples meet the model's inputs: by name, or because each is the only one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qviz.data.fit import fit_to_inputs, is_memory, memory_batch_axis, with_values
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


def test_names_match_in_another_case_where_that_is_unique() -> None:
    a, b = np.zeros((2, 1), np.float32), np.ones((2, 1), np.float32)
    fitted = fit_to_inputs(samples(B=b, A=a), (spec("a"), spec("b"))).columns
    assert fitted["a"] is a
    assert fitted["b"] is b
    exact = fit_to_inputs(samples(A=a, a=b), (spec("a"), spec("A"))).columns
    assert exact["A"] is a
    assert exact["a"] is b
    refused(samples(AB=a, aB=b), spec("ab"))


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
        ("int64", "bool"),
        ("uint8", "bool"),
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
        ("float32", "bool"),
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


MEMORY = """h c hn h0 h_0 c_0 h_in init_h state state_h lstm.state hidden hidden_state hidden_in
    cell cell_state cache cache_last_time mem memory past past_key_values past_key_values.0.key
    past_key_0 past_value_0 H0"""
OTHERS = """condition content cell_image cnn_input statement member height channels hidden_map
    past_values past_observed_mask encoder_hidden_states pixels"""


@pytest.mark.parametrize("name", MEMORY.split())
def test_names_of_memory(name: str) -> None:
    assert is_memory(InputSpec(name, "float32", (2, None, 8)))
    assert not is_memory(InputSpec(name, "int64", (2, None, 8)))
    assert not is_memory(InputSpec(name, "float32", ()))


@pytest.mark.parametrize("name", OTHERS.split())
def test_names_that_only_begin_like_memory(name: str) -> None:
    assert not is_memory(InputSpec(name, "float32", (None, 3, 8)))
    x = np.ones((5, 3, 8), np.float32)
    fitted = fit_to_inputs(samples(other=x), (spec(name, "float32", None, 3, 8),))
    assert fitted.columns[name] is x
    error = refused(samples(a=x, p=x, q=x), spec("a", "float32", None, 3, 8), spec(name))
    assert f"no array for model input '{name}'" in error.cause


def test_an_array_without_another_place_feeds_an_input_named_like_memory() -> None:
    x = np.ones((5, 8), np.float32)
    assert fit_to_inputs(samples(x=x), (spec("state", "float32", None, 8),)).columns["state"] is x
    wrong = refused(samples(x=x), spec("state", "float32", None, 9))
    assert "takes samples of shape 9" in wrong.cause
    both = (spec("image", "float32", None, 8), spec("cell", "float32", None, 8))
    assert fit_to_inputs(samples(image=x, x=x + 1), both).columns["cell"][np.arange(1)].sum() == 16


def test_a_spare_array_of_another_shape_leaves_the_memory_at_zero() -> None:
    given = samples(input=np.ones((5, 512), np.float32), spare=np.ones((5, 3), np.float32))
    fitted = fit_to_inputs(given, (spec("input", "float32", None, None), STATE))
    assert list(fitted.columns) == ["input"]
    assert not fitted.constants["state"].any()


def test_memory_alone_does_not_make_a_run() -> None:
    x = np.ones((5, 8), np.float32)
    memory = (spec("h", "float32", 2, None, 8), spec("c", "float32", 2, None, 8))
    assert "no array for model input 'h', 'c'" in refused(samples(x=x), *memory).cause


def test_a_cache_of_open_length_starts_without_entries() -> None:
    x = samples(input=np.ones((5, 512), np.float32))
    past = spec("past_key_values.0.key", "float32", None, 4, None, 8)
    fitted = fit_to_inputs(x, (spec("input", "float32", None, None), past))
    assert fitted.constants[past.name].shape == (1, 4, 0, 8)
    said = f"Input '{past.name}' is not in the samples: nothing is remembered at first"
    assert fitted.notes == (said,)


@pytest.mark.parametrize(
    ("shape", "first", "batch"),
    [
        ((None, 8), (1, 8), 0),
        ((None, None), (1, 1), 0),
        ((2, None, 8), (2, 1, 8), 1),
        ((1, None, 8), (1, 1, 8), 1),
        ((None, None, 8), (1, 0, 8), 0),
        ((None, 4, None, 8), (1, 4, 0, 8), 0),
        ((1, 4, None, 8), (1, 4, 0, 8), 0),
        ((2, 4, None, 8), (2, 4, 0, 8), 0),
        ((1, 4, 16, 8), (1, 4, 16, 8), 0),
        ((1, None, 4, 8), (1, 0, 4, 8), 0),
        ((2, None, None, 8), (2, 1, 0, 8), 1),
        ((2, None, 4, None, 8), (2, 1, 4, 0, 8), 1),
        ((2, 1, 4, None, 8), (2, 1, 4, 0, 8), 1),
    ],
)
def test_first_memory_of_many_shapes(
    shape: tuple[int | None, ...], first: tuple[int, ...], batch: int
) -> None:
    x = samples(input=np.ones((5, 512), np.float32))
    cache = spec("cache", "float32", *shape)
    fitted = fit_to_inputs(x, (spec("input", "float32", None, None), cache))
    assert fitted.constants["cache"].shape == first
    assert memory_batch_axis(shape) == batch


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


def test_an_input_is_left_to_the_samples() -> None:
    x, two = samples(x=np.ones((5, 4), np.float32)), (spec("x"), RATE)
    cause = "every input of the model has one value for all samples"
    for given, inputs, values in (
        (x, two[:1], {"x": 1.0}),
        (x, two, {"x": 1.0, "sr": 1.0}),
        (samples(other=np.ones((5, 4), np.float32)), two[:1], {"x": 1.0}),
    ):
        with pytest.raises(QvizError, match=cause):
            with_values(given, inputs, values)
    fed = replace(x, constants={"input": np.ones(1, np.float32)})
    assert refused(fed, spec("input", "float32", None)).cause == cause


@pytest.mark.parametrize(
    ("dtype", "value", "cause"),
    [
        ("int64", 3.7, "takes int64, but the value is not whole"),
        ("int64", float("nan"), "is not whole"),
        ("int64", 1e30, "takes int64, which cannot hold 1e+30"),
        ("int64", 2.0**63, "takes int64, which cannot hold 9.22337e+18"),
        ("int64", float("inf"), "takes int64, which cannot hold inf"),
        ("uint8", -1.0, "takes uint8, which cannot hold -1"),
        ("bool", 2.0, "takes bool, which cannot hold 2"),
        ("bool", 0.5, "is not whole"),
        ("float16", 1e6, "takes float16, which cannot hold 1e+06"),
    ],
)
def test_a_value_that_its_input_cannot_hold(dtype: str, value: float, cause: str) -> None:
    x, inputs = samples(input=np.ones((5, 4), np.float32)), (spec("input"), spec("p", dtype))
    with pytest.raises(QvizError) as caught:
        with_values(x, inputs, {"p": value})
    assert caught.value.subject == "input 'p'"
    assert cause in caught.value.cause
    given = replace(x, constants={"p": np.array([value])})
    assert cause in refused(given, *inputs).cause


def test_values_that_their_inputs_hold() -> None:
    x, mask = samples(input=np.ones((5, 4), np.float32)), np.array([0.0, -np.inf])
    inputs = (spec("input"), spec("flag", "bool"), spec("low", "float32", 2), spec("t", "float16"))
    constants = {"flag": np.array(1), "low": mask, "t": np.array(0.1)}
    fitted = fit_to_inputs(replace(x, constants=constants), inputs)
    assert fitted.constants["flag"].item() is True
    assert fitted.constants["low"].tolist() == [0.0, -np.inf]
    assert fitted.constants["t"] == np.float16(0.1)
    text = replace(x, constants={"t": np.array("a")})
    assert "takes float16 but the array is" in refused(text, spec("input"), inputs[3]).cause


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
