"""`--reading KEY=VALUE`: on the command line what the form of Samples Options sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qviz.data.preprocessing_words import WORDS, check_words
from qviz.data.reading import Reading
from qviz.errors import QvizError

_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def _length(text: str) -> dict[str, Any]:
    return {"frame_length": int(text), "sequence_length": int(text)}


_KEYS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "label": lambda text: {"label": text},
    "text": lambda text: {"text": text},
    "length": _length,
    "hop": lambda text: {"hop": int(text)},
    "tokenizer": lambda text: {"tokenizer": text},
    "next-token": lambda text: {"next_token": _YES[text.lower()]},
    "subset": lambda text: {"subset": int(text)},
    "subset-seed": lambda text: {"seed": int(text)},
}


def read_reading(given: tuple[str, ...]) -> Reading:
    """A Reading of KEY=VALUE pairs, later ones win.

    Raises:
        QvizError: an unknown key, or a value that it does not take.
    """
    fields: dict[str, Any] = {}
    words: dict[str, str] = {}
    for text in given:
        key, _, value = text.partition("=")
        name, value = key.strip().lower().replace("_", "-"), value.strip()
        if not value or (name not in _KEYS and name not in WORDS and name != "preset"):
            raise QvizError(
                f"--reading {text}",
                "it is not KEY=VALUE of a known key",
                f"Use {', '.join([*_KEYS, 'preset', *WORDS])}",
            )
        if name not in _KEYS:
            words[name] = value
            continue
        try:
            fields |= _KEYS[name](value)
        except (ValueError, KeyError):
            kind = "yes or no" if name == "next-token" else "a whole number"
            raise QvizError(f"--reading {text}", f"{name} is {kind}", f"Write {kind}") from None
    check_words(words)
    return Reading(words=tuple(words.items()), **fields)
