"""How long an edit takes until its exact number, against one float pass of onnxruntime.

Run: python benchmarks/edit_to_number.py [MODEL SAMPLES]. Times are medians of five, in the same
run; the ratio is what to quote, since machines differ.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from onnxruntime import InferenceSession

import qviz
from qviz.app.session import Session
from qviz.data.bundled import demo_model, demo_samples

RUNS = 5


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def reference(model: str, session: Session) -> float:
    """One float pass over all samples in onnxruntime, default optimizations, batches of 64."""
    runner = InferenceSession(model)
    name = runner.get_inputs()[0].name
    samples = session.current().samples
    if samples is None:
        raise SystemExit("the benchmark needs samples")
    array = np.asarray(next(iter(samples.arrays.values())), np.float32)

    def one_pass() -> None:
        for start in range(0, len(array), 64):
            runner.run(None, {name: array[start : start + 64]})

    one_pass()
    return statistics.median(seconds(one_pass) for _ in range(RUNS))


def edit_time(session: Session, slot: str, spellings: list[str]) -> float:
    """Median time from an edit of one slot to its exact number; every plan is new."""
    times = []
    for spelling in spellings:
        session.set(slot, spelling)
        times.append(seconds(session.evaluate))
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    model, samples = (
        sys.argv[1:3] if len(sys.argv) > 2 else (str(demo_model()), str(demo_samples()))
    )
    session = qviz.open(model, samples)
    unit = reference(model, session)
    print(f"float pass in onnxruntime: {unit:.3f} s = 1 T")
    print(f"first evaluation: {seconds(session.evaluate) / unit:.2f} T")
    fresh = [f"int{bits}:channel" for bits in (4, 5, 6, 7, 3)]
    document = session.current()
    layers = () if document.model is None else document.model.layers
    for layer in layers:
        slot = next((name for name in layer.slots if name.endswith(".weight")), None)
        if slot is not None:
            print(f"edit {slot:<24} {edit_time(session, slot, fresh) / unit:6.2f} T")
    session.undo()
    print(f"undo {seconds(session.evaluate) / unit:30.5f} T")


if __name__ == "__main__":
    main()
