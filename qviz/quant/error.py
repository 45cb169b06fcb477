"""Error metrics between values and their quantized selves, one function each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.quant.grids import Encoding, fake_quantize
from qviz.quant.statistics import Points

ErrorMetric = Callable[[Tensor, Tensor, Tensor], float]  # x, x̂, counts: float64, flat

ERROR_METRICS: dict[str, ErrorMetric] = {}


def error_metric(function: ErrorMetric) -> ErrorMetric:
    """Register an error metric under its function's name."""
    ERROR_METRICS[function.__name__] = function
    return function


@error_metric
def mse(x: Tensor, q: Tensor, counts: Tensor) -> float:
    """Mean squared error."""
    return float(((x - q).square() * counts).sum() / counts.sum())


@error_metric
def sqnr_db(x: Tensor, q: Tensor, counts: Tensor) -> float:
    """10·log10(Σx² / Σ(x-x̂)²) in dB, the mean not removed; inf when exact."""
    signal = float((x.square() * counts).sum())
    noise = float(((x - q).square() * counts).sum())
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


@error_metric
def cosine(x: Tensor, q: Tensor, counts: Tensor) -> float:
    """Cosine similarity; 1 for two zero vectors, 0 when only one is zero."""
    norms = [math.sqrt(float((v.square() * counts).sum())) for v in (x, q)]
    if 0.0 in norms:
        return 1.0 if norms[0] == norms[1] else 0.0
    return min(1.0, float((x * q * counts).sum()) / (norms[0] * norms[1]))


@error_metric
def max_error(x: Tensor, q: Tensor, counts: Tensor) -> float:
    """Largest |x - x̂| over the values that occur."""
    present = counts > 0
    return float((x - q).abs()[present].max()) if bool(present.any()) else 0.0


@dataclass(frozen=True, slots=True)
class SlotError:
    """What quantization does to the values of one slot."""

    mse: float
    sqnr_db: float
    cosine: float
    max_error: float
    clipped: float  # share of values outside the grid, 0..1


def measure_error(points: Points, encoding: Encoding) -> SlotError:
    """All error metrics of one encoding on weighted values [channels, n]."""
    grid = _rowwise(encoding, points.values.shape[0])
    quantized = fake_quantize(points.values, grid)
    counts = torch.ones_like(points.values) if points.counts is None else points.counts
    x, q, n = points.values.double().flatten(), quantized.double().flatten(), counts.flatten()
    values = {name: metric(x, q, n.double()) for name, metric in ERROR_METRICS.items()}
    return SlotError(**values, clipped=clipped_share(points, grid))


def clipped_share(points: Points, encoding: Encoding) -> float:
    """Share of values more than half a step outside the grid, where rounding alone cannot reach."""
    grid = _rowwise(encoding, points.values.shape[0])
    # The scale is rounded to float32, which alone can leave an end of the range outside.
    half = grid.scale.double() * (0.5 + 1e-7 * (grid.qmax - grid.qmin))
    low, high = (grid.low - half).unsqueeze(1), (grid.high + half).unsqueeze(1)
    values = points.values.double()
    outside = ((values < low) | (values > high)).double()
    counts = torch.ones_like(outside) if points.counts is None else points.counts
    return float((outside * counts).sum() / counts.sum())


def squared_error(points: Points, encoding: Encoding) -> Tensor:
    """Σ(x-x̂)² per row of `points` (float64), with one grid per row or one for all."""
    grid = _rowwise(encoding, points.values.shape[0])
    error = fake_quantize(points.values, grid).sub_(points.values)
    if points.counts is None:  # a square in float32 would underflow or overflow
        norms: Tensor = torch.linalg.vector_norm(error, dim=1, dtype=torch.float64)
        return norms.square()
    return (error.double().square() * points.counts).sum(1)


def _rowwise(encoding: Encoding, rows: int) -> Encoding:
    """The same grid with its channels along axis 0 of a [rows, n] table of values."""
    if encoding.scale.numel() == rows:
        scale, zero = encoding.scale, encoding.zero_point
    else:
        scale, zero = encoding.scale.expand(rows), encoding.zero_point.expand(rows)
    return Encoding(scale, zero, encoding.qmin, encoding.qmax, 0)
