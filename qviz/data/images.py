"""Images: opened by their headers, decoded when a row is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from qviz.data.content import files_hash
from qviz.data.labels import check_labels
from qviz.data.pictures import decode, is_whole, read_size
from qviz.data.preprocessing import Picture, Preprocessing, shape, to_json, values
from qviz.data.preprocessing_words import settled
from qviz.data.reading import Reading
from qviz.data.samples import Array, Indices, InputSpec, Samples
from qviz.data.stored_file import StoredFile, digest_of
from qviz.data.subset import draw, note
from qviz.data.threads import each
from qviz.data.unreadable import each_readable
from qviz.errors import QvizError

CACHE_BYTES = 2**30  # of decoded pictures
RAW_COLOR = Preprocessing()
ANY_INPUT = InputSpec("image", "float32", None)


@dataclass(frozen=True, eq=False, slots=True)
class Preview:
    """A picture as it is cropped [height, width, channels], and what the model is given of it."""

    picture: Picture
    values: Array


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image file whose header was read: its digest, and its upright height and width."""

    file: StoredFile
    digest: bytes
    height: int
    width: int

    def decoded(self, preprocessing: Preprocessing) -> Picture:
        """Pixels [height, width, channels]; raises QvizError."""
        data = self.file.read_unchanged(self.digest)
        return decode(data, preprocessing, self.file.name)


class ImageColumn:
    """The values of an image input [n, …]: decoded by several threads, pictures kept in memory.

    Indexing raises QvizError, which names the image, for one that is damaged or has changed.
    """

    def __init__(
        self,
        images: tuple[OpenedImage, ...],
        preprocessing: Preprocessing,
        dtype: np.dtype[Any],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Images of one size; raises QvizError where preprocessing leaves them at several."""
        self.images = images
        self.preprocessing = preprocessing
        self._dtype = dtype
        self._sample = preprocessing.arranged(*_common_size(images, preprocessing))
        self._cache = _PictureCache(cache_bytes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of images, then the shape of one."""
        return (len(self.images), *(size for size in self._sample if size is not None))

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the model's input takes."""
        return self._dtype

    def __getitem__(self, rows: Indices, /) -> Array:
        """Preprocessed images, in the order asked for."""
        if not len(rows):
            return np.empty((0, *self.shape[1:]), self._dtype)
        pictures = self._pictures(dict.fromkeys(int(row) for row in rows))
        stacked = np.stack([pictures[int(row)] for row in rows])
        return values(stacked, self.preprocessing, self._dtype)

    def _pictures(self, rows: Iterable[int]) -> dict[int, Picture]:
        """From the cache, or from the files by several threads."""
        kept = {row: self._cache.get(row) for row in rows}
        pictures = {row: picture for row, picture in kept.items() if picture is not None}
        missing = [row for row in kept if row not in pictures]
        decoded = each(lambda row: self.images[row].decoded(self.preprocessing), missing)
        for row, picture in zip(missing, decoded, strict=True):
            self._cache.put(row, picture)
            pictures[row] = picture
        return pictures

    def preview(self, row: int, preprocessing: Preprocessing | None = None) -> Preview:
        """One image under this or another preprocessing, without opening anything again."""
        chosen = preprocessing or self.preprocessing
        picture = self.images[row].decoded(chosen)
        return Preview(picture, values(picture[None], chosen, self._dtype)[0])


class _PictureCache:
    """The pictures used last, up to a number of bytes; may be shared by threads."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._bytes = 0
        self._pictures: OrderedDict[int, Picture] = OrderedDict()
        self._lock = Lock()

    def get(self, row: int) -> Picture | None:
        with self._lock:
            if row in self._pictures:
                self._pictures.move_to_end(row)
            return self._pictures.get(row)

    def put(self, row: int, picture: Picture) -> None:
        with self._lock:
            if row in self._pictures:
                return
            self._pictures[row] = picture
            self._bytes += picture.nbytes
            while self._bytes > self._budget:
                self._bytes -= self._pictures.popitem(last=False)[1].nbytes


def image_samples(
    path: Path,
    files: Sequence[StoredFile],
    labels: Array | None,
    inputs: tuple[InputSpec, ...],
    reading: Reading,
    class_names: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Samples:
    """Samples of image files, with a label each or none.

    Raises:
        QvizError: no input that takes pictures, a file that is no image, pictures of several
            sizes, or unusable labels.
    """
    spec = image_input(inputs)
    preprocessing = settled(reading, spec)
    shape(preprocessing, spec)
    checked = None if labels is None else check_labels(path.name, labels, len(files))
    drawn = draw([file.name for file in files], reading)
    opened, readable, unread = each_readable(_open, [files[row] for row in drawn], "images")
    images, rows = tuple(opened), drawn[readable]
    kept = None if checked is None else checked[rows]
    column = ImageColumn(images, preprocessing, np.dtype(spec.dtype))
    return image_column_samples(
        path,
        spec,
        column,
        kept,
        class_names,
        (*notes, *unread, *note(len(drawn), len(files), reading)),
        len(files) if len(drawn) < len(files) else None,
    )


def image_column_samples(
    path: Path,
    spec: InputSpec,
    column: ImageColumn,
    labels: Array | None,
    class_names: tuple[str, ...],
    notes: tuple[str, ...],
    drawn_from: int | None = None,
) -> Samples:
    """Samples whose only column is one of images."""
    images, preprocessing = column.images, column.preprocessing
    digests = tuple(image.digest for image in images)
    description = {
        "input": spec.name,
        "type": spec.dtype,
        "shape": column.shape,
        "preprocessing": to_json(preprocessing),
    }
    return Samples(
        name=path.name,
        path=str(path),
        hash=files_hash(description, digests, labels),
        arrays={spec.name: column},
        labels=labels,
        digests=digests,
        class_names=class_names,
        notes=notes,
        drawn_from=drawn_from,
    )


def image_input(inputs: tuple[InputSpec, ...]) -> InputSpec:
    """The input that takes pictures: the only one, or the first with a place for channels.

    Raises:
        QvizError: none does.
    """
    if len(inputs) < 2:
        return inputs[0] if inputs else ANY_INPUT
    for spec in inputs:
        sizes = spec.shape
        if sizes is not None and len(sizes) == 4 and {sizes[1], sizes[3]} & {1, 3, None}:
            return spec
    names = ", ".join(f"'{spec.name}'" for spec in inputs)
    raise QvizError(
        "images", f"none of the inputs {names} takes pictures", "Give arrays in an .npz file"
    )


def _open(file: StoredFile) -> OpenedImage:
    data = file.read()
    size = read_size(data, file.name)
    if not is_whole(data):
        decode(data, RAW_COLOR, file.name)  # so that what is cut off is told now
    return OpenedImage(file, digest_of(data), *size)


def _common_size(images: tuple[OpenedImage, ...], preprocessing: Preprocessing) -> tuple[int, int]:
    first = images[0]
    size = preprocessing.size(first.height, first.width)
    for image in images:
        other = preprocessing.size(image.height, image.width)
        if other != size:
            raise QvizError(
                image.file.name,
                f"it comes out {other[0]}×{other[1]}, but {first.file.name} {size[0]}×{size[1]}",
                "Choose a center crop, or resize to an exact height and width",
            )
    return size
