"""Tokens: windows of text, next tokens as labels, and the inputs that follow from ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from qviz.data import tokens
from qviz.data.fit import fit_to_inputs
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import InputSpec, Samples
from qviz.data.token_inputs import fixed_length
from qviz.errors import QvizError

IDS = InputSpec("input_ids", "int64", (None, 4))
MASK = InputSpec("attention_mask", "int64", (None, None))
PLACES = InputSpec("position_ids", "int32", (None, None))
TYPES = InputSpec("token_type_ids", "int64", (None, None))


def text(folder: Path, words: int = 10) -> Path:
    vocabulary = {f"w{index}": index for index in range(100)} | {"?": 100}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    tokenizer.save(str(folder / "tokenizer.json"))
    path = folder / "text.txt"
    path.write_text("\n".join(f"w{index % 100}" for index in range(words)))
    return path


def ids(samples: Samples, name: str = "input_ids") -> list[list[int]]:
    return list(samples.arrays[name][np.arange(samples.count)].tolist())


def labels(samples: Samples) -> list[list[int]] | None:
    return None if samples.labels is None else list(samples.labels.tolist())


def test_text_comes_in_windows(tmp_path: Path) -> None:
    samples = read_samples(text(tmp_path), (IDS,))
    assert ids(samples) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert labels(samples) is None  # the model tells whether it predicts the next tokens
    assert samples.notes[0] == "10 tokens in windows of 4, by tokenizer.json"


def test_without_next_tokens_every_line_is_a_sample(tmp_path: Path) -> None:
    text(tmp_path)
    lines = "w1 w2\n\nw3\nw4 w5 w6 w7 w8 w9\n"
    (tmp_path / "text.txt").write_text(lines)
    samples = read_samples(tmp_path / "text.txt", (IDS, MASK), Reading(next_token=False))
    assert ids(samples) == [[1, 2, 0, 0], [3, 0, 0, 0], [4, 5, 6, 7]]
    assert ids(samples, "attention_mask") == [[1, 1, 0, 0], [1, 0, 0, 0], [1] * 4]
    assert samples.notes == (
        "3 texts in rows of 4 tokens, by tokenizer.json",
        "1 texts are cut to 4 tokens",
    )
    free = replace(IDS, shape=(None, None))
    longest = read_samples(tmp_path / "text.txt", (free,), Reading(next_token=False))
    assert longest.arrays["input_ids"].shape == (3, 6)
    short = Reading(next_token=False, sequence_length=2)
    cut = read_samples(tmp_path / "text.txt", (free,), short)
    assert cut.arrays["input_ids"].shape == (3, 2)
    assert "--reading length=N" in cut.notes[1]


def test_open_lengths_come_from_reading(tmp_path: Path) -> None:
    spec = replace(IDS, shape=(None, None), dtype="int32")
    samples = read_samples(text(tmp_path), (spec,), Reading(sequence_length=5))
    assert samples.arrays["input_ids"].shape == (2, 5)
    assert samples.arrays["input_ids"].dtype == np.int32


def test_a_fixed_length_of_any_input_holds_for_all(tmp_path: Path) -> None:
    free = replace(IDS, shape=(None, None))
    path, long = text(tmp_path), Reading(sequence_length=9)
    for other in (replace(MASK, shape=(None, 5)), replace(PLACES, shape=(1, 5))):
        samples = read_samples(path, (free, other), long)
        assert ids(samples) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
        fit_to_inputs(samples, (free, other))
    past = InputSpec("past.0.key", "float32", (1, 2, 3, 8))
    masked = (free, replace(MASK, shape=(None, 8)), past)  # 3 places of the past, and a row
    assert fixed_length(masked) is None
    assert fixed_length((IDS, past)) == 4
    assert fixed_length((free, MASK)) is fixed_length((past,)) is None


def test_the_tokenizer_may_lie_elsewhere(tmp_path: Path) -> None:
    path = text(tmp_path)
    (tmp_path / "tokenizer.json").rename(tmp_path / "other.json")
    with pytest.raises(QvizError, match=r"tokenizer\.json: there is no tokenizer to read"):
        read_samples(path, (IDS,))
    reading = Reading(tokenizer=str(tmp_path / "other.json"))
    assert read_samples(path, (IDS,), reading).count == 2


def test_pieces_do_not_change_the_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_samples(text(tmp_path, 64), (IDS,)).hash
    monkeypatch.setattr(tokens, "_PIECE", 17)
    assert read_samples(tmp_path / "text.txt", (IDS,)).hash == whole


def test_companions_of_the_ids_are_filled_in(tmp_path: Path) -> None:
    inputs = (IDS, MASK, PLACES)
    samples = read_samples(text(tmp_path), inputs)
    assert ids(samples, "attention_mask") == [[1] * 4] * 2
    assert ids(samples, "position_ids") == [[0, 1, 2, 3]] * 2
    assert samples.arrays["position_ids"].dtype == np.int32
    assert set(fit_to_inputs(samples, inputs).columns) == {spec.name for spec in inputs}
    encoder = read_samples(tmp_path / "text.txt", (IDS, MASK, TYPES))
    assert ids(encoder, "token_type_ids") == [[0] * 4] * 2


def test_arrays_of_ids(tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.arange(12).reshape(3, 4))
    samples = read_samples(tmp_path / "ids.npy", (IDS, MASK))
    assert labels(samples) is None
    assert ids(samples, "attention_mask") == [[1] * 4] * 3
    drawn = read_samples(tmp_path / "ids.npy", (IDS, MASK), Reading(subset=2))
    assert (drawn.count, drawn.drawn_from) == (2, 3)
    np.save(tmp_path / "labels.npy", np.array([1, 0, 1]))
    given = read_samples(tmp_path / "ids.npy", (IDS, MASK))
    assert given.labels is not None
    assert given.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("past", "mask", "empty"),
    [(None, None, 0), (3, None, 3), (3, 7, 3), (None, 6, 2), (3, 4, 0)],
)
def test_a_mask_covers_an_empty_past(
    tmp_path: Path, past: int | None, mask: int | None, empty: int
) -> None:
    np.save(tmp_path / "ids.npy", np.arange(12).reshape(3, 4))
    caches = [InputSpec(f"past.{i}.key", "float32", (1, 2, past, 8)) for i in range(2)]
    inputs = (IDS, replace(MASK, shape=(None, mask)), *caches)
    samples = read_samples(tmp_path / "ids.npy", inputs)
    assert ids(samples, "attention_mask") == [[0] * empty + [1] * 4] * 3
    places = f", zero for {empty} places of the past" if empty else ""
    assert f"Input 'attention_mask' is filled in with ones{places}" in samples.notes
    fitted = fit_to_inputs(samples, inputs)
    assert {c.shape for c in fitted.constants.values()} == {(1, 2, past or 0, 8)}


def test_integers_for_a_model_of_floats_are_no_tokens(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(12).reshape(3, 4))
    samples = read_samples(tmp_path / "x.npy", (InputSpec("x", "float32", (None, 4)),))
    assert samples.labels is None


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"model": {"type": "BPE"}}', "\x00"])
def test_malformed_tokenizers_are_refused(tmp_path: Path, content: str) -> None:
    path = text(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(QvizError, match=r"tokenizer\.json: it is no tokenizer, or a damaged one"):
        read_samples(path, (IDS,))


def test_text_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = text(tmp_path, 3)
    with pytest.raises(QvizError, match="it has 3 tokens, fewer than one window of 4"):
        read_samples(path, (IDS,))
    with pytest.raises(QvizError, match="no input of tokens"):
        read_samples(path, (InputSpec("x", "float32", (None, 4)),))
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(QvizError, match="not UTF-8"):
        read_samples(path, (IDS,))
    monkeypatch.setattr(tokens, "LARGEST_TEXT", 2)
    with pytest.raises(QvizError, match="more than 2 bytes"):
        read_samples(path, (IDS,), AS_PROPOSED)
