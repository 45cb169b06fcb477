"""Encoding: what a scheme becomes on one tensor, and how values meet it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qviz.quant.axes import Axes, from_rows, to_rows
from qviz.quant.grids import Codebook, Grid, Integers, NarrowFloat

MOST_LEVELS = 1 << 16  # of integers; no scaled grid reaches farther than that from zero


@dataclass(frozen=True, eq=False, slots=True)
class Scaled:
    """Fixed scales: x̂ = snap(x / step, zero_point)·scale, where `step` is `scale` unless given.

    `scale` is float32 and `zero_point` int32 of shape [1] (one for the tensor), [channels] along
    `axis`, or [channels, blocks] for blocks of `block` consecutive values of a channel. With
    integers this is ONNX QuantizeLinear and DequantizeLinear.
    """

    grid: Grid
    scale: Tensor
    zero_point: Tensor
    axis: Axes
    block: int | None = None
    step: Tensor | None = None

    @property
    def low(self) -> Tensor:
        """Lowest representable value per scale, float64, in the shape of `scale`."""
        return self._end(0)

    @property
    def high(self) -> Tensor:
        """Highest representable value per scale, float64."""
        return self._end(-1)

    def _end(self, at: int) -> Tensor:
        return (float(self.grid.levels[at]) - self.zero_point.double()) * self.scale.double()

    @property
    def key(self) -> bytes:
        """Content hash: equal keys quantize every tensor to the same values."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(self.grid.spelling)
        digest.update(f"{self.axis} {self.block} {tuple(self.scale.shape)}".encode())
        for tensor in (self.scale, self.zero_point, self.step):
            digest.update(b"-" if tensor is None else tensor.numpy().tobytes())
        return digest.digest()

    def levels(self, channel: int = 0, block: int = 0) -> Tensor:
        """Every value that one channel (or one of its blocks) can take, ascending, float64."""
        return (self.grid.levels - self._at(self.zero_point, channel, block)) * self._at(
            self.scale, channel, block
        )

    def thresholds(self, channel: int = 0, block: int = 0) -> Tensor:
        """Where the chosen level changes, ascending, float64."""
        zero = self._at(self.zero_point, channel, block)
        step = self.scale if self.step is None else self.step
        return self.grid.cuts(zero) * self._at(step, channel, block)

    def _at(self, parameter: Tensor, channel: int, block: int) -> float:
        """One channel's (and block's) entry; the last one where there are fewer."""
        row = parameter.reshape(parameter.shape[0], -1)
        row = row[min(channel, row.shape[0] - 1)]
        return float(row[min(block, row.numel() - 1)])

    def apply(self, x: Tensor) -> Tensor:
        """Quantize and dequantize; same shape and dtype as `x`.

        A zero may keep the sign of what was rounded to it.
        """
        axis = self.axis
        if isinstance(axis, tuple) or (axis and self._draws()):
            return from_rows(replace(self, axis=0).apply(to_rows(x, axis)), axis, x.shape)
        if self.block is not None:
            return self._held(_in_blocks(x.float(), axis, self.block, self._snap_blocks), x.dtype)
        if self.scale.numel() == 1:
            scale = self.scale[0]
            step = scale if self.step is None else self.step[0]
            out = self.grid.snap(torch.div(x.float(), step), int(self.zero_point[0]))
            return self._held(out.mul_(scale), x.dtype)
        scale = _along(self.scale, x.ndim, axis)
        step = scale if self.step is None else _along(self.step, x.ndim, axis)
        out = self.grid.snap(torch.div(x.float(), step), _along(self.zero_point, x.ndim, axis))
        return self._held(out.mul_(scale), x.dtype)

    def _held(self, out: Tensor, dtype: torch.dtype) -> Tensor:
        """In the tensor's own type; the outermost levels may lie just beyond what that holds."""
        largest = min(torch.finfo(kind).max for kind in (dtype, torch.float32))
        if dtype != torch.float32 or float(self.scale.max()) > largest / MOST_LEVELS:
            out.clamp_(-largest, largest)
        return out.to(dtype)

    def _draws(self) -> bool:
        """Stochastic rounding follows the order of the channels, wherever their axis lies."""
        return isinstance(self.grid, Integers) and self.grid.rounding == "stochastic"

    def _snap_blocks(self, blocks: Tensor) -> Tensor:
        scale = self.scale.unsqueeze(-1)
        out = self.grid.snap(torch.div(blocks, scale), self.zero_point.unsqueeze(-1))
        return out.mul_(scale)

    def codes(self, x: Tensor) -> Tensor:
        """Codes (int32): integers saturated with the zero point added, or positions of levels."""
        axis = self.axis
        if isinstance(axis, tuple) or (axis and self._draws()):
            return from_rows(replace(self, axis=0).codes(to_rows(x, axis)), axis, x.shape)
        if self.block is not None:
            return _in_blocks(x.float(), axis, self.block, self._block_codes).to(torch.int32)
        scale = _along(self.scale if self.step is None else self.step, x.ndim, axis)
        zero = _along(self.zero_point, x.ndim, axis)
        ratio = torch.div(x.float(), scale)
        if isinstance(self.grid, Codebook | NarrowFloat):
            return self.grid.indices(ratio.contiguous())
        # Saturating before the zero point keeps huge quotients inside int32.
        return self.grid.snap(ratio, zero).to(torch.int32) + zero

    def _block_codes(self, blocks: Tensor) -> Tensor:
        ratio = torch.div(blocks, self.scale.unsqueeze(-1))
        if isinstance(self.grid, Codebook | NarrowFloat):
            return self.grid.indices(ratio).float()
        zero = self.zero_point.unsqueeze(-1)
        return self.grid.snap(ratio, zero) + zero

    def over_rows(self) -> Scaled:
        """The same for a table of values [channels, n] instead of the tensor."""
        return self if self.axis is None else replace(self, axis=0)

    @property
    def unbounded(self) -> bool:
        """Whether the grid reaches far beyond any tensor: a cast without a scale."""
        return isinstance(self.grid, NarrowFloat) and self.grid.bits == 16

    def leading(self, columns: int) -> Scaled:
        """The same for a table of the first `columns` values of every channel."""
        if self.block is None:
            return self
        blocks = -(-columns // self.block)
        return replace(self, scale=self.scale[:, :blocks], zero_point=self.zero_point[:, :blocks])

    def one_block(self, channel: int, block: int) -> Scaled:
        """One block alone, for a table of one row that holds its values."""
        row, at = slice(channel, channel + 1), slice(block, block + 1)
        scale, zero = self.scale[row, at], self.zero_point[row, at]
        return replace(self, scale=scale, zero_point=zero, axis=0)

    def row(self, channel: int) -> Scaled:
        """One channel alone, for a table of one row."""
        if self.axis is None or self.scale.shape[0] == 1:
            return self.over_rows()
        at = slice(channel, channel + 1)
        step = None if self.step is None else self.step[at]
        return replace(
            self, scale=self.scale[at], zero_point=self.zero_point[at], step=step, axis=0
        )


@dataclass(frozen=True, eq=False, slots=True)
class Dynamic:
    """Block scales taken from the values themselves when they arrive: activations in MX or NVFP4.

    Blocks lie along `axis`, the reduction axis. `tensor_scale` is NVFP4's second scale, from
    calibration; MX formats have none.
    """

    grid: Grid
    format: str
    axis: int | None
    block: int
    tensor_scale: float | None = None

    @property
    def key(self) -> bytes:
        """Content hash: equal keys quantize every tensor to the same values."""
        text = f"{self.format} {self.axis} {self.block} {self.tensor_scale!r}"
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def apply(self, x: Tensor) -> Tensor:
        """Quantize and dequantize; same shape and dtype as `x`."""
        if x.numel() == 0:
            return x.clone()
        last = x.movedim(-1 if self.axis is None else self.axis, -1)
        rows = last.reshape(-1, last.shape[-1])
        done = self.rows(rows).apply(rows).reshape(last.shape)
        return done.movedim(-1, -1 if self.axis is None else self.axis)

    def rows(self, rows: Tensor) -> Scaled:
        """The scales of a table of values [rows, n], blocks along the rows."""
        scale = block_scales(rows, self.format, self.block, self.tensor_scale)
        return Scaled(self.grid, scale, torch.zeros_like(scale, dtype=torch.int32), 0, self.block)

    def over_rows(self) -> Dynamic:
        """The same for a table of values whose rows lie along the reduction axis."""
        return replace(self, axis=1)


Encoding = Scaled | Dynamic

# Exponent of the largest element of each MX format, and of MXINT8's implied 2^-6
# (OCP Microscaling Formats v1.0, table 1).
MX_EXPONENTS: dict[str, int] = {
    "mxfp4": 2,
    "mxfp6-e2m3": 2,
    "mxfp6-e3m2": 4,
    "mxfp8-e4m3": 8,
    "mxfp8-e5m2": 15,
    "mxint8": 6,
}


def block_scales(rows: Tensor, name: str, block: int, tensor_scale: float | None) -> Tensor:
    """Scale of every block of a table [rows, n], float32 [rows, blocks].

    MX: 2^(⌊log2 max|v|⌋ - emax) as E8M0 (OCP v1.0, §6.3). NVFP4: max|v|/6 over the tensor's
    scale, rounded to E4M3. Blocks of zeros get scale 1; NaN and infinite values do
    not count.
    """
    blocks = blocked(rows.float(), block)
    largest = blocks.abs().amax(-1)
    if not bool(largest.isfinite().all()):
        largest = torch.where(blocks.isfinite(), blocks, 0.0).abs().amax(-1)
    if tensor_scale is None:
        exponent = torch.frexp(largest).exponent - 1 - MX_EXPONENTS[name]
        scale = torch.ldexp(torch.ones_like(largest), exponent.clamp(-126, 127))
        return torch.where(largest > 0.0, scale, 1.0)
    relative = (largest / 6.0 / tensor_scale).clamp(max=448.0).to(torch.float8_e4m3fn).float()
    return torch.where(relative > 0.0, relative, 1.0) * tensor_scale


def blocked(rows: Tensor, block: int) -> Tensor:
    """[rows, n] cut into [rows, blocks, block]; the last block is filled up with zeros."""
    ragged = -rows.shape[1] % block
    filled = torch.nn.functional.pad(rows, (0, ragged)) if ragged else rows
    return filled.reshape(rows.shape[0], -1, block)


def _in_blocks(x: Tensor, axis: int | None, block: int, snap: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply `snap` to the blocks of every channel, in the tensor's own shape."""
    if x.numel() == 0:
        return x.clone()
    moved = x.reshape(1, -1) if axis is None else x.movedim(axis, 0)
    rows = moved.reshape(moved.shape[0], -1)
    done = snap(blocked(rows.float(), block)).reshape(rows.shape[0], -1)[:, : rows.shape[1]]
    out = done.reshape(moved.shape)
    return (out.reshape(x.shape) if axis is None else out.movedim(0, axis)).to(x.dtype)


def _along(values: Tensor, ndim: int, axis: int | None) -> Tensor:
    """Per-channel parameters shaped to broadcast along `axis` of a tensor of `ndim` dimensions."""
    if axis is None or values.numel() == 1:
        return values.reshape(())
    shape = [1] * ndim
    shape[axis] = values.numel()
    return values.reshape(shape)
