"""The commands: `qviz [MODEL]`, `qviz demo`, `qviz run`, `qviz formats`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

import click

from qviz.cli.display import has_display
from qviz.errors import QvizError

SIZE = (1280, 800)


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


class _OpenByDefault(click.Group):
    """`qviz model.onnx` means `qviz open model.onnx`: the first word that is no command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `open` before arguments that name no command."""
        own = {"--help", "-h", "--version"}
        if not args or (args[0] not in self.commands and args[0] not in own):
            args = ["open", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_OpenByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qviz-workbench", prog_name="qviz")
def cli() -> None:
    """See, plan and understand the quantization of a neural network.

    `qviz [MODEL] [--samples FILE]` opens the window; `qviz run` scores a plan without it.
    """


_theme = click.option(
    "--theme", type=click.Choice(["light", "dark"]), default="light", help="For --screenshot."
)
_size = click.option(
    "--size",
    type=(click.IntRange(640, 8192), click.IntRange(480, 8192)),
    default=SIZE,
    show_default=True,
    metavar="W H",
    help="For --screenshot, in pixels.",
)
_select = click.option("--select", metavar="LAYER", help="For --screenshot: the layer to show.")
_view = click.option(
    "--view",
    type=click.Choice(["distribution", "channels"]),
    default="distribution",
    help="For --screenshot: the view to show.",
)
_samples_help = (
    "Samples: .npz, .npy, .csv, .jsonl, .parquet, .wav, .txt, or a folder of images (and masks), "
    "recordings or Parquet shards."
)
_run_code = click.option(
    "--run-code", is_flag=True, help="MODEL is a Python program that you trust: run it."
)
_values = click.option(
    "--input",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    callback=lambda _ctx, _param, given: read_values(given),
    help="Feed an input the same value for all samples, such as sr=16000; may be repeated.",
)
_reading = click.option(
    "--reading",
    multiple=True,
    metavar="KEY=VALUE",
    callback=lambda _ctx, _param, given: read_how(given),
    help="How samples are read; may be repeated. label=COLUMN (or array), length=N (of tokens or "
    "audio frames), hop=N, tokenizer=FILE, next-token=yes|no, subset=N, subset-seed=N; of pictures "
    "preset=NAME, size=HxW, resize=N, crop=N, mean=A,B,C, std=A,B,C, scale=1/255, channels=BGR, "
    "layout=NHWC, interpolation=bicubic.",
)
_screenshot = click.option(
    "--screenshot", type=click.Path(path_type=Path), help="Render the window into a PNG and exit."
)


@cli.command("open")
@click.argument("model", required=False)
@click.option("--samples", metavar="FILE", help=_samples_help)
@_values
@_run_code
@click.option("--plan", metavar="FILE", help="A plan that qviz saved.")
@_screenshot
@_theme
@_size
@_select
@_view
def open_window(
    model: str | None,
    samples: str | None,
    plan: str | None,
    values: dict[str, float],
    run_code: bool,
    screenshot: Path | None,
    theme: Literal["light", "dark"],
    size: tuple[int, int],
    select: str | None,
    view: str,
) -> None:
    """Open the window, with a model and samples if given."""
    from qviz.ui import run as window

    if samples and not model:
        raise QvizError("--samples", "there is no model to fit them to", "Name a model as well")
    for file in (model, samples, plan):
        if file and not Path(file).exists():
            raise QvizError(file, "there is no such file", "Check the path")
    if screenshot is not None:
        _check_writable(screenshot, "--screenshot")
        window.screenshot(
            screenshot,
            model,
            samples,
            size=size,
            theme=theme,
            select=select,
            view=view,
            plan=plan,
            values=values,
            run_code=run_code,
        )
        return
    if not has_display():
        raise QvizError(
            "the window",
            "there is no display",
            "Use 'qviz run', or --screenshot FILE to render without one",
        )
    sys.exit(window.run_window(model, samples, plan, values=values, run_code=run_code))


@cli.command()
@_screenshot
@_theme
@_size
@_select
@_view
@click.option("--headless", is_flag=True, help="Do not open the window even if there is a display.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("qviz-demo"),
    show_default=True,
    help="Folder for the screenshot and report without a display.",
)
def demo(
    screenshot: Path | None,
    theme: Literal["light", "dark"],
    size: tuple[int, int],
    select: str | None,
    view: str,
    headless: bool,
    out: Path,
) -> None:
    """Open the bundled Fashion-MNIST network and its samples.

    Without a display the same analysis runs headless, prints the table and saves a screenshot
    and a report.
    """
    from qviz.data.bundled import demo_model, demo_samples
    from qviz.ui import run as window

    model, samples = str(demo_model()), str(demo_samples())
    if screenshot is not None and headless:
        raise QvizError(
            "--screenshot and --headless", "they exclude each other", "Use one of the two"
        )
    if screenshot is not None:
        _check_writable(screenshot, "--screenshot")
        window.screenshot(
            screenshot, model, samples, size=size, theme=theme, select=select, view=view
        )
    elif headless or not has_display():
        from qviz.cli.headless import run_demo

        run_demo(model, samples, out)
    else:
        sys.exit(window.run_window(model, samples))


@cli.command()
@click.argument("model")
@click.option("--samples", metavar="FILE", help=_samples_help)
@_reading
@_values
@_run_code
@click.option("--weights", metavar="SCHEME", help="Scheme of all weights [default: int8:channel].")
@click.option("--inputs", metavar="SCHEME", help="Scheme of all inputs [default: uint8].")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATTERN=SCHEME",
    help="conv1.weight=int4, re:block.*.input=float; may be repeated, later ones win.",
)
@click.option("--plan", metavar="FILE", help="Start from a saved plan.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Score only N samples.")
@click.option(
    "--seed", type=int, help="Of the split into parts [default: 0, or what the project says]."
)
@click.option(
    "--part",
    type=click.Choice(["all", "tune", "confirm"]),
    help="Which samples to score [default: all, or what the project says].",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="top-5, AUROC, recall:3, sensitivity@0.3 …, or a .py file [default: what fits].",
)
@click.option("--output", metavar="NAME", help="The output to score [default: the one that fits].")
@click.option("--classes", is_flag=True, help="Also print recall and precision of every class.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write every figure as JSON.")
@click.option("--save-plan", type=click.Path(path_type=Path), help="Save the plan.")
@_screenshot
@_theme
@_size
@_select
@_view
def run(model: str, samples: str | None, **options: Any) -> None:
    """Score a plan on samples and print what every layer loses."""
    from qviz.cli.headless import run_plan

    json_file = options["json_file"]
    outputs = {
        "--json": None if json_file in (None, "-") else Path(json_file),
        "--save-plan": options["save_plan"],
        "--screenshot": options["screenshot"],
    }
    taken: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        _check_writable(path, option)
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise QvizError(f"{option} {path}", f"{other} writes there too", "Name two files")
    run_plan(model, samples, **options)


@cli.command("formats")
def list_formats() -> None:
    """List the number formats and the words each takes in a scheme."""
    from rich.console import Console

    from qviz.cli.formats import formats_table

    Console().print(formats_table())


def _check_writable(path: Path, option: str) -> None:
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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a QvizError becomes one line on stderr and exit code 1."""
    try:
        cli.main(args=arguments, prog_name="qviz", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("qviz: stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except QvizError as error:
        click.echo(f"qviz: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if os.environ.get("QVIZ_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        click.echo(
            f"qviz: something unexpected failed ({what}). Set QVIZ_TRACEBACK=1 to see where, and "
            "report it.",
            err=True,
        )
        sys.exit(1)
