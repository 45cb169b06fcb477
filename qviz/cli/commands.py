"""The commands: `qviz [MODEL]`, `qviz demo`, `qviz run`, `qviz sensitivity`, `qviz formats`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

import click

from qviz.cli import options
from qviz.cli.display import has_display
from qviz.errors import QvizError

SIZE = (1280, 800)


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

    `qviz [MODEL] [--samples FILE]` opens the window; `qviz run` scores a plan without it, and
    `qviz sensitivity` says what every layer costs.
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
_screenshot = click.option(
    "--screenshot", type=click.Path(path_type=Path), help="Render the window into a PNG and exit."
)


@cli.command("open")
@click.argument("model", required=False)
@click.option("--samples", metavar="FILE", help=options.SAMPLES_HELP)
@options.values
@options.run_code
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
@click.option("--samples", metavar="FILE", help=options.SAMPLES_HELP)
@options.reading
@options.values
@options.run_code
@options.weights
@options.inputs
@options.settings
@options.plan
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Score only N samples.")
@options.seed
@options.part
@options.metric
@options.output
@click.option("--classes", is_flag=True, help="Also print recall and precision of every class.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write every figure as JSON.")
@click.option("--save-plan", type=click.Path(path_type=Path), help="Save the plan.")
@_screenshot
@_theme
@_size
@_select
@_view
def run(model: str, samples: str | None, **chosen: Any) -> None:
    """Score a plan on samples and print what every layer loses."""
    from qviz.cli.headless import run_plan

    json_file = chosen["json_file"]
    outputs = {
        "--json": None if json_file in (None, "-") else Path(json_file),
        "--save-plan": chosen["save_plan"],
        "--screenshot": chosen["screenshot"],
    }
    taken: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        _check_writable(path, option)
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise QvizError(f"{option} {path}", f"{other} writes there too", "Name two files")
    run_plan(model, samples, **chosen)


@cli.command(epilog="Stopped with Ctrl+C, the same command goes on where it was.")
@click.argument("model")
@click.option("--samples", metavar="FILE", help=options.SAMPLES_HELP)
@click.option(
    "--schemes",
    metavar="A,B",
    callback=lambda _ctx, _param, given: given and tuple(filter(None, given.split(","))),
    help="What to quantize each layer to, mildest first [default: int8:channel,int4:channel].",
)
@click.option(
    "--role",
    type=click.Choice(["weights", "inputs", "both"]),
    default="weights",
    show_default=True,
    help="What of a layer is quantized. Beside integer weights inputs are uint of their bits.",
)
@click.option(
    "--mode",
    type=click.Choice(["only", "all-but"]),
    default="only",
    show_default=True,
    help="only: one layer is quantized at a time. all-but: the plan, but one layer is in float.",
)
@click.option(
    "--limit",
    default="256",
    show_default=True,
    metavar="N|all",
    callback=options.read_limit,
    help="How many samples to run; all for exact numbers.",
)
@click.option(
    "--sort",
    type=click.Choice(["kl", "layer"]),
    default="kl",
    show_default=True,
    help="Order of the table: by the KL of the last scheme, or as the layers come.",
)
@options.reading
@options.values
@options.run_code
@options.weights
@options.inputs
@options.settings
@options.plan
@options.seed
@options.part
@options.metric
@options.output
@click.option("--json", "json_file", metavar="FILE|-", help="Write every figure as JSON.")
def sensitivity(model: str, samples: str | None, **chosen: Any) -> None:
    """Measure what quantizing each layer costs, and print the costliest first.

    KL of the predictions against the float model in nats, SQNR of the scored output in dB, flipped
    predictions, and the metric's change with its 95 % interval. --weights, --inputs, --set and
    --plan make the plan that --mode all-but takes apart. What was measured is remembered in the
    user's cache folder, or in the one that QVIZ_CACHE names.
    """
    from qviz.cli.sensitivity import run_sensitivity

    json_file = chosen["json_file"]
    if json_file not in (None, "-"):
        _check_writable(Path(json_file), "--json")
    run_sensitivity(model, samples, **chosen)


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
