"""Every malformed file ends in one clear line, in bounded time and memory, and nothing crashes."""

from __future__ import annotations

import json
import os
import queue
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qviz.app.session import Session
from qviz.cli import main
from tests.fuzz.archives import CANARY
from tests.fuzz.case import Case
from tests.fuzz.corpus import corpus, damaged_models

ROOT = Path(__file__).parents[2]
ONE_LINE = re.compile(r"qviz: [^\n]+: [^\n]+\. [^\n]+[.?]\n")
CORPUS = tuple(corpus())
SECONDS = 10.0  # of the processor, for one case
BYTES = 512 << 20  # more than before the case
# Kinds of files that can fill the memory, or end the process, if they are not refused.
DANGEROUS = ("onnx bomb", "torchscript", "pt2", "checkpoint")
COUNTS = {
    "onnx bytes": 78,
    "onnx graph": 200,
    "onnx tensor": 60,
    "onnx external": 25,
    "onnx bomb": 50,
    "pt2": 40,
    "checkpoint": 40,
    "torchscript": 30,
    "safetensors": 30,
    "gguf": 25,
    "npz": 15,
    "samples": 150,
    "plan": 60,
}


def _judged(case: Case, code: int, errors: str) -> str:
    """What is wrong with how a case ended; "" when nothing is."""
    label = f"{case.kind}, {case.name}: "
    if code == 0:
        if errors:
            return f"{label}opens, but says {errors!r}"
        return f"{label}opens" if case.outcome == "error" else ""
    if code != 1 or not ONE_LINE.fullmatch(errors):
        return f"{label}ends with {code}: {errors[-500:]!r}"
    return f"{label}does not open: {errors!r}" if case.outcome == "opens" else ""


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def test_the_corpus_is_large_and_the_same_every_time() -> None:
    kinds = Counter(case.kind for case in CORPUS)
    assert {kind: kinds[kind] >= least for kind, least in COUNTS.items()} == dict.fromkeys(
        COUNTS, True
    ), kinds
    assert len({(case.kind, case.name) for case in CORPUS}) == len(CORPUS)
    assert list(damaged_models("0", 3)) == list(damaged_models("0", 3))
    assert sum(case.outcome == "error" for case in CORPUS) >= 250


@pytest.mark.parametrize("kind", [kind for kind in COUNTS if kind not in DANGEROUS])
def test_every_file_opens_or_is_refused_in_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = []
    for number, case in enumerate(case for case in CORPUS if case.kind == kind):
        arguments = case.write(tmp_path / str(number))
        peak, started = _peak(), time.process_time()
        code, unforeseen = 0, ""
        try:
            main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception as error:  # all of them are told of at once
            code, unforeseen = 99, repr(error)
        seconds, growth = time.process_time() - started, _peak() - peak
        wrong.append(_judged(case, code, capsys.readouterr().err + unforeseen))
        if seconds > SECONDS or growth > BYTES:
            wrong.append(f"{case.name}: {seconds:.1f} s, {growth >> 20} MiB")
    assert not [text for text in wrong if text]
    assert not (tmp_path / CANARY).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits what a process may take")
def test_nothing_crashes_hangs_or_fills_the_memory(tmp_path: Path) -> None:
    cases = [case for case in CORPUS if case.kind in DANGEROUS]
    lines = [json.dumps(case.write(tmp_path / str(n))) for n, case in enumerate(cases)]
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("limited.py"))],
        input="\n".join(lines),
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    ends: list[dict[str, Any]] = [json.loads(line) for line in run.stdout.splitlines()]
    pairs = list(zip(cases, ends, strict=True))
    wrong = [_judged(case, end["code"], end["errors"]) for case, end in pairs]
    assert not [text for text in wrong if text]
    took = [(c.name, e["seconds"], e["growth"]) for c, e in pairs]
    slow = [(name, seconds) for name, seconds, _ in took if seconds > SECONDS]
    large = [(name, growth >> 20) for name, _, growth in took if growth > BYTES]
    assert not slow
    assert [name for name, _ in large if name not in GROWS_WHEN_RUN] == []
    assert not (tmp_path / CANARY).exists()


# A model may want a few gigabytes for what it computes; more than 2 GiB in one result is refused.
GROWS_WHEN_RUN = {"Concat of itself, 40 times"}


class Window:
    """A Session with lanes, and the loop that stands for the window's."""

    def __init__(self) -> None:
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.session = Session(self.posted.put)

    def settle(self) -> None:
        while self.session.jobs():
            self.posted.get(timeout=60)()


@pytest.fixture
def window() -> Iterator[Window]:
    window = Window()
    yield window
    window.session.close()


def test_the_window_keeps_what_is_open_and_says_one_thing(
    window: Window, tmp_path: Path, mlp: Path, mlp_samples: Path
) -> None:
    window.session.open(mlp, mlp_samples)
    window.settle()
    before = window.session.document()
    score = window.session.strip().value
    refused = [case for case in CORPUS if case.outcome == "error" and not case.plan]
    for number, case in enumerate(refused[:: len(refused) // 30]):
        said = len(window.session.messages())
        arguments = case.write(tmp_path / str(number))
        if case.kind == "samples":
            window.session.open_samples(arguments[-1])
        else:
            window.session.open(*arguments[1::2])
        window.settle()
        messages = window.session.messages()[said:]
        if case.kind in DANGEROUS or not case.samples:
            assert [message.level for message in messages] == ["error"], case.name
        assert messages[-1].level == "error", case.name
        assert "unexpected" not in messages[-1].text, (case.name, messages[-1].text)
        after = window.session.document()
        assert (after.model_name, after.samples_count) == (before.model_name, before.samples_count)
        assert window.session.strip().value == score
