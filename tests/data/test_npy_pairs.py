"""`.npy` files: arrays that stay on disk, and the labels beside them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qviz.data import content, parts
from qviz.data.content import content_hash, in_blocks, row_digests
from qviz.data.fit import fit_to_inputs
from qviz.data.parts import split_samples
from qviz.data.read_npz import read_npz
from qviz.data.read_samples import read_samples
from qviz.data.reading import Reading
from qviz.data.samples import Array, InputSpec, Samples
from qviz.errors import QvizError

X = (InputSpec("x", "float32", (None, 2)),)
DATA = np.arange(8, dtype=np.float32).reshape(4, 2)


def save(folder: Path, **arrays: Any) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def read(path: Path, inputs: tuple[InputSpec, ...] = X, **how: Any) -> Samples:
    return read_samples(path, inputs, Reading(**how))


def labels(samples: Samples) -> list[Any] | None:
    return None if samples.labels is None else list(samples.labels.tolist())


@pytest.mark.parametrize(
    ("data", "beside"),
    [
        ("x", "x_labels"), ("x", "y"), ("x", "labels"), ("train_x", "train_y"),
        ("X_test", "y_test"),
        ("images", "labels"), ("test_images", "test_labels"), ("data", "targets"),
        ("features.val", "labels.val"), ("anything", "anything_y"),
    ],
)  # fmt: skip
def test_labels_lie_beside(tmp_path: Path, data: str, beside: str) -> None:
    save(tmp_path, **{data: DATA, beside: np.array([3, 1, 2, 0], np.uint8), "unrelated": DATA})
    samples = read(tmp_path / f"{data}.npy")
    assert labels(samples) == [3, 1, 2, 0]
    assert samples.notes == (f"Labels from {beside}.npy",)
    column = samples.arrays["x"]
    assert isinstance(column, np.memmap)
    np.testing.assert_array_equal(column[np.array([2, 0])], DATA[[2, 0]])


def test_the_pair_goes_before_what_lies_around(tmp_path: Path) -> None:
    save(tmp_path, x=DATA, labels=np.zeros(4, int), x_labels=np.ones(4, int))
    assert labels(read(tmp_path / "x.npy")) == [1, 1, 1, 1]


def test_labels_of_other_samples_are_left_out_with_a_note(tmp_path: Path) -> None:
    save(tmp_path, x=DATA, labels=np.zeros(9, int))
    samples = read(tmp_path / "x.npy")
    assert samples.labels is None
    assert samples.notes == ("labels.npy has another number of rows: it is left out",)
    save(tmp_path, x_labels=np.zeros(9, int))
    with pytest.raises(QvizError, match=r"'labels' has shape \(9,\) but there are 4"):
        read(tmp_path / "x.npy")


def test_a_folder_of_arrays_by_input(tmp_path: Path) -> None:
    inputs = (InputSpec("a", "float32", (None, 2)), InputSpec("b:0", "int64", (None,)))
    save(tmp_path, a=DATA, b_0=np.arange(4), y=np.arange(4) % 2, spare=DATA)
    samples = read(tmp_path, inputs)
    assert set(samples.arrays) == {"a", "b:0"}
    assert labels(samples) == [0, 1, 0, 1]
    assert samples.notes == ("Labels are array 'y'", "Array 'spare' is not used")
    others = (InputSpec("p", "float32", (None, 2)), InputSpec("q", "float32", (None,)))
    with pytest.raises(QvizError, match=r"no array for model input 'p', 'q' \(it has 'a', 'b_0'"):
        fit_to_inputs(read(tmp_path, others), others)


def test_one_array_in_a_folder_needs_no_name(tmp_path: Path) -> None:
    save(tmp_path, whatever=DATA, labels=np.arange(4))
    assert labels(read(tmp_path)) == [0, 1, 2, 3]


def test_the_hash_is_that_of_the_same_arrays_in_an_npz(tmp_path: Path) -> None:
    save(tmp_path, x=np.asfortranarray(DATA), labels=np.arange(4))
    np.savez(tmp_path / "x.npz", x=DATA, labels=np.arange(4))
    assert read(tmp_path / "x.npy").hash == read_npz(tmp_path / "x.npz").hash
    save(tmp_path, x=DATA.astype(">f4"))
    swapped = read(tmp_path / "x.npy")
    assert swapped.arrays["x"].dtype.isnative
    assert swapped.hash == read_npz(tmp_path / "x.npz").hash


def test_the_split_is_that_of_the_same_arrays_in_an_npz(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=data, labels=np.arange(40))
    save(tmp_path, x_test=data, y_test=np.arange(40))
    arrays, inputs = read_npz(tmp_path / "x.npz"), (InputSpec("x", "float32", (None, 3)),)
    wanted = split_samples(arrays)
    monkeypatch.setattr(parts, "BLOCK_BYTES", 100)  # several blocks of rows
    for path in (tmp_path, tmp_path / "x_test.npy"):
        found = split_samples(read(path, inputs))
        np.testing.assert_array_equal(found.calibration, wanted.calibration)
        np.testing.assert_array_equal(found.tune, wanted.tune)


def hash_in_memory(arrays: Mapping[str, Array]) -> str:
    """Of whole arrays, as it has been since the first version: saved plans name it."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def test_hashes_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"a": DATA, "b": np.array(3), "c": np.arange(40).reshape(4, 10)[:, ::2]}
    whole, digests = content_hash(arrays), row_digests({"a": DATA, "c": arrays["c"]})
    assert whole == hash_in_memory(arrays)
    monkeypatch.setattr(content, "BLOCK_BYTES", 20)
    assert len(list(in_blocks(DATA))) == 2
    assert content_hash(arrays) == whole
    assert row_digests({"a": DATA, "c": arrays["c"]}) == digests
    assert len(set(digests)) == 4


