"""`qviz recover`: what lies in the user's state folder from processes that ended unexpectedly."""

from __future__ import annotations

from datetime import datetime

from rich.markup import escape
from rich.table import Table

from qviz.app.recovery import recoverable


def recovery_table() -> Table | str:
    """One row per piece of lost work, the latest first; a sentence where there is none."""
    found = recoverable()
    if not found:
        return "Nothing to recover: all work was saved or closed"
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("kept", "model", "project", "open it with"):
        table.add_column(title, no_wrap=True)
    for work in found:
        kept = datetime.fromtimestamp(work.kept).strftime("%Y-%m-%d %H:%M:%S")
        texts = (kept, work.model, work.project or "–", f"qviz {work.path}")
        table.add_row(*map(escape, texts))
    return table
