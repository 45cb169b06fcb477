"""Pictures that come as arrays of bytes, put through the preprocessing of image files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from qviz.data.content import row_digests
from qviz.data.images import ImageColumn, OpenedImage, image_column_samples
from qviz.data.pictures import arranged
from qviz.data.preprocessing import Picture, Preprocessing, shape
from qviz.data.preprocessing_words import settled
from qviz.data.reading import Reading
from qviz.data.samples import Array, InputSpec, Samples
from qviz.data.stored_file import StoredFile
from qviz.errors import QvizError

_CHANNELS = (1, 3, 4)


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
    """Pictures [n, height, width, channels] of bytes in either layout; None for other arrays."""
    if array.dtype != np.uint8:
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


def pixel_samples(path: Path, samples: Samples, spec: InputSpec, reading: Reading) -> Samples:
    """Samples whose only array is pictures of bytes, as `reading` preprocesses them.

    Raises:
        QvizError: other arrays, or what the input does not take.
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
    preprocessing = settled(reading, spec)
    if _fits(array, spec):
        preprocessing = _kept(preprocessing, reading)
    shape(preprocessing, spec)
    digests = row_digests({name: array})
    height, width = array.shape[1:3]
    images = tuple(
        ArrayImage(StoredFile(f"{name}[{row}]", b""), digest, height, width, array[row])
        for row, digest in enumerate(digests)
    )
    found = ImageColumn(images, preprocessing, np.dtype(spec.dtype))
    names, notes, total = samples.class_names, samples.notes, samples.drawn_from
    return image_column_samples(path, spec, found, samples.labels, names, notes, total)


def _fits(array: Array, spec: InputSpec) -> bool:
    return spec.shape is not None and {*array.shape[1:3]} <= {*spec.shape[1:]}


def _kept(preprocessing: Preprocessing, reading: Reading) -> Preprocessing:
    """Pictures that have the input's size already are not resized, unless the user said so."""
    said = {name for name, _ in reading.words} & {"size", "resize", "crop"}
    if said or reading.preprocessing is not None:
        return preprocessing
    return replace(preprocessing, resize=None, crop=None)
