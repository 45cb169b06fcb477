"""Calibration streams statistics that equal those of all activations at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qviz.data.parts import split_samples
from qviz.data.read_npz import read_npz
from qviz.engine.calibrate import calibrate
from qviz.engine.chunks import feeder
from qviz.engine.execute import WorkCancelledError
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.quant.measure import measure


def test_streamed_statistics_equal_those_of_one_batch(demo_model: Path, demo_samples: Path) -> None:
    model, samples = read_onnx(demo_model), read_npz(demo_samples)
    rows = split_samples(samples).calibration[:150]
    runtime = Runtime(model)
    feed = feeder(model, samples, None)
    steps = list(calibrate(model, runtime, feed, rows))
    assert [step.samples for step in steps] == [64, 128, 150]
    streamed = steps[-1].statistics
    slot = model.slots["block2.pw.input"]
    images = torch.from_numpy(samples.arrays["image"][rows]).float()
    with torch.inference_mode():
        value = runtime.run({"image": images}, keep=[slot.value])[slot.value]
    assert isinstance(value, torch.Tensor)
    whole = measure(value, slot.axis)
    got = streamed[slot.group]
    torch.testing.assert_close(got.minimum, whole.minimum, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(got.maximum, whole.maximum, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(got.mean, whole.mean, rtol=1e-4, atol=1e-6)
    assert got.count == whole.count
    assert abs(got.zeros - whole.zeros) <= whole.count * 1e-5
    assert int((got.bins - whole.bins).abs().sum()) <= whole.count * 1e-3


def test_samples_are_the_same_whatever_their_number_costs_in_memory(
    demo_model: Path, demo_samples: Path
) -> None:
    model, samples = read_onnx(demo_model), read_npz(demo_samples)
    feed = feeder(model, samples, None)
    sizes = []
    for count in (64, 320):
        rows = np.arange(count, dtype=np.int64)
        *_, last = calibrate(model, Runtime(model), feed, rows)
        sizes.append(sum(s.bins.numel() + s.sums.numel() for s in last.statistics.values()))
    assert sizes[0] == sizes[1]


def test_calibration_stops_between_operators(demo_model: Path, demo_samples: Path) -> None:
    model, samples = read_onnx(demo_model), read_npz(demo_samples)
    asked = iter(range(100))
    work = calibrate(
        model,
        Runtime(model),
        feeder(model, samples, None),
        np.arange(64, dtype=np.int64),
        cancelled=lambda: next(asked) >= 5,
    )
    with pytest.raises(WorkCancelledError):
        next(work)
    assert next(asked) == 6
