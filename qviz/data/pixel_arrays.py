"""Pictures that come as arrays, put through the preprocessing of image files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from qviz.data.content import in_blocks, row_digests
from qviz.data.images import ImageColumn, OpenedImage, image_column_samples
from qviz.data.pictures import arranged
from qviz.data.preprocessing import Picture, Preprocessing, shape
from qviz.data.preprocessing_words import settled
from qviz.data.reading import Reading
from qviz.data.samples import Array, InputSpec, Samples
from qviz.data.stored_file import StoredFile
from qviz.errors import QvizError

_CHANNELS = (1, 3, 4)
_ROUNDING = 1e-3  # of a byte: what is left of a whole number that was over 255 in float32


@dataclass(frozen=True, slots=True)
class ArrayImage(OpenedImage):
    """A picture [height, width, channels] of an array."""

    pixels: Picture

    def decoded(self, preprocessing: Preprocessing) -> Picture:
        """Pixels [height, width, channels], resized and cropped; raises QvizError."""
        pixels = self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels[:, :, :3]
        image = Image.fromarray(np.ascontiguousarray(pixels))
        return arranged(image, preprocessing, self.file.name)


def has_choice(reading: Reading) -> bool:
    """Whether the user said how pictures are preprocessed."""
    return reading.preprocessing is not None or bool(reading.words)


def channels_last(array: Array) -> Array | None:
    """Bytes or floats in either layout as [n, height, width, channels]; None for no pictures."""
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        return None
    if array.ndim == 3:
        return array[..., None]
    if array.ndim != 4:
        return None
    if array.shape[3] in _CHANNELS and array.shape[1] not in _CHANNELS:
        return array
    if array.shape[1] in _CHANNELS:
        return array.transpose(0, 2, 3, 1)
    return array if array.shape[3] in _CHANNELS else None


def in_bytes(array: Array) -> Array | None:
    """Pictures as uint8, where that changes none: floats that are bytes, or bytes over 255.

    None for others, such as those that were normalised.
    """
    if array.dtype == np.uint8:
        return array
    scale = 255.0 if array.max(initial=0.0) <= 1.0 else 1.0
    found, row = np.empty(array.shape, np.uint8), 0
    for block in in_blocks(array):
        pixels = block.astype(np.float64) * scale
        whole = np.rint(pixels)
        if not (np.abs(pixels - whole) <= _ROUNDING).all() or whole.min() < 0 or whole.max() > 255:
            return None
        found[row : row + len(block)] = whole
        row += len(block)
    return found


def pixel_samples(path: Path, samples: Samples, spec: InputSpec, reading: Reading) -> Samples:
    """Samples whose only array is pictures, as `reading` preprocesses them.

    Raises:
        QvizError: other arrays, pictures that are no bytes, or what the input does not take.
    """
    (name, column), *others = samples.arrays.items()
    array = None if others else channels_last(np.asanyarray(column))
    if array is None:
        raise QvizError(
            path.name,
            "preprocessing was chosen, but it holds no array of pictures: bytes of 1, 3 or 4 "
            "channels",
            "Leave the preprocessing out, or save pictures as uint8",
        )
    pictures = in_bytes(array)
    if pictures is None:
        raise QvizError(
            path.name, f"preprocessing was chosen, but {no_bytes(array)}", "Leave it out"
        )
    preprocessing = settled(reading, spec)
    if fits(pictures.shape[1:3], spec):
        preprocessing = _kept(preprocessing, reading)
    shape(preprocessing, spec)
    images = array_images(name, pictures)
    found = ImageColumn(images, preprocessing, np.dtype(spec.dtype))
    names, notes, total = samples.class_names, samples.notes, samples.drawn_from
    return image_column_samples(path, spec, found, samples.labels, names, notes, total)


def array_images(name: str, pictures: Array, start: int = 0) -> tuple[ArrayImage, ...]:
    """Each of the pictures [n, height, width, channels] of bytes that an array has from `start`."""
    height, width = pictures.shape[1:3]
    return tuple(
        ArrayImage(StoredFile(f"{name}[{row}]", b""), digest, height, width, pictures[row - start])
        for row, digest in enumerate(row_digests({name: pictures}), start)
    )


def no_bytes(array: Array) -> str:
    """Why pictures of floats take no preprocessing: what `in_bytes` finds no bytes in."""
    found = f"{array.min():.3g} to {array.max():.3g}".replace("-", "\N{MINUS SIGN}")
    return f"pixels from {found} are neither bytes nor bytes / 255: they seem preprocessed already"


def fits(size: tuple[int, ...], spec: InputSpec) -> bool:
    """Whether pictures have the height and width that an input takes."""
    return spec.shape is not None and {*size} <= {*spec.shape[1:]}


def _kept(preprocessing: Preprocessing, reading: Reading) -> Preprocessing:
    """Pictures that have the input's size already are not resized, unless the user said so."""
    said = {name for name, _ in reading.words} & {"size", "resize", "crop"}
    if said or reading.preprocessing is not None:
        return preprocessing
    return replace(preprocessing, resize=None, crop=None)
