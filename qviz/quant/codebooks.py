"""Level tables of the non-uniform formats, each from its source."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from qviz.quant.grids import Codebook, Grid, NarrowFloat, codebook
from qviz.quant.rounding import next_up

# QLoRA (Dettmers et al. 2023), appendix E; as in bitsandbytes, ascending.
NF4 = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)

# Exponents of the terms of APoT's positive levels (Li et al. 2020, and the authors' code for the
# odd width): a level is the sum of one entry of every row, an entry being 0 or a power of two.
_APOT_TERMS: dict[int, tuple[tuple[int, ...], ...]] = {
    2: ((-1, -2, -3),),
    3: ((-1, -2, -4), (-3,)),
    4: ((-1, -3, -5), (-2, -4, -6)),
}


def small_float_levels(exponent_bits: int, mantissa_bits: int) -> Tensor:
    """Every value of a float without infinities or NaN (OCP MX: E2M1, E2M3, E3M2), ascending."""
    bias = 2 ** (exponent_bits - 1) - 1
    magnitudes = []
    for exponent, mantissa in itertools.product(range(2**exponent_bits), range(2**mantissa_bits)):
        lead, power = (1.0, exponent) if exponent else (0.0, 1)
        magnitudes.append((lead + mantissa / 2**mantissa_bits) * 2.0 ** (power - bias))
    return mirrored(magnitudes)


def mirrored(magnitudes: list[float]) -> Tensor:
    """The magnitudes with both signs, zero once, ascending, float64."""
    positive = sorted({value for value in magnitudes if value > 0.0})
    return torch.tensor([-v for v in reversed(positive)] + [0.0] + positive, dtype=torch.float64)


def minifloat(name: str) -> Grid:
    """The grid of `fp8-e4m3` and its like: half to even, saturating at the largest value."""
    match name.partition("-")[2]:
        case "e4m3":
            return NarrowFloat(torch.float8_e4m3fn)
        case "e5m2":
            return NarrowFloat(torch.float8_e5m2)
        case layout:
            return codebook(small_float_levels(int(layout[1]), int(layout[3])), even=True)


def power_of_two(bits: int, rule: str) -> Codebook:
    """0 and ±2^0, ±2^-1 …: 2^bits - 1 levels (ShiftCNN, INQ).

    Nearest in value switches at 1.5·2^e; nearest in the log domain at √2·2^e, also at the bottom,
    where the next power is zero.
    """
    count = 2 ** (bits - 1) - 1
    magnitudes = [2.0**-k for k in range(count)]
    levels = mirrored(magnitudes)
    if rule != "log":
        return codebook(levels)
    positive = torch.tensor([m / math.sqrt(2.0) for m in reversed(magnitudes)], dtype=torch.float64)
    return codebook(levels, torch.cat([-positive.flip(0), positive]))


def additive_power_of_two(bits: int) -> Codebook:
    """APoT's levels with a sign bit, normalised to a largest value of 1."""
    terms = [(0.0, *(2.0**e for e in row)) for row in _APOT_TERMS[bits - 1]]
    sums = [sum(choice) for choice in itertools.product(*terms)]
    return codebook(mirrored([value / max(sums) for value in sums]))


def normal_float() -> Codebook:
    """NF4."""
    return codebook(torch.tensor(NF4, dtype=torch.float64))


def dorefa_weights(bits: int, largest: float) -> Codebook:
    """2·quantize_k(tanh(w) / 2max|tanh(w)| + ½) - 1 as levels over w, ties to even codes.

    DoReFa-Net (Zhou et al. 2016, eq. 9). The number of steps is odd, so zero is no level;
    `largest` is max|w|.
    """
    steps = 2**bits - 1
    codes = torch.arange(steps + 1, dtype=torch.float64)
    bound = math.tanh(largest) if largest > 0.0 else 1.0
    middles = (2.0 * (codes[:-1] + 0.5) / steps - 1.0) * bound
    grid = codebook(2.0 * codes / steps - 1.0, torch.atanh(middles))
    odd = codes[1:] % 2 == 1  # a tie between an even code and the odd one above goes down
    bounds = torch.where(odd, next_up(grid.bounds), grid.bounds)
    return Codebook(grid.levels, grid.thresholds, bounds, grid.values)


def sign() -> Codebook:
    """-1 and +1, zero to +1 (BinaryConnect; Courbariaux et al. 2016)."""
    return codebook(torch.tensor([-1.0, 1.0], dtype=torch.float64))
