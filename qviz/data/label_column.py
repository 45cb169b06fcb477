"""Which column of a table, or array of a file, holds the labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qviz.errors import QvizError

NAMES = ("label", "labels", "target", "targets", "class", "y")
# What arrays of labels are called besides, once `labels` is none of them.
ARRAY_NAMES = frozenset({*NAMES, "classes", "gt", "ground_truth", "y_true", "answer", "answers"})
MASKS = frozenset({"mask", "masks"})


def find_label(
    subject: str, columns: Sequence[str], inputs: Collection[str], wanted: str | None
) -> int | None:
    """Where the labels are: the wanted column, else one of a usual name that is no input's.

    Raises:
        QvizError: there is no column of the wanted name.
    """
    if wanted is not None:
        if wanted in columns:
            return list(columns).index(wanted)
        listed = ", ".join(columns[:12])
        raise QvizError(
            subject, f"it has no column '{wanted}' for labels", f"Choose one of {listed}"
        )
    lowered = [name.lower() for name in columns]
    for name in NAMES:
        if name in lowered and columns[lowered.index(name)] not in inputs:
            return lowered.index(name)
    return None
