"""The store of sweeps: what was found goes on, whatever happened to the files."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qviz
from qviz.engine.chunks import feeder
from qviz.engine.sensitivity import store as store_module
from qviz.engine.sensitivity.store import Store
from qviz.engine.sensitivity.sweep import Sweep
from qviz.quant.encode import find_encoding
from qviz.quant.spelling import parse_scheme

KEYS = ("one", "two")
NewSweep = Callable[[int | None], Sweep]


@pytest.fixture
def new_sweep(mlp: Path, mlp_samples: Path) -> NewSweep:
    """A sweep over the perceptron's two layers, 60 samples in batches of 16."""
    session = qviz.open(mlp, mlp_samples)
    document, findings = session.current(), session.findings
    model = document.model
    assert model is not None
    assert document.scored is not None
    feed = feeder(model, document.scored, 8_000_000_000 // 16)
    assert feed.size == 16
    scheme = parse_scheme("int3")
    candidates = [
        {f"{name}.weight": find_encoding(findings.statistics[slot.group], scheme)}
        for name in ("fc1", "fc2")
        for slot in [model.slots[f"{name}.weight"]]
    ]
    rows = np.arange(60)
    return lambda limit: Sweep(model, feed, rows, {}, candidates, limit=limit)


def run(sweep: Sweep, steps: int | None = None) -> list[Any]:
    found = sweep.run()
    for number, _ in enumerate(found, 1):
        if number == steps:
            found.close()
            break
    return [sweep.effect(0), sweep.effect(1)]


def test_a_sweep_goes_on_from_what_was_saved(tmp_path: Path, new_sweep: NewSweep) -> None:
    expected = run(new_sweep(None))
    stopped = new_sweep(None)
    run(stopped, steps=3)
    Store(tmp_path).save(stopped, "base", KEYS)
    later = new_sweep(None)
    Store(tmp_path).load(later, "base", KEYS)
    assert [later.samples(0), later.samples(1)] == [32, 16]
    assert run(later) == expected


def test_a_whole_result_needs_only_the_reading_of_outputs(
    tmp_path: Path, new_sweep: NewSweep
) -> None:
    first = new_sweep(None)
    expected = run(first)
    Store(tmp_path).save(first, "base", KEYS)
    again = new_sweep(None)
    Store(tmp_path).load(again, "base", KEYS)
    assert again.done == again.total == 120
    assert run(again) == expected
    assert again.steps_run == 0


def test_fewer_samples_do_not_replace_more(tmp_path: Path, new_sweep: NewSweep) -> None:
    whole = new_sweep(None)
    run(whole)
    store = Store(tmp_path)
    store.save(whole, "base", KEYS)
    part = new_sweep(20)
    fresh = Store(tmp_path)
    fresh.load(part, "base", KEYS)
    assert [effect.samples for effect in run(part)] == [20, 20]
    fresh.save(part, "base", KEYS)
    again = new_sweep(None)
    Store(tmp_path).load(again, "base", KEYS)
    assert again.samples(0) == 60


class Bomb:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def archive_with(path: Path, **changed: Any) -> None:
    with np.load(path) as archive:
        columns = {name: archive[name] for name in archive.files}
    np.savez(path, **{**columns, **changed})


def in_place_of(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flipped(path: Path) -> None:
    data = path.read_bytes()
    at = len(data) // 3
    path.write_bytes(data[:at] + bytes(255 - byte for byte in data[at : at + 40]) + data[at + 40 :])


def an_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


MARK = "unpickled"
DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: in_place_of(path, b""),
    "truncated": half,
    "flipped": flipped,
    "text": lambda path: in_place_of(path, b"not an archive"),
    "an array": an_array,
    "a pickle": lambda path: in_place_of(path, pickle.dumps(Bomb(path.parent / MARK))),
    "objects": lambda path: archive_with(
        path, kl=np.array([Bomb(path.parent / MARK)] * 60, dtype=object)
    ),
    "words": lambda path: archive_with(path, kl=np.array(["a"] * 60)),
    "missing": lambda path: np.savez(path, kl=np.zeros(60)),
    "lengths": lambda path: archive_with(path, kl=np.zeros(5)),
    "types": lambda path: archive_with(path, kl=np.zeros(60, np.float32)),
    "a folder": a_folder,
}


@pytest.mark.parametrize("file", ["base", "two"])
@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_and_foreign_files_are_passed_over(
    tmp_path: Path, new_sweep: NewSweep, file: str, how: str
) -> None:
    first = new_sweep(None)
    expected = run(first)
    Store(tmp_path).save(first, "base", KEYS)
    DAMAGE[how](tmp_path / f"{file}.npz")
    later = new_sweep(None)
    Store(tmp_path).load(later, "base", KEYS)
    assert later.samples(1) == 0
    assert run(later) == expected
    assert not (tmp_path / MARK).exists()
    if how != "a folder":
        Store(tmp_path).save(later, "base", KEYS)
        again = new_sweep(None)
        Store(tmp_path).load(again, "base", KEYS)
        assert again.samples(1) == 60


@pytest.mark.parametrize("file", ["base", "two"])
def test_rows_of_another_metric_are_forgotten(
    tmp_path: Path, new_sweep: NewSweep, file: str
) -> None:
    first = new_sweep(None)
    expected = run(first)
    Store(tmp_path).save(first, "base", KEYS)
    archive_with(tmp_path / f"{file}.npz", scores=np.zeros((60, 9)))
    later = new_sweep(None)
    Store(tmp_path).load(later, "base", KEYS)
    assert run(later) == expected


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path: Path, new_sweep: NewSweep) -> None:
    (tmp_path / "file").write_text("")
    sweep = new_sweep(None)
    run(sweep)
    with pytest.raises(OSError, match="file"):
        Store(tmp_path / "file" / "inside").save(sweep, "base", KEYS)


def test_the_oldest_files_go_when_the_folder_is_full(
    tmp_path: Path, new_sweep: NewSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = new_sweep(None)
    run(sweep)
    folder = tmp_path / "store"
    Store(folder).save(sweep, "old", ("old1", "old2"))
    size = sum(path.stat().st_size for path in folder.iterdir())
    monkeypatch.setattr(store_module, "LIMIT", size * 3 // 2)
    Store(folder).save(sweep, "new", ("new1", "new2"))
    left = {path.stem for path in folder.iterdir()}
    assert {"new", "new1", "new2"} <= left
    assert len(left) == 4
