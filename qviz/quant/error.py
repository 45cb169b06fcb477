"""Error metrics between values and their quantized selves, one function each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.quant.encoding import Dynamic, Encoding, Scaled
from qviz.quant.grids import Codebook, Integers
from qviz.quant.points import Points
from qviz.quant.slabs import can_cut, slabs
from qviz.quant.statistics import TensorStats

# RMSE over step of an error that is uniform over one step (Bennett, "Spectra of quantized
# signals", 1948: the noise of a fine quantizer is step²/12).
ROUNDING_NOISE = 1.0 / math.sqrt(12.0)
# RMSE over the spread of the values inside their bins from which a histogram tells the MSE to 2 %,
# since the squares of the two add up: 8 bins to a step of a uniform grid.
FINE = 8.0

# x, x̂, counts: float64 [rows, n] -> [rows]
ErrorMetric = Callable[[Tensor, Tensor, Tensor], Tensor]

ERROR_METRICS: dict[str, ErrorMetric] = {}


def error_metric(function: ErrorMetric) -> ErrorMetric:
    """Register an error metric under its function's name."""
    ERROR_METRICS[function.__name__] = function
    return function


def decibels(signal: Tensor, noise: Tensor) -> Tensor:
    """10·log10(signal / noise) of two sums of squares; inf where there is no noise."""
    found = 10.0 * (torch.log10(signal) - torch.log10(noise))
    return torch.where(noise == 0.0, math.inf, found)


@error_metric
def mse(x: Tensor, q: Tensor, counts: Tensor) -> Tensor:
    """Mean squared error."""
    return ((x - q).square() * counts).sum(1) / counts.sum(1)


@error_metric
def sqnr_db(x: Tensor, q: Tensor, counts: Tensor) -> Tensor:
    """10·log10(Σx² / Σ(x-x̂)²) in dB, the mean not removed; inf when exact."""
    signal = (x.square() * counts).sum(1)
    return decibels(signal, ((x - q).square() * counts).sum(1))


@error_metric
def cosine(x: Tensor, q: Tensor, counts: Tensor) -> Tensor:
    """x·x̂ / (‖x‖·‖x̂‖), the measure of EasyQuant (Wu et al. 2020).

    1 for two zero vectors, 0 when only one is zero.
    """
    norms = [(v.square() * counts).sum(1).sqrt() for v in (x, q)]
    product = norms[0] * norms[1]
    found = ((x * q * counts).sum(1) / product).clamp(max=1.0)
    return torch.where(product > 0.0, found, (norms[0] == norms[1]).double())


@error_metric
def max_error(x: Tensor, q: Tensor, counts: Tensor) -> Tensor:
    """Largest |x - x̂| over the values that occur."""
    return torch.where(counts > 0, (x - q).abs(), 0.0).amax(1)


@error_metric
def bias(x: Tensor, q: Tensor, counts: Tensor) -> Tensor:
    """Relative bias: mean(x̂ - x) / rms(x); 0 for zeros.

    The mean is what bias correction takes away (Nagel et al. 2019, "Data-free quantization
    through weight equalization and bias correction", §4.2); over the rms it has no unit.
    """
    rms = ((x.square() * counts).sum(1) / counts.sum(1)).sqrt()
    shift = ((q - x) * counts).sum(1) / counts.sum(1)
    return torch.where(rms > 0.0, shift / rms, 0.0)


@dataclass(frozen=True, slots=True)
class SlotError:
    """What quantization does to the values of one slot, or of one channel."""

    mse: float
    sqnr_db: float
    cosine: float
    max_error: float
    bias: float  # relative
    clipped: float  # share of values outside the grid, 0..1
    # RMSE in steps of the grid; 0.289 means rounding noise alone. None without a uniform step.
    rmse_steps: float | None = None
    sampled: int | None = None  # how many of the values were looked at; None: all of them


@dataclass(frozen=True, eq=False, slots=True)
class ChannelErrors:
    """The same per row of values, float64 [rows]; `rmse_steps` is None without a uniform step."""

    values: dict[str, Tensor]  # by the name of the metric
    clipped: Tensor
    rmse_steps: Tensor | None


def points_for(stats: TensorStats, encoding: Encoding) -> Points:
    """The values to measure an encoding on: a row per channel where its scales differ.

    Of an activation the histogram, or its sample where the histogram is too coarse for the grid.
    Blocks that are scaled as they come are measured on the sample as it lies.
    """
    if isinstance(encoding, Dynamic):
        return stats.as_it_lies()
    if stats.kept:
        return stats.points(channel=encoding.block is not None or encoding.scale.shape[0] > 1)
    return stats.points() if histogram_suffices(stats, encoding) else stats.sampled_points()


def histogram_suffices(stats: TensorStats, encoding: Scaled) -> bool:
    """Whether the errors of an activation follow from its histogram, each bin taken as its mean.

    So they do where they are large against the spread inside the bins, which is known exactly.
    """
    return bins_suffice(stats.points(), encoding, stats.inside_bins)


def bins_suffice(binned: Points, encoding: Scaled, inside: float) -> bool:
    """The same of bins with a squared spread of `inside` within them."""
    return float(squared_error(binned, encoding).sum()) >= FINE * FINE * inside


