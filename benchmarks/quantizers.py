"""How long the quantizers take, against a copy of the tensor they work on.

Run: python benchmarks/quantizers.py. Every round times the copy and the quantizers in turn; the
table shows the fastest of the rounds. The ratio is what to quote, since machines differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.error import squared_error
from qviz.quant.measure import measure
from qviz.quant.profile import profile
from qviz.quant.spelling import parse_scheme

ROUNDS = 7
ACTIVATION = (50, 400, 1000)  # samples, positions, channels: 20 M values
WEIGHT = (512, 512, 3, 3)
CLIPS = 100
Action = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Task:
    """Something to time, and the most it should take, in units of the reference."""

    name: str
    action: Action
    target: float | None = None


def seconds(action: Action) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def fastest(actions: Iterable[Action], rounds: int = ROUNDS) -> list[float]:
    """The least time of every action; all of them run once in every round, after a warm-up."""
    todo = list(actions)
    times = [[seconds(action) for action in todo] for _ in range(rounds + 1)][1:]
    return [min(column) for column in zip(*times, strict=True)]


def report(unit: str, reference: Action, tasks: list[Task]) -> None:
    """Time the tasks against their reference and print the table."""
    base, *times = fastest([reference, *(task.action for task in tasks)])
    print(f"\n{unit}: {1000 * base:.1f} ms = 1")
    for task, took in zip(tasks, times, strict=True):
        ratio = took / base
        line = f"{task.name:<44} {1000 * took:9.1f} ms {ratio:8.2f}"
        if task.target is not None:
            line += f"   target {task.target:g}: {'met' if ratio <= task.target else 'MISSED'}"
        print(line)


def encoder(x: Tensor, spelling: str, axis: int | None, *, keep: bool) -> Callable[[], Tensor]:
    """Quantize and dequantize `x` under the encoding that a scheme becomes on it."""
    scheme = parse_scheme(spelling)
    encoding = find_encoding(measure(x, axis, keep=keep), scheme)
    return lambda: encoding.apply(x)


def activation(x: Tensor) -> None:
    """One large activation, a scale for the tensor."""
    tasks = [
        Task("int8", encoder(x, "int8", None, keep=False), 2),
        Task("nf4:tensor, 16 levels", encoder(x, "nf4:tensor", None, keep=True), 8),
        Task("measure (statistics and histogram)", lambda: measure(x), 6),
        Task("fp8-e4m3:tensor", encoder(x, "fp8-e4m3:tensor", None, keep=False)),
    ]
    report(f"copy of an activation of {x.numel():,}", x.clone, tasks)


def weight(w: Tensor) -> None:
    """One large weight, scales for its channels or blocks of them."""
    stats = measure(w, 0, keep=True)
    tasks = [
        Task("int8:channel", encoder(w, "int8:channel", 0, keep=True), 3),
        *(
            Task(spelling, encoder(w, spelling, 0, keep=True))
            for spelling in ("fp8-e4m3", "mxfp4", "int4:group=128")
        ),
        Task("kmeans4, the fit", lambda: find_encoding(stats, parse_scheme("kmeans4"))),
    ]
    report(f"copy of a weight of {w.numel():,}", w.clone, tasks)


def search(w: Tensor) -> None:
    """The range of least squared error, int8 for the tensor."""
    stats = measure(w, 0, keep=True)
    points = stats.points()
    scheme, full = parse_scheme("int8:tensor:mse"), parse_scheme("int8:tensor")
    encoding = find_encoding(stats, full)
    if not isinstance(encoding, Scaled):
        raise SystemExit("int8 has fixed scales")
    levels, thresholds = encoding.grid.levels, encoding.grid.thresholds
    scales = encoding.scale.double() * torch.linspace(0.2, 1.0, CLIPS, dtype=torch.float64)
    wide = scales.reshape(1, -1, 1)
    ready = profile(points)
    tasks = [
        Task(
            f"errors of {CLIPS} clips, sorted before",
            lambda: ready.squared_errors(levels * wide, thresholds * wide),
            2,
        ),
        Task("sorting", lambda: profile(points)),
        Task("whole range search", lambda: find_encoding(stats, scheme), 2),
    ]
    report("error of one clip, directly", lambda: squared_error(points, encoding), tasks)


def main() -> None:
    """Print the tables."""
    generator = torch.Generator().manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    activation(torch.randn(ACTIVATION, generator=generator))
    w = torch.randn(WEIGHT, generator=generator) * 0.05
    weight(w)
    search(w)


if __name__ == "__main__":
    main()
