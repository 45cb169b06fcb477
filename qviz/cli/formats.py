"""What `qviz formats` prints: every number format and the words of its schemes."""

from __future__ import annotations

from itertools import groupby

from rich.table import Table
from rich.text import Text

from qviz.quant.formats import FORMATS, Format
from qviz.quant.spelling import options_of


def formats_table() -> Table:
    """One row per format, widths of one kind together; below it the words that it takes."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("format", no_wrap=True)
    table.add_column("for", no_wrap=True)
    table.add_column("what it is, and the words it takes")
    for _, rows in groupby(FORMATS.values(), key=_kind):
        same = list(rows)
        about = Text(_label(same))
        about.append(f"\n{_words(same)}", style="dim")
        table.add_row(_span(same), _roles(same[0]), about)
    return table


def _kind(row: Format) -> tuple[str, str]:
    """Formats that differ in width alone: int1 to int16."""
    stem = row.name if row.family in ("minifloat", "cast", "mx") else row.name.rstrip("0123456789")
    return (row.family, "" if row.integer else stem)


def _span(rows: list[Format]) -> str:
    if rows[0].integer:
        return f"{rows[0].name} … {rows[-2].name}, {rows[1].name} … {rows[-1].name}"
    return rows[0].name if len(rows) == 1 else f"{rows[0].name} … {rows[-1].name}"


def _words(rows: list[Format]) -> str:
    """The widest choice among the rows, one bit has fewer; a group of words is one choice."""
    groups = max((options_of(row) for row in rows), key=len)
    return "\n".join(group.replace("|", " | ") for group in groups) or "written alone"


def _label(rows: list[Format]) -> str:
    if rows[0].integer:
        return "signed and unsigned integers"
    return (
        rows[0].label
        if len(rows) == 1
        else rows[0].label.replace(f"{2 ** rows[0].bits} ", "2^bits ", 1)
    )


def _roles(row: Format) -> str:
    return row.roles[0] + "s" if len(row.roles) == 1 else "both"
