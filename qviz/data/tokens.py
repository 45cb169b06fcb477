"""Tokens: ids from a `.npy` file or from text, and the inputs that go with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from qviz.data.content import row_digests
from qviz.data.npy_pairs import read_npy
from qviz.data.read_npz import from_arrays
from qviz.data.reading import Reading
from qviz.data.samples import Array, Column, InputSpec, Samples
from qviz.data.subset import subset
from qviz.errors import QvizError

IGNORED = -100  # the label of a position that is not scored
LARGEST_TEXT = 2**28  # bytes
LARGEST_TOKENIZER = 2**28
_PIECE = 2**20  # characters tokenized at once
ANY_INPUT = InputSpec("input_ids", "int64", None)
# Inputs that follow from the ids alone, by a part of their names.
_COMPANIONS = ("attention_mask", "position_ids", "token_type_ids", "segment_ids")


def token_input(inputs: tuple[InputSpec, ...]) -> InputSpec | None:
    """The only integer input [samples, tokens] apart from masks and the like; None without one."""
    found = [
        spec
        for spec in inputs
        if np.dtype(spec.dtype).kind in "iu"
        and (spec.shape is None or len(spec.shape) == 2)
        and not _companion(spec)
    ]
    return found[0] if len(found) == 1 else None


def read_token_array(path: Path, inputs: tuple[InputSpec, ...], reading: Reading) -> Samples:
    """Read ids [n, tokens] from a `.npy` file; labels lie beside it or are the next tokens.

    Raises:
        QvizError: as `read_npy` does.
    """
    spec = token_input(inputs) or ANY_INPUT
    alone = replace(spec, shape=None)
    return subset(_completed(read_npy(path, (alone,)), spec, inputs, reading), reading)


def read_text(path: Path, inputs: tuple[InputSpec, ...], reading: Reading) -> Samples:
    """Read text in windows of tokens, made by a `tokenizer.json` beside it or in `reading`.

    A window is as long as the input's fixed size, else as `reading` says; what is left at the end
    is dropped, and no special tokens are added. Nothing is fetched from anywhere.

    Raises:
        QvizError: no tokenizer, a damaged one, no UTF-8 text, fewer tokens than a window.
    """
    spec = token_input(inputs)
    if spec is None and inputs:
        raise QvizError(path.name, "the model has no input of tokens", "Open another model")
    spec = spec or ANY_INPUT
    fixed = None if spec.shape is None else spec.shape[1]
    length = fixed or reading.sequence_length
    source = Path(reading.tokenizer) if reading.tokenizer else path.with_name("tokenizer.json")
    ids = _ids(_tokenizer(source), _text(path))
    windows = len(ids) // length
    if not windows:
        raise QvizError(
            path.name,
            f"it has {len(ids)} tokens, fewer than one window of {length}",
            "Choose more text" if fixed else "Choose more text, or a shorter sequence",
        )
    array = ids[: windows * length].reshape(windows, length)
    samples = from_arrays(path, {spec.name: array.astype(spec.dtype)}, (spec,))
    samples = replace(
        samples,
        digests=row_digests({spec.name: array}),
        notes=(f"{len(ids):,} tokens in windows of {length}, by {source.name}",),
    )
    return subset(_completed(samples, spec, inputs, reading), reading)


def next_tokens(ids: Array) -> Array:
    """Each token's successor [n, tokens], int64, and `IGNORED` at the end of each row."""
    labels = np.full(ids.shape, IGNORED, np.int64)
    labels[:, :-1] = ids[:, 1:]
    return labels


def _completed(
    samples: Samples, spec: InputSpec, inputs: tuple[InputSpec, ...], reading: Reading
) -> Samples:
    """With the inputs that follow from the ids, and with labels of a language model."""
    ids = np.asarray(samples.arrays[spec.name])
    if ids.ndim != 2:
        raise QvizError(
            samples.name,
            f"token ids have shape {ids.shape}, not samples × tokens",
            "Save one row of ids per sample",
        )
    arrays: dict[str, Column] = dict(samples.arrays)
    notes = list(samples.notes)
    for other in inputs:
        kind = _companion(other)
        if kind is not None:
            arrays[other.name] = _follows(kind, other, ids.shape)
            notes.append(f"Input '{other.name}' is filled in")
    labels = samples.labels
    # Types of segments are an encoder's; its labels are not the next tokens.
    segments = any(_companion(other) in ("token_type_ids", "segment_ids") for other in inputs)
    digest = samples.hash
    if labels is None and reading.next_token and not segments:
        labels = next_tokens(ids)
        digest = hashlib.sha256(f"{digest} next tokens".encode()).hexdigest()
        notes.append("Labels are the next tokens")
    return replace(samples, arrays=arrays, labels=labels, hash=digest, notes=tuple(notes))


def _companion(spec: InputSpec) -> str | None:
    lowered = spec.name.lower()
    found = next((name for name in _COMPANIONS if name in lowered), None)
    return found if spec.shape is None or len(spec.shape) == 2 else None


def _follows(kind: str, spec: InputSpec, shape: tuple[int, ...]) -> Array:
    row = {
        "attention_mask": np.ones(shape[1]),
        "position_ids": np.arange(shape[1]),
    }.get(kind, np.zeros(shape[1]))
    return np.broadcast_to(row.astype(spec.dtype), shape)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise QvizError(path.name, f"it has more than {LARGEST_TEXT:,} bytes", "Take a part")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise QvizError(
            path.name, f"it cannot be read ({error.strerror})", "Check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise QvizError(path.name, "it is not UTF-8 text", "Save it as UTF-8") from error


def _tokenizer(path: Path) -> Tokenizer:
    try:
        if path.stat().st_size > LARGEST_TOKENIZER:
            raise QvizError(path.name, "it is too large for a tokenizer", "Choose another file")
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except QvizError:
        raise
    except OSError as error:
        raise QvizError(
            path.name,
            f"there is no tokenizer to read in {path.absolute().parent} ({error.strerror})",
            "Put the model's tokenizer.json beside the text, or give token ids as .npy",
        ) from error
    except Exception as error:  # the library raises plain exceptions
        raise QvizError(
            path.name, f"it is no tokenizer, or a damaged one ({error})", "Save it again"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _ids(tokenizer: Tokenizer, text: str) -> Array:
    pieces = [tokenizer.encode(piece, add_special_tokens=False).ids for piece in _pieces(text)]
    return np.concatenate([np.zeros(0, np.int64), *(np.array(ids, np.int64) for ids in pieces)])


def _pieces(text: str) -> Iterator[str]:
    """Text cut after ends of lines, since a tokenizer takes a hundred times its input's memory."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or end
        yield text[start:end]
        start = end
