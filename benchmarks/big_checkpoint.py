"""How long a 4 GB checkpoint takes to open and to measure, and the memory that it takes.

Run: python benchmarks/big_checkpoint.py --folder FOLDER. A file of a language model's shapes is
written there and removed afterwards. Every figure is also given as a ratio to reading the file
in blocks, in the same run. Opening and measuring happen in a process of their own, whose memory
counts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

import qviz
from qviz.engine.calibrate import weight_statistics
from qviz.model.read_weights import read_weights

BLOCK = 1 << 22  # values, and bytes when reading
HIDDEN, INNER, WORDS, BLOCKS = 4096, 11008, 32000, 9  # Llama 2 7B, with fewer blocks
GIB = 2**30


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors, in order."""
    yield "model.embed_tokens.weight", (WORDS, HIDDEN)
    for block in range(BLOCKS):
        prefix = f"model.layers.{block}"
        for part in "qkvo":
            yield f"{prefix}.self_attn.{part}_proj.weight", (HIDDEN, HIDDEN)
        for part in ("gate", "up"):
            yield f"{prefix}.mlp.{part}_proj.weight", (INNER, HIDDEN)
        yield f"{prefix}.mlp.down_proj.weight", (HIDDEN, INNER)
        yield f"{prefix}.input_layernorm.weight", (HIDDEN,)
    yield "lm_head.weight", (WORDS, HIDDEN)


def write(path: Path) -> None:
    """Write the file a block at a time: normal values of deviation 0.02 in bfloat16, seeded."""
    header: dict[str, dict[str, object]] = {}
    end = 0
    for name, shape in shapes():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = torch.Generator().manual_seed(0)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for first in range(0, end // 2, BLOCK):
            values = torch.randn(min(BLOCK, end // 2 - first), generator=generator) * 0.02
            stream.write(values.bfloat16().view(torch.int16).numpy().astype("<i2").tobytes())
        stream.flush()
        os.fsync(stream.fileno())  # what is still being written would slow down the reading


def read_seconds(path: Path) -> float:
    """Time to read the whole file in blocks, nothing kept."""
    buffer = bytearray(BLOCK)
    started = time.perf_counter()
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass
    return time.perf_counter() - started


def measure_all(path: Path) -> dict[str, float]:
    """Open the file and measure every weight once; seconds and the peak of the memory, in bytes."""
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))  # one core is the window's
    before = peak()
    started = time.perf_counter()
    model = read_weights(path)
    opened = time.perf_counter() - started
    first = 0.0
    for _ in weight_statistics(model, [slot.group for slot in model.slots.values()]):
        first = first or time.perf_counter() - started
    total = time.perf_counter() - started
    session = qviz.open(str(path))
    session.measure()
    measured = time.perf_counter() - started - total
    return {
        "open": opened,
        "first histogram": first,
        "all histograms": total,
        "a plan's errors": measured,
        "peak": peak(),
        "before": before,
        "layers": len(model.layers),
        "threads": torch.get_num_threads(),
    }


def peak() -> int:
    """The most memory this process has taken, bytes, mapped files included."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Write the file, time it, print the table and remove the file."""
    parser = argparse.ArgumentParser(description="Time a 4 GB checkpoint.")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure_all(options.measure)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "checkpoint.safetensors"
        write(path)
        reading = min(read_seconds(path) for _ in range(2))
        command = [sys.executable, str(Path(__file__)), "--measure", str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        size = path.stat().st_size
    print(f"torch {torch.__version__}, {found['threads']:.0f} threads")
    print(f"{size / 1e9:.2f} GB, {found['layers']} layers; reading it: {reading:.2f} s = 1")
    for task in ("open", "first histogram", "all histograms", "a plan's errors"):
        print(f"{task:<20} {found[task]:8.2f} s {found[task] / reading:8.2f}")
    print(f"{'peak memory':<20} {found['peak'] / GIB:8.2f} GiB, target 1: ", end="")
    print("met" if found["peak"] <= GIB else "MISSED")
    print(f"{'of it before opening':<20} {found['before'] / GIB:8.2f} GiB")


if __name__ == "__main__":
    main()
