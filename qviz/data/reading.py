"""Reading: what a user may decide about how files become samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from qviz.data import preprocessing as pixels
from qviz.data.preprocessing import Preprocessing
from qviz.errors import QvizError


@dataclass(frozen=True, slots=True)
class Reading:
    """How files become samples; what does not concern a kind of file is not looked at.

    `subset` samples are drawn by `seed`; None takes all. `label` is the column or array of
    labels, `text` the column of texts. Lengths hold where the model's input leaves them open.
    `tokenizer` is the path of a tokenizer.json; `next_token` makes each token the label of the
    one before it. `words` change single fields of the preprocessing, see `preprocessing_words`.
    """

    preprocessing: Preprocessing | None = None  # of pictures; None proposes one
    subset: int | None = None
    seed: int = 0
    label: str | None = None
    frame_length: int = 512  # samples of audio
    hop: int | None = None  # samples from one frame to the next; None is the frame's length
    sequence_length: int = 128  # tokens
    tokenizer: str | None = None
    next_token: bool = True
    words: tuple[tuple[str, str], ...] = ()  # such as ("preset", "0…1")
    text: str | None = None

    def __post_init__(self) -> None:
        """Refuse counts below one with QvizError."""
        for name in ("subset", "frame_length", "hop", "sequence_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise QvizError("reading", f"{name} is {value}", "Give at least 1")


AS_PROPOSED = Reading()

_TYPES: Mapping[str, type] = {
    "subset": int,
    "seed": int,
    "label": str,
    "text": str,
    "frame_length": int,
    "hop": int,
    "sequence_length": int,
    "tokenizer": str,
    "next_token": bool,
}
_ADDED_LATER = ("words", "text")  # written only where set, so that older versions read the rest
_MAY_BE_ABSENT = ("subset", "label", "text", "hop", "tokenizer")


def to_json(reading: Reading) -> dict[str, Any]:
    """Readable JSON values, in a stable order."""
    chosen = reading.preprocessing
    found = asdict(reading) | {
        "preprocessing": None if chosen is None else pixels.to_json(chosen),
        "words": dict(reading.words),
    }
    return {name: value for name, value in found.items() if value or name not in _ADDED_LATER}


def from_json(data: object, subject: str) -> Reading:
    """Read what `to_json` gave; missing fields take their defaults.

    Raises:
        QvizError: no such fields, or impossible values.
    """
    known = [field.name for field in fields(Reading)]
    if not isinstance(data, Mapping) or not set(data) <= set(known):
        raise QvizError(
            subject, "how to read samples is not understood", f"Use the fields {', '.join(known)}"
        )
    given = dict(data)
    chosen = given.pop("preprocessing", None)
    words = given.pop("words", {})
    if not isinstance(words, Mapping) or not all(isinstance(w, str) for w in words.values()):
        raise QvizError(subject, f"words cannot be {words!r}", "Give text by name")
    for name, value in given.items():
        absent = value is None and name in _MAY_BE_ABSENT
        if not absent and type(value) is not _TYPES[name]:
            raise QvizError(
                subject, f"{name} cannot be {value!r}", f"Give {_TYPES[name].__name__} values"
            )
    return Reading(
        preprocessing=None if chosen is None else pixels.from_json(chosen, subject),
        words=tuple((str(name), str(text)) for name, text in words.items()),
        **given,
    )
