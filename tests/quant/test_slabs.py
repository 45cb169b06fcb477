"""A table measured in parts has the errors of the whole."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from qviz.quant import error, slabs
from qviz.quant.encode import find_encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

SPELLINGS = (
    "int8:channel", "int4:tensor", "uint4:channel:asym", "int4:group=16", "nf4:group=16", "mxfp4",
    "nvfp4", "ternary", "binary:channel", "fp8-e4m3", "kmeans3",
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_parts_add_up_to_the_whole(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(12, 100, generator=generator) * torch.linspace(0.1, 4.0, 12).unsqueeze(1)
    stats = measure(weight, 0, keep=True)
    encoding = find_encoding(stats, parse_scheme(spelling))
    points = error.points_for(stats, encoding)
    whole, rows = error.measure_error(points, encoding), error.measure_channels(points, encoding)
    for size in (64, 250, 500):
        monkeypatch.setattr(slabs, "SLAB", size)
        assert slabs.can_cut(points, encoding)
        cut = error.measure_error(points, encoding)
        for name, value in dataclasses.asdict(whole).items():
            found = getattr(cut, name)
            assert found == value if value is None else found == pytest.approx(value, rel=1e-9)
        again = error.measure_channels(points, encoding)
        for name, values in rows.values.items():
            torch.testing.assert_close(again.values[name], values)
        torch.testing.assert_close(again.clipped, rows.clipped)
        assert (again.rmse_steps is None) == (rows.rmse_steps is None)


def test_stochastic_rounding_is_measured_as_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = measure(torch.randn(12, 100), 0, keep=True)
    encoding = find_encoding(stats, parse_scheme("int4:channel:stochastic"))
    monkeypatch.setattr(slabs, "SLAB", 64)
    assert not slabs.can_cut(error.points_for(stats, encoding), encoding)
