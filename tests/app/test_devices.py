"""The session's device: tried before its first number, left when it differs or fails."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qviz
from qviz.app.sensitivity.cache import Names
from qviz.app.session import Session
from qviz.engine.chunks import Chunk
from qviz.engine.devices import CPU, THE_CPU, Device, failure
from qviz.engine.execute import Executor
from qviz.engine.program import Encodings
from qviz.errors import QvizError
from qviz.model.model import Value

ELSEWHERE = Device("cpu:0", "A GPU")  # to torch it is not the device "cpu", and yet it has numbers
BROKEN = Device("meta", "No Numbers")
MISSING = Device("mps", "Apple GPU (MPS)", "no Apple GPU was found")
Ran = list[str]


@pytest.fixture(autouse=True)
def _offered(monkeypatch: pytest.MonkeyPatch) -> None:
    every = (THE_CPU, ELSEWHERE, BROKEN, MISSING)
    monkeypatch.setattr("qviz.app.devices.devices", lambda: every)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Where every chunk ran."""
    run, seen = Executor.run, Ran()

    def watched(
        executor: Executor, chunk: Chunk, encodings: Encodings, *more: Any, **kept: Any
    ) -> dict[str, Value]:
        seen.append(str(executor.place))
        return run(executor, chunk, encodings, *more, **kept)

    monkeypatch.setattr(Executor, "run", watched)
    return seen


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every device but the CPU has memory for so many chunks of quantized numbers."""
    run, left = Executor.run, [1_000]

    def failing(
        executor: Executor, chunk: Chunk, encodings: Encodings, *more: Any, **kept: Any
    ) -> dict[str, Value]:
        if executor.place != CPU and encodings:
            left[0] -= 1
            if left[0] < 0:
                raise failure(executor.place, torch.OutOfMemoryError("CUDA out of memory"))
        return run(executor, chunk, encodings, *more, **kept)

    monkeypatch.setattr(Executor, "run", failing)
    return left


def warnings(session: Session) -> list[str]:
    found = [message.text for message in session.messages() if message.level == "warning"]
    return [text for text in found if "chance" not in text]


def test_a_device_is_chosen_by_its_name(mlp: Path, mlp_samples: Path, ran: Ran) -> None:
    session = qviz.open(mlp, mlp_samples)
    assert (session.device, session.device_chosen) == ("cpu", False)
    on_cpu = session.evaluate()
    ran.clear()
    session.set_device("cpu:0")
    assert session.device == "cpu:0"
    found = session.evaluate()
    assert (found.value, found.flips) == (on_cpu.value, on_cpu.flips)
    assert ran[:4] == ["cpu", "cpu:0", "cpu", "cpu:0"]  # tried: as floats, and with 8 bits
    assert set(ran[4:]) == {"cpu:0"}
    tried = len(ran)
    session.set_bits(["fc1.weight"], 4)
    session.evaluate()
    assert set(ran[tried:]) == {"cpu:0"}
    assert not warnings(session)


def test_numbers_of_two_devices_are_not_shown_together(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.evaluate()
    session.set_device("cpu:0")
    assert session.strip().value is None
    session.evaluate()
    session.set_device("cpu:0")  # the same again
    assert session.strip().value is not None
    session.set_device("cpu")
    assert session.strip().value is None


def test_other_samples_are_tried_again(mlp: Path, mlp_samples: Path, ran: Ran) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.set_device("cpu:0")
    session.evaluate()
    session.open_samples(mlp_samples)
    ran.clear()
    session.evaluate()
    assert ran[:2] == ["cpu", "cpu:0"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mps", "device mps: no Apple GPU was found. Use one of cpu, cpu:0, meta."),
        ("tpu", "device tpu: there is no such device. Use one of cpu, cpu:0, meta."),
    ],
)
def test_a_device_that_is_missing_is_refused(name: str, said: str) -> None:
    session = Session()
    with pytest.raises(QvizError) as caught:
        session.set_device(name)
    assert str(caught.value) == said
    assert (session.device, session.device_chosen) == ("cpu", False)


def test_a_device_that_does_not_work_leaves_the_cpu(mlp: Path, mlp_samples: Path, ran: Ran) -> None:
    expected = qviz.open(mlp, mlp_samples).evaluate().value
    ran.clear()
    session = qviz.open(mlp, mlp_samples)
    session.set_device("meta")
    assert session.evaluate().value == expected
    assert session.device == "cpu"
    (said,) = warnings(session)
    assert said.startswith("No Numbers is not used: ")
    assert said.endswith("The CPU stays")
    assert ran.count("meta") == 1


def test_a_device_that_gives_other_numbers_leaves_the_cpu(
    mlp: Path, mlp_samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Executor.run

    def wrong(
        executor: Executor, chunk: Chunk, encodings: Encodings, *more: Any, **kept: Any
    ) -> dict[str, Value]:
        found = run(executor, chunk, encodings, *more, **kept)
        if executor.place == CPU:
            return found
        return {name: v * 1.01 if isinstance(v, torch.Tensor) else v for name, v in found.items()}

    monkeypatch.setattr(Executor, "run", wrong)
    session = qviz.open(mlp, mlp_samples)
    session.set_device("cpu:0")
    assert session.evaluate().exact
    assert session.device == "cpu"
    assert warnings(session) == [
        "A GPU is not used: its outputs differ from the CPU's by 1 %. The CPU stays"
    ]


def test_a_device_out_of_memory_leaves_the_number_to_the_cpu(
    mlp: Path, mlp_samples: Path, full: list[int]
) -> None:
    expected = qviz.open(mlp, mlp_samples).evaluate()
    session = qviz.open(mlp, mlp_samples)
    session.set_device("cpu:0")
    full[0] = 1  # enough for the check
    found = session.evaluate()
    assert (found.value, found.kl, found.exact) == (expected.value, expected.kl, True)
    assert session.device == "cpu"
    assert warnings(session) == [
        "A GPU failed: it has too little free memory. The CPU does it anew"
    ]
    session.set_bits(["fc1.weight"], 3)
    assert session.evaluate().exact
    assert len(warnings(session)) == 1


def test_a_sweep_out_of_memory_is_done_by_the_cpu(
    mlp: Path, mlp_samples: Path, full: list[int], tmp_path: Path
) -> None:
    expected = qviz.open(mlp, mlp_samples).sensitivity(samples="all", cache=tmp_path / "a")
    session = qviz.open(mlp, mlp_samples)
    session.set_device("cpu:0")
    full[0] = 2
    found = session.sensitivity(samples="all", cache=tmp_path / "b")
    assert [layer.costs for layer in found.layers] == [layer.costs for layer in expected.layers]
    assert found.complete
    assert (session.device, len(warnings(session))) == ("cpu", 1)


def test_sweeps_of_two_devices_are_remembered_apart(
    mlp: Path, mlp_samples: Path, ran: Ran, tmp_path: Path
) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.sensitivity(samples="all", cache=tmp_path)
    session.set_device("cpu:0")
    assert session.sensitivities() == ()
    ran.clear()
    session.sensitivity(samples="all", cache=tmp_path)
    assert ran.count("cpu:0") > 4
    document, rows = session.current(), np.arange(3)
    assert document.model is not None
    names = [
        Names(document.model, document, rows, torch.device(place)).name({}, {})
        for place in ("cpu", "cpu:0", "cuda:0")
    ]
    assert len(set(names)) == 3


def test_the_memory_that_was_chosen_counts_on_the_device(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.set_memory(5_000)
    session.set_device("cpu:0")
    session.evaluate()
    there = session._there
    assert there is not None
    assert there.memo.budget == 5_000
    session.set_memory(3_000)
    assert there.memo.budget == 3_000


def test_in_the_window_the_number_is_made_anew_without_being_asked(
    mlp: Path, mlp_samples: Path, ran: Ran
) -> None:
    posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    session, topics = Session(posted.put), set[str]()
    session.subscribe(topics.update)

    def settle() -> None:
        while session.jobs():
            posted.get(timeout=30)()

    try:
        session.open(mlp, mlp_samples)
        settle()
        before = session.strip().value
        for name, stays in (("cpu:0", True), ("meta", False), ("cpu:0", True), ("cpu", True)):
            topics.clear()
            ran.clear()
            session.set_device(name)
            settle()
            assert session.strip().state == "done"
            assert session.strip().value == before
            assert (session.device == name) is stays
            assert ran[-1] == session.device
            assert "device" in topics
        assert len(warnings(session)) == 1
    finally:
        session.close()
