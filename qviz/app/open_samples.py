"""The samples that are open: what they were read from, their pictures, and the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qviz.app.document import Document
from qviz.app.preset_field import Pictures
from qviz.app.views import SampleKind
from qviz.data.audio import AudioColumn
from qviz.data.fit import fit_to_inputs
from qviz.data.images import ImageColumn, image_input
from qviz.data.pixel_arrays import ArrayImage, channels_last, fits, in_bytes, no_bytes
from qviz.data.presets import read_layout
from qviz.data.samples import Array, InputSpec, Samples
from qviz.engine.chunks import input_specs
from qviz.errors import QvizError

TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".pq")
SMALLEST_PICTURE = 8  # pixels of a side; smaller arrays are numbers
LOOKED_AT = 16  # pictures of an array, to see what its numbers are


def opened(document: Document) -> Samples:
    """The user's samples; raises QvizError where there are none that came from a file."""
    samples = document.scored
    if samples is None:
        raise QvizError("samples", "there are none open", "Open samples first")
    if samples.path.endswith(".py"):
        raise QvizError(samples.name, "the program makes its samples itself", "Change the program")
    return samples


def sample_kind(samples: Samples) -> SampleKind:
    """What the samples were read from."""
    columns = list(samples.arrays.values())
    if any(isinstance(column, ImageColumn) for column in columns):
        return "images"
    if any(isinstance(column, AudioColumn) for column in columns):
        return "audio"
    suffix = Path(samples.path).suffix.lower()
    if suffix == ".txt":
        return "text"
    if suffix in TABLES or Path(samples.path).is_dir():  # a folder of Parquet shards
        return "table"
    ids = [column for column in columns if column.dtype.kind in "iu" and len(column.shape) == 2]
    return "tokens" if suffix == ".npy" and ids else "arrays"


def of_texts(samples: Samples) -> bool:
    """Whether the rows of a table became tokens: only then is each named by its own content."""
    return sample_kind(samples) == "table" and samples.digests is not None


def image_column(samples: Samples) -> tuple[str, ImageColumn] | None:
    """The input that takes pictures, and its column; None for other samples."""
    for name, column in samples.arrays.items():
        if isinstance(column, ImageColumn):
            return name, column
    return None


def picture_array(samples: Samples) -> Array | None:
    """Pictures [n, height, width, channels] that are open as an array; None for other samples."""
    columns = list(samples.arrays.values())
    if len(columns) != 1 or not isinstance(columns[0], np.ndarray):
        return None
    array = channels_last(columns[0])
    if array is None or min(array.shape[1:3]) < SMALLEST_PICTURE:
        return None
    flat = columns[0].ndim == 3 and in_bytes(array[:LOOKED_AT]) is None  # more likely a series
    return None if flat else array


def pictures_of(document: Document) -> Pictures | None:
    """What the open pictures are and which input takes them; None for other samples."""
    samples, specs = opened(document), specs_of(document)
    found = image_column(samples)
    if found is not None:
        spec = next((spec for spec in specs if spec.name == found[0]), None)
        first = found[1].images[0]
        arrays = isinstance(first, ArrayImage)
        same = arrays and spec is not None and fits((first.height, first.width), spec)
        return None if spec is None else Pictures(spec, arrays, same)
    array = picture_array(samples)
    try:
        spec = image_input(specs)
        read_layout(spec)
    except QvizError:
        return None
    if array is None:
        return None
    head = array[:LOOKED_AT]
    refused = "" if in_bytes(head) is not None else no_bytes(head)
    return Pictures(spec, True, fits(array.shape[1:3], spec), refused[:1].upper() + refused[1:])


def image_pictures(document: Document) -> Pictures:
    """The same; raises QvizError where the open samples are no pictures."""
    found = pictures_of(document)
    if found is None:
        raise QvizError("samples", "they are no images", "Open images first")
    return found


def specs_of(document: Document) -> tuple[InputSpec, ...]:
    """What the inputs of the open model take."""
    return () if document.model is None else input_specs(document.model)


def constants(document: Document, samples: Samples) -> Mapping[str, Array]:
    """What is fed to the inputs that are the same for all samples."""
    specs = specs_of(document)
    return fit_to_inputs(samples, specs).constants if len(specs) > 1 else {}
