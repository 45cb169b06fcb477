"""Resize and Upsample, one axis at a time."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qviz.model.model import Step
from qviz.model.operators.axes import positive
from qviz.model.operators.registry import UnsupportedError, operator


@operator("Upsample", until=9)
def upsample(step: Step, x: Tensor, scales: Tensor | None = None) -> Tensor:
    """Enlarge by factors; positions scale without an offset."""
    given = step.attributes["scales"] if scales is None else scales.tolist()
    return _resized(step, x, _by_scales(x, list(given)), "asymmetric", "floor")


@operator("Resize", until=10)
def resize_10(step: Step, x: Tensor, scales: Tensor) -> Tensor:
    """Opset 10: by factors; positions scale without an offset."""
    return _resized(step, x, _by_scales(x, scales.tolist()), "asymmetric", "floor")


@operator("Resize", since=11)
def resize(
    step: Step,
    x: Tensor,
    _roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
) -> Tensor:
    """To sizes or by factors, in the modes nearest and linear."""
    get = step.attributes.get
    if get("antialias", 0) or get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedError("Resize with antialiasing or a kept aspect ratio")
    axes = [positive(axis, x.dim()) for axis in get("axes") or range(x.dim())]
    if sizes is not None and sizes.numel():
        outs = dict(zip(axes, sizes.tolist(), strict=True))
        plan = {axis: (out, out / x.shape[axis]) for axis, out in outs.items()}
    elif scales is not None and scales.numel():
        plan = _by_scales(x, scales.tolist(), axes)
    else:
        raise UnsupportedError("Resize without sizes or scales")
    return _resized(
        step,
        x,
        plan,
        get("coordinate_transformation_mode", "half_pixel"),
        get("nearest_mode", "round_prefer_floor"),
    )


def _by_scales(
    x: Tensor, scales: list[float], axes: list[int] | None = None
) -> dict[int, tuple[int, float]]:
    chosen = range(x.dim()) if axes is None else axes
    return {
        axis: (math.floor(x.shape[axis] * scale), scale)
        for axis, scale in zip(chosen, scales, strict=True)
    }


def _resized(
    step: Step, x: Tensor, plan: dict[int, tuple[int, float]], coordinates: str, rounding: str
) -> Tensor:
    mode = step.attributes.get("mode", "nearest")
    linear = mode in ("linear", "bilinear") and x.dtype.is_floating_point
    if mode != "nearest" and not linear:
        raise UnsupportedError(f"Resize in mode {mode}")
    for axis, (out, scale) in plan.items():
        if out == x.shape[axis] and scale == 1:
            continue
        places = _positions(coordinates, out, x.shape[axis], scale)
        if mode == "nearest":
            x = x.index_select(axis, _nearest(places, rounding).clamp(0, x.shape[axis] - 1))
        else:
            x = _interpolated(x, axis, places)
    return x


def _positions(mode: str, out: int, size: int, scale: float) -> Tensor:
    """Where each output position lies in the input; in float32, as the references compute it."""
    place = torch.arange(out, dtype=torch.float32)
    factor = torch.tensor(scale, dtype=torch.float32)
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and out > 1):
        return (place + 0.5) / factor - 0.5
    if mode == "pytorch_half_pixel":
        return torch.zeros(out)
    if mode == "asymmetric":
        return place / factor
    if mode == "align_corners":
        return place * (size - 1) / (out - 1) if out > 1 else torch.zeros(out)
    if mode == "half_pixel_symmetric":
        adjustment = out / (size * scale)
        offset = size / 2 * (1 - adjustment)
        return offset + (place + 0.5) / factor - 0.5
    raise UnsupportedError(f"coordinates {mode}")


def _nearest(places: Tensor, rounding: str) -> Tensor:
    match rounding:
        case "round_prefer_floor":
            return torch.ceil(places - 0.5).long()
        case "round_prefer_ceil":
            return torch.floor(places + 0.5).long()
        case "floor":
            return torch.floor(places).long()
        case _:
            return torch.ceil(places).long()


def _interpolated(x: Tensor, axis: int, places: Tensor) -> Tensor:
    last = x.shape[axis] - 1
    places = places.clamp(0, last)
    left = torch.floor(places).long()
    right = (left + 1).clamp(max=last)
    shape = [1] * x.dim()
    shape[axis] = -1
    weight = (places - left).to(x.dtype).reshape(shape)
    return x.index_select(axis, left) * (1 - weight) + x.index_select(axis, right) * weight
