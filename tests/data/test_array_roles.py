"""Arrays under any names: which feed inputs, which are labels, and what is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qviz.data.fit import fit_to_inputs
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import InputSpec, Samples
from qviz.errors import QvizError

X = np.random.default_rng(0).normal(size=(6, 3, 8, 8)).astype(np.float32)
Y = np.array([2, 0, 1, 1, 0, 2])
PICTURE = (InputSpec("x", "float32", (None, 3, 8, 8)),)
IDS = (InputSpec("ids", "int64", (None, None)),)


def read(
    folder: Path,
    inputs: tuple[InputSpec, ...] = PICTURE,
    reading: Reading = AS_PROPOSED,
    **arrays: Any,
) -> Samples:
    np.savez(folder / "set.npz", **arrays)
    return read_samples(folder / "set.npz", inputs, reading)


def refused(folder: Path, inputs: tuple[InputSpec, ...] = PICTURE, **arrays: Any) -> QvizError:
    with pytest.raises(QvizError) as caught:
        read(folder, inputs, **arrays)
    assert caught.value.subject == "set.npz"
    return caught.value


def fed(samples: Samples, inputs: tuple[InputSpec, ...] = PICTURE) -> NDArray[Any]:
    (column,) = fit_to_inputs(samples, inputs).columns.values()
    return column[np.arange(samples.count)]


@pytest.mark.parametrize(
    "names",
    [
        ("x", "y"), ("x", "label"), ("x", "gt"), ("X", "y"), ("X", "Labels"), ("data", "target"),
        ("images", "y"), ("images", "label"), ("arr_0", "arr_1"), ("features", "classes"),
        ("x_test", "y_test"), ("test_images", "test_labels"), ("X_val", "y_val"),
    ],
)  # fmt: skip
def test_usual_names_of_samples_and_labels(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays: dict[str, Any] = {names[0]: X, names[1]: Y}
    samples = read(tmp_path, **arrays)
    assert samples.labels is not None
    assert samples.labels.tolist() == Y.tolist()
    np.testing.assert_array_equal(fed(samples), X)
    assert samples.notes == (f"Labels are array '{names[1]}'",)


def test_labels_by_their_own_name_need_no_note(tmp_path: Path) -> None:
    samples = read(tmp_path, images=X, labels=Y)
    assert samples.labels is not None
    assert samples.notes == ()


def test_the_part_for_testing_is_taken(tmp_path: Path) -> None:
    samples = read(tmp_path, x_train=X[:2], y_train=Y[:2], x_test=X, y_test=Y)
    np.testing.assert_array_equal(fed(samples), X)
    assert samples.notes == (
        "'x_test' and 'y_test' of several parts taken, 'x_train' and 'y_train' left out",
        "Labels are array 'y_test'",
    )


def test_arrays_that_are_not_used_are_told_and_do_not_matter(tmp_path: Path) -> None:
    plain = read(tmp_path, x=X, labels=Y)
    samples = read(
        tmp_path,
        x=X,
        labels=Y,
        age=np.full(6, np.nan),
        ids=np.array(["a", "b"]),
        objects=np.array(["a", None], dtype=object),
    )
    assert samples.hash == plain.hash
    assert list(samples.arrays) == ["x"]
    assert samples.notes == ("Arrays 'age', 'ids' and 'objects' are not used",)
    without = read(tmp_path, x=X, logits=np.zeros((6, 3)))
    assert without.labels is None
    assert without.notes == ("Array 'logits' is not used; one that holds labels is named 'labels'",)


def test_what_is_ambiguous_is_never_guessed(tmp_path: Path) -> None:
    error = refused(tmp_path, x=X, y=Y, target=Y)
    assert error.cause == "'y' and 'target' may each be the labels"
    assert error.cure == "Name one of them 'labels', or say which: --reading label=y"
    error = refused(tmp_path, a=X, b=X, labels=Y)
    assert error.cause == "arrays 'a' and 'b' all fit model input 'x'"
    assert error.cure == "Name the array of samples 'x'"
    error = refused(tmp_path, a=X[:, :, :4], b=X[:, :2])
    assert "takes 3×8×8 per sample: it has 'a' 6×3×4×8, 'b' 6×2×8×8" in error.cause


def test_the_user_may_name_the_labels(tmp_path: Path) -> None:
    reading = Reading(label="target")
    samples = read(tmp_path, reading=reading, x=X, y=Y, target=Y[::-1])
    assert samples.labels is not None
    assert samples.labels.tolist() == Y[::-1].tolist()
    with pytest.raises(QvizError, match=r"no array 'target' for labels\. Choose one of 'x' and 'y"):
        read(tmp_path, reading=reading, x=X, y=Y)


def test_arrays_named_as_inputs_are_no_labels(tmp_path: Path) -> None:
    inputs = (InputSpec("x", "float32", (None, 3, 8, 8)), InputSpec("y", "float32", (None, 1)))
    samples = read(tmp_path, inputs, x=X, y=np.ones((6, 1), np.float32))
    assert samples.labels is None
    assert set(fit_to_inputs(samples, inputs).columns) == {"x", "y"}
    other = read(tmp_path, x=X, y=Y[:3])  # of another length: not one per sample
    assert other.labels is None


def test_labels_as_text_are_classes(tmp_path: Path) -> None:
    names = np.array(["cat", "ant", "bee"])[Y]
    samples = read(tmp_path, x=X, labels=names)
    assert samples.class_names == ("ant", "bee", "cat")
    assert samples.labels is not None
    assert [samples.class_names[label] for label in samples.labels] == names.tolist()
    assert samples.notes == ("Classes in the order of their names: 0 = ant, 1 = bee, 2 = cat",)
    digits = read(tmp_path, x=X, labels=Y.astype(str))
    assert digits.labels is not None
    assert digits.labels.tolist() == Y.tolist()
    assert digits.class_names == ()
    assert "holds Python objects" in refused(tmp_path, x=X, labels=Y.astype(object)).cause


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_channels_are_moved_to_where_the_input_has_them(tmp_path: Path, kind: str) -> None:
    pixels = (X * 20 + 100).clip(0, 255).astype(kind)
    samples = read(tmp_path, x=pixels.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(fed(samples), pixels)
    assert "has its channels last: given as 3×8×8" in samples.notes[0]
    last = (InputSpec("x", kind, (None, 8, 8, 3)),)
    samples = read(tmp_path, last, x=pixels)
    np.testing.assert_array_equal(fed(samples, last), pixels.transpose(0, 2, 3, 1))
    assert "has its channels first: given as 8×8×3" in samples.notes[0]


def test_axes_that_are_left_out_are_added(tmp_path: Path) -> None:
    gray = (InputSpec("x", "float32", (None, 1, 8, 8)),)
    samples = read(tmp_path, gray, x=X[:, 0], y=Y)
    np.testing.assert_array_equal(fed(samples, gray), X[:, :1])
    assert "has no axis of channels: given as 1×8×8" in samples.notes[1]
    rows = read(tmp_path, gray, x=X[:, 0].reshape(6, 64), y=Y)
    np.testing.assert_array_equal(fed(rows, gray), X[:, :1])
    assert "has rows of 64: given as 1×8×8" in rows.notes[1]
    one = read(tmp_path, x=X[0], labels=Y[0])
    np.testing.assert_array_equal(fed(one), X[:1])
    assert one.labels is not None
    assert one.labels.tolist() == [2]
    assert "is one sample without an axis of samples" in one.notes[0]


def test_pixels_for_a_model_of_floats_are_told(tmp_path: Path) -> None:
    note = "Pixels of 'x' are given as they are, 0…255"
    pixels = np.zeros((6, 3, 8, 8), np.uint8)
    assert read(tmp_path, x=pixels).notes[0].startswith(note)
    assert read(tmp_path, x=pixels, labels=np.zeros(6, np.int64)).notes == ()
    assert read(tmp_path, (InputSpec("x", "uint8", (None, 3, 8, 8)),), x=pixels).notes == ()


def test_a_stream_of_tokens_is_cut_into_rows(tmp_path: Path) -> None:
    stream = np.arange(25, dtype=np.uint16)
    samples = read(tmp_path, IDS, Reading(sequence_length=8), ids=stream)
    np.testing.assert_array_equal(fed(samples, IDS), stream[:24].reshape(3, 8))
    assert samples.notes == ("25 tokens of 'ids' in rows of 8",)
    np.save(tmp_path / "tokens.npy", stream)
    fixed = (InputSpec("ids", "int64", (None, 5)),)
    whole = read_samples(tmp_path / "tokens.npy", fixed)
    np.testing.assert_array_equal(fed(whole, fixed), stream.reshape(5, 5))
    labelled = read(tmp_path, fixed, ids=stream, labels=stream + 1)
    assert labelled.labels is not None
    np.testing.assert_array_equal(labelled.labels, stream.reshape(5, 5) + 1)
    error = refused(tmp_path, IDS, ids=stream)
    assert error.cause == "it has 25 tokens, fewer than one window of 128"
    assert "--reading length=N" in error.cure


def test_a_missing_mask_is_filled_in_and_a_given_one_kept(tmp_path: Path) -> None:
    inputs = (
        InputSpec("input_ids", "int64", (None, None)),
        InputSpec("attention_mask", "int64", (None, None)),
    )
    ids = np.arange(12).reshape(3, 4)
    samples = read(tmp_path, inputs, input_ids=ids, labels=np.arange(3))
    mask = samples.arrays["attention_mask"][np.arange(3)]
    np.testing.assert_array_equal(mask, np.ones((3, 4), np.int64))
    assert samples.notes == ("Input 'attention_mask' is filled in with ones",)
    given = read(tmp_path, inputs, input_ids=ids, mask=np.eye(3, 4, dtype=np.int64))
    columns = fit_to_inputs(given, inputs).columns
    np.testing.assert_array_equal(columns["attention_mask"][np.arange(3)], np.eye(3, 4))


def test_a_folder_of_parts(tmp_path: Path) -> None:
    np.save(tmp_path / "X_test.npy", X)
    np.save(tmp_path / "y_test.npy", Y)
    samples = read_samples(tmp_path, PICTURE)
    np.testing.assert_array_equal(fed(samples), X)
    assert samples.labels is not None
    assert samples.labels.tolist() == Y.tolist()
    assert samples.notes == ("Labels are array 'y_test'",)


def test_a_subset_says_of_how_many(tmp_path: Path) -> None:
    assert read(tmp_path, x=X).drawn_from is None
    assert read(tmp_path, reading=Reading(subset=2), x=X).drawn_from == 6
