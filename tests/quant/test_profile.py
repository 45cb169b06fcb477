"""Errors from sorted sums against the direct sum over all values, for every kind of grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.profile import profile
from qviz.quant.scale import grid_of, scale_for
from qviz.quant.search import cost_from_sums
from qviz.quant.spelling import parse_scheme

SPELLINGS = [
    "int1", "uint2", "int3", "int4:wide", "int4:full", "int8", "uint8", "int8:asym:pow2",
    "int10", "int4:round=away", "uint4:round=up", "int4:round=zero", "uint5:round=zero",
    "int8:asym:round=zero", "fp8-e4m3", "fp8-e5m2", "fp6-e2m3", "fp6-e3m2", "fp4", "fp8:unit",
    "nf4:tensor", "pot2", "pot4", "pot6:log", "apot3", "apot4", "apot5", "kmeans1", "kmeans3",
    "kmeans4:density", "kmeans3:random=4", "lloyd1", "lloyd4", "ternary", "ternary:mse", "binary",
    "binary:unit", "dorefa-w1", "dorefa-w3", "dorefa-w4:minmax", "float16",
]  # fmt: skip


def values(kind: str) -> Tensor:
    x = torch.randn(1200, generator=torch.Generator().manual_seed(3))
    match kind:
        case "halves":
            return (x * 4).round() / 2
        case "outlier":
            return torch.cat([x, torch.tensor([200.0, -150.0])])
        case "tiny":
            return x * 1e-30
        case "huge":
            return x * 1e30
        case "zeros":
            return torch.zeros(7)
        case "constant":
            return torch.full((9,), -0.37)
        case "positive":
            return x.abs() + 0.01
    return x


def encoding_of(x: Tensor, spelling: str) -> Scaled:
    encoding = find_encoding(measure(x, keep=True), parse_scheme(spelling))
    assert isinstance(encoding, Scaled)
    return encoding


def direct(x: Tensor, levels: Tensor, thresholds: Tensor, counts: Tensor | None = None) -> float:
    """Σ count·(x - level)² in numpy; a value on a threshold takes the level above."""
    wide = x.double().numpy()
    chosen = levels.numpy()[np.searchsorted(thresholds.numpy(), wide, side="right")]
    weights = 1.0 if counts is None else counts.numpy()
    return float((weights * (wide - chosen) ** 2).sum())


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "kind", ["halves", "outlier", "tiny", "huge", "zeros", "constant", "positive"]
)
def test_errors_from_sums_are_those_of_all_values(spelling: str, kind: str) -> None:
    x = values(kind)
    encoding = encoding_of(x, spelling)
    levels, thresholds = encoding.levels(), encoding.thresholds()
    assert bool((levels.diff() >= 0).all())
    assert bool((thresholds.diff() >= 0).all())
    found = profile(Points(x.reshape(1, -1))).squared_errors(
        levels.reshape(1, 1, -1), thresholds.reshape(1, 1, -1)
    )
    power = float(x.double().square().sum())
    spread = float(levels.abs().max()) ** 2 * len(x) + power
    # Sums of squares cancel down to the error; what is left of their rounding is negligible.
    wanted = direct(x, levels, thresholds)
    assert float(found) == pytest.approx(wanted, rel=1e-9, abs=1e-14 * spread)
    # The encoding itself works in float32.
    applied = float((encoding.apply(x).double() - x.double()).square().sum())
    assert applied == pytest.approx(wanted, rel=1e-4, abs=1e-13 * spread)


def test_counts_are_that_many_values_and_rows_and_grids_are_apart() -> None:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 90, generator=generator)
    counts = torch.randint(0, 4, (3, 90), generator=generator).double()
    encodings = [
        encoding_of(x, spelling) for spelling in ("int3", "uint3", "int3:full", "int3:asym")
    ]
    shortest = min(len(encoding.levels()) for encoding in encodings)
    levels = torch.stack([encoding.levels()[-shortest:] for encoding in encodings])
    thresholds = torch.stack([e.thresholds()[len(e.levels()) - shortest :] for e in encodings])
    shape = (3, len(encodings), -1)
    for weights in (None, counts):
        sums = profile(Points(x, weights))
        found = sums.squared_errors(levels.expand(*shape), thresholds.expand(*shape))
        for row in range(3):
            for at in range(len(encodings)):
                weight = None if weights is None else weights[row]
                wanted = direct(x[row], levels[at], thresholds[at], weight)
                assert float(found[row, at]) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("spelling", [s for s in SPELLINGS if "clip" in parse_scheme(s).ranges])
def test_the_cost_of_a_range_is_the_error_of_its_encoding(spelling: str) -> None:
    x = torch.cat([values("normal").reshape(2, -1), values("halves").reshape(2, -1)])
    scheme = parse_scheme(spelling)
    grid = grid_of(scheme)
    cost = cost_from_sums(profile(Points(x)), scheme, grid)
    shares = torch.tensor([1.0, 0.7, 0.31, 0.1], dtype=torch.float64)
    low, high = (x.amin(1, True) * shares).double(), (x.amax(1, True) * shares).double()
    scale, zero = scale_for(low, high, scheme, grid)
    found = cost(low, high)
    for at in range(4):
        trial = Scaled(grid, scale[:, at], zero[:, at], 0)
        errors = (trial.apply(x).double() - x.double()).square().sum(1)
        torch.testing.assert_close(found[:, at], errors, rtol=1e-4, atol=1e-9)


def test_sqnr_adds_the_rows_up() -> None:
    x = torch.tensor([[3.0, 4.0], [5.0, 0.0]])
    sums = profile(Points(x))
    errors = torch.tensor([[1.0, 2.0], [1.5, 0.5]], dtype=torch.float64)
    wanted = [10.0 * np.log10(50.0 / 2.5)] * 2
    assert sums.sqnr_db(errors).tolist() == pytest.approx(wanted)
