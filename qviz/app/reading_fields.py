"""Form fields of tables, audio, text, and of the subset that is drawn of any samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from qviz.app.views import Choice, FormField
from qviz.data.csv_text import read_dialect
from qviz.data.label_column import find_label
from qviz.data.pictures import SUFFIXES
from qviz.data.reading import Reading
from qviz.data.samples import InputSpec
from qviz.data.shards import find_shards
from qviz.data.text_file import open_text
from qviz.errors import QvizError

MOST = 1_000_000_000
USUAL_SUBSET = 1000


def number(text: str) -> float:
    """A number as it is typed, also "1/255"; raises QvizError for anything else."""
    above, _, below = text.replace("\N{MINUS SIGN}", "-").partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        raise QvizError(f"'{text}'", "it is no number", "Give a number, such as 0.5") from None


def whole(text: str) -> int:
    """A whole number as it is typed; raises QvizError for anything else."""
    value = number(text)
    if value != value // 1:
        raise QvizError(f"'{text}'", "it is no whole number", "Give one, such as 224")
    return int(value)


def label_field(path: str, reading: Reading, inputs: tuple[InputSpec, ...]) -> FormField:
    """Which column of a table holds the labels."""
    columns = _columns(Path(path))
    found = find_label("", columns, {spec.name for spec in inputs}, None)
    named = f" ({columns[found]})" if found is not None else ""
    first = Choice("", f"automatic{named}", "By its name, else the only column of text")
    names = dict.fromkeys((*columns, *((reading.label,) if reading.label else ())))
    choices = (first, *(Choice(name, name) for name in names if name))
    tip = "The column that holds the class or value of every row"
    return FormField("label", "Label column", "menu", reading.label or "", choices, tip)


def text_field(path: str, reading: Reading) -> FormField:
    """Which column of a table holds the texts that become tokens."""
    columns = tuple(name for name in _columns(Path(path)) if name != reading.label)
    first = Choice("", "automatic", "By its name, else the only column of text")
    names = dict.fromkeys((*columns, *((reading.text,) if reading.text else ())))
    choices = (first, *(Choice(name, name) for name in names if name))
    tip = "The column whose text the model is given"
    return FormField("text", "Text column", "menu", reading.text or "", choices, tip)


def _columns(path: Path) -> tuple[str, ...]:
    """Names of a table's columns, from its head alone; none where it cannot be read any more."""
    try:
        if path.suffix.lower() == ".jsonl":
            with open_text(path) as lines:
                return tuple(json.loads(next(line for line in lines if line.strip())))
        if path.is_file() and path.suffix.lower() not in (".parquet", ".pq"):
            return tuple(read_dialect(path, SUFFIXES).columns)
        # Imported here since the library takes long to load.
        import pyarrow.parquet as pq

        file = find_shards(path)[0][0] if path.is_dir() else path
        return tuple(pq.read_schema(file).names)
    except Exception:  # the file has changed; opening it again will say how
        return ()


def audio_fields(reading: Reading, open_length: bool) -> Iterator[FormField]:
    """How recordings are cut into frames; the model may fix how long they are."""
    if open_length:
        length = str(reading.frame_length)
        tip = "Samples of audio that the model is given at once"
        yield _count("frame_length", "Frame length", length, tip, " samples")
    hop = "" if reading.hop is None else str(reading.hop)
    tip = "Samples from the start of one frame to the start of the next"
    yield FormField("hop", "Hop", "text", hop, tip=tip, hint="as long as a frame")


def text_fields(
    reading: Reading, open_length: bool, tip: str = "Tokens of one window"
) -> Iterator[FormField]:
    """How text becomes rows of tokens."""
    if open_length:
        yield _count("sequence_length", "Sequence", str(reading.sequence_length), tip, " tokens")
    yield FormField(
        "tokenizer",
        "Tokenizer",
        "file",
        reading.tokenizer or "",
        tip="The model's tokenizer.json",
        hint="tokenizer.json beside the text",
    )


def next_token_field(reading: Reading) -> FormField:
    """Whether a token is the label of the one before it."""
    choices = (
        Choice("next", "next token", "Each token is the label of the one before: a language model"),
        Choice("none", "none", "Agreement with the float model only"),
    )
    value = "next" if reading.next_token else "none"
    return FormField("next_token", "Labels", "segments", value, choices)


def subset_fields(reading: Reading, total: int | None) -> Iterator[FormField]:
    """All samples or some of them, drawn by a seed."""
    some = reading.subset is not None
    counted = "All" if total is None else f"All {total:,}"
    choices = (
        Choice("all", counted, "Every sample"),
        Choice("some", "A subset", "Some, at random"),
    )
    yield FormField("subset", "Samples", "menu", "some" if some else "all", choices)
    if not some:
        return
    of = "" if total is None else f" of {total:,}"
    most = MOST if total is None else total
    count = str(reading.subset)
    tip = "How many samples are drawn"
    yield FormField("subset_count", "", "number", count, tip=tip, suffix=of, least=1, most=most)
    tip = "Another seed draws other samples; the same seed the same ones on every machine"
    yield FormField("seed", "Seed", "number", str(reading.seed), tip=tip, most=2**31 - 1)


def usual_subset(count: int) -> int:
    """How many samples a subset has to begin with."""
    return min(USUAL_SUBSET, max(count // 2, 1))


def _count(name: str, label: str, value: str, tip: str, suffix: str) -> FormField:
    return FormField(name, label, "number", value, tip=tip, suffix=suffix, least=1, most=MOST)
