"""Rounding against the decimal module's rules, on ties and on what float32 has next to them."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
import torch
from torch import Tensor

from qviz.quant.rounding import integer_thresholds, round_to_integers
from qviz.quant.scheme import Rounding

RULES = {
    "even": decimal.ROUND_HALF_EVEN,
    "away": decimal.ROUND_HALF_UP,  # "up" in magnitude
    "zero": decimal.ROUND_DOWN,
}


def near_ties() -> Tensor:
    steps = torch.cat([torch.arange(-20.0, 20.5, 0.5), torch.tensor([255.5, 32766.5, 65534.5])])
    ends = torch.tensor([-torch.inf, torch.inf])
    around = [torch.nextafter(steps, end.expand_as(steps)) for end in ends]
    tiny = torch.tensor([1e-45, -1e-45, 1e-30, -1e-8])
    return torch.cat([steps, *around, tiny, torch.tensor([2.0**23 + 1, -(2.0**24) - 2])])


def expected(x: Tensor, mode: Rounding) -> list[int]:
    if mode == "up":
        exact = [Decimal(float(v)) + Decimal("0.5") for v in x]
        return [int(v.to_integral_value(decimal.ROUND_FLOOR)) for v in exact]
    return [int(Decimal(float(v)).to_integral_value(RULES[mode])) for v in x]


@pytest.mark.parametrize("mode", ["even", "away", "up", "zero"])
def test_every_rule_holds_next_to_its_ties(mode: Rounding) -> None:
    x = near_ties()
    assert round_to_integers(x.clone(), mode, 0).tolist() == expected(x, mode)


@pytest.mark.parametrize("mode", ["even", "away", "up", "zero"])
@pytest.mark.parametrize("zero", [0, 3, -8, 7])
def test_thresholds_are_where_the_code_changes(mode: Rounding, zero: int) -> None:
    thresholds = integer_thresholds(-8, 7, mode, zero)
    above = torch.nextafter(thresholds.float(), torch.tensor(torch.inf))
    below = torch.nextafter(thresholds.float(), torch.tensor(-torch.inf))
    codes = torch.arange(-8.0, 7.0)
    assert torch.equal(round_to_integers(below, mode, 0) + zero, codes)
    assert torch.equal(round_to_integers(above, mode, 0) + zero, codes + 1)


def test_stochastic_rounding_is_unbiased_repeatable_and_exact_on_integers() -> None:
    for value in (-2.75, -0.25, 0.1, 1000.5, 32766.25):
        x = torch.full((40_000,), value)
        found = round_to_integers(x.clone(), "stochastic", 1)
        assert set(found.tolist()) == {float(torch.tensor(value).floor()), float(x[0].ceil())}
        share = value - float(torch.tensor(value).floor())
        deviation = (share * (1 - share) / len(x)) ** 0.5
        assert abs(float(found.double().mean()) - value) < 4 * deviation
        assert torch.equal(round_to_integers(x.clone(), "stochastic", 1), found)
        assert not torch.equal(round_to_integers(x.clone(), "stochastic", 2), found)
    whole = torch.arange(-65535.0, 65536.0).repeat(4)
    assert torch.equal(round_to_integers(whole.clone(), "stochastic", 3), whole)
