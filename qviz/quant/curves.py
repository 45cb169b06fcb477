"""Curves: the error of a tensor as its clip or its width changes, and what each method chooses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qviz.quant.encode import find_encoding
from qviz.quant.error import measure_error, points_for
from qviz.quant.formats import FORMATS
from qviz.quant.profile import Profile, profile
from qviz.quant.ranges import RANGE_METHODS, per_channel
from qviz.quant.scale import grid_of
from qviz.quant.scheme import Scheme
from qviz.quant.search import Cost, cost_from_sums
from qviz.quant.statistics import TensorStats

POSITIONS = 48  # clips tried on each side of zero
BEYOND = 1.15  # the curve goes this much past the values
MOST_LEVELS = 1024  # grids finer than this have no curve: their error is far below anything drawn
FIXED = ("minmax", "average", "percentile", "clip")  # ranges that do not depend on the width
_NONE = torch.zeros(0, dtype=torch.float64)


@dataclass(frozen=True, eq=False, slots=True)
class ClipCurve:
    """SQNR in dB for a clip at each of the positions, ascending, float64."""

    positions: Tensor
    sqnr_db: Tensor


@dataclass(frozen=True, slots=True)
class RangeChoice:
    """What one range method chooses for a tensor (its widest channel), and the SQNR it gives."""

    method: str
    low: float
    high: float
    sqnr_db: float


@dataclass(frozen=True, slots=True)
class WidthPoint:
    """The SQNR that a format of the same family has with the same range method."""

    format: str
    bits: int
    sqnr_db: float


def can_curve(scheme: Scheme) -> bool:
    """Whether a clip set by hand means something, and its error follows from thresholds."""
    return (
        "clip" in scheme.ranges
        and scheme.rounding != "stochastic"
        and len(grid_of(scheme).levels) <= MOST_LEVELS
    )


def curve_profile(stats: TensorStats, scheme: Scheme) -> Profile:
    """The sorted values that the curves of a scheme are read from: enough for its widest format."""
    if stats.kept:
        return profile(stats.points(channel=per_channel(stats, scheme)))
    widest = widths(scheme)[-1]
    range_ = scheme.range if scheme.range in FIXED else "minmax"
    encoding = find_encoding(stats, replace(widest, range=range_))
    return profile(points_for(stats, encoding))


def clip_curve(values: Profile, stats: TensorStats, scheme: Scheme) -> ClipCurve:
    """The error if one end of the range were elsewhere; both ends of a symmetric grid move.

    Per channel a clip cuts every channel's own range, as a clip set by hand does. Zeros alone
    have no curve.
    """
    minmax = RANGE_METHODS["minmax"](stats, scheme)
    # Per channel the cut is made from each channel's own range; a tensor keeps its other end.
    low, high = minmax
    if len(low) == 1 and scheme.range in RANGE_METHODS:
        low, high = RANGE_METHODS[scheme.range](stats, scheme)
    cost = cost_from_sums(values, scheme, grid_of(scheme))
    top = max(float(minmax[1].max()), 0.0) * BEYOND
    bottom = min(float(minmax[0].min()), 0.0) * BEYOND
    if scheme.symmetric:
        top = max(top, -bottom)
        positions = _positions(top)
        if not positions.numel():
            return ClipCurve(positions, positions)
        errors = _cut_errors(cost, minmax, -positions, positions, cut=len(low) > 1)
        found = values.sqnr_db(errors)
        return ClipCurve(
            torch.cat([-positions.flip(0), positions]), torch.cat([found.flip(0), found])
        )
    lows, highs = -_positions(-bottom).flip(0), _positions(top)
    others = torch.full_like(lows, float(high.max())), torch.full_like(highs, float(low.min()))
    figures = [
        values.sqnr_db(_cut_errors(cost, minmax, *tried, cut=len(low) > 1))
        for tried in ((lows, others[0]), (others[1], highs))
        if tried[0].numel()
    ]
    return ClipCurve(torch.cat([lows, highs]), torch.cat([_NONE, *figures]))


def _positions(end: float) -> Tensor:
    """From zero, without it, to `end`; none where that is zero."""
    if end == 0.0:
        return _NONE
    return torch.linspace(0.0, end, POSITIONS + 1, dtype=torch.float64)[1:]


def _cut_errors(
    cost: Cost, own: tuple[Tensor, Tensor], lows: Tensor, highs: Tensor, *, cut: bool
) -> Tensor:
    """Squared errors [rows, trials]; with `cut` no row's range grows beyond its own."""
    rows = len(own[0])
    low, high = lows.expand(rows, -1), highs.expand(rows, -1)
    if cut:
        low = torch.maximum(low, own[0].unsqueeze(1))
        high = torch.minimum(high, own[1].unsqueeze(1))
    return cost(low, high)


def range_choices(
    stats: TensorStats, scheme: Scheme, values: Profile | None
) -> Iterator[RangeChoice]:
    """What every range method of the format chooses for this tensor, one by one.

    Errors come from the sorted `values`, without them from quantizing.
    """
    for method in scheme.ranges if "clip" in scheme.ranges else ():
        if method == "clip" or method not in RANGE_METHODS:
            continue
        if method == "average" and (stats.moving is None or per_channel(stats, scheme)):
            continue  # the same as min-max
        trial = replace(scheme, range=method)
        low, high = RANGE_METHODS[method](stats, trial)
        sqnr_db = _sqnr_db(stats, trial, values, low, high)
        yield RangeChoice(method, float(low.min()), float(high.max()), sqnr_db)


def _sqnr_db(
    stats: TensorStats, scheme: Scheme, values: Profile | None, low: Tensor, high: Tensor
) -> float:
    """Of one range per row, from sorted values where there are any."""
    if values is not None:
        cost = cost_from_sums(values, scheme, grid_of(scheme))
        return float(values.sqnr_db(cost(low.unsqueeze(1), high.unsqueeze(1)))[0])
    encoding = find_encoding(stats, scheme)
    return measure_error(points_for(stats, encoding), encoding).sqnr_db


def widths(scheme: Scheme) -> tuple[Scheme, ...]:
    """The scheme at every width that its family has, narrowest first.

    Wider than 8 bits only where the scheme itself is: their error is far below anything drawn.
    """
    most = max(8, scheme.bits)
    same = [
        row
        for row in FORMATS.values()
        if row.family == scheme.family
        and row.bits <= most
        and row.signed == scheme.signed
        and (row.family != "mx" or row.name == scheme.format or row.bits != scheme.bits)
    ]
    return tuple(replace(scheme, format=row.name) for row in sorted(same, key=lambda r: r.bits))


def width_points(
    stats: TensorStats, scheme: Scheme, values: Profile | None
) -> Iterator[WidthPoint]:
    """SQNR at every width of the family, one by one.

    From the sorted `values` it takes a millisecond where the range does not depend on the width.
    """
    for trial in widths(scheme):
        if values is None or trial.range not in RANGE_METHODS:
            encoding = find_encoding(stats, trial)
            error = measure_error(points_for(stats, encoding), encoding)
            yield WidthPoint(trial.format, trial.bits, error.sqnr_db)
        else:
            low, high = RANGE_METHODS[trial.range](stats, trial)
            yield WidthPoint(trial.format, trial.bits, _sqnr_db(stats, trial, values, low, high))
