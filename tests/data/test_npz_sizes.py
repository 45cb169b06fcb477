"""Sizes of an `.npz`: told from its headers, before anything is unpacked."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from qviz.data.read_npz import read_npz
from qviz.errors import QvizError


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking anything fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was unpacked")

    monkeypatch.setattr(np, "load", refuse)


def free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=size))


@pytest.mark.usefixtures("sealed")
def test_more_than_half_of_the_free_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.npz"
    np.savez_compressed(path, a=np.zeros(10**6, np.float32), b=np.zeros(10**6, np.float32))
    assert path.stat().st_size < 20_000
    free(monkeypatch, 15_000_000)
    with pytest.raises(QvizError, match=r"unpack to 0\.0 GB, more than half of the free memory"):
        read_npz(path)


def test_half_of_the_free_memory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fits.npz"
    np.savez_compressed(path, x=np.zeros((1000, 1000), np.float32))
    free(monkeypatch, 8_000_000)
    assert read_npz(path).count == 1000


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_an_array_that_is_cut_short_is_refused(tmp_path: Path, version: tuple[int, int]) -> None:
    path, stream = tmp_path / "bomb.npz", io.BytesIO()
    np.lib.format.write_array(stream, np.zeros((10, 3), np.float32), version)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", stream.getvalue()[:-8])
    with pytest.raises(QvizError, match=r"'x' is cut short: 120 bytes .* declared, 112 are there"):
        read_npz(path)


def test_objects_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, x=np.zeros((3, 2), np.float32), names=np.array([None] * 10**5))
    free(monkeypatch, 1000)
    assert list(read_npz(path).arrays) == ["x"]
