"""What calibrating every input slot costs, against one float pass of onnxruntime (T).

Run: python -m benchmarks.calibration [--threads N] [MODEL SAMPLES]. Without a model: ResNet-18 and
MobileNetV2 shapes with 128 samples at 224x224. Times are CPU seconds of one thread by default, so
that other work on the machine does not count; --threads 0 takes wall time with all cores. Peak
memory is that of a process of its own, once for 128 and once for 512 samples.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

import qviz
from benchmarks.live import Clock, float_pass
from benchmarks.shapes import write
from qviz.data.read_npz import read_npz
from qviz.engine.calibrate import calibrate
from qviz.engine.chunks import feeder
from qviz.model.model import Step, Value
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.plan.macs import count_macs


def calibration(model: Path, samples: Path, count: int | None = None) -> Callable[[], None]:
    """Calibrates on `count` samples (all by default), taken in turn as often as it needs."""
    read, given = read_onnx(model), read_npz(samples)
    runtime, shapes = Runtime(read), dict[str, tuple[int, ...]]()

    def see(step: Step, _inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        found = zip(step.outputs, outputs, strict=False)
        shapes.update({name: tuple(x.shape) for name, x in found if isinstance(x, torch.Tensor)})

    one = feeder(read, given, None).chunk(np.zeros(1, np.int64))
    shapes.update({name: tuple(x.shape) for name, x in one.feeds.items()})
    with torch.inference_mode():
        runtime.run(one.feeds, keep=(), observe=see)
    feed = feeder(read, given, sum(count_macs(read, shapes).values()))
    rows = np.arange(count or given.count, dtype=np.int64) % given.count

    def run() -> None:
        for _ in calibrate(read, runtime, feed, rows):
            pass

    return run


def peak_megabytes(model: Path, samples: Path, count: int) -> int:
    """Peak memory of a process that calibrates on `count` samples."""
    command = [sys.executable, __file__, "--peak", str(count), str(model), str(samples)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def report(model: Path, samples: Path, clock: Clock) -> None:
    """Print the table of one model."""
    unit = float_pass(model, qviz.open(str(model), str(samples)), clock)
    print(f"\n{model.name}: T = {unit:.3f} s")
    run = calibration(model, samples)
    took = min(clock.seconds(run) for _ in range(3))
    print(f"{'calibration of every input slot':<44} {took / unit:7.3f} T")
    for count in (128, 512):
        title = f"peak memory with {count} samples"
        print(f"{title:<44} {peak_megabytes(model, samples, count):7} MB")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak", type=int, help="only print the peak memory in MB")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    clock = Clock(given.threads)
    if given.peak:
        model, samples = given.files
        calibration(model, samples, given.peak)()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    elif given.files:
        model, samples = given.files
        report(model, samples, clock)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("resnet18", "mobilenet_v2"):
                report(*write(Path(folder), name), clock=clock)


if __name__ == "__main__":
    main()
