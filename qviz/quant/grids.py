"""The grids in units of their scale: integers, codebooks and narrow floats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from qviz.quant.rounding import integer_thresholds, next_up, round_to_integers, rounded_up
from qviz.quant.scheme import Rounding

CACHE_VALUES = 1 << 18  # values looked up at a time, so that their indices stay in cache
FEW_BOUNDS = 31  # up to which counting them in vector code beats a branching binary search


class Grid(Protocol):
    """The values that codes stand for when the scale is 1."""

    @property
    def spelling(self) -> bytes:
        """Equal for grids that snap every value alike."""
        ...

    @property
    def levels(self) -> Tensor:
        """Every value, ascending, float64."""
        ...

    @property
    def thresholds(self) -> Tensor:
        """Where the chosen level changes, ascending, float64; one fewer than levels."""
        ...

    def cuts(self, zero: Tensor | float, /) -> Tensor:
        """The thresholds of x / step where the zero point is `zero` ([..., 1] or a number)."""
        ...

    def snap(self, ratio: Tensor, zero: Tensor | int, /) -> Tensor:
        """Move every value to its level; may use the tensor as its buffer (float32)."""
        ...


@dataclass(frozen=True, slots=True)
class Integers:
    """Integer codes qmin … qmax; the levels are the codes less the zero point."""

    qmin: int
    qmax: int
    rounding: Rounding = "even"
    seed: int = 0

    @property
    def spelling(self) -> bytes:
        """Equal for grids that snap every value alike."""
        return f"integers {self.qmin} {self.qmax} {self.rounding} {self.seed}".encode()

    @property
    def levels(self) -> Tensor:
        """The codes."""
        return torch.arange(self.qmin, self.qmax + 1, dtype=torch.float64)

    @property
    def thresholds(self) -> Tensor:
        """Half-way points, except when rounding toward zero."""
        return integer_thresholds(self.qmin, self.qmax, self.rounding)

    def cuts(self, zero: Tensor | float, /) -> Tensor:
        """Rounding toward zero turns at the zero point, wherever among the codes it lies."""
        return integer_thresholds(self.qmin, self.qmax, self.rounding, zero)

    def snap(self, ratio: Tensor, zero: Tensor | int, /) -> Tensor:
        """Round, then saturate; the zero point is added after rounding (ONNX QuantizeLinear)."""
        rounded = round_to_integers(ratio, self.rounding, self.seed)
        if not isinstance(zero, int) and not zero.any():
            zero = 0
        if isinstance(zero, int):  # Python scalars are the fast path of torch's kernels
            return rounded.clamp_(self.qmin - zero, self.qmax - zero)
        return torch.clamp(rounded, self.qmin - zero, self.qmax - zero)


@dataclass(frozen=True, eq=False, slots=True)
class Codebook:
    """Any levels; a value on a threshold takes the level above it.

    `bounds` are the thresholds as float32 rounded up, so that `x >= bound` decides exactly as
    `x >= threshold` does.
    """

    levels: Tensor  # float64, ascending
    thresholds: Tensor  # float64
    bounds: Tensor  # float32
    values: Tensor  # float32

    @property
    def spelling(self) -> bytes:
        """Equal for grids that snap every value alike."""
        return b"codebook" + self.values.numpy().tobytes() + self.bounds.numpy().tobytes()

    def cuts(self, zero: Tensor | float, /) -> Tensor:
        """The thresholds themselves: a codebook's zero point is 0."""
        return self.thresholds - zero

    def indices(self, ratio: Tensor) -> Tensor:
        """The position of every value's level, int32."""
        if len(self.bounds) > FEW_BOUNDS:
            return torch.bucketize(ratio, self.bounds.to(ratio.device), right=True, out_int32=True)
        position = torch.full_like(ratio, len(self.bounds))
        below = torch.empty_like(ratio)  # float32 as well: mixed types leave the vector code
        for bound in self.bounds.tolist():
            position.sub_(torch.lt(ratio, bound, out=below))
        return position.to(torch.int32)

    def snap(self, ratio: Tensor, _zero: Tensor | int, /) -> Tensor:
        """Look the level of every value up, a cacheful at a time; NaN stays NaN."""
        values = self.values.to(ratio.device)
        out = ratio.contiguous()
        for part in out.view(-1).split(CACHE_VALUES):
            index = self.indices(part)
            # One sum tells that there is no NaN, in a fraction of the time that a mask takes.
            lost = part.isnan() if math.isnan(float(part.sum())) else None
            torch.index_select(values, 0, index, out=part)
            if lost is not None:
                part.masked_fill_(lost, math.nan)
        return out


def codebook(levels: Tensor, thresholds: Tensor | None = None, *, even: bool = False) -> Codebook:
    """A codebook over `levels`; values go to the nearest one unless `thresholds` are given.

    `even` sends ties to the level an even number of places from the middle one, which is half to
    even for the value table of a small float. Otherwise a tie takes the upper level.
    """
    levels = levels.double()
    nearest = (levels[1:] + levels[:-1]) / 2 if thresholds is None else thresholds.double()
    bounds = rounded_up(nearest)
    if even:
        middle = (levels.numel() - 1) // 2
        above = torch.arange(1, levels.numel())
        bounds = torch.where((above - middle) % 2 == 0, bounds, next_up(bounds))
    return Codebook(levels, nearest, bounds, levels.float())


@dataclass(frozen=True, slots=True)
class NarrowFloat:
    """A float type that torch can cast to: rounds half to even and saturates at its largest value.

    Saturation is that of ONNX Cast (saturate=1); float16 and bfloat16 saturate too.
    """

    dtype: torch.dtype

    @property
    def bits(self) -> int:
        """Storage bits."""
        return torch.finfo(self.dtype).bits

    @property
    def spelling(self) -> bytes:
        """Equal for grids that snap every value alike."""
        return str(self.dtype).encode()

    @property
    def levels(self) -> Tensor:
        """Every finite value once (0 for both zeros)."""
        width = self.bits
        codes = torch.arange(2**width, dtype=torch.int32)
        raw = codes.to(torch.int16 if width == 16 else torch.uint8).view(self.dtype)
        values = raw.double()
        found: Tensor = torch.unique(values[values.isfinite()])
        return found

    @property
    def thresholds(self) -> Tensor:
        """Half-way points."""
        levels = self.levels
        return (levels[1:] + levels[:-1]) / 2

    def cuts(self, zero: Tensor | float, /) -> Tensor:
        """The thresholds themselves: a float's zero point is 0."""
        return self.thresholds - zero

    def indices(self, ratio: Tensor) -> Tensor:
        """The position of every value's level, int32."""
        return torch.bucketize(self.snap(ratio, 0).double(), self.levels, out_int32=True)

    def snap(self, ratio: Tensor, _zero: Tensor | int, /) -> Tensor:
        """Clamp to the largest value, then cast and back."""
        largest = float(torch.finfo(self.dtype).max)
        return ratio.clamp_(-largest, largest).to(self.dtype).float()
