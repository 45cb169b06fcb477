"""Channels along several axes: both directions of a recurrent layer, a stack of matrices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from qviz.quant.axes import Axes, channel_count, from_rows, to_rows
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.error import measure_channels, measure_error, points_for
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme
from qviz.quant.statistics import TensorStats

SCHEMES = ["int4:group=32", "int4:channel", "int4:asym:group=32:mse", "mxfp4", "nf4:group=64"]
SCHEMES += ["ternary:channel:twn", "binary:channel", "int4:channel:stochastic=3"]


def encoding_of(x: Tensor, axis: Axes, spelling: str) -> Scaled:
    return encoded(measure(x, axis, keep=True), spelling)


def encoded(stats: TensorStats, spelling: str) -> Scaled:
    encoding = find_encoding(stats, parse_scheme(spelling))
    assert isinstance(encoding, Scaled)
    return encoding


def stack(*shape: int) -> Tensor:
    """Matrices of normal values, the first at σ = 0.01 and each next one 100 times larger."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return x * 0.01 * 100.0 ** torch.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))


def sqnr(x: Tensor, q: Tensor) -> float:
    return float(10.0 * torch.log10(x.square().sum() / (x - q).square().sum()))


@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 3), (0, 1, 3), (2,)])
def test_rows_come_back_as_the_tensor(axes: tuple[int, ...]) -> None:
    x = torch.arange(120.0).reshape(2, 3, 4, 5)
    rows = to_rows(x, axes)
    assert len(rows) == channel_count(x.shape, axes)
    assert rows.is_contiguous()
    assert torch.equal(from_rows(rows, axes, x.shape), x)


def test_the_last_axis_is_counted_first() -> None:
    x = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(to_rows(x, (0, 2))[5], x[1, :, 1])
    assert torch.equal(to_rows(x, 2)[1], x[:, :, 1])
    assert channel_count(x.shape, None) == 1


@pytest.mark.parametrize("spelling", [s for s in SCHEMES if "stochastic" not in s])
@pytest.mark.parametrize(("shape", "axes"), [((2, 4, 40), (0, 1)), ((3, 40, 6), (0, 2))])
def test_every_matrix_of_a_stack_is_quantized_as_it_is_alone(
    shape: tuple[int, ...], axes: tuple[int, int], spelling: str
) -> None:
    x = stack(*shape)
    encoding = encoding_of(x, axes, spelling)
    q = encoding.apply(x)
    assert q.shape == x.shape
    for whole, quantized in zip(x, q, strict=True):
        alone = encoding_of(whole, axes[1] - 1, spelling).apply(whole)
        if spelling.startswith(("ternary", "binary")):
            torch.testing.assert_close(quantized, alone)  # means in another order
        else:
            assert torch.equal(quantized, alone)


def test_groups_do_not_run_from_one_direction_into_the_other() -> None:
    """Groups of 32 over rows of 40: across both directions the first would lose 12 dB."""
    x = stack(2, 4, 40)
    across, apart = (encoding_of(x, axis, "int4:group=32").apply(x) for axis in (1, (0, 1)))
    assert [sqnr(x[at], apart[at]) for at in (0, 1)] == pytest.approx([20.552, 21.674], abs=1e-3)
    assert sqnr(x[0], across[0]) == pytest.approx(8.483, abs=1e-3)


@pytest.mark.parametrize("spelling", SCHEMES)
def test_it_is_the_table_of_its_rows(spelling: str) -> None:
    """Statistics, scales, codes and errors are those of the rows."""
    x, axes = stack(3, 40, 6), (0, 2)
    rows = to_rows(x, axes)
    stats, plain = measure(x, axes, keep=True), measure(rows, 0, keep=True)
    assert stats.channels == plain.channels == 18
    assert stats.exact is not None
    assert torch.equal(stats.exact, rows)
    encoding, same = (encoded(each, spelling) for each in (stats, plain))
    assert torch.equal(to_rows(encoding.apply(x), axes), same.apply(rows))
    assert torch.equal(to_rows(encoding.codes(x), axes), same.codes(rows))
    points = points_for(stats, encoding)
    assert measure_error(points, encoding) == measure_error(points, same)
    found, wanted = (measure_channels(points, each) for each in (encoding, same))
    assert torch.equal(found.values["mse"], wanted.values["mse"])


def test_a_key_tells_one_axis_from_several() -> None:
    x = torch.ones(1, 4, 8)
    one, both = (encoding_of(x, axis, "int8:channel") for axis in (1, (0, 1)))
    assert one.scale.shape == both.scale.shape
    assert one.key != both.key
