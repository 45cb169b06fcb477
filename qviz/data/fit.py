"""Which column feeds which input of a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qviz.data.content import content_hash
from qviz.data.input_names import by_name
from qviz.data.samples import Array, Column, InputSpec, Samples, takes
from qviz.errors import QvizError

# Names that exporters give to the memory of a recurrent or cached model, which starts at zero.
# What an encoder made is no first state, nor are pictures of cells: whole words only.
_MEMORY = re.compile(
    r"(?:^|(?<!encoder)(?<!encoder_hidden)[._/-])(?:"
    r"(?:h|c|hn|cn|(?:hidden|cell)(?:_?states?)?|past(?:_key(?:_values?)?|_value)?)"
    r"(?:_(?:in|init|prev))?(?=$|_?\d|[./-])"
    r"|(?:states?|cache|mem|memory)(?=$|[\d._/-]))",
    re.I,
)


@dataclass(frozen=True, eq=False, slots=True)
class Fitted:
    """What every input is fed: a column of the samples, or a constant that is the same for all."""

    columns: Mapping[str, Column]
    constants: Mapping[str, Array]  # by input, in the shape it takes for one sample
    notes: tuple[str, ...]


def with_values(
    samples: Samples, inputs: tuple[InputSpec, ...], values: Mapping[str, float]
) -> Samples:
    """The samples with the user's values for inputs that are the same for all of them.

    Raises:
        QvizError: a value for an input that the model does not have, one that its type cannot
            hold, or a value for every input.
    """
    specs = {spec.name: spec for spec in inputs}
    for name in values:
        if name not in specs:
            raise QvizError(
                f"input '{name}'",
                "the model has no such input",
                f"Use one of {', '.join(map(repr, specs))}",
            )
    given = {
        name: np.full(_one_sample(specs[name]), _cast(f"input '{name}'", value, specs[name]))
        for name, value in values.items()
    }
    if not given:
        return samples
    constants = {**samples.constants, **given}
    columns = {name: column for name, column in samples.arrays.items() if name not in given}
    if not columns or all(name in constants for name in specs):
        raise _nothing_by_samples(samples.name)
    digest = content_hash({**given, samples.hash: np.zeros(0)})
    return replace(samples, arrays=columns, constants=constants, hash=digest)


def fit_to_inputs(samples: Samples, inputs: tuple[InputSpec, ...]) -> Fitted:
    """Match columns and constants to inputs by name or, where one of each is left, by position.

    Names match in another case where that is unique. The memory of recurrent models starts at
    zero where nothing is given.

    Raises:
        QvizError: an input without anything to feed, a column or constant whose rank, sizes,
            type or values do not fit, or no input that takes samples.
    """
    columns = _matched(samples, inputs)
    fixed = by_name(samples.constants, [spec.name for spec in inputs])
    constants: dict[str, Array] = {}
    notes, missing = [], []
    for spec in inputs:
        if spec.name in columns:
            continue
        if spec.name in fixed:
            constant = samples.constants[fixed[spec.name]]
            constants[spec.name] = _fitted_constant(samples.name, constant, spec)
        elif is_memory(spec) and columns:
            first = np.zeros(_first_memory(spec), spec.dtype)
            fed = "zeros are fed" if first.size else "nothing is remembered at first"
            constants[spec.name] = first
            notes.append(f"Input '{spec.name}' is not in the samples: {fed}")
        else:
            missing.append(spec.name)
    if missing:
        raise _nothing_for(samples, missing)
    if not columns:
        raise _nothing_by_samples(samples.name)
    return Fitted(columns, constants, tuple(notes))


def _matched(samples: Samples, inputs: tuple[InputSpec, ...]) -> dict[str, Column]:
    wanted = [spec.name for spec in inputs]
    named = by_name(samples.arrays, wanted)
    matched = {name: samples.arrays[array] for name, array in named.items()}
    used = set(named.values())
    others = [column for name, column in samples.arrays.items() if name not in used]
    given = matched.keys() | by_name(samples.constants, wanted).keys()
    # A scalar cannot go by samples.
    left = [spec for spec in inputs if spec.name not in given and spec.shape != ()]
    open_inputs = [spec for spec in left if not is_memory(spec)]
    if not open_inputs and len(others) == 1:  # no memory where an array has nothing else to feed
        open_inputs = [spec for spec in left if not matched or takes(spec, others[0])]
    if len(others) == 1 and len(open_inputs) == 1:
        matched[open_inputs[0].name] = others[0]
    return {
        spec.name: _fitted(samples.name, matched[spec.name], spec)
        for spec in inputs
        if spec.name in matched
    }


def is_memory(spec: InputSpec) -> bool:
    """Whether an input's name and type are those of a recurrent or cached model's memory."""
    return bool(_MEMORY.search(spec.name)) and spec.dtype.startswith("float") and bool(spec.shape)


def _one_sample(spec: InputSpec) -> tuple[int, ...]:
    return tuple(1 if size is None else size for size in spec.shape or ())


def memory_batch_axis(shape: tuple[int | None, ...]) -> int:
    """Where samples lie in memory: [batch, hidden], [layers, batch, hidden], [batch, heads, …]."""
    rank = len(shape)
    if rank < 3 or shape[0] is None:
        return 0
    if rank == 4:  # a layer's keys or values, unless the first axis holds both
        return 1 if shape[1] is None and shape[0] > 1 else 0
    return 1


def _first_memory(spec: InputSpec) -> tuple[int, ...]:
    """Of one sample: an open size that is not the batch is a length, and starts at none."""
    shape = spec.shape or ()
    batch = memory_batch_axis(shape)
    return tuple(
        (0 if axis != batch and len(shape) > 2 else 1) if size is None else size
        for axis, size in enumerate(shape)
    )


def _fitted_constant(subject: str, array: Array, spec: InputSpec) -> Array:
    if (
        spec.shape is not None
        and array.size == 1
        and not any(n not in (1, None) for n in spec.shape)
    ):
        array = array.reshape(_one_sample(spec))
    fits = spec.shape is None or (
        array.ndim == len(spec.shape)
        and all(want in (None, have) for want, have in zip(spec.shape, array.shape, strict=True))
    )
    if not fits:
        raise QvizError(
            subject,
            f"array '{spec.name}' of shape {array.shape} has neither a row per sample nor the "
            f"shape of the model's input",
            "Give it one row per sample, or the shape that the input takes",
        )
    return _cast(subject, array, spec)


def _cast(subject: str, values: Array | float, spec: InputSpec) -> Array:
    """Values in the type that an input takes; refused where that would change them."""
    array, target = np.asarray(values), np.dtype(spec.dtype)
    if array.dtype.kind not in "iufb":
        raise _wrong_type(subject, array, spec)
    if target.kind != "f" and not np.array_equal(array, np.trunc(array)):  # nor is NaN whole
        raise QvizError(
            subject,
            f"model input '{spec.name}' takes {target.name}, but the value is not whole",
            "Give whole numbers",
        )
    _check_limits(subject, array[np.isfinite(array) | (target.kind != "f")], target, spec.name)
    return array.astype(target)


def _nothing_by_samples(subject: str) -> QvizError:
    return QvizError(
        subject,
        "every input of the model has one value for all samples",
        "Leave an input to the samples",
    )


def _nothing_for(samples: Samples, missing: list[str]) -> QvizError:
    given = ", ".join(repr(name) for name in (*samples.arrays, *samples.constants))
    return QvizError(
        samples.name,
        f"no array for model input {', '.join(map(repr, missing))} (it has {given})",
        "Save one array per model input, under the input's name, or give an input one value for "
        f"all samples: --input {missing[0]}=VALUE",
    )


def _fitted(subject: str, array: Column, spec: InputSpec) -> Column:
    if array.dtype.kind not in "iufb":
        raise _wrong_type(subject, array, spec)
    if spec.shape is not None and not takes(spec, array):
        wanted = "×".join("any" if size is None else str(size) for size in spec.shape[1:])
        raise QvizError(
            subject,
            f"model input '{spec.name}' takes samples of shape {wanted or 'scalar'}, "
            f"but these are {'×'.join(map(str, array.shape[1:])) or 'scalar'}",
            "Reshape or resize the samples to what the model takes",
        )
    target = np.dtype(spec.dtype)
    if array.dtype == target:
        return array
    whole = array.dtype.kind in "iub" and target.kind in "iufb"
    if whole or np.can_cast(array.dtype, target, "same_kind"):
        _check_limits(subject, array, target, spec.name)
        return array
    raise _wrong_type(subject, array, spec)


def _wrong_type(subject: str, array: Column, spec: InputSpec) -> QvizError:
    target = np.dtype(spec.dtype)
    return QvizError(
        subject,
        f"model input '{spec.name}' takes {target.name} but the array is {array.dtype.name}",
        f"Save the array as {target.name}",
    )


def _check_limits(subject: str, array: Column, target: np.dtype[Any], name: str) -> None:
    """Refuse values that the type a model takes cannot hold: they would wrap or become infinite."""
    if not isinstance(array, np.ndarray) or not array.size:
        return  # a reader of files makes the type that the input takes
    if np.can_cast(array.dtype, target, "safe"):
        return
    lowest, highest = _limits(target)
    low, high = array.min().item(), array.max().item()
    if low < lowest or high > highest:
        raise QvizError(
            subject,
            f"model input '{name}' takes {target.name}, which cannot hold {low:g} to {high:g}",
            f"Scale it to the range of {target.name}",
        )


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
