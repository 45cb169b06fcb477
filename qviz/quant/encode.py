"""Encode: statistics + scheme -> what the scheme becomes on that tensor."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from qviz.quant.axes import Axes
from qviz.quant.clusters import kmeans, lloyd_max
from qviz.quant.codebooks import dorefa_weights, sign
from qviz.quant.encoding import Dynamic, Encoding, Scaled, block_scales, blocked
from qviz.quant.error import histogram_suffices
from qviz.quant.grids import Integers, codebook
from qviz.quant.points import Points
from qviz.quant.profile import profile
from qviz.quant.ranges import RANGE_METHODS, per_channel
from qviz.quant.scale import grid_of, scale_for
from qviz.quant.scheme import Scheme
from qviz.quant.search import search_range
from qviz.quant.statistics import TensorStats

TWN_THRESHOLD = 0.7  # of mean|w| (Li, Zhang and Liu, "Ternary weight networks", 2016)


def find_encoding(stats: TensorStats, scheme: Scheme) -> Encoding:
    """What a scheme other than float becomes on the tensor that `stats` describes.

    Stored scales are the file's, where it has them for this very grid; else the range is min-max.
    """
    if scheme.range == "stored":
        found = _stored(stats.stored, scheme)
        return found or find_encoding(stats, replace(scheme, range=scheme.ranges[0]))
    match scheme.family:
        case "mx" | "nvfp4":
            return _block_scaled(stats, scheme)
        case "kmeans" | "lloyd":
            return _fitted(stats, scheme)
        case "ternary" if scheme.range == "twn":
            return _ternary(stats, scheme)
        case "binary":
            return _binary(stats, scheme)
        case "dorefa-w" if scheme.bits == 1:
            return _layer_wide(stats, scheme)
        case "dorefa-w":
            largest = _largest(stats)
            gain = largest if scheme.range == "minmax" else 1.0
            one = torch.ones(1)
            return Scaled(
                dorefa_weights(scheme.bits, largest), gain * one, _no_zero(one), None, step=one
            )
        case "dorefa-a":
            top = _largest(stats) if scheme.range == "minmax" else 1.0
            scale = torch.tensor([(top or 1.0) / (2**scheme.bits - 1)])
            return Scaled(grid_of(scheme), scale, _no_zero(scale), None)
        case "cast":
            return Scaled(grid_of(scheme), torch.ones(1), _no_zero(torch.ones(1)), None)
    if scheme.granularity == "group" and stats.kept:
        return _grouped(stats, scheme)
    return _ranged(stats, scheme)


def encode(low: Tensor, high: Tensor, scheme: Scheme, axis: Axes) -> Scaled:
    """The encoding that covers [low, high] (float64, in the shape of its scales) under a scheme."""
    grid = grid_of(scheme)
    scale, zero = scale_for(low, high, scheme, grid)
    return Scaled(grid, scale, zero, axis)


def fits_stored(stored: Scaled | None, scheme: Scheme) -> bool:
    """Whether a file's scales are of this scheme's codes, at its granularity."""
    return _stored(stored, scheme) is not None


def _stored(stored: Scaled | None, scheme: Scheme) -> Scaled | None:
    if stored is None:
        return None
    grid = grid_of(scheme)
    if not torch.equal(grid.levels, stored.grid.levels):
        return None
    same = {
        "tensor": stored.scale.numel() == 1,
        "channel": stored.axis is not None and stored.block is None,
        "group": stored.block == scheme.group,
    }
    if scheme.symmetric and bool((stored.zero_point != scheme.middle).any()):
        return None
    return replace(stored, grid=grid) if same[scheme.granularity] else None


def _ranged(stats: TensorStats, scheme: Scheme) -> Scaled:
    """A grid that covers the range of its range method, or has scale 1."""
    grid = grid_of(scheme)
    # Stochastic rounding draws along the channels, also where they share one scale.
    stochastic = isinstance(grid, Integers) and grid.rounding == "stochastic"
    axis = stats.axis if stochastic or per_channel(stats, scheme) else None
    if scheme.range == "unit":
        ones = torch.ones(max(stats.channels, 1) if axis is not None else 1)
        return Scaled(grid, ones, _no_zero(ones), axis)
    low, high = RANGE_METHODS[scheme.range](stats, scheme)
    return encode(low, high, scheme, axis)


def _grouped(stats: TensorStats, scheme: Scheme) -> Scaled:
    """A scale for every `group` consecutive weights of a channel."""
    blocks = blocked(_rows(stats), scheme.group)
    low, high = blocks.amin(2).double(), blocks.amax(2).double()
    if scheme.range == "mse":
        table = Points(blocks.reshape(-1, scheme.group))
        flat = search_range(table, scheme, (low.reshape(-1), high.reshape(-1)))
        low, high = (end.reshape(low.shape) for end in flat)
    return replace(encode(low, high, scheme, stats.axis), block=scheme.group)


def _block_scaled(stats: TensorStats, scheme: Scheme) -> Encoding:
    """MX and NVFP4: weights have their scales now, activations take them as they come."""
    tensor_scale = None
    if scheme.family == "nvfp4":  # E2M1 reaches 6, and the block scales E4M3's 448
        tensor_scale = _largest(stats) / (6.0 * 448.0) or 1.0
    if not stats.kept:
        axis = stats.axis if isinstance(stats.axis, int) else None
        return Dynamic(grid_of(scheme), scheme.format, axis, scheme.group, tensor_scale)
    scale = block_scales(_rows(stats), scheme.format, scheme.group, tensor_scale)
    return Scaled(grid_of(scheme), scale, _no_zero(scale), stats.axis, scheme.group)


def _fitted(stats: TensorStats, scheme: Scheme) -> Scaled:
    """One codebook for the tensor, its levels the values themselves."""
    found = _fitted_to(stats.points(), scheme)
    if stats.kept or histogram_suffices(stats, found):
        return found
    return _fitted_to(stats.sampled_points(), scheme)


def _fitted_to(points: Points, scheme: Scheme) -> Scaled:
    values = profile(points)
    if scheme.family == "lloyd":
        levels = lloyd_max(values, 2**scheme.bits)
    else:
        levels = kmeans(values, 2**scheme.bits, scheme.variant, scheme.seed)
    one = torch.ones(1)
    return Scaled(codebook(levels), one, _no_zero(one), None)


def _ternary(stats: TensorStats, scheme: Scheme) -> Scaled:
    """0 up to 0.7·mean|w|, beyond it the mean of what lies beyond (TWN)."""
    exact = _rows(stats)
    rows = exact if per_channel(stats, scheme) else exact.reshape(1, -1)
    size = rows.double().abs()
    threshold = TWN_THRESHOLD * size.mean(1)
    beyond = size > threshold.unsqueeze(1)
    scale = (size * beyond).sum(1) / beyond.sum(1).clamp(min=1)
    axis = stats.axis if per_channel(stats, scheme) else None
    # Rounding to integers switches at half a step; a tie goes to the even code, zero.
    return _means(scheme, scale, axis, step=2.0 * threshold)


def _binary(stats: TensorStats, scheme: Scheme) -> Scaled:
    """sign(x), times mean|x| per channel or tensor (BWN, XNOR-Net) or as it is (BNN)."""
    axis = stats.axis if per_channel(stats, scheme) else None
    count = stats.channels if axis is not None else 1
    if scheme.range == "unit":
        return _means(scheme, torch.ones(count, dtype=torch.float64), axis)
    if axis is None:
        return _layer_wide(stats, scheme)
    return _means(scheme, _rows(stats).double().abs().mean(1), axis)


def _layer_wide(stats: TensorStats, scheme: Scheme) -> Scaled:
    """sign(w)·mean|w| over the whole layer (DoReFa-Net's one-bit weights, eq. 7)."""
    points = stats.points()
    size = points.values.double().abs()
    if points.counts is None:
        mean = size.mean()
    else:
        mean = (size * points.counts).sum() / points.counts.sum()
    return _means(scheme, mean.reshape(1), None)


def _means(scheme: Scheme, scale: Tensor, axis: Axes, step: Tensor | None = None) -> Scaled:
    """Two or three levels; where the mean is of nothing but zeros, x̂ is zero."""
    means, nothing = scale.float(), scale.float() == 0.0
    one = torch.where(nothing, 1.0, means)
    if scheme.bits == 1:  # no level but the mean's own can be zero
        return Scaled(sign(), means, _no_zero(means), axis, step=one)
    steps = None if step is None else torch.where(nothing, 1.0, step.float())
    return Scaled(Integers(-1, 1), one, _no_zero(one), axis, step=steps)


def _rows(stats: TensorStats) -> Tensor:
    """The weight's values [channels, n]; raises ValueError for an activation."""
    exact = stats.exact
    if exact is None:
        raise ValueError("an activation's values are not kept")
    return exact


def _largest(stats: TensorStats) -> float:
    return max(0.0, -float(stats.minimum.min()), float(stats.maximum.max()))


def _no_zero(scale: Tensor) -> Tensor:
    return torch.zeros_like(scale, dtype=torch.int32)
