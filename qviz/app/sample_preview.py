"""One sample as a draft of its reading would give it to the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qviz.app.document import Document
from qviz.app.open_samples import (
    LOOKED_AT,
    SMALLEST_PICTURE,
    constants,
    image_column,
    image_pictures,
    opened,
    picture_array,
    sample_kind,
    specs_of,
)
from qviz.app.sample_form import SampleDraft
from qviz.app.views import Floats, InputView, SampleKind, SamplePreview, ValueRange
from qviz.data.images import OpenedImage
from qviz.data.pixel_arrays import array_images, in_bytes, no_bytes
from qviz.data.preprocessing import Channels, Preprocessing, shape, values
from qviz.data.presets import propose
from qviz.data.samples import Array, InputSpec, Samples
from qviz.errors import QvizError

SHOWN_VALUES = 24
CHANNEL_NAMES: dict[Channels, tuple[str, ...]] = {
    "RGB": ("Red", "Green", "Blue"),
    "BGR": ("Blue", "Green", "Red"),
    "gray": ("Gray",),
}
Picture = NDArray[np.uint8]


def sample_preview(document: Document, draft: SampleDraft, row: int) -> SamplePreview:
    """Sample `row` of those open. What cannot be read or fed is told in `problem`.

    Images are decoded as the draft says; of other samples it changes the values of inputs only.
    """
    samples = opened(document)
    row = min(max(row, 0), samples.count - 1)
    found = image_column(samples)
    chosen = draft.reading.preprocessing
    if found is not None:
        column, pictures = found[1], image_pictures(document)
        undone = column.preprocessing if pictures.as_they_are else propose(pictures.spec)
        return _image(document, samples, draft, column.images[row], chosen or undone, row)
    array = picture_array(samples)
    if array is None or chosen is None:
        return _plain(document, samples, draft, row)
    # What floats are a few of them tell together: a dark picture alone may hold 0 and 1 only.
    one = in_bytes(np.concatenate((array[row : row + 1], array[:LOOKED_AT])))
    if one is None:
        return replace(_plain(document, samples, draft, row), problem=_sentence(no_bytes(array)))
    (image,) = array_images(next(iter(samples.arrays)), one[:1], row)
    return _image(document, samples, draft, image, chosen, row)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _image(
    document: Document,
    samples: Samples,
    draft: SampleDraft,
    image: OpenedImage,
    chosen: Preprocessing,
    row: int,
) -> SamplePreview:
    spec = image_pictures(document).spec
    picture: Picture | None = None
    inputs: tuple[InputView, ...] = ()
    problem = ""
    try:
        picture = image.decoded(chosen)
        numbers = values(picture[None], chosen, np.dtype(spec.dtype))[0]
        inputs = (_channels(spec.name, numbers, chosen),)
        shape(chosen, spec)
        _check_size(numbers, spec)
    except QvizError as error:
        problem = f"{_sentence(error.cause)}. {error.cure}"
    return SamplePreview(
        row=row,
        count=samples.count,
        name=image.file.name,
        label=_label(samples, row),
        inputs=(*inputs, *_constants(document, samples, draft)),
        picture=picture,
        caption=_picture_caption(picture, chosen),
        problem=problem,
    )


def _check_size(numbers: Array, spec: InputSpec) -> None:
    """Refuse a picture of another size than the input takes, which only the picture can tell."""
    wanted = numbers.shape if spec.shape is None else spec.shape[1:]
    if any(want not in (None, have) for want, have in zip(wanted, numbers.shape, strict=True)):
        words = "×".join("any" if size is None else str(size) for size in wanted)
        raise QvizError(
            f"model input '{spec.name}'",
            f"model input '{spec.name}' takes {words}, not {_spelled(numbers)}",
            "Choose a crop, or resize to an exact height and width",
        )


def _picture_caption(picture: Picture | None, chosen: Preprocessing) -> str:
    if picture is None:
        return ""
    size = f"{picture.shape[0]}×{picture.shape[1]} pixels"
    if chosen.channels == "BGR":
        return f"{size}, blue in place of red, as the model gets it"
    return size


def _channels(name: str, numbers: Array, chosen: Preprocessing) -> InputView:
    axis = {"NCHW": 0, "NHWC": 2}.get(chosen.layout)
    planes = numbers[None] if axis is None else np.moveaxis(numbers, axis, 0)
    names = CHANNEL_NAMES[chosen.channels]
    ranges = tuple(_range(word, plane) for word, plane in zip(names, planes, strict=True))
    return InputView(name, str(numbers.dtype), _spelled(numbers), ranges)


def _range(name: str, numbers: Array) -> ValueRange:
    if not numbers.size:
        return ValueRange(name, 0.0, 0.0, 0.0)
    low, mean, high = numbers.min(), numbers.mean(dtype=np.float64), numbers.max()
    return ValueRange(name, float(low), float(mean), float(high))


def _spelled(numbers: Array) -> str:
    return "×".join(map(str, numbers.shape)) or "scalar"


def _label(samples: Samples, row: int) -> str:
    """The class by number and name, a value, or how many positions have a label."""
    if samples.labels is None:
        return ""
    label = samples.labels[row]
    if label.ndim:
        return f"{label.size:,} labels"
    if label.dtype.kind == "f":
        return f"label {float(label):g}"
    names, at = samples.class_names, int(label)
    return f"{at} {names[at]}" if 0 <= at < len(names) else f"label {at}"


def _plain(document: Document, samples: Samples, draft: SampleDraft, row: int) -> SamplePreview:
    kind = sample_kind(samples)
    arrays = {name: column[np.array([row])][0] for name, column in samples.arrays.items()}
    taken = {spec.name: spec.dtype for spec in specs_of(document)}
    views = tuple(
        InputView(
            name,
            taken.get(name, str(array.dtype)),
            _spelled(array),
            (_range("All values", array),),
        )
        for name, array in arrays.items()
    )
    first = next(iter(arrays.values()))
    picture = _as_picture(first) if kind in ("arrays", "table") else None
    curve: Floats | None = first.reshape(-1).astype(np.float64) if kind == "audio" else None
    return SamplePreview(
        row=row,
        count=samples.count,
        name="",
        label=_label(samples, row),
        inputs=(*views, *_constants(document, samples, draft)),
        picture=picture,
        caption=_caption(kind, first, picture),
        curve=curve,
        values="" if picture is not None or curve is not None else _first_values(first),
    )


def _caption(kind: SampleKind, array: Array, picture: Picture | None) -> str:
    if picture is not None:
        return "Smallest value black, largest white"
    if kind == "audio":
        return f"{array.size:,} samples of audio"
    more = array.size > SHOWN_VALUES
    what = "token ids" if kind in ("text", "tokens") else "values"
    return f"The first {SHOWN_VALUES} of {array.size:,} {what}" if more else f"All {what}"


def _as_picture(array: Array) -> Picture | None:
    """An array in the shape of a picture as one [height, width, channels]; None for others."""
    if array.ndim == 2:
        array = array[:, :, None]
    elif array.ndim == 3 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, 2)
    if array.ndim != 3 or array.shape[2] not in (1, 3) or min(array.shape[:2]) < SMALLEST_PICTURE:
        return None
    low, high = float(array.min()), float(array.max())
    step = 255.0 / (high - low) if high > low and np.isfinite([low, high]).all() else 0.0
    return np.ascontiguousarray(((array.astype(np.float64) - low) * step).astype(np.uint8))


def _first_values(array: Array) -> str:
    shown = array.reshape(-1)[:SHOWN_VALUES].tolist()
    return ",  ".join(f"{value:.4g}" for value in shown).replace("-", "\N{MINUS SIGN}")


def _constants(document: Document, samples: Samples, draft: SampleDraft) -> tuple[InputView, ...]:
    """Inputs that are the same for all samples, with the values that the draft gives them."""
    found = []
    for name, array in constants(document, samples).items():
        given = draft.values.get(name)
        shown = array if given is None else np.full(array.shape, given)
        ranges = (_range("", shown),)
        found.append(InputView(name, str(array.dtype), _spelled(array), ranges, constant=True))
    return tuple(found)
