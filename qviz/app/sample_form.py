"""The form of how the open samples are read: a draft, its fields, and what changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from qviz.app import image_fields, reading_fields
from qviz.app.document import Document
from qviz.app.open_samples import (
    TABLES,
    constants,
    image_column,
    image_pictures,
    of_texts,
    opened,
    pictures_of,
    sample_kind,
    specs_of,
)
from qviz.app.preset_field import proposal_words
from qviz.app.views import FormField, SampleForm, SampleKind
from qviz.data.reading import AS_PROPOSED
from qviz.data.reading import Reading as Reading  # the window passes it on and looks into none
from qviz.data.samples import Samples
from qviz.data.token_inputs import fixed_length
from qviz.errors import QvizError

VALUE = "value:"  # before the name of an input that is the same for all samples
PREVIEW_NOTE = "The preview shows the samples as they are open; Apply reads them anew"
KIND_WORDS: dict[SampleKind, tuple[str, str]] = {  # of one, and of several
    "images": ("image", "images"),
    "table": ("row", "rows"),
    "audio": ("frame", "frames"),
    "text": ("window of tokens", "windows of tokens"),
    "tokens": ("row of tokens", "rows of tokens"),
    "arrays": ("sample", "samples"),
}


@dataclass(frozen=True, slots=True)
class SampleDraft:
    """How samples would be read: what the dialog changes before it is applied."""

    path: str
    reading: Reading = AS_PROPOSED
    values: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def of(document: Document) -> SampleDraft:
        """As the samples are open now; raises QvizError where they cannot be read again."""
        samples, reading = opened(document), document.reading
        found = image_column(samples)
        if found is not None and reading.words:  # what they came to
            reading = replace(reading, words=(), preprocessing=found[1].preprocessing)
        return SampleDraft(samples.path, reading, dict(document.values))


def sample_form(document: Document, draft: SampleDraft) -> SampleForm:
    """The fields that concern the kind of the open samples; raises QvizError without any."""
    samples = opened(document)
    kind = sample_kind(samples)
    start = SampleDraft.of(document)
    return SampleForm(
        kind=kind,
        title=samples.name,
        summary=_summary(samples, kind),
        fields=tuple(_fields(document, samples, kind, draft)),
        notes=(*samples.notes, *((PREVIEW_NOTE,) if _lags(document, draft, start) else ())),
        changed=draft != start,
    )


def _lags(document: Document, draft: SampleDraft, start: SampleDraft) -> bool:
    """Whether reading anew brings what the preview of the open samples cannot show."""
    now, then = draft.reading, start.reading
    pictures = pictures_of(document)
    if pictures is not None and pictures.as_they_are and now.preprocessing is None:
        return now != then
    if sample_kind(opened(document)) == "images":
        return False
    return replace(now, preprocessing=None) != replace(then, preprocessing=None)


def _summary(samples: Samples, kind: SampleKind) -> str:
    one, several = KIND_WORDS[kind]
    parts = [f"{samples.count:,} {one if samples.count == 1 else several}"]
    if samples.class_names:
        classes = len(samples.class_names)
        parts.append(f"in {classes:,} {'class' if classes == 1 else 'classes'}")
    elif samples.labels is None:
        parts.append("without labels")
    return " ".join(parts)


def _fields(
    document: Document, samples: Samples, kind: SampleKind, draft: SampleDraft
) -> Iterator[FormField]:
    reading = draft.reading
    pictures = pictures_of(document) if kind in ("images", "arrays") else None
    if pictures is not None:
        yield from image_fields.fields(reading.preprocessing, pictures)
    if kind == "table" or Path(samples.path).suffix.lower() in TABLES:
        yield reading_fields.label_field(samples.path, reading, specs_of(document))
        if of_texts(samples):
            most = "Tokens of a row at most: longer texts are cut"
            yield reading_fields.text_field(samples.path, reading)
            yield from reading_fields.text_fields(reading, _open_length(document), most)
    if kind == "audio":
        yield from reading_fields.audio_fields(reading, _open_length(document))
    if kind == "text":
        yield from reading_fields.text_fields(reading, _open_length(document))
    if kind in ("text", "tokens"):
        yield reading_fields.next_token_field(reading)
    yield from _values(document, samples, draft)
    yield from reading_fields.subset_fields(reading, _total(samples, document.reading))


def _open_length(document: Document) -> bool:
    """Whether the model leaves the length of what it takes open."""
    samples, specs = opened(document), specs_of(document)
    if fixed_length(specs) is not None:
        return False
    for spec in specs:
        if spec.name in samples.arrays and spec.shape is not None:
            return not any(size is not None and size > 1 for size in spec.shape[1:])
    return True


def _total(samples: Samples, reading: Reading) -> int | None:
    """How many samples the file has; None where a subset is open and nobody counted the rest."""
    if samples.drawn_from is not None:
        return samples.drawn_from
    every = reading.subset is None or samples.count < reading.subset
    return samples.count if every else None


def _values(document: Document, samples: Samples, draft: SampleDraft) -> Iterator[FormField]:
    """A value for every input that is the same for all samples."""
    for name, array in constants(document, samples).items():
        given = draft.values.get(name)
        same = array.size and bool((array == array.flat[0]).all())
        present = f"{array.flat[0].item():g}" if same else "from the file"
        yield FormField(
            f"{VALUE}{name}",
            name,
            "text",
            "" if given is None else f"{given:g}",
            tip=f"Input '{name}' is the same for all samples; empty leaves it as it is read",
            hint="as read" if name in document.values else present,
        )


def with_reading(document: Document, draft: SampleDraft, name: str, value: str) -> SampleDraft:
    """The draft with one field changed; raises QvizError for what the field does not take."""
    if name.startswith(VALUE):
        return replace(draft, values=_with_value(draft.values, name.removeprefix(VALUE), value))
    if name in image_fields.NAMES:
        pictures = image_pictures(document)
        chosen = image_fields.with_field(draft.reading.preprocessing, pictures, name, value)
        return replace(draft, reading=replace(draft.reading, preprocessing=chosen))
    change = _CHANGES.get(name)
    if change is None:
        raise QvizError(f"field '{name}'", "samples have no such field", "Use one of the form's")
    if name == "subset" and value == "some":
        count = _total(opened(document), document.reading) or opened(document).count
        value = str(reading_fields.usual_subset(count))
    return replace(draft, reading=change(draft.reading, value))


def _with_value(values: Mapping[str, float], name: str, value: str) -> dict[str, float]:
    others = {known: number for known, number in values.items() if known != name}
    return {**others, name: reading_fields.number(value)} if value.strip() else others


_CHANGES: dict[str, Callable[[Reading, str], Reading]] = {
    "label": lambda old, value: replace(old, label=value or None),
    "text": lambda old, value: replace(old, text=value or None),
    "frame_length": lambda old, value: replace(old, frame_length=reading_fields.whole(value)),
    "hop": lambda old, value: replace(
        old, hop=reading_fields.whole(value) if value.strip() else None
    ),
    "sequence_length": lambda old, value: replace(old, sequence_length=reading_fields.whole(value)),
    "tokenizer": lambda old, value: replace(old, tokenizer=value.strip() or None),
    "next_token": lambda old, value: replace(old, next_token=value == "next"),
    "subset": lambda old, value: replace(
        old, subset=None if value == "all" else reading_fields.whole(value)
    ),
    "subset_count": lambda old, value: replace(old, subset=reading_fields.whole(value)),
    "seed": lambda old, value: replace(old, seed=reading_fields.whole(value)),
}


def samples_notice(document: Document) -> str:
    """How images are read where the user did not say it and the model takes float numbers."""
    samples = document.scored
    found = None if samples is None else image_column(samples)
    if found is None or not np.issubdtype(found[1].dtype, np.floating):
        return ""
    pictures = image_pictures(document)
    if pictures.as_they_are:  # nothing is done to arrays that nobody asked for
        return ""
    words = proposal_words(found[1].preprocessing, pictures.spec)
    return f"Images are read as {words}. Change it in Samples Options" if words else ""
