"""What a model is fed: random inputs to try it with, and whether given ones fit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import torch

from qviz.errors import QvizError
from qviz.model.model import Model, TensorInfo, Value

# Random values beyond this are not worth making; real samples of that size can still be given.
_LARGEST = 1 << 27  # values: 512 MiB of float32
_RATED = re.compile(r"^sr$|rate", re.I)
_RATE = 16_000  # of speech, which is what models with a sampling rate take
_MOST_AXES = 64  # that torch and numpy take


def synthetic_feeds(
    model: Model,
    batch: int = 1,
    seed: int = 0,
    free: int = 1,
    batch_axes: Mapping[str, int] | None = None,
) -> dict[str, torch.Tensor]:
    """Random inputs of the declared shapes: N(0, 1) floats, integers 0 and 1, sampling rates.

    A symbolic first dimension becomes `batch`, other symbolic ones `free`; `batch_axes` name the
    dimension of inputs whose batch is another. Raises QvizError when an input's rank or type is
    unknown, or it is too large.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = batch_axes or {}
    return {
        info.name: _synthetic(model, info, axes.get(info.name, 0), batch, free, generator)
        for info in model.inputs
    }


def _synthetic(
    model: Model, info: TensorInfo, along: int, batch: int, free: int, generator: torch.Generator
) -> torch.Tensor:
    if info.shape is None or info.dtype is None:
        raise QvizError(
            model.name,
            f"its input '{info.name}' declares no tensor shape and type",
            "Give samples for it",
        )
    shape = [
        size if isinstance(size, int) else batch if axis == along else free
        for axis, size in enumerate(info.shape)
    ]
    if len(shape) > _MOST_AXES or math.prod(max(size, 1) for size in shape) > _LARGEST:
        raise QvizError(
            model.name,
            f"its input '{info.name}' takes {_shape_text(info.shape[:8])}"
            f"{' and more axes' if len(info.shape) > 8 else ''}, too much to try it with",
            "Give samples for it",
        )
    if info.dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(info.dtype)
    if not shape and _RATED.search(info.name):
        return torch.tensor(_RATE, dtype=info.dtype)
    return torch.randint(0, 2, shape, generator=generator).to(info.dtype)


def check_feeds(model: Model, feeds: Mapping[str, Value]) -> None:
    """Raise QvizError unless every input is fed its type and shape; any first dimension fits."""
    for info in model.inputs:
        if info.name not in feeds:
            raise QvizError(
                model.name,
                f"its input '{info.name}' was given no samples",
                f"Give samples for all of its inputs: {', '.join(i.name for i in model.inputs)}",
            )
        value = feeds[info.name]
        if isinstance(value, torch.Tensor) and not _fits(info, value):
            raise QvizError(
                model.name,
                f"its input '{info.name}' takes {_described(info)}, but the samples are "
                f"{_text(value.dtype)} {tuple(value.shape)}",
                "Give samples of the declared shape and type",
            )


def _fits(info: TensorInfo, value: torch.Tensor) -> bool:
    if info.dtype is not None and value.dtype != info.dtype:
        return False
    if info.shape is None:
        return True
    if len(info.shape) != value.dim():
        return False
    pairs = zip(info.shape[1:], value.shape[1:], strict=True)
    return all(have == want for want, have in pairs if isinstance(want, int))


def _described(info: TensorInfo) -> str:
    shape = "any shape" if info.shape is None else _shape_text(info.shape)
    return f"{_text(info.dtype)} {shape}" if info.dtype else shape


def _shape_text(shape: Sequence[int | str | None]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


def _text(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.")
