"""What every array of a file is for: a model input, the labels, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from qviz.data.arrange import arranged
from qviz.data.fit import is_memory
from qviz.data.input_names import by_name
from qviz.data.label_column import ARRAY_NAMES, MASKS
from qviz.data.samples import LABELS, Array, InputSpec, listed, takes
from qviz.data.splits import one_part
from qviz.data.token_inputs import companion
from qviz.errors import QvizError

# What the samples themselves are called, where several arrays fit the only input.
_USUAL = frozenset(
    {"x", "images", "image", "imgs", "data", "inputs", "input", "features", "samples", "arr_0"}
)


@dataclass(frozen=True, eq=False, slots=True)
class Roles:
    """Arrays that feed inputs, by their own names, the labels, and notes for the user."""

    arrays: Mapping[str, Array]
    labels: Array | None
    notes: tuple[str, ...] = ()


def find_roles(
    subject: str,
    arrays: Mapping[str, Array],
    inputs: Sequence[InputSpec],
    wanted: str | None = None,
    objects: Set[str] = frozenset(),
) -> Roles:
    """Sort arrays by name, and by what fits where one input and several arrays are left.

    `wanted` is the array of labels that the user named; `objects` could not be read, since they
    hold Python objects. Without `inputs` only labels are found.

    Raises:
        QvizError: labels that are not there, or more than one array that could be what is sought.
    """
    whole_names, part_note = one_part([*arrays, *objects], [spec.name for spec in inputs])
    shorts = {short: whole for whole, short in whole_names.items()}
    label = _find_label(subject, shorts, inputs, wanted)
    if label is not None and shorts[label] in objects:
        raise QvizError(
            subject,
            f"array '{shorts[label]}' holds Python objects, which are never loaded",
            "Save it as numbers or text, as by labels.astype(int)",
        )
    data = {short: arrays[name] for short, name in shorts.items() if name not in objects}
    if not inputs:
        return _without_inputs(shorts, data, label, objects)
    labels = None if label is None else data.pop(label)
    maybe = None if label in (None, LABELS) or wanted is not None else label
    used = _feeding(subject, data, inputs, labels)
    if label is None and "arr_0" in used and "arr_1" in data.keys() - used:
        label = maybe = "arr_1"  # as numpy.savez(file, x, y) calls them
        labels = data.pop("arr_1")
    if maybe is not None and not _same_length(labels, [data[name] for name in used]):
        label, labels = None, None
    notes = [part_note] if part_note else []
    if label is not None and shorts[label] != LABELS:
        notes.append(f"Labels are array '{shorts[label]}'")
    kept = {shorts[name]: data[name] for name in data if name in used}
    left = [name for name in shorts.values() if name not in kept]
    left = [name for name in left if label is None or name != shorts[label]]
    if left and kept:
        what = f"Arrays {listed(left)} are" if len(left) > 1 else f"Array '{left[0]}' is"
        hint = "" if label is not None else "; one that holds labels is named 'labels'"
        notes.append(f"{what} not used{hint}")
    return Roles(kept, labels, tuple(notes))


def _without_inputs(
    shorts: Mapping[str, str], data: dict[str, Array], label: str | None, objects: Set[str]
) -> Roles:
    labels = data.pop(label) if label is not None else None
    notes = tuple(f"Array '{name}' holds Python objects: it is left out" for name in objects)
    return Roles({shorts[name]: array for name, array in data.items()}, labels, notes)


def _find_label(
    subject: str,
    shorts: Mapping[str, str],
    inputs: Sequence[InputSpec],
    wanted: str | None,
) -> str | None:
    """The labels' name without the word of its part: the wanted one, `labels`, or a usual name."""
    if wanted is not None:
        found = [short for short, whole in shorts.items() if wanted in (whole, short)]
        if not found:
            cause = f"it has no array '{wanted}' for labels"
            raise QvizError(subject, cause, f"Choose one of {listed(shorts.values())}")
        return found[0]
    feeding = set(by_name(shorts, [spec.name for spec in inputs]).values())
    free = [short for short in shorts if short not in feeding]
    if LABELS in shorts:
        return LABELS
    if not inputs:
        return None
    exact = [short for short in free if short.lower() == LABELS]
    pictures = len(inputs) == 1 and inputs[0].dtype.startswith("float")
    words = ARRAY_NAMES | MASKS if pictures else ARRAY_NAMES  # other masks are no labels
    usual = exact or [short for short in free if short.lower() in words]
    if len(usual) == len(shorts) and not feeding:
        return None  # what is called so is all there is to feed
    if len(usual) > 1:
        names = [shorts[short] for short in usual]
        raise QvizError(
            subject,
            f"{listed(names)} may each be the labels",
            f"Name one of them 'labels', or say which: --reading label={names[0]}",
        )
    return usual[0] if usual else None


