"""Codes: the bytes that kernels take are those of the encoding, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qviz.engine.kernels.codes import Bytes, NotANumberError, weight_codes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.grids import Integers, NarrowFloat
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

SHAPES = [(), (0,), (1,), (7,), (2, 3), (2, 3, 5), (2, 3, 4, 5), (1, 1, 6, 1), (2, 0, 3, 3)]
SHAPES += [(2, 3, 2, 2, 3), (0, 4)]


def one_scale(low: int, high: int, zero: int, scale: float = 0.1) -> Scaled:
    return Scaled(
        Integers(low, high), torch.tensor([scale]), torch.tensor([zero], dtype=torch.int32), None
    )


def found(values: Tensor, spelling: str, axis: int | None = None) -> Encoding:
    return find_encoding(measure(values, axis, keep=True), parse_scheme(spelling))


@st.composite
def encodings(draw: st.DrawFn) -> Scaled:
    bits, signed = draw(st.integers(1, 8)), draw(st.booleans())
    low = -(2 ** (bits - 1)) if signed else 0
    low, high = low + draw(st.integers(0, 1)), low + 2**bits - 1
    scale = draw(st.sampled_from([0.1, 0.25, 1.0, 3e-5, 7e4, 2e-38, 5e33]))
    return one_scale(low, high, draw(st.integers(low, high)), float(np.float32(scale)))


@st.composite
def tensors(draw: st.DrawFn, scale: float) -> Tensor:
    """Values around the codes and their ties, and far beyond, in one of the layouts."""
    shape = draw(st.sampled_from(SHAPES))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    count = int(torch.Size(shape).numel())
    steps = torch.randint(-1100, 1100, (count,), generator=generator).float() / 4
    values = steps * scale  # every other one a tie, where the scale is a power of two
    odd = torch.tensor([torch.inf, -torch.inf, 3.4e38, -3.4e38, -0.0, 0.0, 1e-45])
    at = torch.randint(0, 40, (count,), generator=generator)
    values = torch.where(at < len(odd), odd[at % len(odd)], values).reshape(shape)
    layout = draw(st.sampled_from(["rows", "channels last", "turned", "every second"]))
    if layout == "channels last" and values.ndim == 4:
        return values.contiguous(memory_format=torch.channels_last)
    if layout == "turned" and values.ndim:
        return values.movedim(0, -1).contiguous().movedim(-1, 0)
    if layout == "every second" and values.ndim:
        return values.repeat_interleave(2, -1)[..., ::2]
    return values


@given(st.data())
def test_bytes_are_the_codes_of_the_encoding(data: st.DataObject) -> None:
    encoding = data.draw(encodings())
    x = data.draw(tensors(float(encoding.scale)))
    form = Bytes.of(encoding)
    assert form is not None
    assert isinstance(encoding.grid, Integers)
    before = x.clone()
    codes = form.quantize(x)
    assert codes.dtype == torch.uint8
    assert codes.shape == x.shape
    assert torch.equal(codes.int() + encoding.grid.qmin, encoding.codes(x))
    assert torch.equal((codes.float() - form.zero) * form.scale, encoding.apply(x))
    assert torch.equal(x, before)


def test_more_values_than_one_block_holds() -> None:
    x = torch.linspace(-30.0, 30.0, 300_001)
    form = Bytes.of(one_scale(-128, 127, 17))
    assert form is not None
    assert torch.equal(form.quantize(x).int() - 128, one_scale(-128, 127, 17).codes(x))


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5)])
def test_a_nan_has_no_code(shape: tuple[int, ...]) -> None:
    form = Bytes.of(one_scale(-128, 127, 0))
    assert form is not None
    x = torch.ones(shape)
    x.view(-1)[-1] = torch.nan
    with pytest.raises(NotANumberError):
        form.quantize(x)
    x.view(-1)[-1] = torch.inf  # the sum of both infinities is no number either
    x.view(-1)[0] = -torch.inf
    assert set(form.quantize(x).unique().tolist()) == {0, 138, 255}


@pytest.mark.parametrize(
    "spelling",
    ["int9", "uint16", "fp8-e4m3", "float16", "mxfp8", "nf4", "pot4", "kmeans4", "binary"]
    + [f"int8:round={mode}" for mode in ("away", "up", "zero")]
    + ["int8:stochastic=3", "int8:channel", "int4:group=32", "ternary:twn"],
)
def test_what_bytes_cannot_say_is_refused(spelling: str) -> None:
    assert Bytes.of(found(torch.randn(4, 64), spelling, 0)) is None


def test_other_values_than_one_scale_and_a_zero_among_the_codes_are_refused() -> None:
    plain = one_scale(-128, 127, 0)
    assert Bytes.of(plain) == Bytes(float(np.float32(0.1)), 128, 255)
    assert Bytes.of(None) is None
    assert Bytes.of(replace(plain, scale=torch.ones(2))) is None
    assert Bytes.of(replace(plain, step=torch.ones(1))) is None
    assert Bytes.of(replace(plain, block=4)) is None
    assert Bytes.of(replace(plain, grid=NarrowFloat(torch.float16))) is None
    for low, high, zero in ((0, 255, -1), (0, 255, 256), (-127, 127, -128), (0, 256, 0)):
        assert Bytes.of(one_scale(low, high, zero)) is None
    for scale in (0.0, -0.1, float("nan"), float("inf"), 1e-40, 1e34):
        assert Bytes.of(one_scale(0, 255, 0, scale)) is None


def test_equal_bytes_have_equal_keys_and_others_do_not() -> None:
    forms = [Bytes(s, z, t) for s in (0.1, 0.2) for z in (0, 3) for t in (15, 255)]
    assert len({form.key for form in forms}) == len(forms)
    assert Bytes(0.1, 3, 15).key == forms[2].key


@pytest.mark.parametrize(
    "spelling",
    [
        *("int8", "int8:full", "int8:wide:channel", "int2:channel", "int6:asym:channel", "uint4"),
        *("uint4:channel", "int4:channel:round=up", "int3:stochastic=5:channel", "uint7:asym"),
    ],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_weight_codes_times_their_scale_are_the_quantized_weight(spelling: str, axis: int) -> None:
    weight = torch.randn(6, 5, generator=torch.Generator().manual_seed(1)) + 0.01
    encoding = found(weight, spelling, axis)
    codes = weight_codes(weight, encoding, axis)
    assert codes is not None
    assert codes.codes.dtype == torch.int8
    assert codes.scale.shape in ((1,), (weight.shape[axis],))
    restored = codes.codes.float() * codes.scale.reshape(-1, 1)
    assert torch.equal(restored.movedim(0, axis), encoding.apply(weight))


@pytest.mark.parametrize(
    "spelling",
    [
        *("int9", "int16:channel", "fp8-e4m3", "fp4-e2m1:channel", "int4:group=32", "mxfp4"),
        *("nf4", "binary", "kmeans3", "pot4", "ternary:twn", "bfloat16"),
    ],
)
def test_weights_that_are_no_bytes_are_refused(spelling: str) -> None:
    weight = torch.randn(6, 64, generator=torch.Generator().manual_seed(2))
    assert weight_codes(weight, found(weight, spelling, 0), 0) is None


def test_weights_farther_from_their_zero_than_int8_reaches_are_refused() -> None:
    one_sided = torch.linspace(0.0, 1.0, 24).reshape(4, 6)
    assert weight_codes(one_sided, found(one_sided, "uint8:asym"), 0) is None
    assert weight_codes(one_sided, found(one_sided, "uint7:asym"), 0) is not None


def test_scales_along_another_axis_and_other_types_are_refused() -> None:
    weight = torch.randn(4, 4)
    per_row = found(weight, "int8:channel", 0)
    assert weight_codes(weight, per_row, 1) is None
    assert weight_codes(weight, replace(per_row, axis=-2), 0) is not None
    for dtype in (torch.float16, torch.float64):
        assert weight_codes(weight.to(dtype), per_row, 0) is None
