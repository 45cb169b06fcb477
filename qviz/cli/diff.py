"""`qviz diff`: what two plans say otherwise, as a table."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from qviz.app.project_file import SUFFIX, read_project
from qviz.cli.headless import standard_output
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.read_model import PYTHON, read_model
from qviz.plan.diff import Difference, diff
from qviz.plan.layer_facts import layer_facts
from qviz.plan.plan import Plan, check_plan, read_plan

_SAYS_NOTHING = "–"


def run_diff(first: Path, second: Path, model: str | None) -> bool:
    """Print what differs; whether anything does.

    Raises:
        QvizError: a file that is no plan and no project, or a plan for another model.
    """
    plans = _plan(first), _plan(second)
    opened = None if model is None else _model(Path(model), plans)
    found = diff(*plans, opened)
    if found:
        standard_output().print(diff_table(found, first.name, second.name))
    return bool(found)


def diff_table(found: tuple[Difference, ...], first: str, second: str) -> Table:
    """One row per difference: what it is about, what each plan says, and what decides it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("what", "of", first, "by", second, "by"):
        table.add_column(escape(title), overflow="fold")
    for each in found:
        a, b = each.a or _SAYS_NOTHING, each.b or _SAYS_NOTHING
        texts = (each.kind, each.subject, a, each.why_a, b, each.why_b)
        table.add_row(*(escape(" ".join(text.split())) for text in texts))
    return table


def _plan(path: Path) -> Plan:
    return read_project(path).plan if path.suffix.lower() == SUFFIX else read_plan(path)


def _model(path: Path, plans: tuple[Plan, Plan]) -> Model:
    if path.suffix.lower() == PYTHON:
        why = "a Python program would have to be run"
        raise QvizError(path.name, why, "Name a model file, or leave --model out")
    model = read_model(path)
    for plan in plans:
        check_plan(plan, model.slots, layer_facts(model))
    return model
