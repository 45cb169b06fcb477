"""The plan exported through the Session: at once, in a lane, and from a quantized file."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

import qviz
from qviz.app.session import Session
from qviz.errors import QvizError
from qviz.plan.plan import from_json
from tests.app.test_quantized_file import Batches


def metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_the_file_says_what_it_was_made_of(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    session = qviz.open(mlp, mlp_samples, seed=5)
    session.set("fc1.weight", "int4:channel")
    out = tmp_path / "out.onnx"
    found = session.export(out)
    told, document = metadata(out), session.current()
    assert from_json(json.loads(told["qviz.plan"]), "") == session.plan
    assert document.model is not None
    assert document.samples is not None
    assert document.split is not None
    assert told["qviz.model.sha256"] == document.model.hash
    assert told["qviz.samples.sha256"] == document.samples.hash
    assert told["qviz.samples.split"] == document.split.hash
    assert told["qviz.seed"] == "5"
    assert dict(found.metadata) == told
    assert found.bytes == out.stat().st_size
    assert found.float_bytes == mlp.stat().st_size
    assert found.containers == {"uint8": 2, "int4": 1, "int8": 1}
    assert found.opset == 21
    assert found.verdict is None


def test_it_is_verified_and_timed_where_asked(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    found = session.export(tmp_path / "out.onnx", verify=True, latency=True, limit=40)
    assert found.verdict is not None
    assert found.verdict.ok
    assert found.verdict.samples == 40
    assert found.latency is not None
    assert found.latency.float_s > 0
    whole = session.export(tmp_path / "out.onnx", verify=True).verdict
    assert whole is not None
    assert whole.ours == pytest.approx(session.evaluate().value)
    assert whole.off.value == pytest.approx(whole.ours)


def test_without_samples_only_what_needs_none_is_exported(mlp: Path, tmp_path: Path) -> None:
    session, out = qviz.open(mlp), tmp_path / "out.onnx"
    with pytest.raises(QvizError, match=r"fc1\.input: .* measured on samples"):
        session.export(out)
    assert not out.exists()
    session.set_defaults("int4:group=16", "mxfp8-e4m3")  # whose scales come with the values
    session.export(out)
    session.set_defaults("int8", "float")
    assert session.export(out).containers == {"int8": 2}
    with pytest.raises(QvizError, match="no samples to verify it on"):
        session.export(out, verify=True)
    assert "qviz.samples" not in metadata(out)


def test_a_quantized_file_is_exported_with_its_own_scales(
    demo_model: Path, demo_samples: Path, tmp_path: Path
) -> None:
    path = tmp_path / "qdq.onnx"
    with np.load(demo_samples) as archive:
        images = archive["image"].astype(np.float32)
    quantize_static(
        demo_model,
        path,
        Batches(images),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
    session = qviz.open(path, demo_samples)
    found = session.export(tmp_path / "out.onnx", verify=True, limit=128)
    assert found.verdict is not None
    assert found.verdict.ok, found.verdict.reasons
    assert found.containers == {"int8": 24}


class Live:
    """A Session with lanes, whose posts run here."""

    def __init__(self) -> None:
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.session = Session(self.posted.put)
        self.topics: list[str] = []
        self.session.subscribe(self.topics.extend)

    def until(self, done: Callable[[], bool]) -> None:
        while not done():
            self.posted.get(timeout=30)()

    def idle(self) -> None:
        self.until(lambda: not self.session.jobs())


def test_in_a_lane_the_file_comes_first_and_then_its_verdict(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    live = Live()
    session = live.session
    session.open(mlp, mlp_samples)
    live.until(lambda: session.findings.calibration_done)
    live.idle()
    session.start_export(tmp_path / "out.onnx")
    assert session.exported() is None
    live.until(lambda: session.exported() is not None)
    first = session.exported()
    assert first is not None
    assert first.verdict is None
    live.idle()
    found = session.exported()
    assert found is not None
    assert found.verdict is not None
    assert found.verdict.ok
    assert "export" in live.topics
    assert session.export_is_current
    session.set("fc1.weight", "int2")
    assert not session.export_is_current
    assert session.exported() is found
    live.idle()
    session.start_export(tmp_path / "no" / "out.onnx")
    live.idle()
    assert session.exported() is None
    assert "cannot be written" in session.export_failure
    with pytest.raises(QvizError, match="in the background"):
        session.export(tmp_path / "out.onnx")
    session.close()


def test_another_model_forgets_the_export(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.export(tmp_path / "out.onnx")
    session.open(mlp, mlp_samples)
    assert session.exported() is None


def test_nothing_is_open(tmp_path: Path) -> None:
    with pytest.raises(QvizError, match="none is open"):
        Session().export(tmp_path / "out.onnx")


def test_the_open_model_is_never_written_over(mlp: Path, mlp_samples: Path) -> None:
    session, before = qviz.open(mlp, mlp_samples), mlp.read_bytes()
    with pytest.raises(QvizError, match="own file"):
        session.export(mlp.parent / "." / mlp.name)
    assert mlp.read_bytes() == before
