"""Work without a window: `qviz run`, and the demo where there is no display."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from qviz.app.jobs import Job
from qviz.app.session import Session
from qviz.app.summary import summary
from qviz.app.views import Part
from qviz.cli.report import write_report
from qviz.cli.tables import INTERVALS, class_table, layer_table, number_lines
from qviz.data.reading import Reading
from qviz.engine.evaluate import Evaluation
from qviz.errors import QvizError

NO_LIMIT = 100_000  # columns of a line in a file
LINES = 25  # without a height, too, rich takes 80 columns for a terminal that says it is dumb


def run_plan(
    model: str,
    samples: str | None,
    *,
    values: dict[str, float],
    run_code: bool,
    weights: str | None,
    inputs: str | None,
    settings: tuple[str, ...],
    plan: str | None,
    limit: int | None,
    seed: int | None,
    part: Part | None,
    output: str | None,
    metric: str | None,
    json_file: str | None,
    save_plan: Path | None,
    screenshot: Path | None,
    theme: str,
    size: tuple[int, int],
    select: str | None,
    view: str,
    classes: bool = False,
    reading: Reading | None = None,
    memory: int | None = None,
    device: str | None = None,
) -> None:
    """`qviz run`: score a plan and print or write every figure.

    What is None is left as it is, or as the project says. `classes`: also those of each class.
    `memory`: bytes for results that may be used again. `device`: the name of the one to run on.
    """
    with progress_bar() as progress:
        session = Session(limit=limit, progress=progress, memory_budget=memory)
        if device is not None:
            session.set_device(device)
        session.open(
            model, samples, plan, reading=reading, values=values, run_code=run_code, seed=seed
        )
        set_up(session, weights, inputs, settings, part, output, metric, run_code=run_code)
        evaluation = _score(session)
    if json_file == "-":
        sys.stdout.write(_json_text(session, evaluation))
    else:
        print_numbers(session, evaluation)
        if classes:
            _print_classes(session)
        if json_file is not None:
            write_text(Path(json_file), _json_text(session, evaluation))
    if save_plan is not None:
        session.save_plan(save_plan)
    if screenshot is not None:
        picture = {"theme": theme, "size": size, "select": select, "view": view}
        _screenshot_of(
            session,
            screenshot,
            **picture,
            run_code=run_code,
            limit=limit,
            memory=memory,
            device=device,
        )


def set_up(
    session: Session,
    weights: str | None,
    inputs: str | None,
    settings: tuple[str, ...],
    part: Part | None,
    output: str | None,
    metric: str | None,
    *,
    run_code: bool,
) -> None:
    """Choose the plan and what is measured of it; what is None stays as it is."""
    session.set_defaults(weights, inputs)
    for setting in settings:
        session.set_text(setting)
    if part is not None:
        session.set_part(part)
    if output is not None:
        session.set_output(output)
    if metric is None:
        return
    if metric.endswith(".py"):
        session.open_metric(metric, run_code=run_code)
    else:
        session.set_metric(metric)


def _score(session: Session) -> Evaluation | None:
    """The plan's number; without samples only the errors of the weights."""
    if session.current().scored is not None:
        return session.evaluate()
    session.measure()
    return None


def run_demo(
    model: str,
    samples: str,
    out: Path,
    memory: int | None = None,
    device: str | None = None,
) -> None:
    """`qviz demo` without a display: three plans, the layer table, a screenshot and a report."""
    from qviz.ui import run as window

    console = Console()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QvizError(
            str(out),
            f"the folder cannot be made ({error.strerror})",
            "Choose another with --out FOLDER",
        ) from error
    with progress_bar() as progress:
        session = Session(progress=progress, memory_budget=memory)
        if device is not None:
            session.set_device(device)
        session.open(model, samples)
        story = []
        for weight, inputs in (
            ("int8:tensor", "float"),
            ("int8:channel", "float"),
            ("int4:channel", "float"),
            ("int8:channel", "uint8"),
        ):
            session.set_defaults(weight, inputs)
            story.append((weight, inputs, session.evaluate()))
    print_numbers(session, story[-1][2])
    console.print()
    for weight, inputs, evaluation in story:
        console.print(
            f"weights {weight:<13} inputs {inputs:<6} {evaluation.value:6.2f} % "
            f"({evaluation.delta or 0.0:+.2f} points, {evaluation.flips} flips)"
        )
    picture = out / "window.png"
    window.screenshot(picture, model, samples, memory=memory, device=device)
    data = summary(session, story[-1][2])
    write_text(out / "summary.json", json.dumps(data, indent=2) + "\n")
    write_report(out / "report.html", data, story, picture)
    console.print(f"\nSaved {picture}, {out / 'report.html'} and {out / 'summary.json'}")


def _print_classes(session: Session) -> None:
    console, answers = standard_output(), session.strip().answers
    console.print()
    if answers is None:
        console.print("classes: these samples do not have a class each")
    else:
        console.print(class_table(answers, console.width), crop=False)
        if answers.of_positions:
            console.print(INTERVALS)


def standard_output() -> Console:
    """Standard output: as wide as the terminal or COLUMNS says, in a file as wide as needed."""
    console = Console()
    said = os.environ.get("COLUMNS", "").lstrip("0").isdecimal()
    return console if console.file.isatty() or said else Console(width=NO_LIMIT, height=LINES)


def print_numbers(session: Session, evaluation: Evaluation | None) -> None:
    """The layer table and the numbers, on standard output."""
    console = standard_output()
    console.print(layer_table(session, console.width), crop=False)
    for line in number_lines(session, evaluation):
        console.print(line, highlight=False)


@contextmanager
def progress_bar() -> Iterator[Callable[[Job], None]]:
    """A progress bar on a terminal's standard error; nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _job: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Starting", total=None)
        yield lambda job: bar.update(
            task, description=job.title, completed=job.done, total=job.total or None
        )


def _json_text(session: Session, evaluation: Evaluation | None) -> str:
    return json.dumps(summary(session, evaluation), indent=2, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a file; raises QvizError where that cannot be."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise QvizError(
            str(path),
            f"it cannot be written ({error.strerror})",
            "Choose a file in an existing folder that you may write to",
        ) from error


def _screenshot_of(session: Session, path: Path, **options: Any) -> None:
    """Render the window with all that the session has open and was told."""
    from qviz.ui import run as window

    document = session.document()
    own = document.samples_path in ("", document.model_path)  # none, or those of a program
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "run.qviz"
        session.save_project(project)
        window.screenshot(path, project, None if own else document.samples_path, **options)
