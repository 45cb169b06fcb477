"""Options that several commands take, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from qviz.errors import QvizError


def read_values(given: tuple[str, ...]) -> dict[str, float]:
    """NAME=VALUE pairs; raises QvizError for anything else."""
    values = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            values[name] = float(value)
        except ValueError:
            name = ""
        if not name:
            raise QvizError(f"--input {text}", "it is not NAME=VALUE", "Write --input sr=16000")
    return values


def read_how(given: tuple[str, ...]) -> Any:
    """KEY=VALUE pairs as a Reading; raises QvizError."""
    if not given:
        return None
    from qviz.cli.reading_option import read_reading  # arrays are not loaded for --help

    return read_reading(given)


def read_limit(
    _context: click.Context, _parameter: click.Parameter, given: str
) -> int | Literal["all"]:
    """A number of samples, or "all"."""
    if given == "all":
        return "all"
    if not given.isdecimal() or int(given) < 1:
        raise click.BadParameter(f"'{given}' is neither a number of samples nor all.")
    return int(given)


def check_writable(path: Path, option: str) -> None:
    """Refuse an output that cannot be written before any work is done."""
    try:
        existed = path.exists()
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        raise QvizError(
            f"{option} {path}",
            f"it cannot be written ({error.strerror})",
            "Choose a file in an existing folder that you may write to",
        ) from error


def read_memory(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> int | None:
    """Bytes; raises QvizError for what is no size."""
    from qviz.app.memory import read_size

    return None if given is None else read_size(given)


SAMPLES_HELP = (
    "Samples: .npz, .npy, .csv, .jsonl, .parquet, .wav, .txt, or a folder of images (and masks), "
    "recordings or Parquet shards."
)
memory = click.option(
    "--memory",
    metavar="SIZE",
    callback=read_memory,
    help="Memory for speed, such as 2GiB, 500MB or 0: results kept to be used again. The numbers "
    "are the same with any [default: a quarter of what is free].",
)
device = click.option(
    "--device",
    metavar="NAME",
    help="Where the plan runs: cpu, cuda, cuda:1 or mps [default: cpu, or what the window was told "
    "last]. Tried first: where it gives other numbers, the CPU stays.",
)
run_code = click.option(
    "--run-code", is_flag=True, help="MODEL is a Python program that you trust: run it."
)
values = click.option(
    "--input",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    callback=lambda _ctx, _param, given: read_values(given),
    help="Feed an input the same value for all samples, such as sr=16000; may be repeated.",
)
reading = click.option(
    "--reading",
    multiple=True,
    metavar="KEY=VALUE",
    callback=lambda _ctx, _param, given: read_how(given),
    help="How samples are read; may be repeated. label=COLUMN (or array), text=COLUMN, length=N "
    "(of tokens or audio frames), hop=N, tokenizer=FILE, next-token=yes|no, subset=N, "
    "subset-seed=N; of pictures preset=NAME, size=HxW, resize=N, crop=N, mean=A,B,C, std=A,B,C, "
    "scale=1/255, channels=BGR, layout=NHWC, interpolation=bicubic.",
)
weights = click.option(
    "--weights", metavar="SCHEME", help="Scheme of all weights [default: int8:channel]."
)
inputs = click.option("--inputs", metavar="SCHEME", help="Scheme of all inputs [default: uint8].")
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATTERN=SCHEME",
    help="conv1.weight=int4, re:block.*.input=float; may be repeated, later ones win.",
)
plan = click.option("--plan", metavar="FILE", help="Start from a saved plan.")
seed = click.option(
    "--seed", type=int, help="Of the split into parts [default: 0, or what the project says]."
)
part = click.option(
    "--part",
    type=click.Choice(["all", "tune", "confirm"]),
    help="Which samples to score [default: all, or what the project says].",
)
metric = click.option(
    "--metric",
    metavar="NAME",
    help="top-5, AUROC, recall:3, sensitivity@0.3 …, or a .py file [default: what fits].",
)
output = click.option(
    "--output", metavar="NAME", help="The output to score [default: the one that fits]."
)
