"""What a plan's number costs, against one float pass of onnxruntime over the same samples (T).

Run: python -m benchmarks.live [--threads N] [MODEL SAMPLES]. Without a model: ResNet-18 and
MobileNetV2 shapes with 128 samples at 224x224. Times are CPU seconds of one thread by default, so
that other work on the machine does not count; --threads 0 takes wall time with all cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from onnxruntime import InferenceSession, SessionOptions

import qviz
from benchmarks.shapes import write
from qviz.app.session import Session

BATCHES = (1, 4, 16)
PLANS = (("int8:tensor", "int8"), ("int8:tensor", "uint8"), ("int8:channel", "uint8"))


class Clock:
    """CPU seconds with one thread, wall seconds with more."""

    def __init__(self, threads: int) -> None:
        """0 threads: as many as there are cores."""
        self._now = time.process_time if threads == 1 else time.perf_counter
        self.threads = threads or torch.get_num_threads()
        torch.set_num_threads(self.threads)

    def seconds(self, action: Callable[[], object]) -> float:
        """What a call takes."""
        started = self._now()
        action()
        return self._now() - started


def float_pass(model: Path, session: Session, clock: Clock) -> float:
    """T: the fastest of three passes of onnxruntime in the batches that suit it best."""
    options = SessionOptions()
    options.intra_op_num_threads = clock.threads
    runner = InferenceSession(str(model), options)
    samples = session.current().samples
    if samples is None:
        raise SystemExit("the benchmark needs samples")
    column = next(iter(samples.arrays.values()))
    array = np.asarray(column[np.arange(samples.count)], np.float32)
    name = runner.get_inputs()[0].name

    def one_pass(size: int) -> None:
        for start in range(0, len(array), size):
            runner.run(None, {name: array[start : start + size]})

    one_pass(16)
    return min(clock.seconds(partial(one_pass, size)) for size in BATCHES * 3)


def report(model: Path, samples: Path, clock: Clock) -> None:
    """Print the table of one model."""
    session = qviz.open(str(model), str(samples))
    session.set_defaults("float", "float")
    session.evaluate()  # the float outputs are known from here on
    unit = float_pass(model, session, clock)
    print(f"\n{model.name}: T = {unit:.3f} s")
    cold = []
    for plan in PLANS:  # they share no value: each runs from the samples
        session.set_defaults(*plan)
        cold.append(clock.seconds(session.evaluate))
    print(f"{'full W8A8 evaluation, cold':<44} {min(cold) / unit:7.3f} T")
    times = {}
    document = session.current()
    for slot in () if document.model is None else document.model.slots.values():
        if slot.role == "weight":
            session.set(slot.name, "int4:channel")
            times[slot.name] = clock.seconds(session.evaluate) / unit
            session.undo()
            undo = clock.seconds(session.evaluate)
    print(f"{'weights of one layer 8 → 4 bits, mean':<44} {statistics.mean(times.values()):7.3f} T")
    for name, value in list(times.items())[:: max(len(times) // 10, 1)]:
        print(f"    {name:<40} {value:7.3f} T")
    print(f"{'undo to a visited plan':<44} {1000 * undo:7.1f} ms")
    session.set_defaults("int8:channel", "uint8")
    session.evaluate()
    with tempfile.TemporaryDirectory() as cache:
        sweeps: dict[str, Callable[[], object]] = {
            "only, int4:channel": partial(
                session.sensitivity, ["int4:channel"], samples="all", cache=cache
            ),
            "all-but": partial(session.sensitivity, mode="all-but", samples="all", cache=cache),
        }
        for mode, sweep in sweeps.items():
            cost = clock.seconds(sweep) / unit / len(times)
            print(f"{f'sweep, {mode}, exact, per layer':<44} {cost:7.3f} T")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    clock = Clock(given.threads)
    if given.files:
        model, samples = given.files
        report(model, samples, clock)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("resnet18", "mobilenet_v2"):
            model, samples = write(Path(folder), name)
            report(model, samples, clock)


if __name__ == "__main__":
    main()