def test_the_split_follows_the_rows(tmp_path: Path) -> None:
    data = np.arange(100, dtype=np.float32).reshape(50, 2)
    save(tmp_path, x=data)
    first = data[split_samples(read(tmp_path / "x.npy")).tune]
    shuffled = np.random.default_rng(0).permutation(data)
    save(tmp_path, x=shuffled)
    second = shuffled[split_samples(read(tmp_path / "x.npy")).tune]
    np.testing.assert_array_equal(first, second)


def test_a_subset_draws_rows_with_their_labels(tmp_path: Path) -> None:
    save(tmp_path, x=np.repeat(np.arange(50.0, dtype=np.float32)[:, None], 2, 1), y=np.arange(50))
    samples = read(tmp_path / "x.npy", subset=7, seed=1)
    assert labels(samples) == samples.arrays["x"][np.arange(7)][:, 0].tolist()
    np.savez(tmp_path / "x.npz", x=np.zeros((50, 2), np.float32))
    assert read(tmp_path / "x.npz", subset=7).count == 7


def huge() -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 2)}
    )
    return header.getvalue() + bytes(64)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"text", huge()])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(QvizError, match=r"x\.npy: it is no \.npy file"):
        read(tmp_path / "x.npy")


def test_truncated_files_and_pickles_are_refused(tmp_path: Path) -> None:
    save(tmp_path, x=DATA)
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-1])
    with pytest.raises(QvizError, match="only part of one"):
        read(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.array([{}, 3], dtype=object), allow_pickle=True)
    with pytest.raises(QvizError, match=r"no \.npy file of one plain array"):
        read(tmp_path / "x.npy")
    np.savez(tmp_path / "z.npz", x=DATA)
    (tmp_path / "z.npz").rename(tmp_path / "x.npy")
    with pytest.raises(QvizError, match="archive of arrays"):
        read(tmp_path / "x.npy")


def test_nan_is_found_in_any_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "BLOCK_BYTES", 100)
    data = np.zeros((300, 2), np.float32)
    data[217, 1] = np.nan
    save(tmp_path, x=data)
    with pytest.raises(QvizError, match="first in sample 217"):
        read(tmp_path / "x.npy")
