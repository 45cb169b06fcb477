"""From a range to a scale and zero point, and from a scheme to its grid in units of the scale."""

from __future__ import annotations

import torch
from torch import Tensor

from qviz.quant.codebooks import (
    additive_power_of_two,
    minifloat,
    normal_float,
    power_of_two,
    sign,
)
from qviz.quant.grids import Grid, Integers, NarrowFloat
from qviz.quant.scheme import Scheme


def grid_of(scheme: Scheme) -> Grid:
    """The grid of a format whose levels do not depend on the tensor, up to their scale.

    Raises:
        ValueError: a format whose levels are fitted to the values.
    """
    match scheme.family:
        case "integer":
            low, high = scheme.code_bounds
            return Integers(low, high, scheme.rounding, scheme.seed)
        case "cast":
            return NarrowFloat(torch.float16 if scheme.format == "float16" else torch.bfloat16)
        case "minifloat":
            return minifloat(scheme.format)
        case "mx" | "nvfp4":
            return _element(scheme.format)
        case "nf4":
            return normal_float()
        case "pot":
            return power_of_two(scheme.bits, scheme.variant)
        case "apot":
            return additive_power_of_two(scheme.bits)
        case "ternary":
            return Integers(-1, 1)
        case "binary":
            return sign()
        case "dorefa-a":
            return Integers(0, 2**scheme.bits - 1)
        case _:
            raise ValueError(f"the levels of {scheme} are fitted to the values")


def _element(name: str) -> Grid:
    """What the blocks of an MX format or of NVFP4 hold."""
    if name == "mxint8":
        return Integers(-127, 127)
    if name in ("mxfp4", "nvfp4"):
        return minifloat("fp4-e2m1")
    return minifloat(name.removeprefix("mx"))


def scale_for(low: Tensor, high: Tensor, scheme: Scheme, grid: Grid) -> tuple[Tensor, Tensor]:
    """(scale float32, zero point int32) of any shape, so that the grid covers [low, high].

    The range is widened to contain 0. An empty range gets scale 1 and zero point 0. So it does in
    onnxruntime, which treats every scale below the smallest normal float32 like that; here such a
    range gets that smallest scale instead, so that what is not zero can be told from zero.
    """
    low, high = low.double().clamp(max=0.0), high.double().clamp(min=0.0)
    if isinstance(grid, Integers) and scheme.family == "integer":
        return _affine(low, high, scheme)
    scale = torch.maximum(-low, high) / float(grid.levels[-1])
    scale = _safe(scale, scheme)
    return scale, torch.zeros_like(scale, dtype=torch.int32)


def _affine(low: Tensor, high: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Symmetric grids take max(|low|, |high|) over half the span of the codes.

    That is max/127 for restricted int8 and max/127.5 for full (torch's and onnxruntime's
    convention); the wide grid takes max/128. Powers of two are rounded up, to clip nothing more.
    """
    qmin, qmax = scheme.code_bounds
    if scheme.symmetric:
        half = float(-qmin) if scheme.code_range == "wide" else (qmax - qmin) / 2
        scale = torch.maximum(-low, high) / half
        scale = _safe(scale, scheme)
        return scale, torch.full_like(scale, scheme.middle, dtype=torch.int32)
    exact = (high - low) / (qmax - qmin)
    scale = _safe(exact, scheme)
    # The zero point goes with the scale that is stored only where it moved by more than rounding.
    rounded = scheme.pow2 or scheme.granularity == "group"
    moved = exact < torch.finfo(torch.float32).tiny
    spread = scale.double() if rounded else torch.where(moved, scale.double(), exact)
    zero = torch.round(qmin - low / spread).clamp(qmin, qmax)
    zero = torch.where(exact == 0.0, float(min(max(0, qmin), qmax)), zero)
    return scale, zero.to(torch.int32)


def _safe(scale: Tensor, scheme: Scheme) -> Tensor:
    """As float32, or as float16 for groups, whose scales weigh; 1 for an empty range."""
    limits = torch.finfo(torch.float32)
    scale = torch.where(scale == 0.0, 1.0, scale.clamp(limits.tiny, limits.max))
    if scheme.pow2:
        mantissa, exponent = torch.frexp(scale)
        exponent = torch.where(mantissa == 0.5, exponent - 1, exponent)
        return torch.ldexp(torch.ones_like(scale), exponent.clamp(-126, 127)).float()
    if scheme.granularity == "group":
        return torch.where(fits_half(scale), scale.half().float(), scale.float())
    return scale.float()


def fits_half(scale: Tensor) -> Tensor:
    """Where a scale is a normal float16; below and above, groups keep it in float32."""
    limits = torch.finfo(torch.float16)
    return (scale >= limits.smallest_normal) & (scale <= limits.max)
