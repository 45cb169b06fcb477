"""The files of a folder, and the classes that its sub-folders name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qviz.data.labels import class_order
from qviz.data.samples import Array
from qviz.data.stored_file import StoredFile
from qviz.errors import QvizError

# Parts of a data set, which nobody means as classes.
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_LONGEST_INDEX = 9  # digits; longer numbers are names


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """Files in a stable order, and their classes where there are sub-folders."""

    files: tuple[StoredFile, ...]
    labels: Array | None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def list_files(folder: Path, suffixes: tuple[str, ...], what: str) -> Listing:
    """Files of a kind: those of each sub-folder are a class, however deep; else without labels.

    Sub-folders count in the order of their names, or as the numbers that all of them are. A single
    sub-folder that is no number is opened itself. Hidden files are left out.

    Raises:
        QvizError: no such files, a class without any, or sub-folders for training and testing.
    """
    loose = [file for file in _visible(folder) if _is_kind(file, suffixes)]
    found = {sub.name: list(walk(sub, suffixes)) for sub in _visible(folder) if sub.is_dir()}
    if not any(found.values()):
        if not loose:
            raise _nothing(folder, suffixes, what)
        return Listing(_stored(folder, loose), None)
    if {name.lower() for name in found} <= _SPLITS and len(found) > 1:
        raise QvizError(
            folder.name,
            f"its sub-folders {', '.join(found)} are parts of a data set, not classes",
            "Open one of them",
        )
    if len(found) == 1 and not loose and not _are_indices(found):
        return _only(folder, next(iter(found)), suffixes, what)
    listing = _by_class(folder, found, suffixes, what)
    if not loose:
        return listing
    left = f"{len(loose)} {what} outside of the class folders are left out"
    return replace(listing, notes=(*listing.notes, left))


def count_kinds(folder: Path) -> Counter[str]:
    """How many files of each ending are below a folder, hidden ones left out."""
    return Counter(file.suffix.lower() for file in walk(folder, None))


def _by_class(
    folder: Path, found: Mapping[str, list[Path]], suffixes: tuple[str, ...], what: str
) -> Listing:
    for name, files in found.items():
        if not files:
            raise QvizError(
                f"{folder.name}/{name}",
                f"this class folder holds no {what} ({', '.join(suffixes)})",
                "Add some, or remove the folder",
            )
    numbered = _are_indices(found)
    indices = [int(name) if numbered else index for index, name in enumerate(found)]
    if len(set(indices)) < len(indices):
        raise QvizError(
            folder.name, "two class folders are the same number", "Give each class one folder"
        )
    files = [file for group in found.values() for file in group]
    labels = np.repeat(np.array(indices, np.int64), [len(group) for group in found.values()])
    if numbered:
        return Listing(_stored(folder, files), labels)
    note = f"Sub-folders are the classes, in the order of their names: {class_order(tuple(found))}"
    return Listing(_stored(folder, files), labels, tuple(found), (note,))


def _only(folder: Path, name: str, suffixes: tuple[str, ...], what: str) -> Listing:
    inner = list_files(folder / name, suffixes, what)
    files = tuple(StoredFile(f"{name}/{file.name}", file.content) for file in inner.files)
    note = f"'{name}' is the only sub-folder: it is opened, and is no class"
    return replace(inner, files=files, notes=(note, *inner.notes))


def _are_indices(names: Mapping[str, object]) -> bool:
    return all(
        name.isascii() and name.isdecimal() and len(name) <= _LONGEST_INDEX for name in names
    )


def _visible(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise QvizError(
            folder.name, f"it cannot be read ({error.strerror})", "Check the path and its rights"
        ) from error
    return [entry for entry in entries if not _is_hidden(entry.name)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_kind(path: Path, suffixes: tuple[str, ...]) -> bool:
    return path.suffix.lower() in suffixes and path.is_file()


def walk(folder: Path, suffixes: tuple[str, ...] | None) -> Iterator[Path]:
    """Files below a folder, by name; links are followed, but never in circles."""
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(names):
            # A name's ending is enough here: asking the disk about each file takes seconds.
            fits = suffixes is None or os.path.splitext(name)[1].lower() in suffixes
            if fits and not _is_hidden(name):
                yield Path(root, name)


def _stored(folder: Path, files: list[Path]) -> tuple[StoredFile, ...]:
    return tuple(StoredFile(file.relative_to(folder).as_posix(), file) for file in files)


def _nothing(folder: Path, suffixes: tuple[str, ...], what: str) -> QvizError:
    cause = f"it holds no {what} ({', '.join(suffixes)})" if _visible(folder) else "it is empty"
    return QvizError(folder.name, cause, f"Choose a folder of {what}, or of class folders")
