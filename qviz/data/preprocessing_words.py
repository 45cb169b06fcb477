"""Preprocessing in words, as the command line has it: preset=0…1, resize=256, mean=0.5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from qviz.data.preprocessing import Preprocessing, Size
from qviz.data.presets import PRESETS, propose
from qviz.data.reading import Reading
from qviz.data.samples import InputSpec
from qviz.errors import QvizError


def settled(reading: Reading, spec: InputSpec) -> Preprocessing:
    """What is done to the pictures that an input takes: as chosen, else as proposed.

    Raises:
        QvizError: an input that takes no pictures, or words that say nothing possible.
    """
    words = dict(reading.words)
    preset = words.pop("preset", None)
    now = reading.preprocessing if preset is None else _preset(preset, spec)
    now = now or propose(spec)
    changes = {field: value for name, text in words.items() for field, value in _read(name, text)}
    return replace(now, **changes)


def check_words(words: Mapping[str, str]) -> None:
    """Refuse with QvizError what no input could take."""
    for name, text in words.items():
        if name == "preset":
            _named(text)
        else:
            list(_read(name, text))


def _preset(text: str, spec: InputSpec) -> Preprocessing:
    return PRESETS[_named(text)].sized_for(spec)


def _named(text: str) -> int:
    """The preset of a name, or of its beginning where that is unique."""
    wanted = _plain(text)
    names = [_plain(preset.name) for preset in PRESETS]
    found = [index for index, name in enumerate(names) if name == wanted]
    found = found or [index for index, name in enumerate(names) if wanted and wanted in name]
    if len(found) == 1:
        return found[0]
    choices = ", ".join(f"'{preset.name}'" for preset in PRESETS)
    raise QvizError(f"preset '{text}'", "it names no preset, or several", f"Use one of {choices}")


def _plain(text: str) -> str:
    """As it can be typed: "0..1" is "0…1"."""
    plain = text.strip().lower().replace("…", "..").replace("\N{MINUS SIGN}", "-")
    return plain.replace("...", "..")


def _read(name: str, text: str) -> list[tuple[str, Any]]:
    """Fields of a preprocessing that a word sets; raises QvizError."""
    if name not in WORDS:
        raise QvizError(f"'{name}'", "there is no such field", f"Use {', '.join(WORDS)}")
    try:
        return WORDS[name](text.strip())
    except ValueError:
        raise QvizError(
            f"{name}={text}", "it is not understood", f"Write as in {_EXAMPLES[name]}"
        ) from None


def _size(text: str) -> Size:
    """A side, HEIGHTxWIDTH, or none."""
    if text.lower() == "none":
        return None
    sides = [int(side) for side in text.lower().replace("×", "x").split("x")]
    if len(sides) > 2:
        raise ValueError
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def _exact(text: str) -> list[tuple[str, Any]]:
    """Resized to a height and width, without a crop; a side alone is that of a square."""
    size = _size(text)
    return [("resize", (size, size) if isinstance(size, int) else size), ("crop", None)]


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    divisor = float(below or 1)
    if not divisor:
        raise ValueError
    return float(above) / divisor


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(_number(part) for part in text.replace(";", ",").split(","))


WORDS: Mapping[str, Callable[[str], list[tuple[str, Any]]]] = {
    "size": _exact,
    "resize": lambda text: [("resize", _size(text))],
    "crop": lambda text: [("crop", _size(text))],
    "interpolation": lambda text: [("interpolation", text)],
    "channels": lambda text: [("channels", text)],
    "layout": lambda text: [("layout", text)],
    "scale": lambda text: [("scale", _number(text))],
    "mean": lambda text: [("mean", _numbers(text))],
    "std": lambda text: [("std", _numbers(text))],
}
_EXAMPLES = {
    "size": "size=224x224",
    "resize": "resize=256, resize=256x256 or resize=none",
    "crop": "crop=224 or crop=none",
    "scale": "scale=1/255",
    "mean": "mean=0.485,0.456,0.406",
    "std": "std=0.229,0.224,0.225",
}