def _feeding(
    subject: str, data: Mapping[str, Array], inputs: Sequence[InputSpec], labels: Array | None
) -> set[str]:
    """The arrays that inputs take: by name, and the one for the only input that is left."""
    named = by_name(data, [spec.name for spec in inputs])
    used = set(named.values())
    others = [name for name in data if name not in used]
    rest = [spec for spec in inputs if spec.name not in named and spec.shape != ()]
    open_inputs = [spec for spec in rest if not is_memory(spec)]
    plain = [spec for spec in open_inputs if companion(spec) is None]
    if len(open_inputs) > 1 and plain:
        open_inputs = plain
    if len(open_inputs) > 1 and plain:
        return set(data)  # which inputs have no array is told where they meet
    if len(open_inputs) == 1 and others:
        follows = not plain and not _fitting(data, others, open_inputs[0], labels)
        chosen = () if follows else (_only(subject, data, others, open_inputs[0], labels),)
        return {*used, *chosen}
    if len(others) == 1 and not used:
        return {*others}
    if len(others) == 1 and any(takes(spec, data[others[0]]) for spec in rest):
        return used | {*others}
    return used


def _only(
    subject: str,
    data: Mapping[str, Array],
    others: Sequence[str],
    spec: InputSpec,
    labels: Array | None,
) -> str:
    if len(others) == 1:
        return others[0]
    fitting = _fitting(data, others, spec, labels)
    usual = [name for name in fitting if name.lower() in _USUAL]
    if len(fitting) == 1 or len(usual) == 1:
        return (fitting if len(fitting) == 1 else usual)[0]
    size = "×".join("any" if n is None else str(n) for n in (spec.shape or ())[1:]) or "any shape"
    cure = f"Name the array of samples '{spec.name}'"
    if fitting:
        cause = f"arrays {listed(fitting)} all fit model input '{spec.name}'"
        raise QvizError(subject, cause, cure)
    found = ", ".join(f"'{name}' {'×'.join(map(str, data[name].shape))}" for name in others[:6])
    raise QvizError(
        subject,
        f"no array fits model input '{spec.name}', which takes {size} per sample: it has {found}",
        cure,
    )


def _fitting(
    data: Mapping[str, Array], others: Sequence[str], spec: InputSpec, labels: Array | None
) -> list[str]:
    return [name for name in others if _could_feed(spec, name, data[name], labels)]


def _could_feed(spec: InputSpec, name: str, array: Array, labels: Array | None) -> bool:
    if array.dtype.kind not in "iufb" or not array.ndim:
        return False
    target = np.dtype(spec.dtype)
    if array.dtype.kind == "f" and target.kind != "f":
        return False
    rows = None if labels is None or not labels.ndim else len(labels)
    if rows is not None and rows != len(array):
        return False
    return takes(spec, array) or takes(spec, arranged(name, array, spec, rows)[0])


def _same_length(labels: Array | None, arrays: Sequence[Array]) -> bool:
    """Whether labels have a row per sample: not those of a file that means something else."""
    if labels is None or labels.dtype.kind not in "iufbUS":
        return False
    if not labels.ndim:
        return True
    return any(array.ndim > 0 and len(array) == len(labels) for array in arrays)
