"""A table that fits a line: whole columns go before a number is cut."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLE = re.compile(r"\x1b\[[\d;]*m")
_TRAILING = re.compile(rf"(?: |{_STYLE.pattern})+$")
GAP = 2  # blanks between two columns
LEAST_NAME = 12


@dataclass(frozen=True)
class Layout:
    """The columns of a table and what it gives up, in order, on a line that is too narrow.

    Indices of columns: `early` go one step at a time, then names are shortened, then `late` go.
    """

    titles: tuple[str, ...]
    left: frozenset[int]  # those of words; numbers stand to the right
    name: int  # the only column whose cells may be shortened
    early: tuple[tuple[int, ...], ...]
    late: tuple[tuple[int, ...], ...]


def fitted(
    layout: Layout,
    rows: Sequence[Sequence[str]],
    width: int,
    among: Sequence[Sequence[str]] = (),
) -> Table:
    """The table on lines of `width` cells; what the last step leaves is not cut where it is wider.

    Rows `among` which it stands, in other tables, have the same columns. Print it with crop=False.
    Cells are plain text: a name may look like markup.
    """
    needs = [
        max(cell_len(text) for text in (title, *(row[at] for row in (*rows, *among))))
        for at, title in enumerate(layout.titles)
    ]
    shown, names = _fit(layout, needs, width)
    needs[layout.name] = names
    whole = sum(needs[at] for at in shown) + GAP * (len(shown) - 1)
    table = Table(box=None, header_style="bold", pad_edge=False, width=whole)
    for at in shown:
        table.add_column(
            Text(layout.titles[at]),
            justify="left" if at in layout.left else "right",
            no_wrap=True,
            min_width=needs[at],
        )
    for row in rows:
        cells = (shortened(row[at], names) if at == layout.name else row[at] for at in shown)
        table.add_row(*map(Text, cells))
    return table


def print_table(console: Console, table: Table) -> None:
    """Without the blanks that fill up the last column."""
    with console.capture() as captured:
        console.print(table, crop=False)
    for line in captured.get().splitlines():
        kept = _TRAILING.sub(lambda found: "".join(_STYLE.findall(found[0])), line)
        console.file.write(f"{kept}\n")


def _fit(layout: Layout, needs: list[int], width: int) -> tuple[list[int], int]:
    """Which columns are shown, and how wide the names may be."""
    whole = needs[layout.name]
    least = min(whole, max(LEAST_NAME, cell_len(layout.titles[layout.name])))
    shown = list(range(len(layout.titles)))
    room = whole
    steps = [
        *((gone, whole) for gone in ((), *layout.early)),
        *((gone, least) for gone in ((), *layout.late)),
    ]
    for gone, wanted in steps:
        shown = [at for at in shown if at not in gone]
        others = sum(needs[at] for at in shown if at != layout.name)
        room = width - others - GAP * (len(shown) - 1)
        if room >= wanted:
            break
    return shown, max(least, min(whole, room))


def shortened(name: str, width: int) -> str:
    """A long name loses its middle: exporters tell layers apart at both ends."""
    if cell_len(name) <= width:
        return name
    for kept in range(width - 1, 0, -1):  # a character may be two cells wide
        head = kept // 2
        text = f"{name[:head]}…{name[len(name) - kept + head :]}"
        if cell_len(text) <= width:
            return text
    return "…"


def wrapped(line: str, width: int, indent: str) -> list[str]:
    """Lines of whole words; all but the first begin with `indent`."""
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    return wrapper.wrap(line) or [""]
