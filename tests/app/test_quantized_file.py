"""An already quantized file through the Session: its own scales, and edits away from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import qviz
from qviz.app.session import Session
from qviz.errors import QvizError
from qviz.plan.plan import Plan


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


def test_reset_goes_back_to_the_files_scales_and_defaults_speak_of_all(session: Session) -> None:
    own = session.plan
    session.set_bits(["fc.weight"], 2)
    session.reset(["fc.weight"])
    assert session.plan == own
    session.set_defaults("int2:channel")
    assert {row.weight.scheme for row in session.rows() if row.weight} == {"int2:channel"}
    assert {row.input.scheme for row in session.rows() if row.input} == {"int8:asym:stored"}
    session.set_bits(["fc.weight"], 5)
    session.reset(["fc.weight"])
    assert session.form(["fc.weight"]).scheme == "int2:channel"
    session.set("fc.input", "float")
    session.reset(["fc.input"])
    assert session.form(["fc.input"]).scheme == "float"  # which a rule says
    for _ in range(6):
        session.undo()
    assert session.plan == own


def test_scales_of_another_file_are_not_made_up(session: Session, tmp_path: Path) -> None:
    session.save_plan(tmp_path / "plan.json")
    plain = qviz.open_demo()
    with pytest.raises(QvizError, match="which holds none") as refused:
        plain.set_scheme(["fc.weight"], "int8:full:channel:stored")
    assert refused.value.cure == "Use int8:full:channel"
    with pytest.raises(QvizError, match="which holds none"):
        plain.set("fc.weight", "int8:full:channel:stored")
    with pytest.raises(QvizError, match="which holds none"):
        plain.set_defaults("int8:full:channel:stored")
    with pytest.raises(QvizError, match="which holds int8:full:channel:stored"):
        session.set_scheme(["fc.weight"], "int4:stored")
    plain.load_plan(tmp_path / "plan.json")
    assert {row.weight.scheme for row in plain.rows() if row.weight} == {"int8:full:channel"}
    assert {row.input.scheme for row in plain.rows() if row.input} == {"int8:asym"}
    assert "scales that this file does not hold" in plain.messages()[-1].text
    session.save_project(tmp_path / "work.qviz")
    project = json.loads((tmp_path / "work.qviz").read_text())
    project["model"] = str(plain.document().model_path)
    (tmp_path / "work.qviz").write_text(json.dumps(project))
    again = qviz.open(tmp_path / "work.qviz")
    assert again.plan == plain.plan


def _pair(value: str, scales: str, axis: int) -> list[onnx.NodeProto]:
    given = [f"{scales}s", f"{scales}z"]
    quantize = helper.make_node("QuantizeLinear", [value, *given], [f"{value}::q"], axis=axis)
    back = helper.make_node("DequantizeLinear", [f"{value}::q", *given], [f"{value}::d"], axis=axis)
    return [quantize, back]


@pytest.mark.parametrize("value", ["w", "x"])
def test_scales_across_the_sums_of_a_layer_are_left_out_and_the_rest_stays_float(
    value: str, tmp_path: Path
) -> None:
    """The weight is [in, out]: scales along its axis 0, as along axis 1 of x, go by inputs."""
    rng = np.random.default_rng(0)
    arrays: dict[str, NDArray[Any]] = {
        "w": rng.normal(size=(5, 7)).astype(np.float32),
        "s": np.linspace(0.01, 0.03, 5, dtype=np.float32),
        "z": np.zeros(5, np.int8),
    }
    read = {"w": "w", "x": "x", value: f"{value}::d"}
    nodes = [
        *_pair(value, "", 0 if value == "w" else 1),
        helper.make_node("MatMul", [read["x"], read["w"]], ["y"], name="fc"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 7])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "across.onnx")
    session = qviz.open(tmp_path / "across.onnx")
    assert session.plan == Plan()
    (row,) = session.rows()
    assert row.weight is not None
    assert row.weight.scheme == "float"
    notes = " ".join(message.text for message in session.messages())
    assert "1 quantizer with scales across the sums of a layer left out" in notes
    assert "the file's scales" not in notes
    session.set_bits(["fc.weight"], 4)
    session.reset(["fc.weight"])
    assert session.plan == Plan()
