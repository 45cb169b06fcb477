"""The commands: `qviz [MODEL]`, `qviz demo`, `qviz run`, `qviz sensitivity`, `qviz export`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from qviz.cli import options
from qviz.cli.window_commands import demo, open_window, picture
from qviz.errors import QvizError


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


cli.add_command(open_window)
cli.add_command(demo)


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
@options.memory
@options.device
@picture
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
        options.check_writable(path, option)
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
@options.device
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
        options.check_writable(Path(json_file), "--json")
    run_sensitivity(model, samples, **chosen)


@cli.command()
@click.argument("model")
@click.option(
    "--out", required=True, metavar="F", type=click.Path(path_type=Path), help="The file to write."
)
@click.option("--samples", metavar="FILE", help=options.SAMPLES_HELP)
@click.option("--opset", type=click.IntRange(11), metavar="N", help="The least opset of the file.")
@click.option(
    "--verify",
    is_flag=True,
    help="Run the file in onnxruntime; exit code 1 if it says anything else than qviz.",
)
@click.option("--latency", is_flag=True, help="Time the file beside the float model.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Verify on N samples.")
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
def export(model: str, samples: str | None, **chosen: Any) -> None:
    """Write the plan as an ONNX file that onnxruntime runs with the same numbers.

    --verify compares them on the samples, with onnxruntime's optimisations off and on, and ends
    with exit code 1 where the file does not give the plan's numbers.
    """
    from qviz.cli.export import run_export

    json_file = chosen["json_file"]
    options.check_writable(chosen["out"], "--out")
    if json_file not in (None, "-"):
        options.check_writable(Path(json_file), "--json")
        if Path(json_file).resolve() == chosen["out"].resolve():
            raise QvizError(f"--json {json_file}", "--out writes there too", "Name two files")
    if not run_export(model, samples, **chosen):
        sys.exit(1)


@cli.command(
    epilog="Exit code 0: they say the same. 1: they do not. 2: they could not be compared."
)
@click.argument("plan_a", type=click.Path(path_type=Path))
@click.argument("plan_b", type=click.Path(path_type=Path))
@click.option("--model", metavar="FILE", help="Also compare the schemes of every slot of a model.")
def diff(plan_a: Path, plan_b: Path, model: str | None) -> None:
    """Print what two plans, or those of two projects, say otherwise.

    With --model also which slots get another scheme, and which rule decides that in each plan.
    """
    from qviz.cli.diff import run_diff

    try:
        differ = run_diff(plan_a, plan_b, model)
    except QvizError as error:
        click.echo(f"qviz: {error}", err=True)
        sys.exit(2)
    sys.exit(int(differ))


@cli.command()
def recover() -> None:
    """List work that was neither saved nor closed properly; `qviz FILE` opens it."""
    from qviz.cli.headless import standard_output
    from qviz.cli.recover import recovery_table

    standard_output().print(recovery_table(), soft_wrap=True)


@cli.command("formats")
def list_formats() -> None:
    """List the number formats and the words each takes in a scheme."""
    from rich.console import Console

    from qviz.cli.formats import formats_table

    Console().print(formats_table())


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
