"""Texts, such as those of a table: a row of tokens for each, filled up to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from qviz.data.content import row_digests
from qviz.data.read_npz import from_arrays
from qviz.data.reading import Reading
from qviz.data.samples import LABELS, Array, InputSpec, Samples
from qviz.data.subset import subset
from qviz.data.token_inputs import ANY_INPUT, companion, completed, fixed_length, token_input
from qviz.data.tokenizer_file import find_tokenizer, read_tokenizer
from qviz.errors import QvizError

_PAD_TOKENS = ("[PAD]", "<pad>", "<|endoftext|>", "</s>")


def text_rows(
    path: Path,
    texts: Sequence[str],
    labels: Array | None,
    class_names: tuple[str, ...],
    inputs: tuple[InputSpec, ...],
    reading: Reading,
) -> Samples:
    """Samples of texts, with the special tokens that the tokenizer adds, and a mask of the filling.

    Rows are as long as the input's fixed size, else as the longest text, at most as `reading`
    says; longer texts are cut, with a note.

    Raises:
        QvizError: no texts, no tokenizer, or a damaged one.
    """
    if not texts:
        raise QvizError(path.name, "it holds no text", "Choose a file with a text per line")
    spec = token_input(inputs) or ANY_INPUT
    source, fixed = find_tokenizer(path, reading), fixed_length(inputs)
    ids, mask, cut = _encoded(read_tokenizer(source), texts, fixed, reading)
    arrays: dict[str, Array] = {spec.name: ids.astype(spec.dtype)}
    for other in inputs:
        if companion(other) == "attention_mask" and mask.shape[1:] == _length(other, mask):
            arrays[other.name] = mask.astype(other.dtype)
    labelled = arrays if labels is None else {**arrays, LABELS: labels}
    samples = from_arrays(path, labelled, inputs)
    notes = [f"{len(texts):,} texts in rows of {ids.shape[1]} tokens, by {source.name}"]
    if cut:
        longer = "" if fixed else ": --reading length=N, or Samples Options, keeps more"
        notes.append(f"{cut:,} texts are cut to {ids.shape[1]} tokens{longer}")
    found = replace(
        samples, digests=row_digests(arrays), class_names=class_names, notes=tuple(notes)
    )
    return subset(completed(found, inputs), reading)


def _encoded(
    tokenizer: Tokenizer, texts: Sequence[str], fixed: int | None, reading: Reading
) -> tuple[Array, Array, int]:
    """Ids and mask [n, tokens], and how many texts are cut."""
    padding = dict(tokenizer.padding or {})
    tokenizer.no_padding()
    tokenizer.no_truncation()
    most = fixed or reading.sequence_length
    lengths = [len(found.ids) for found in tokenizer.encode_batch(list(texts))]
    cut = sum(length > most for length in lengths)
    if cut:
        tokenizer.enable_truncation(most)
    length = fixed or max(min(max(lengths), most), 1)
    tokenizer.enable_padding(
        direction=padding.get("direction", "right"),
        pad_id=padding.get("pad_id", _pad_id(tokenizer)),
        length=length,
    )
    encoded = tokenizer.encode_batch(list(texts))
    ids = np.array([found.ids for found in encoded], np.int64)
    mask = np.array([found.attention_mask for found in encoded], np.int64)
    return ids, mask, cut


def _pad_id(tokenizer: Tokenizer) -> int:
    known = (tokenizer.token_to_id(token) for token in _PAD_TOKENS)
    return next((token for token in known if token is not None), 0)


def _length(spec: InputSpec, mask: Array) -> tuple[int, ...]:
    size = None if spec.shape is None else spec.shape[1]
    return (size or mask.shape[1],)
