"""qviz: a workbench for neural-network quantization.

import qviz
session = qviz.open("model.onnx", samples="samples.npz")
session.set("conv1.weight", "int4:channel")
print(session.evaluate().value)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qviz.errors import QvizError

if TYPE_CHECKING:
    from qviz.app.session import Session

__all__ = ["QvizError", "open", "open_demo"]


def open(
    model: str | Path,
    samples: str | Path | None = None,
    *,
    plan: str | Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    values: Mapping[str, float] | None = None,
    run_code: bool = False,
) -> Session:
    """Open a model, and samples to evaluate on; every call of the Session returns when done.

    `limit` is the number of samples that `evaluate()` scores; by default all of the part. `values`
    feed inputs that are the same for all samples. A Python program, which opening runs, needs
    `run_code`.

    Raises:
        QvizError: a file that cannot be read, or samples that do not fit the model.
    """
    from qviz.app.session import Session

    session = Session(seed=seed, limit=limit)
    session.open(model, samples, plan, values=values, run_code=run_code)
    return session


def open_demo() -> Session:
    """Open the bundled Fashion-MNIST model and its samples."""
    from qviz.data.bundled import demo_model, demo_samples

    return open(demo_model(), demo_samples())
