"""Text: windows of tokens for a language model, or a row for every line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from qviz.data.content import row_digests
from qviz.data.read_npz import from_arrays
from qviz.data.reading import Reading
from qviz.data.samples import Array, InputSpec, Samples
from qviz.data.subset import subset
from qviz.data.text_file import open_text
from qviz.data.text_rows import text_rows
from qviz.data.token_inputs import ANY_INPUT, completed, in_rows, token_input
from qviz.data.tokenizer_file import find_tokenizer, read_tokenizer
from qviz.errors import QvizError

LARGEST_TEXT = 2**28  # bytes
_PIECE = 2**20  # characters tokenized at once


def read_text(path: Path, inputs: tuple[InputSpec, ...], reading: Reading) -> Samples:
    """Read text in windows of tokens, made by a `tokenizer.json` beside it or in `reading`.

    A window is as long as the input's fixed size, else as `reading` says; what is left at the end
    is dropped, and no special tokens are added. Without next tokens as labels every line is a
    sample. Nothing is fetched from anywhere.

    Raises:
        QvizError: no tokenizer, a damaged one, no UTF-8 text, fewer tokens than a window.
    """
    spec = token_input(inputs)
    if spec is None and inputs:
        raise QvizError(path.name, "the model has no input of tokens", "Open another model")
    spec = spec or ANY_INPUT
    text = _text(path)
    if not reading.next_token:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return text_rows(path, lines, None, (), inputs, reading)
    source = find_tokenizer(path, reading)
    ids = _ids(read_tokenizer(source), text)
    array = in_rows(path.name, ids, inputs, reading)
    samples = from_arrays(path, {spec.name: array.astype(spec.dtype)}, (spec,))
    samples = replace(
        samples,
        digests=row_digests({spec.name: array}),
        notes=(f"{len(ids):,} tokens in windows of {array.shape[1]}, by {source.name}",),
    )
    return subset(completed(samples, inputs), reading)


def _text(path: Path) -> str:
    with open_text(path) as stream:
        if path.stat().st_size > LARGEST_TEXT:
            raise QvizError(path.name, f"it has more than {LARGEST_TEXT:,} bytes", "Take a part")
        return stream.read()


def _ids(tokenizer: Tokenizer, text: str) -> Array:
    tokenizer.no_truncation()
    tokenizer.no_padding()
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
