"""An already quantized file through the Session: its own scales, and edits away from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import qviz
from qviz.app.session import Session


class Batches(CalibrationDataReader):
    def __init__(self, images: NDArray[np.float32]) -> None:
        self._left = iter([{"image": images[n : n + 20]} for n in range(0, 200, 20)])

    def get_next(self) -> dict[Any, Any]:
        return next(self._left, {})


@pytest.fixture(scope="module")
def session(
    demo_model: Path, demo_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Session:
    path = tmp_path_factory.mktemp("quantized") / "qdq.onnx"
    with np.load(demo_samples) as archive:
        images = archive["image"].astype(np.float32)
    options: Any = {"per_channel": True, "weight_type": QuantType.QInt8}
    quantize_static(demo_model, path, Batches(images), quant_format=QuantFormat.QDQ, **options)
    return qviz.open(path, demo_samples, limit=500)


def test_it_opens_with_its_own_plan_and_runs_as_onnxruntime_does(session: Session) -> None:
    evaluation = session.evaluate()
    assert {row.weight.scheme for row in session.rows() if row.weight} == {
        "int8:full:channel:stored"
    }
    assert {row.input.scheme for row in session.rows() if row.input} == {"int8:asym:stored"}
    assert all(row.weight and row.weight.sqnr_db == float("inf") for row in session.rows())
    assert "own scales match onnxruntime" in session.document().parity
    assert not session.document().plan_path
    # The file's writer left out the ReLUs that its quantizers stand for; without them the float
    # model would score like a coin.
    assert 88 < evaluation.float_value < 94
    assert 88 < evaluation.value < 94


def test_the_form_offers_the_files_scales_for_their_own_grid_only(session: Session) -> None:
    def choices(slot: str) -> dict[str, str]:
        (field,) = [field for field in session.form([slot]).fields if field.name == "range"]
        return {choice.value: choice.reason for choice in field.choices}

    assert choices("block3.pw.weight")["stored"] == ""
    session.set_bits(["block3.pw.weight"], 4)
    assert session.rows()[6].weight is not None
    assert session.form(["block3.pw.weight"]).scheme == "int4:full:channel"
    assert choices("block3.pw.weight")["stored"].startswith("the file's scales are for int8")
    session.undo()
    assert session.form(["block3.pw.weight"]).scheme == "int8:full:channel:stored"
    plain = qviz.open_demo()
    (field,) = [f for f in plain.form(["conv1.weight"]).fields if f.name == "range"]
    assert "stored" not in [choice.value for choice in field.choices]


def test_a_plan_with_stored_scales_is_saved_and_opened_again(
    session: Session, tmp_path: Path
) -> None:
    session.save_plan(tmp_path / "plan.json")
    before = session.evaluate().value
    session.set_bits(["fc.weight"], 2)
    session.load_plan(tmp_path / "plan.json")
    assert session.evaluate().value == before
