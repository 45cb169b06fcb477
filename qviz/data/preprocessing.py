"""Preprocessing: what is done to a picture's pixels before a model takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qviz.data.samples import Array, InputSpec
from qviz.errors import QvizError

Interpolation = Literal["nearest", "bilinear", "bicubic"]
Channels = Literal["RGB", "BGR", "gray"]
Layout = Literal["NCHW", "NHWC", "NHW"]
Size = int | tuple[int, int] | None
Picture = NDArray[np.uint8]  # [height, width, channels]

SUBJECT = "preprocessing"
LARGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize, center crop, then x = (pixel · scale − mean) / std with pixels 0 to 255.

    `resize` is the shorter side or (height, width) in pixels, `crop` a side or (height, width);
    None leaves a step out. `mean` and `std` have one value, or one per channel in the order of
    `channels`. Raises QvizError where a value is impossible.
    """

    resize: Size = None
    interpolation: Interpolation = "bilinear"
    crop: Size = None
    channels: Channels = "RGB"
    layout: Layout = "NCHW"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse what no picture can be put through."""
        _check_choice("interpolation", self.interpolation, get_args(Interpolation))
        _check_choice("channels", self.channels, get_args(Channels))
        _check_choice("layout", self.layout, get_args(Layout))
        _check_size("resize", self.resize)
        _check_size("crop", self.crop)
        if self.layout == "NHW" and self.channels != "gray":
            raise _impossible("layout NHW has no place for channels", "Choose gray, NCHW or NHWC")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.depth):
                raise _impossible(
                    f"{name} has {len(values)} values for {self.depth} channels",
                    "Give one value, or one per channel",
                )
        numbers = (self.scale, *self.mean, *self.std)
        if not np.isfinite(numbers).all() or not self.scale or 0.0 in self.std:
            raise _impossible("scale and std must not be zero, nor any number infinite", "Mend it")

    @property
    def depth(self) -> int:
        """Number of channels."""
        return 1 if self.channels == "gray" else 3

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing: the longer side becomes int(n · long / short).

        Source: torchvision's Resize.
        """
        if self.resize is None:
            return height, width
        if isinstance(self.resize, tuple):
            return self.resize
        short = self.resize
        if height <= width:
            return short, max(int(short * width / height), 1)
        return max(int(short * height / width), 1), short

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what the model is given, of a picture of this size."""
        if self.crop is None:
            return self.resized(height, width)
        return self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)

    def arranged(self, height: int | None, width: int | None) -> tuple[int | None, ...]:
        """The shape of one sample of this size."""
        if self.layout == "NHW":
            return height, width
        if self.layout == "NHWC":
            return height, width, self.depth
        return self.depth, height, width


def shape(preprocessing: Preprocessing, spec: InputSpec) -> tuple[int | None, ...]:
    """The shape of one sample as it will be given to an input; None where the picture decides.

    Raises:
        QvizError: the input takes another shape, or a type that cannot hold the numbers.
    """
    fixed = preprocessing.crop or preprocessing.resize
    known = isinstance(fixed, tuple) or preprocessing.crop is not None
    height, width = preprocessing.size(1, 1) if known else (None, None)
    given = preprocessing.arranged(height, width)
    if spec.shape is not None:
        wanted = spec.shape[1:]
        fits = len(wanted) == len(given) and all(
            None in (want, have) or want == have for want, have in zip(wanted, given, strict=True)
        )
        if not fits:
            raise _impossible(
                f"model input '{spec.name}' takes {_spelled(wanted)}, not {_spelled(given)}",
                "Change size, channels or layout to what the model takes",
            )
    value_table(preprocessing, np.dtype(spec.dtype))
    return given


def value_table(preprocessing: Preprocessing, dtype: np.dtype[Any]) -> Array:
    """What each of the 256 values of a pixel becomes [channels, 256], rounded once from float64.

    Raises:
        QvizError: a type that cannot hold these numbers.
    """
    depth = preprocessing.depth
    mean = np.broadcast_to(np.array(preprocessing.mean), depth)[:, None]
    std = np.broadcast_to(np.array(preprocessing.std), depth)[:, None]
    table = (np.arange(256) * preprocessing.scale - mean) / std
    low, high = float(table.min()), float(table.max())
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        held = limits.min <= low and high <= limits.max and bool((table == np.rint(table)).all())
    else:
        held = dtype.kind == "f" and max(-low, high) <= float(np.finfo(dtype).max)
    if not held:
        raise _impossible(
            f"pixels become numbers from {low:g} to {high:g}, which {dtype.name} cannot hold",
            "Choose the preset 'raw 0…255', or other scale, mean and std",
        )
    rounded: Array = table.astype(dtype)
    return rounded


def values(pictures: Picture, preprocessing: Preprocessing, dtype: np.dtype[Any]) -> Array:
    """Pictures [n, height, width, channels] as the numbers that the model is given."""
    table = value_table(preprocessing, dtype)
    depth = preprocessing.depth
    if preprocessing.layout == "NHWC":
        found = np.empty(pictures.shape, dtype)
        for channel in range(depth):
            found[..., channel] = table[channel][pictures[..., channel]]
        return found
    planes = np.stack([table[channel][pictures[..., channel]] for channel in range(depth)], 1)
    return planes[:, 0] if preprocessing.layout == "NHW" else planes


def to_json(preprocessing: Preprocessing) -> dict[str, Any]:
    """Readable JSON values, in a stable order; sizes and means as lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(preprocessing).items()
    }


def from_json(data: object, subject: str) -> Preprocessing:
    """Read what `to_json` gave; missing fields take their defaults.

    Raises:
        QvizError: no such fields, or impossible values.
    """
    known = {field.name for field in fields(Preprocessing)}
    if not isinstance(data, Mapping) or not set(data) <= known:
        raise QvizError(
            subject, "its preprocessing is not understood", f"Use the fields {', '.join(known)}"
        )
    try:
        given = {name: _from_json(name, value) for name, value in data.items()}
        return Preprocessing(**given)
    except QvizError as error:
        raise QvizError(subject, error.cause, error.cure) from None
    except (TypeError, ValueError) as error:
        raise QvizError(
            subject, f"its preprocessing has an impossible value ({error})", "Mend it"
        ) from error


def _from_json(name: str, value: Any) -> Any:
    if name in ("mean", "std"):
        return tuple(float(number) for number in value) if isinstance(value, list) else value
    if name == "scale" and isinstance(value, int | float):
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise _impossible(f"{name} cannot be {value!r}", f"Choose {', '.join(choices)}")


def _check_size(name: str, size: Size) -> None:
    if size is None:
        return
    sides = size if isinstance(size, tuple) else (size,)
    fine = len(sides) in (1, 2) and all(
        type(side) is int and 0 < side <= LARGEST_SIDE for side in sides
    )
    if not fine or (isinstance(size, tuple) and len(size) != 2):
        raise _impossible(
            f"{name} cannot be {size!r}", f"Give a side or height and width, 1 to {LARGEST_SIDE}"
        )


def _spelled(sizes: tuple[int | None, ...]) -> str:
    return "×".join("any" if size is None else str(size) for size in sizes)


def _impossible(cause: str, cure: str) -> QvizError:
    return QvizError(SUBJECT, cause, cure)
