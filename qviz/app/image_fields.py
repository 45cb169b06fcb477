"""Form fields of preprocessing: how pictures become what a model is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from qviz.app.preset_field import Pictures, chosen_preset, preset_field
from qviz.app.reading_fields import number, whole
from qviz.app.views import Choice, FormField
from qviz.data.preprocessing import (
    LARGEST_SIDE,
    Channels,
    Interpolation,
    Layout,
    Preprocessing,
)
from qviz.data.presets import propose, read_layout
from qviz.data.samples import InputSpec
from qviz.errors import QvizError

Word = TypeVar("Word", bound=str)
_CROP_SHARE = 7 / 8  # of the shorter side, as 224 of 256

INTERPOLATIONS: dict[Interpolation, tuple[str, str]] = {
    "nearest": ("nearest", "the nearest pixel: for masks and pixel art"),
    "bilinear": ("bilinear", "the usual choice, smoothed when the picture shrinks"),
    "bicubic": ("bicubic", "sharper: CLIP, vision transformers and many of timm"),
}
CHANNELS: dict[Channels, tuple[str, str]] = {
    "RGB": ("RGB", "red first: nearly all models"),
    "BGR": ("BGR", "blue first: models from Caffe and OpenCV"),
    "gray": ("gray", "one channel of brightness"),
}
LAYOUTS: dict[Layout, tuple[str, str]] = {
    "NCHW": ("NCHW", "channels, then rows and columns: PyTorch and ONNX"),
    "NHWC": ("NHWC", "rows and columns, then channels: TensorFlow"),
    "NHW": ("NHW", "rows and columns alone, without an axis of channels"),
}


def fields(chosen: Preprocessing | None, pictures: Pictures) -> Iterator[FormField]:
    """The fields of a preprocessing, or of the proposed one where None is chosen."""
    spec = pictures.spec
    yield preset_field(chosen, pictures)
    if chosen is None and pictures.as_they_are:
        return
    now = chosen or propose(spec)
    yield from _resize_fields(now)
    yield from _crop_fields(now)
    words = _segments(INTERPOLATIONS)
    yield FormField("interpolation", "Interpolation", "segments", now.interpolation, words)
    layout, depth, _, _ = read_layout(spec)
    known = spec.shape is not None and layout != "NHW"
    why = f"The model takes {depth} channels" if depth == 3 else "The model takes one channel"
    gray = {name: why for name in CHANNELS if known and (name == "gray") != (depth == 1)}
    yield FormField(
        "channels", "Channels", "segments", now.channels, _segments(CHANNELS, gray), "Their order"
    )
    if layout != "NHW":
        other = {name: f"The model takes {layout}" for name in LAYOUTS if known and name != layout}
        choices = tuple(c for c in _segments(LAYOUTS, other) if c.value != "NHW")
        yield FormField("layout", "Layout", "segments", now.layout, choices)
    tip = "x = (pixel · scale − mean) / std, with pixels from 0 to 255"
    yield FormField("scale", "Scale", "text", scale_text(now.scale), tip=tip)
    yield FormField("mean", "Mean", "text", numbers_text(now.mean), tip=f"{tip}; one per channel")
    yield FormField("std", "Std", "text", numbers_text(now.std), tip=f"{tip}; one per channel")


def _resize_fields(now: Preprocessing) -> Iterator[FormField]:
    choices = (
        Choice("none", "none", "Pictures keep their size"),
        Choice("short", "shorter side", "The proportions stay: crop afterwards"),
        Choice("exact", "exact", "Height and width, whatever the proportions"),
    )
    kind = "exact" if isinstance(now.resize, tuple) else "none" if now.resize is None else "short"
    yield FormField("resize", "Resize", "menu", kind, choices)
    if isinstance(now.resize, tuple):
        yield _side("resize_height", now.resize[0], "Height")
        yield _side("resize_width", now.resize[1], "Width")
    elif now.resize is not None:
        yield _side("resize_side", now.resize, "Shorter side")


def _crop_fields(now: Preprocessing) -> Iterator[FormField]:
    choices = (
        Choice("none", "none", "The whole picture"),
        Choice("center", "center", "Cut from the middle; smaller pictures get a black rim"),
    )
    yield FormField("crop", "Crop", "menu", "none" if now.crop is None else "center", choices)
    if now.crop is not None:
        height, width = now.size(1, 1)
        yield _side("crop_height", height, "Height")
        yield _side("crop_width", width, "Width")


def _side(name: str, value: int, tip: str) -> FormField:
    return FormField(
        name, "", "number", str(value), tip=f"{tip} in pixels", least=1, most=LARGEST_SIDE
    )


def _segments(
    words: Mapping[Word, tuple[str, str]], reasons: Mapping[Word, str] = MappingProxyType({})
) -> tuple[Choice, ...]:
    return tuple(Choice(name, *words[name], reasons.get(name, "")) for name in words)


def scale_text(scale: float) -> str:
    """0.00392… as 1/255."""
    inverse = 1.0 / scale
    near = round(inverse)
    return f"1/{near}" if abs(near) > 1 and 1.0 / near == scale else f"{scale:.6g}"


def numbers_text(values: tuple[float, ...]) -> str:
    """Values as they are typed: 0.485, 0.456, 0.406."""
    return ", ".join(f"{value:.6g}" for value in values)


def with_field(
    chosen: Preprocessing | None, pictures: Pictures, name: str, value: str
) -> Preprocessing | None:
    """The preprocessing with one field changed, None for the proposed one.

    Raises:
        QvizError: a value that the field does not take.
    """
    if name == "preset":
        return chosen_preset(chosen, pictures, value)
    spec = pictures.spec
    now = chosen or propose(spec)
    if name == "resize":
        return replace(now, resize=_resized(now, spec, value))
    if name == "crop":
        return replace(now, crop=None if value == "none" else _cropped(now, spec))
    return _CHANGES[name](now, value)


def _wanted(now: Preprocessing, spec: InputSpec) -> tuple[int, int]:
    """Height and width that the input takes, or that come out now."""
    _, _, height, width = read_layout(spec)
    fixed = now.crop or now.resize or 224
    found = fixed if isinstance(fixed, tuple) else (fixed, fixed)
    return height or found[0], width or found[1]


def _resized(now: Preprocessing, spec: InputSpec, kind: str) -> int | tuple[int, int] | None:
    if kind == "none":
        return None
    height, width = _wanted(now, spec)
    if kind == "exact":
        return height, width
    short = min(height, width)
    return short if now.crop is None else round(short / _CROP_SHARE)


def _cropped(now: Preprocessing, spec: InputSpec) -> int | tuple[int, int]:
    return _square(*_wanted(now, spec))


def _square(height: int, width: int) -> int | tuple[int, int]:
    return height if height == width else (height, width)


def _with_crop(now: Preprocessing, height: str | None, width: str | None) -> Preprocessing:
    high, wide = now.size(1, 1)
    crop = _square(
        high if height is None else whole(height), wide if width is None else whole(width)
    )
    return replace(now, crop=crop)


def _with_resize(now: Preprocessing, height: str | None, width: str | None) -> Preprocessing:
    high, wide = now.resize if isinstance(now.resize, tuple) else (224, 224)
    size = (high if height is None else whole(height), wide if width is None else whole(width))
    return replace(now, resize=size)


def _with_channels(now: Preprocessing, value: str) -> Preprocessing:
    """Mean and std stay with their colors; for gray they become the average."""
    channels = _word(CHANNELS, value)
    mean, std = now.mean, now.std
    if channels == "gray":
        mean, std = (_average(mean), _average(std))
    elif {channels, now.channels} == {"RGB", "BGR"}:
        mean, std = mean[::-1], std[::-1]
    layout: Layout = "NCHW" if now.layout == "NHW" and channels != "gray" else now.layout
    return replace(now, channels=channels, mean=mean, std=std, layout=layout)


def _average(values: tuple[float, ...]) -> tuple[float, ...]:
    return (sum(values) / len(values),)


def _word(words: Mapping[Word, tuple[str, str]], value: str) -> Word:
    for word in words:
        if word == value:
            return word
    raise QvizError(f"'{value}'", "there is no such choice", f"Choose {', '.join(words)}")


def _values(text: str) -> tuple[float, ...]:
    return tuple(number(part) for part in text.replace(";", ",").split(",") if part.strip()) or (
        number(text),
    )


_CHANGES: dict[str, Callable[[Preprocessing, str], Preprocessing]] = {
    "resize_side": lambda now, value: replace(now, resize=whole(value)),
    "resize_height": lambda now, value: _with_resize(now, value, None),
    "resize_width": lambda now, value: _with_resize(now, None, value),
    "crop_height": lambda now, value: _with_crop(now, value, None),
    "crop_width": lambda now, value: _with_crop(now, None, value),
    "interpolation": lambda now, value: replace(now, interpolation=_word(INTERPOLATIONS, value)),
    "channels": _with_channels,
    "layout": lambda now, value: replace(now, layout=_word(LAYOUTS, value)),
    "scale": lambda now, value: replace(now, scale=number(value)),
    "mean": lambda now, value: replace(now, mean=_values(value)),
    "std": lambda now, value: replace(now, std=_values(value)),
}
NAMES = frozenset({"preset", "resize", "crop", *_CHANGES})
