"""Files among the samples that cannot be read: a few are left out, many are an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from qviz.data.samples import Indices
from qviz.data.threads import each
from qviz.errors import QvizError

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_readable(
    work: Callable[[Item], Result], items: Sequence[Item], what: str
) -> tuple[list[Result], Indices, tuple[str, ...]]:
    """What `work` gives for the items that can be read, which those are, and a note on the others.

    Raises:
        QvizError: that of the first item, where more than half or the only one cannot be read.
    """

    def tried(item: Item) -> Result | QvizError:
        try:
            return work(item)
        except QvizError as error:
            return error

    results: list[Result] = []
    rows: list[int] = []
    errors: list[QvizError] = []
    for row, found in enumerate(each(tried, items)):
        if isinstance(found, QvizError):
            errors.append(found)
        else:
            results.append(found)
            rows.append(row)
    if not errors:
        return results, np.arange(len(items), dtype=np.int64), ()
    first = errors[0]
    if 2 * len(errors) > len(items):
        raise first
    note = f"{len(errors):,} of {len(items):,} {what} cannot be read and are left out, "
    cause = f"the first is {first.subject}: {first.cause}"
    return results, np.array(rows, np.int64), (note + cause,)
