"""qviz: a workbench for neural-network quantization.

import qviz
session = qviz.open("model.onnx", samples="samples.npz")
session.set("conv1.weight", "int4:channel")
print(session.evaluate().value)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qviz.errors import QvizError

if TYPE_CHECKING:
    from qviz.app.session import Session

__all__ = ["QvizError", "open", "open_demo"]

# Read when torch loads its OpenMP runtime: threads that wait sleep instead of spinning, which on
# a busy machine of few cores is the difference between a second and ten.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Read when torch first allocates: huge pages, where Linux gives them. Activations are made anew
# for every operator, and their page faults cost a quarter of a float pass of MobileNetV2.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


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
