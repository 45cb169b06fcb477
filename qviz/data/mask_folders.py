"""A folder of images beside one of masks: the class of every pixel."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qviz.data import pictures
from qviz.data.class_folders import walk
from qviz.data.content import content_hash
from qviz.data.images import ImageColumn, OpenedImage, image_samples
from qviz.data.reading import Reading
from qviz.data.samples import Array, InputSpec, Samples
from qviz.data.stored_file import StoredFile
from qviz.data.threads import each
from qviz.errors import QvizError

_IMAGES = frozenset({"images", "image", "imgs", "img", "jpegimages", "inputs", "input"})
_MASKS = frozenset(
    {"masks", "mask", "labels", "label", "annotations", "annotation", "targets", "target", "gt"}
    | {"groundtruth", "ground_truth", "segmentation", "segmentations", "segmentationclass"}
)
_ENDINGS = ("_mask", "_masks", "_gt", "_label", "_labels", "_segmentation", "_seg")
LARGEST_LABELS = 2**32  # bytes, at eight a pixel


@dataclass(frozen=True, slots=True)
class MaskFolders:
    """Where the images are, and the masks by what the images are called."""

    images: Path
    masks: Path
    by_stem: dict[str, Path]


def find_masks(folder: Path) -> MaskFolders | None:
    """The sub-folders of images and masks that share names; None where there are no such two."""
    subs = [sub for sub in folder.iterdir() if sub.is_dir() and sub.name[0] not in "._"]
    images = [sub for sub in subs if sub.name.lower() in _IMAGES]
    masks = [sub for sub in subs if sub.name.lower() in _MASKS]
    if len(images) != 1 or len(masks) != 1:
        return None
    by_stem = {_stem(file, masks[0]): file for file in walk(masks[0], pictures.SUFFIXES)}
    shared = any(_own(f, images[0]) in by_stem for f in walk(images[0], pictures.SUFFIXES))
    return MaskFolders(images[0], masks[0], by_stem) if shared else None


def mask_samples(
    path: Path, found: MaskFolders, inputs: tuple[InputSpec, ...], reading: Reading
) -> Samples:
    """Images with a class for every pixel; masks go through the same crop, to the nearest pixel.

    Raises:
        QvizError: an image without a mask, a mask in colour or of another size, too many pixels,
            and all that `image_samples` raises.
    """
    files = list(walk(found.images, pictures.SUFFIXES))
    for file in files:
        if _own(file, found.images) not in found.by_stem:
            raise QvizError(
                f"{found.images.name}/{file.name}",
                f"it has no mask of that name in {found.masks.name}",
                "Add it, or remove the image",
            )
    stored = [StoredFile(file.relative_to(found.images).as_posix(), file) for file in files]
    samples = image_samples(path, stored, None, inputs, reading)
    (column,) = samples.arrays.values()
    if not isinstance(column, ImageColumn):
        raise TypeError("image samples have a column of images")
    labels = _labels(path, column, found)
    digest = hashlib.sha256(f"{samples.hash} {content_hash({'labels': labels})}".encode())
    what = f"Labels of pixels from {found.masks.name}"
    shown = _values(np.unique(labels[labels >= 0]).tolist())
    notes = (f"{what}: {shown}", *samples.notes)
    return replace(samples, labels=labels, hash=digest.hexdigest(), notes=notes)


def _labels(path: Path, column: ImageColumn, found: MaskFolders) -> Array:
    height, width = column.preprocessing.size(column.images[0].height, column.images[0].width)
    shape = (len(column.images), height, width)
    if 8 * math.prod(shape) > LARGEST_LABELS:
        raise QvizError(
            path.name,
            f"its {shape[0]:,} masks of {height}×{width} pixels are too many to hold",
            "Take some of them: --reading subset=500, or Samples Options",
        )

    def read(image: OpenedImage) -> Array:
        mask = found.by_stem[Path(image.file.name).with_suffix("").as_posix()]
        subject = f"{found.masks.name}/{mask.name}"
        data = StoredFile(subject, mask).read()
        size = pictures.read_size(data, subject)
        if size != (image.height, image.width):
            raise QvizError(
                subject,
                f"it has {size[0]}×{size[1]} pixels, its image {image.height}×{image.width}",
                "Save masks in the size of their images",
            )
        return pictures.mask(data, column.preprocessing, subject).astype(np.int64)

    return np.stack(each(read, column.images))


def _stem(file: Path, folder: Path) -> str:
    """The name of the image that a mask belongs to."""
    stem = _own(file, folder)
    ending = next((ending for ending in _ENDINGS if stem.lower().endswith(ending)), "")
    return stem.removesuffix(stem[-len(ending) :]) if ending else stem


def _own(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _values(classes: Iterable[int]) -> str:
    every = [str(value) for value in classes]
    return f"classes {', '.join(every[:8])}{' …' if len(every) > 8 else ''}"
