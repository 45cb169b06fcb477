"""Rounding: how a quotient becomes an integer, in place."""

from __future__ import annotations

import torch
from torch import Tensor

from qviz.quant.scheme import Rounding

HUGE = 2.0**40  # beyond any code, and so are its neighbours


def round_to_integers(x: Tensor, mode: Rounding, seed: int) -> Tensor:
    """Round a float tensor in place; half to even is ONNX's and IEEE 754's rule.

    Stochastic rounding is floor(x + u) with u uniform in [0, 1), drawn for the elements in order
    from `seed`, so that the same tensor always gets the same codes.
    """
    match mode:
        case "even":
            return x.round_()
        case "away":
            sign = x.sign()
            return _half_up(x.abs_()).mul_(sign)
        case "up":
            return _half_up(x)
        case "zero":
            return x.trunc_()
        case "stochastic":
            generator = torch.Generator().manual_seed(seed)
            noise = torch.rand(x.shape, generator=generator, dtype=x.dtype)
            x.clamp_(-HUGE, HUGE)  # the difference of two infinite values is none
            whole = x.floor()  # apart: their sum in float32 would round a large x + u up
            return x.sub_(whole).add_(noise.to(x.device)).floor_().add_(whole)


def _half_up(x: Tensor) -> Tensor:
    """⌊x + ½⌋ in place, without the sum: in float32, 0.49999997 + 0.5 is 1."""
    return x.mul_(2.0).floor_().mul_(0.5).ceil_()


def next_up(x: Tensor) -> Tensor:
    """The next larger number of the tensor's type."""
    return torch.nextafter(x, torch.full_like(x, torch.inf))


def rounded_up(thresholds: Tensor) -> Tensor:
    """As float32, rounded up: for float32 values, `x < t` then decides as it does in float64."""
    near = thresholds.float()
    return torch.where(near.double() < thresholds, next_up(near), near)


def integer_thresholds(low: int, high: int, mode: Rounding, zero: Tensor | float = 0.0) -> Tensor:
    """The quotients where the code changes from k to k + 1, for k = low … high - 1 (float64).

    `zero` is the zero point, [...] or [..., 1]; the quotient is rounded before it is added.
    """
    below = torch.arange(low, high, dtype=torch.float64) - zero
    if mode != "zero":
        return below + 0.5
    whole = torch.where(below >= 0, below + 1.0, below)
    # What float32 rounds to a whole number is not cut off below it.
    return (whole + torch.nextafter(whole.float(), torch.zeros(())).double()) / 2
