"""A user's own metric, from a Python file that defines metric(outputs, labels)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qviz.engine.metrics.metric import Better, Metric, mean
from qviz.errors import QvizError
from qviz.model.python_file import run_file

_HOW = "Define metric(outputs, labels), which gives one number for each sample"
_ONE_EACH = (
    "Return one number for each sample, an array of shape (samples,): (a == b), not "
    "(a == b).mean(); qviz takes the mean itself, and its 95 % interval"
)


def read_metric(path: Path) -> Metric:
    """Run the file and take its metric; only for a file the user has agreed to run.

    metric(outputs, labels) is given numpy arrays with a row per sample (labels None without any)
    and gives an array [n], of which the mean is shown. The file may set UNIT ("%" shows shares
    times 100) and BETTER ("higher" or "lower"). Raises QvizError naming the file and the cause.
    """
    path = Path(path)
    with run_file(path) as namespace:
        function, unit = namespace.get("metric"), namespace.get("UNIT", "")
        better = namespace.get("BETTER", "higher")
    if not callable(function):
        raise QvizError(path.name, "it defines no function metric(outputs, labels)", _HOW)
    if better not in ("higher", "lower") or not isinstance(unit, str):
        cause = f"it sets UNIT to {unit!r} and BETTER to {better!r}"
        raise QvizError(path.name, cause, 'Set UNIT to text and BETTER to "higher" or "lower"')
    chosen: Better = "lower" if better == "lower" else "higher"
    return Metric(path.stem, unit, chosen, _rows(path, function), mean)


def _rows(path: Path, function: Callable[..., Any]) -> Callable[..., Tensor]:
    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        try:
            given = function(output.numpy().copy(), None if labels is None else labels.numpy())
            values = np.asarray(given, dtype=np.float64)
        except Exception as error:
            cause = f"metric() raised {type(error).__name__}: {error}".splitlines()[0][:300]
            raise QvizError(path.name, cause, _HOW) from error
        if values.shape != (len(output),):
            gave = "one number" if values.ndim == 0 else f"an array of shape {values.shape}"
            cause = f"metric() gave {gave} for {len(output)} samples"
            raise QvizError(path.name, cause, _ONE_EACH)
        return torch.from_numpy(values).unsqueeze(1)

    return rows
