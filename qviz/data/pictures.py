"""Pictures: from the bytes of an image file to upright pixels of 8 bits, resized and cropped."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from qviz.data.preprocessing import Picture, Preprocessing
from qviz.errors import QvizError

SUFFIXES: Final = (
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
# Only decoders of pixels: Pillow would start Ghostscript for a PostScript file.
_FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LARGEST_PIXELS: Final = 89_478_485  # of a picture: 256 MiB in colour, as Pillow's own limit
_ORIENTATION: Final = 0x0112  # the EXIF tag
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What the last bytes of a whole file hold, by its first ones.
_ENDINGS: Final = {b"\x89PNG": b"IEND", b"\xff\xd8": b"\xff\xd9", b"GIF8": b"\x3b"}
_TAIL: Final = 64
_RESAMPLING: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def read_size(data: bytes, subject: str) -> tuple[int, int]:
    """Height and width of an upright picture, from the header alone; raises QvizError."""
    with _opened(data, subject) as image:
        width, height = image.size
        return (width, height) if _orientation(image) >= 5 else (height, width)


def decode(data: bytes, preprocessing: Preprocessing, subject: str) -> Picture:
    """Pixels [height, width, channels], upright, resized and cropped, channels in order.

    Transparency is dropped and 16 bits become their upper 8, as training pipelines do.

    Raises:
        QvizError: no image, a damaged or truncated one, or more than `LARGEST_PIXELS`.
    """
    with _opened(data, subject) as image:
        turn = _UPRIGHT.get(_orientation(image))
        plain = _eight_bits(image, subject)
        return arranged(plain, preprocessing, subject, turn)


def arranged(
    image: Image.Image,
    preprocessing: Preprocessing,
    subject: str,
    turn: Image.Transpose | None = None,
) -> Picture:
    """Pixels [height, width, channels] of a picture of 8 bits; raises QvizError as `decode`."""
    plain = image.convert("L" if preprocessing.channels == "gray" else "RGB")
    if turn is not None:
        plain = plain.transpose(turn)
    pixels = np.asarray(resized(plain, preprocessing, subject))
    if preprocessing.channels == "gray":
        return pixels[:, :, None]
    return np.ascontiguousarray(pixels[:, :, ::-1]) if preprocessing.channels == "BGR" else pixels


def is_whole(data: bytes) -> bool:
    """Whether a file ends as its format says; one that does not may still be whole."""
    ending = next((end for start, end in _ENDINGS.items() if data.startswith(start)), b"")
    return ending in data[-_TAIL:]


@contextmanager
def _opened(data: bytes, subject: str) -> Iterator[Image.Image]:
    """An image whose declared size is bearable; whatever its decoder raises is one QvizError."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > LARGEST_PIXELS:
                raise _too_large(subject, f"{image.width}×{image.height}")
            yield image
    except QvizError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(subject, "many more") from None
    except UnidentifiedImageError:
        raise QvizError(
            subject, "it is no image that can be read", f"Use {', '.join(SUFFIXES)}, or remove it"
        ) from None
    except Exception as error:  # decoders of damaged files fail in any way
        raise QvizError(
            subject, f"the image is damaged or truncated ({error})", "Copy it again, or remove it"
        ) from error


def _too_large(subject: str, size: str) -> QvizError:
    return QvizError(
        subject,
        f"it declares {size} pixels, beyond the limit of {LARGEST_PIXELS:,}",
        "Make the image smaller, or remove it",
    )


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; damaged EXIF data count as upright."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # looking further would decode the picture
    if image.format == "TIFF":
        return 1  # Pillow turns these by itself
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # written by anything
        return 1
    return value if isinstance(value, int) else 1


def _eight_bits(image: Image.Image, subject: str) -> Image.Image:
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode != "I" and image.mode != "F" and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 0xFFFF:
        raise QvizError(
            subject,
            "its pixels have 32 bits, whose black and white are not known",
            "Save it with 8 or 16 bits, or as .npy",
        )
    return Image.fromarray((pixels >> 8).astype(np.uint8))


def mask(data: bytes, preprocessing: Preprocessing, subject: str) -> NDArray[np.int32]:
    """Classes [height, width] of a picture whose pixels are classes, resized to the nearest.

    A rim that cropping adds is -1, which is no class. Raises QvizError for pictures in colour.
    """
    with _opened(data, subject) as image:
        turn = _UPRIGHT.get(_orientation(image))
        if image.mode not in ("1", "L", "P", "I") and not image.mode.startswith("I;16"):
            raise QvizError(
                subject,
                f"it is a mask in colour ({image.mode}), whose colours name no classes",
                "Save masks as gray or palette pictures whose pixels are the numbers of classes",
            )
        classes = np.asarray(image).astype(np.int32) + 1  # so that the rim, 0, is none of them
    plain = Image.fromarray(classes)
    if turn is not None:
        plain = plain.transpose(turn)
    nearest = replace(preprocessing, interpolation="nearest")
    return np.asarray(resized(plain, nearest, subject)) - 1


def resized(image: Image.Image, preprocessing: Preprocessing, subject: str) -> Image.Image:
    """An upright picture resized and cropped; raises QvizError for more than `LARGEST_PIXELS`."""
    height, width = preprocessing.resized(image.height, image.width)
    if height * width > LARGEST_PIXELS:  # a thin strip, whose shorter side is to grow
        raise QvizError(
            subject,
            f"{image.height}×{image.width} pixels would be resized to {height}×{width}",
            "Resize to an exact height and width, or remove the image",
        )
    if (height, width) != (image.height, image.width):
        image = image.resize((width, height), _RESAMPLING[preprocessing.interpolation])
    high, wide = preprocessing.size(image.height, image.width)
    if preprocessing.crop is None or (high, wide) == (image.height, image.width):
        return image
    top, left = _start(image.height, high), _start(image.width, wide)
    return image.crop((left, top, left + wide, top + high))


def _start(have: int, want: int) -> int:
    """Where the center begins, rounded as torchvision's CenterCrop; smaller pictures get a rim."""
    return round((have - want) / 2) if have >= want else -((want - have) // 2)