def measure_error(points: Points, encoding: Encoding) -> SlotError:
    """All error metrics of one encoding on weighted values [channels, n]."""
    if can_cut(points, encoding):
        return _measured_in_slabs(points, encoding)
    grid, x, q, counts = _quantized(points, encoding)
    clipped = _outside(points, grid)
    steps = _steps(grid, x, q)
    one = (x.reshape(1, -1), q.reshape(1, -1), counts.reshape(1, -1))
    values = {name: float(metric(*one)) for name, metric in ERROR_METRICS.items()}
    total = counts.sum()
    return SlotError(
        **values,
        clipped=float((clipped * counts).sum() / total),
        rmse_steps=None if steps is None else float((steps * counts).sum() / total) ** 0.5,
        sampled=points.sampled,
    )


def measure_channels(points: Points, encoding: Encoding) -> ChannelErrors:
    """All error metrics of every row."""
    if can_cut(points, encoding) and len(points.values) > 1:
        parts = [_channels(part, own) for part, own in slabs(points, encoding)]
        return _stacked(parts)
    return _channels(points, encoding)


def _channels(points: Points, encoding: Encoding) -> ChannelErrors:
    grid, x, q, counts = _quantized(points, encoding)
    steps = _steps(grid, x, q)
    total = counts.sum(1)
    return ChannelErrors(
        values={name: metric(x, q, counts) for name, metric in ERROR_METRICS.items()},
        clipped=(_outside(points, grid) * counts).sum(1) / total,
        rmse_steps=None if steps is None else ((steps * counts).sum(1) / total).sqrt(),
    )


def _stacked(parts: Sequence[ChannelErrors]) -> ChannelErrors:
    """The rows of several tables, one after the other."""
    steps = [part.rmse_steps for part in parts if part.rmse_steps is not None]
    return ChannelErrors(
        values={name: torch.cat([part.values[name] for part in parts]) for name in ERROR_METRICS},
        clipped=torch.cat([part.clipped for part in parts]),
        rmse_steps=torch.cat(steps) if steps else None,
    )


def _measured_in_slabs(points: Points, encoding: Encoding) -> SlotError:
    """The same of a table too large to widen at once, from the sums that metrics are made of."""
    count = xx = qq = xq = ee = e = clipped = steps = 0.0
    largest, stepped = 0.0, False
    for part, own in slabs(points, encoding):
        grid, x, q, counts = _quantized(part, own)
        error = q - x
        count += float(counts.sum())
        xx += float((x.square() * counts).sum())
        qq += float((q.square() * counts).sum())
        xq += float((x * q * counts).sum())
        ee += float((error.square() * counts).sum())
        e += float((error * counts).sum())
        largest = max(largest, float(max_error(x, q, counts).max()))
        clipped += float((_outside(part, grid) * counts).sum())
        squares = _steps(grid, x, q)
        if squares is not None:
            steps, stepped = steps + float((squares * counts).sum()), True
    rms, norms = math.sqrt(xx / count), math.sqrt(xx) * math.sqrt(qq)
    return SlotError(
        mse=ee / count,
        sqnr_db=float(decibels(*torch.tensor([xx, ee], dtype=torch.float64))),
        cosine=min(xq / norms, 1.0) if norms > 0.0 else float(xx == qq),
        max_error=largest,
        bias=e / count / rms if rms > 0.0 else 0.0,
        clipped=clipped / count,
        rmse_steps=math.sqrt(steps / count) if stepped else None,
        sampled=points.sampled,
    )


def _quantized(points: Points, encoding: Encoding) -> tuple[Scaled, Tensor, Tensor, Tensor]:
    grid = encoding.over_rows()
    scaled = grid.rows(points.values) if isinstance(grid, Dynamic) else grid
    x = points.values.double()
    q = scaled.apply(points.values).double()
    counts = torch.ones_like(x) if points.counts is None else points.counts.double()
    return scaled, x, q, counts.expand_as(x)


def _outside(points: Points, grid: Scaled) -> Tensor:
    """1 for values beyond the outermost cells, else 0, float64 [rows, n].

    Levels with thresholds of their own (signs, DoReFa's weights) have cells without an end.
    """
    if grid.step is not None and isinstance(grid.grid, Codebook):
        return torch.zeros_like(points.values, dtype=torch.float64)
    levels = grid.grid.levels
    margin = 1e-7 * float(levels[-1] - levels[0])  # the scale is rounded to float32
    below = float(levels[1] - levels[0]) / 2 + margin
    above = float(levels[-1] - levels[-2]) / 2 + margin
    zero, scale = grid.zero_point.double(), grid.scale.double()
    low = _over_values((float(levels[0]) - below - zero) * scale, points.values, grid.block)
    high = _over_values((float(levels[-1]) + above - zero) * scale, points.values, grid.block)
    values = points.values.double()
    return ((values < low) | (values > high)).double()


def _steps(grid: Scaled, x: Tensor, q: Tensor) -> Tensor | None:
    """Squared errors in steps of a uniform grid, float64 [rows, n]."""
    if not isinstance(grid.grid, Integers) or grid.step is not None:
        return None
    return ((x - q) / _over_values(grid.scale.double(), x, grid.block)).square()


def _over_values(parameter: Tensor, values: Tensor, block: int | None) -> Tensor:
    """Scales shaped to broadcast over a table of values [rows, n]."""
    if block is None:
        return parameter.unsqueeze(1)
    return parameter.repeat_interleave(block, 1)[:, : values.shape[1]]


def squared_error(points: Points, encoding: Scaled) -> Tensor:
    """Σ(x-x̂)² per row of `points` (float64), with one grid per row or one for all."""
    error = encoding.over_rows().apply(points.values).sub_(points.values)
    if points.counts is None:  # a square in float32 would underflow or overflow
        norms: Tensor = torch.linalg.vector_norm(error, dim=1, dtype=torch.float64)
        return norms.square()
    return (error.double().square() * points.counts).sum(1)
