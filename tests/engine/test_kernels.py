"""Kernels: native and in floating point they give the same bits, those of the layer's formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from torch import Tensor
from torch.nn import functional

from qviz.engine.chains import RELU, Clip
from qviz.engine.kernels import Kernel, find_kernel, onednn_works
from qviz.engine.kernels.codes import Bytes, WeightCodes
from qviz.engine.kernels.exact import ExactConvolution, ExactProduct
from qviz.engine.kernels.layer import Convolution, Product
from qviz.engine.kernels.onednn import OneDnnConvolution, OneDnnProduct, can_run
from qviz.model.operators.window import Window, pad_window
from qviz.model.read_onnx import read_onnx
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Write = Callable[..., Path]
CLIPS = [None, RELU, Clip(0.0, 6.0), Clip(-1.5, 2.25), Clip(-inf, 1.0), Clip(-0.5, inf)]
needs_native = pytest.mark.skipif(
    not onednn_works(), reason="torch's 8-bit operators are absent or saturate on this processor"
)


def fixed(window: Window) -> Callable[[object], Window]:
    return lambda _size: window


def numbers(codes: Tensor, taken: Bytes) -> Tensor:
    return (codes.double() - taken.zero) * taken.scale


def weights(layer: Convolution | Product) -> Tensor:
    codes = layer.weight.codes
    return codes.double() * layer.weight.scale.double().reshape(-1, *[1] * (codes.ndim - 1))


def formula(layer: Convolution | Product, codes: Tensor, clip: Clip | None) -> Tensor:
    """The layer in float64, on the numbers that the codes stand for."""
    x, w = numbers(codes, layer.taken), weights(layer)
    bias = None if layer.bias is None else layer.bias.double()
    if isinstance(layer, Product):
        out = functional.linear(x, w, bias)
    else:
        window = layer.window(codes.shape[2:])
        convolve = functional.conv1d if x.ndim == 3 else functional.conv2d
        x = pad_window(x.contiguous(), window, 0.0)
        out = convolve(x, w, bias, window.strides, 0, window.dilations, layer.groups)
    return out if clip is None else out.clamp(clip.low, clip.high)


def check(layer: Convolution | Product, codes: Tensor, clip: Clip | None, given: bool) -> None:
    """Both kernels on the same codes, and what they should give."""
    exact, native = kernels(layer)
    expected, found = formula(layer, codes, clip), exact.run(codes, clip)
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    largest = float(formula(layer, codes, None).abs().max()) if expected.numel() else 1.0
    biases = 0.0 if layer.bias is None else float(layer.bias.abs().max())
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=2.5e-7 * (largest + 2 * biases))
    same(native, found, codes, clip, None)
    if given and expected.numel() and largest:
        form = Bytes(float(torch.tensor(largest / 150)), 100, 255)
        as_codes = exact.run(codes, clip, form)
        assert as_codes.dtype == torch.uint8
        ratio = (expected / form.scale + form.zero).clamp(0, 255)
        assert float((as_codes.double() - ratio).abs().max()) <= 0.5 + 1e-3 * (1 + biases / largest)
        same(native, as_codes, codes, clip, form)


def kernels(layer: Convolution | Product) -> tuple[Kernel, Kernel | None]:
    if isinstance(layer, Product):
        return ExactProduct(layer), OneDnnProduct(layer) if onednn_works() else None
    able = onednn_works() and can_run(layer)
    return ExactConvolution(layer), OneDnnConvolution(layer) if able else None


def same(
    native: Kernel | None, wanted: Tensor, codes: Tensor, clip: Clip | None, given: Bytes | None
) -> None:
    if native is None:
        return
    found = native.run(codes, clip, given)
    assert found.dtype == wanted.dtype
    assert torch.equal(found, wanted)


def described(
    seed: int,
    shape: tuple[int, ...],
    groups: int = 1,
    window: Window | None = None,
    zero: int = 128,
    per_channel: bool = True,
    biased: bool = True,
) -> Convolution | Product:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(-128, 128, shape, generator=generator, dtype=torch.int8)
    count = shape[0] if per_channel else 1
    weight = WeightCodes(codes, torch.rand(count, generator=generator) * 0.01 + 1e-4)
    bias = torch.randn(shape[0], generator=generator) if biased else None
    taken = Bytes(float(torch.rand(1, generator=generator)) * 0.1 + 0.001, zero, 255)
    if len(shape) == 2:
        return Product(taken, weight, bias)
    return Convolution(taken, weight, bias, groups, fixed(window or plain(shape)))


def plain(shape: tuple[int, ...], pads: int = 0, stride: int = 1) -> Window:
    axes = len(shape) - 2
    pad = (pads,) * axes
    return Window(shape[2:], (stride,) * axes, (1,) * axes, pad, pad)


def codes_of(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Convolution, Tensor]:
    axes = draw(st.integers(1, 2))
    groups = draw(st.sampled_from([1, 1, 2, 3, 16]))
    inside, outside = draw(st.sampled_from([1, 2, 3, 8, 17])), draw(st.sampled_from([1, 2, 8, 17]))

    def each(*values: int) -> tuple[int, ...]:
        return tuple(draw(st.sampled_from(values)) for _ in range(axes))

    kernel, strides, dilations = each(1, 2, 3, 5), each(1, 1, 2, 3), each(1, 1, 2)
    begins = each(0, 1, 2, -1)
    ends = begins if draw(st.booleans()) else each(0, 1, 2, -1)
    window = Window(kernel, strides, dilations, begins, ends)
    rows = zip(window.extents, begins, ends, each(0, 1, 2, 7), strict=True)
    size = tuple(max(extent - b - e, 1, -b + 1 - e) + more for extent, b, e, more in rows)
    shape = (groups * outside, inside, *kernel)
    flags = draw(st.booleans()), draw(st.booleans())
    zero = draw(st.sampled_from([0, 1, 127, 128, 255]))
    layer = described(draw(st.integers(0, 99)), shape, groups, window, zero, *flags)
    codes = codes_of((draw(st.integers(1, 3)), groups * inside, *size))
    if axes == 2 and draw(st.booleans()):
        codes = codes.contiguous(memory_format=torch.channels_last)
    assert isinstance(layer, Convolution)
    return layer, codes


@settings(max_examples=150)
@given(convolutions(), st.sampled_from(CLIPS), st.booleans())
def test_convolutions(made: tuple[Convolution, Tensor], clip: Clip | None, given: bool) -> None:
    check(*made, clip, given)


@given(
    st.lists(st.sampled_from([1, 2, 5]), max_size=3),
    st.sampled_from([1, 3, 16, 17, 100, 577]),
    st.sampled_from([1, 2, 10, 16, 33]),
    st.sampled_from([0, 1, 128, 255]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(CLIPS),
)
def test_products(
    lead: list[int], terms: int, out: int, zero: int, channels: bool, biased: bool, clip: Clip
) -> None:
    layer = described(terms, (out, terms), 1, None, zero, channels, biased)
    check(layer, codes_of((*lead, terms)), clip, given=True)


# What torch 2.13's oneDNN computes wrongly, or dies of, as a plain call.
ODD = [
    ((8, 3, 1), 4, Window((1,), (3,), (1,), (1,), (1,)), (2, 12, 1)),  # nothing but padding
    ((32, 1, 1, 1), 32, Window((1, 1), (1, 1), (1, 1), (2, 0), (2, 0)), (3, 32, 1, 8)),
    ((16, 1, 1, 5), 16, Window((1, 5), (3, 1), (1, 1), (1, 0), (1, 0)), (3, 16, 5, 5)),
    ((12, 16, 3, 1), 4, Window((3, 1), (2, 3), (1, 1), (0, 1), (0, 1)), (3, 64, 5, 1)),
    (
        (32, 2, 2, 1),
        4,
        Window((2, 1), (1, 2), (2, 2), (1, 0), (1, 0)),
        (1, 8, 1, 1),
    ),  # between taps
    ((1, 5, 1), 1, Window((1,), (2,), (2,), (1,), (1,)), (3, 5, 1)),  # a crash
    ((64, 2, 1, 1), 4, Window((1, 1), (1, 2), (1, 2), (2, 1), (2, 1)), (3, 8, 7, 1)),  # a crash
    ((10, 1, 3, 3), 5, Window((3, 3), (1, 3), (1, 1), (0, 0), (0, 0)), (2, 5, 7, 5)),  # one wide
    ((16, 1, 3, 3), 1, Window((3, 3), (1, 2), (1, 1), (0, 0), (0, 0)), (2, 1, 6, 3)),  # one wide
    ((4, 1, 2), 2, Window((2,), (1,), (1,), (0,), (0,)), (3, 2, 5)),  # rounded otherwise
]


@pytest.mark.parametrize(("shape", "groups", "window", "size"), ODD)
@pytest.mark.parametrize("biased", [False, True])
def test_odd_convolutions(
    shape: tuple[int, ...], groups: int, window: Window, size: tuple[int, ...], biased: bool
) -> None:
    layer = described(3, shape, groups, window, biased=biased)
    check(layer, codes_of(size), None, given=True)


@needs_native
def test_native_kernels_take_the_usual_convolutions() -> None:
    for shape, groups in (((16, 1, 3, 3), 1), ((16, 1, 3, 3), 16), ((8, 8, 1, 1), 1)):
        layer = described(0, shape, groups, plain(shape, 1, 2))
        assert isinstance(layer, Convolution)
        assert can_run(layer)


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (4, 3, 3), (4, 5)])
def test_a_batch_of_none(shape: tuple[int, ...]) -> None:
    size = (0, 5) if len(shape) == 2 else (0, 3, *[7] * (len(shape) - 2))
    check(described(1, shape), codes_of(size), RELU, given=False)


def test_many_codes_are_rounded_alike() -> None:
    """Where a product with the inverse of the scale and a quotient by it would not be."""
    weight = WeightCodes(torch.ones(1, 1, dtype=torch.int8), torch.ones(1))
    exact, native = kernels(Product(Bytes(1.0, 0, 255), weight, None))
    codes = torch.arange(256, dtype=torch.uint8).reshape(-1, 1)
    quotients = 0
    for scale in range(2, 256, 2):  # half of what a scale of 2k gives are ties
        form = Bytes(float(scale), 3, 255)
        found = exact.run(codes, None, form)
        same(native, found, codes, None, form)
        apart = (found.int() - form.quantize(codes.float()).int()).abs()
        assert int(apart.max()) <= 1
        quotients += int(apart.sum())
    assert quotients > 0


def test_sizes_may_change_from_run_to_run() -> None:
    layer = described(5, (6, 4, 3, 3), 1, plain((6, 4, 3, 3), 1))
    exact, native = kernels(layer)
    for size in [*range(3, 15), 3, 4]:  # more sizes than packed weights are kept for
        codes = codes_of((2, 4, size, 5))
        same(native, exact.run(codes), codes, None, None)


@pytest.mark.parametrize(("terms", "wide"), [(518, False), (519, True), (40_000, True)])
def test_sums_beyond_float32_are_exact(terms: int, wide: bool) -> None:
    """518·127·255 is below 2^24, 519·127·255 is not."""
    weight = WeightCodes(torch.full((2, terms), 127, dtype=torch.int8), torch.ones(1))
    layer = Product(Bytes(1.0, 0, 255), weight, None)
    codes = torch.full((1, terms), 255, dtype=torch.uint8)
    codes[0, 0] = 254
    exact, native = kernels(layer)
    found = exact.run(codes)
    assert found.tolist() == [[float(np.float32(127 * (255 * terms - 1)))] * 2]
    same(native, found, codes, None, None)
    assert exact.__getattribute__("_weight").dtype == (torch.float64 if wide else torch.float32)


def test_sums_of_small_weights_are_exact_where_float32_would_round() -> None:
    shape = (3, 2000, 3)
    layer = described(9, shape, zero=0, biased=False)
    unit = WeightCodes(layer.weight.codes, torch.ones(1))
    layer = replace(layer, weight=unit, taken=Bytes(1.0, 0, 255))
    codes = codes_of((1, 2000, 4))
    exact, native = kernels(layer)
    found = exact.run(codes)
    assert torch.equal(found, formula(layer, codes, None).float())
    same(native, found, codes, None, None)


# Which kernel a step gets


def encoded(values: Tensor, spelling: str, axis: int | None = None) -> Encoding:
    return find_encoding(measure(values, axis, keep=True), parse_scheme(spelling))


def kernel_of(
    write_model: Write,
    op: str,
    weight: Tensor,
    bias: Tensor | None = None,
    axis: int | None = 0,
    **attributes: Any,
) -> Kernel | None:
    """The kernel of a model of one layer under uint8 inputs and int8 weights per channel."""
    held = {"w": weight.numpy()} | ({} if bias is None else {"b": bias.numpy()})
    names = ["x", "w"] if bias is None else ["x", "w", "b"]
    node = helper.make_node(op, names, ["y"], name="layer", **attributes)
    model = read_onnx(write_model("one.onnx", [node], held, {"x": []}, {"y": []}))
    (step,) = model.steps
    taken = encoded(torch.tensor([-1.0, 2.0]), "uint8")
    by_channel = encoded(weight, "int8" if axis is None else "int8:channel", axis)
    return find_kernel(step, model.constants, taken, by_channel, native=onednn_works())


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("size", [(7, 8), (5, 5), (4, 3)])
def test_auto_pad_follows_the_size(
    write_model: Write, auto_pad: str, size: tuple[int, int]
) -> None:
    weight, bias = torch.randn(4, 3, 3, 2), torch.randn(4)
    kernel = kernel_of(write_model, "Conv", weight, bias, auto_pad=auto_pad, strides=[2, 1])
    assert kernel is not None
    codes = codes_of((2, 3, *size))
    x = numbers(codes, kernel.taken)
    if auto_pad != "VALID":
        rows, columns = max((-(-size[0] // 2) - 1) * 2 + 3 - size[0], 0), 1
        low = auto_pad == "SAME_LOWER"
        top, left = (rows + low) // 2, (columns + low) // 2
        x = functional.pad(x, (left, columns - left, top, rows - top))
    w = encoded(weight, "int8:channel", 0).apply(weight).double()
    expected = functional.conv2d(x, w, bias.double(), (2, 1))
    np.testing.assert_allclose(kernel.run(codes), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias_shape", [(), (1,), (4,), (1, 4), (1, 1)])
def test_a_gemm_may_be_transposed_and_its_bias_spread(
    write_model: Write, transposed: int, bias_shape: tuple[int, ...]
) -> None:
    weight, bias = torch.randn((4, 6) if transposed else (6, 4)), torch.randn(bias_shape)
    axis = 0 if transposed else 1
    kernel = kernel_of(write_model, "Gemm", weight, bias, axis, transB=transposed)
    assert kernel is not None
    codes = codes_of((4, 6))
    w = encoded(weight, "int8:channel", axis).apply(weight).double()
    expected = numbers(codes, kernel.taken) @ (w.t() if transposed else w) + bias.double()
    np.testing.assert_allclose(kernel.run(codes), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "attributes", [{"alpha": 0.5}, {"beta": 2.0}, {"transA": 1}, {"alpha": 2.0, "transB": 1}]
)
def test_a_gemm_that_does_more_than_multiply_has_none(
    write_model: Write, attributes: dict[str, object]
) -> None:
    assert kernel_of(write_model, "Gemm", torch.randn(4, 4), torch.randn(4), 1) is not None
    made = kernel_of(write_model, "Gemm", torch.randn(4, 4), torch.randn(4), 1, **attributes)
    assert made is None


@pytest.mark.parametrize("shape", [(4, 1), (4, 4), (3, 1)])
def test_a_bias_that_differs_from_row_to_row_is_none_of_a_kernel(
    write_model: Write, shape: tuple[int, int]
) -> None:
    assert kernel_of(write_model, "Gemm", torch.randn(6, 4), torch.randn(shape), 1) is None


@pytest.mark.parametrize("shape", [(6,), (2, 6, 4), (1, 6, 4)])
def test_products_with_other_than_a_matrix_have_none(
    write_model: Write, shape: tuple[int, ...]
) -> None:
    assert kernel_of(write_model, "MatMul", torch.randn(6, 4), axis=1) is not None
    assert kernel_of(write_model, "MatMul", torch.randn(shape), axis=None) is None


def test_other_types_and_three_axes_have_none(write_model: Write) -> None:
    weight = torch.randn(4, 3, 3, 3)
    assert kernel_of(write_model, "Conv", weight, torch.randn(4)) is not None
    for dtype in (torch.float16, torch.float64):
        assert kernel_of(write_model, "Conv", weight.to(dtype), torch.randn(4).to(dtype)) is None
    assert kernel_of(write_model, "Conv", torch.randn(4, 3, 3, 3, 3)) is None


def test_weights_without_values_have_none(write_model: Write) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="layer")
    held = {"w": np.zeros((0, 4), np.float32)}
    model = read_onnx(write_model("empty.onnx", [node], held, {"x": []}, {"y": []}))
    one = encoded(torch.tensor([-1.0, 2.0]), "uint8")
    made = [find_kernel(s, model.constants, one, one, native=False) for s in model.steps]
    assert made == [None]


def test_sums_that_int32_might_not_hold_have_none(write_model: Write) -> None:
    for terms, there in ((65_000, True), (65_001, False)):
        made = kernel_of(write_model, "MatMul", torch.ones(terms, 1), axis=1)
        assert (made is not None) is there
