"""Reading samples: what is taken, and one clear message for everything that is not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qviz.data.read_npz import read_npz
from qviz.data.samples import InputSpec
from qviz.errors import QvizError

Array = NDArray[Any]


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "samples.npz"


def refused(path: Path) -> QvizError:
    with pytest.raises(QvizError) as caught:
        read_npz(path)
    assert caught.value.subject == path.name
    assert caught.value.cure
    return caught.value


def test_arrays_and_labels_are_read(file: Path) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    samples = read_npz(save(file, image=x, labels=np.array([2, 0, 1], np.uint8)))
    assert (samples.name, samples.path, samples.count) == ("samples.npz", str(file), 3)
    assert list(samples.arrays) == ["image"]
    np.testing.assert_array_equal(samples.arrays["image"], x)
    assert samples.labels is not None
    assert samples.labels.dtype == np.int64
    assert samples.labels.tolist() == [2, 0, 1]


def test_labels_are_optional(file: Path) -> None:
    assert read_npz(save(file, a=np.ones((2, 3)), b=np.ones((2, 1)))).labels is None


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_refused(file: Path, compressed: bool) -> None:
    x = np.random.default_rng(0).random((50, 20))
    (np.savez_compressed if compressed else np.savez)(file, x=x)
    data = file.read_bytes()
    for length in (0, 1, 3, 100, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:length])
        assert "only part of one" in refused(file).cause


def test_damaged_bytes_are_refused(file: Path) -> None:
    x = np.random.default_rng(0).random((200, 20))
    np.savez_compressed(file, x=x)
    data = bytearray(file.read_bytes())
    data[300:600] = bytes(300)
    file.write_bytes(data)
    error = refused(file)
    assert "it is damaged" in error.cause or "cannot be read" in error.cause


def test_a_text_file_is_refused(file: Path) -> None:
    file.write_text("label,pixel\n1,2\n")
    assert "not an .npz archive" in refused(file).cause
    assert "pickle" not in str(refused(file))


def test_a_single_npy_array_is_refused(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.ones(3))
    assert "not an .npz archive" in refused(file).cause
    assert "numpy.savez" in refused(file).cure


def test_pickled_objects_are_refused_and_never_run(file: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    save(file, x=np.array([Trap()], dtype=object))
    assert "cannot be read" in refused(file).cause
    assert not (tmp_path / "ran").exists()


def test_an_array_that_declares_more_than_it_holds_is_refused(file: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    assert "cut short" in refused(file).cause


def test_other_archives_are_refused(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "'readme.txt'" in refused(file).cause


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    missing = refused(tmp_path / "none.npz")
    assert missing.subject == "none.npz"
    assert str(tmp_path) in missing.cause
    assert refused(tmp_path).cause == "it is a folder"


@pytest.mark.parametrize(
    ("arrays", "cause"),
    [
        ({}, "no input array"),
        ({"labels": np.arange(3)}, "no input array"),
        ({"x": np.float32(1.0)}, "'x' is a scalar"),
        ({"x": np.ones((3, 2)), "y": np.ones((2, 2))}, "(x: 3, y: 2)"),
        ({"x": np.ones((0, 4))}, "no samples"),
        ({"x": np.ones((0, 4)), "labels": np.ones(0)}, "no samples"),
        ({"x": np.array([[0.0], [1.0], [np.nan]])}, "'x' has NaN or infinite values, first"),
        ({"x": np.array([[0.0, np.inf], [1, 1]], np.float16)}, "first in sample 0"),
        ({"x": np.array([1.0, -np.inf])}, "first in sample 1"),
        ({"x": np.ones((3, 2)), "labels": np.arange(2)}, "'labels' has shape (2,) but there are 3"),
        ({"x": np.ones((3, 2)), "labels": np.int64(1)}, "'labels' has shape ()"),
        ({"x": np.ones((3, 2)), "labels": np.array([0, np.nan, 1])}, "NaN or infinite values"),
        ({"x": np.ones((3, 2)), "labels": np.ones(3, complex)}, "which are no numbers"),
        ({"x": np.ones((2, 2)), "labels": np.array([1, 2**64 - 1], np.uint64)}, "is no class"),
    ],
)  # fmt: skip
def test_unusable_arrays_are_refused(file: Path, arrays: dict[str, Any], cause: str) -> None:
    assert cause in refused(save(file, **arrays)).cause


@pytest.mark.parametrize("labels", [np.array([[1], [0]]), np.array([1.0, 0.0]), [True, False]])
def test_labels_in_other_clothes_are_taken(file: Path, labels: Any) -> None:
    found = read_npz(save(file, x=np.ones((2, 2)), labels=np.asarray(labels))).labels
    assert found is not None
    assert found.tolist() == [1, 0]
    assert found.dtype == np.int64


def test_one_hot_labels_become_classes(file: Path) -> None:
    for one_hot in (np.eye(3, dtype=np.uint8)[[2, 0]], np.eye(3)[[2, 0]]):
        found = read_npz(save(file, x=np.ones((2, 2)), labels=one_hot)).labels
        assert found is not None
        assert found.tolist() == [2, 0]


def test_labels_of_positions_and_values_keep_their_shape(file: Path) -> None:
    masks = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    found = read_npz(save(file, x=np.ones((2, 2)), labels=masks)).labels
    assert found is not None
    assert found.shape == (2, 3, 3)
    assert found.dtype == np.int64
    values = read_npz(save(file, x=np.ones((2, 2)), labels=np.array([0.5, 1e300]))).labels
    assert values is not None
    assert values.tolist() == [0.5, 1e300]
    assert values.dtype == np.float64


def test_what_has_another_length_is_the_same_for_all_samples(file: Path) -> None:
    given = read_npz(save(file, x=np.ones((4, 2)), sr=np.array(16000), labels=np.arange(4), s=[7]))
    assert list(given.arrays) == ["x"]
    assert {name: array.tolist() for name, array in given.constants.items()} == {
        "sr": 16000,
        "s": [7],
    }


def test_the_models_inputs_tell_a_state_from_the_samples(file: Path) -> None:
    path = save(file, x=np.ones((3, 8)), state=np.zeros((2, 1, 4)))
    inputs = (InputSpec("x", "float32", (None, 8)), InputSpec("state", "float32", (2, None, 4)))
    assert list(read_npz(path, inputs).arrays) == ["x"]
    assert list(read_npz(path, inputs).constants) == ["state"]
    with pytest.raises(QvizError, match="different numbers of samples"):
        read_npz(path)


def test_two_samples_are_not_taken_for_two_layers_of_state(file: Path) -> None:
    path = save(file, x=np.ones((2, 8)), state=np.zeros((2, 1, 4)))
    inputs = (InputSpec("x", "float32", (None, 8)), InputSpec("state", "float32", (2, None, 4)))
    assert list(read_npz(path, inputs).constants) == ["state"]


def test_foreign_byte_order_is_turned_round(file: Path) -> None:
    native = read_npz(save(file, x=np.ones((2, 3), np.float32), labels=np.arange(2)))
    foreign = read_npz(save(file, x=np.ones((2, 3), ">f4"), labels=np.arange(2, dtype=">i8")))
    assert foreign.arrays["x"].dtype == np.float32
    assert foreign.arrays["x"].dtype.isnative
    assert foreign.hash == native.hash


def test_the_hash_names_the_content_and_not_the_file(file: Path, tmp_path: Path) -> None:
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    first = read_npz(save(file, x=x, labels=y)).hash
    np.savez_compressed(tmp_path / "other.npz", labels=y, x=np.asfortranarray(x))
    assert read_npz(tmp_path / "other.npz").hash == first
    different: list[dict[str, Array]] = [
        {"x": x + 1, "labels": y},
        {"x": x, "labels": y[::-1]},
        {"x": x},
        {"z": x, "labels": y},
        {"x": x.astype(np.float32), "labels": y},
        {"x": x.reshape(3, 2, 1), "labels": y},
    ]
    hashes = {read_npz(save(file, **arrays)).hash for arrays in different}
    assert len(hashes | {first}) == 7
