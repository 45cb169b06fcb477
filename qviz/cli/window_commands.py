"""The commands that open the window, `qviz [MODEL]` and `qviz demo`, or render it into a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from qviz.cli import options
from qviz.cli.display import has_display
from qviz.errors import QvizError

if TYPE_CHECKING:
    from qviz.data.reading import Reading  # arrays are not loaded for --help

SIZE = (1280, 800)

Command = TypeVar("Command", bound=Callable[..., object])

_PICTURE = (
    click.option(
        "--screenshot",
        type=click.Path(path_type=Path),
        help="Render the window into a PNG and exit.",
    ),
    click.option(
        "--theme",
        type=click.Choice(["light", "dark"]),
        default="light",
        help="For --screenshot.",
    ),
    click.option(
        "--size",
        type=(click.IntRange(640, 8192), click.IntRange(480, 8192)),
        default=SIZE,
        show_default=True,
        metavar="W H",
        help="For --screenshot, in pixels.",
    ),
    click.option("--select", metavar="LAYER", help="For --screenshot: the layer to show."),
    click.option(
        "--view",
        type=click.Choice(["distribution", "channels", "sensitivity"]),
        default="distribution",
        help="For --screenshot: the view to show.",
    ),
)


def picture(command: Command) -> Command:
    """--screenshot, and the options that say what it shows."""
    for option in reversed(_PICTURE):
        command = option(command)
    return command


@click.command("open")
@click.argument("model", required=False)
@click.option("--samples", metavar="FILE", help=options.SAMPLES_HELP)
@options.reading
@options.values
@options.run_code
@click.option("--plan", metavar="FILE", help="A plan that qviz saved.")
@options.memory
@options.device
@picture
def open_window(
    model: str | None,
    samples: str | None,
    plan: str | None,
    reading: Reading | None,
    values: dict[str, float],
    run_code: bool,
    memory: int | None,
    device: str | None,
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
        options.check_writable(screenshot, "--screenshot")
        window.screenshot(
            screenshot,
            model,
            samples,
            size=size,
            theme=theme,
            select=select,
            view=view,
            plan=plan,
            reading=reading,
            values=values,
            run_code=run_code,
            memory=memory,
            device=device,
        )
        return
    if not has_display():
        raise QvizError(
            "the window",
            "there is no display",
            "Use 'qviz run', or --screenshot FILE to render without one",
        )
    sys.exit(
        window.run_window(
            model,
            samples,
            plan,
            reading=reading,
            values=values,
            run_code=run_code,
            memory=memory,
            device=device,
        )
    )


@click.command()
@options.memory
@options.device
@picture
@click.option("--headless", is_flag=True, help="Do not open the window even if there is a display.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("qviz-demo"),
    show_default=True,
    help="Folder for the screenshot and report without a display.",
)
def demo(
    memory: int | None,
    device: str | None,
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
        options.check_writable(screenshot, "--screenshot")
        window.screenshot(
            screenshot,
            model,
            samples,
            size=size,
            theme=theme,
            select=select,
            view=view,
            memory=memory,
            device=device,
        )
    elif headless or not has_display():
        from qviz.cli.headless import run_demo

        run_demo(model, samples, out, memory, device)
    else:
        sys.exit(window.run_window(model, samples, memory=memory, device=device))
