"""Constants must be finite: what the user is told of those that are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from qviz.errors import QvizError

_NAMED = 3


def check_finite(path: Path, constants: Mapping[str, torch.Tensor]) -> None:
    """Raise QvizError where a constant in memory holds NaN or infinite values.

    A number alone may be infinite: a bound, or what a mask is filled with.
    """
    for name, tensor in constants.items():
        if tensor.is_floating_point() and tensor.numel() > 1:
            wide = tensor if tensor.dtype.itemsize > 1 else tensor.float()
            if not bool(torch.isfinite(wide).all()):
                raise not_finite(path, [name])


def not_finite(path: Path, names: Sequence[str]) -> QvizError:
    """The message about a file's constants, named here, that hold NaN or infinite values."""
    named = ", ".join(f"'{name}'" for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    what = "its constant {} holds" if len(names) == 1 else "its constants {} hold"
    return QvizError(
        path.name,
        f"{what.format(named + more)} NaN or infinite values, which no grid can hold",
        "Train or export the model again; a diverged training run leaves such weights",
    )
