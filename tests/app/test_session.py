"""The Session: with lanes and without, edits, undo, failures that leave everything intact."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from qviz.app.findings import learn
from qviz.app.pipelines.measuring import measure_slot
from qviz.app.session import Session
from qviz.errors import QvizError
from qviz.model.read_onnx import read_onnx
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Write = Callable[..., Path]


class Live:
    """A Session with lanes, and the loop that stands for the window's."""

    def __init__(self) -> None:
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.session = Session(self.posted.put)
        self.topics: list[frozenset[str]] = []
        self.session.subscribe(self.topics.append)

    def settle(self) -> None:
        """Run the loop until no lane works."""
        while self.session.jobs():
            self.posted.get(timeout=30)()

    def run_until(self, done: Callable[[], bool]) -> None:
        while not done():
            self.posted.get(timeout=30)()


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.session.close()


def test_opening_fills_everything(live: Live, mlp: Path, mlp_samples: Path) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    document, strip = live.session.document(), live.session.strip()
    assert document.layers == 2
    assert document.parity_ok
    assert strip.state == "done"
    assert strip.exact
    assert strip.value is not None
    row = live.session.rows()[0]
    assert row.weight is not None
    assert row.weight.scheme == "int8:channel"
    assert row.weight.sqnr_db is not None
    assert row.input is not None
    assert row.input.sqnr_db is not None
    assert {"document", "rows", "distribution", "strip", "jobs"} <= set().union(*live.topics)


def test_an_edit_changes_size_at_once_and_the_number_later(
    live: Live, mlp: Path, mlp_samples: Path
) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    before = live.session.strip()
    live.session.set_bits(["fc1.weight"], 2)
    now = live.session.strip()
    assert now.bytes_quantized is not None
    assert before.bytes_quantized is not None
    assert now.bytes_quantized < before.bytes_quantized
    assert now.stale
    assert now.value == before.value
    live.settle()
    assert not live.session.strip().stale


def test_undo_shows_the_first_number_in_the_same_call(
    live: Live, mlp: Path, mlp_samples: Path
) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    first = live.session.strip()
    live.session.set_scheme(["fc1.weight", "fc2.weight"], "int2")
    live.settle()
    ran = live.session.operators_run
    live.session.undo()
    now = live.session.strip()
    assert replace(now, used=first.used, used_why=first.used_why) == first
    assert now.used == "used to choose"  # two plans were scored on these samples
    assert live.session.jobs() == ()
    assert live.session.operators_run == ran
    live.session.redo()
    assert live.session.strip().state == "done"
    assert live.session.document().undo_text == "set 2 slots to int2"


def test_a_model_that_fails_to_open_leaves_the_document(
    live: Live, mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    before = live.session.document(), live.session.rows(), live.session.strip()
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(mlp.read_bytes()[:100])
    live.session.open(broken)
    live.settle()
    assert (live.session.document(), live.session.rows(), live.session.strip()) == before
    assert live.session.messages()[-1].level == "error"
    assert "broken.onnx" in live.session.messages()[-1].text


def test_samples_that_do_not_fit_leave_the_old_ones(
    live: Live, mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    np.savez(tmp_path / "wide.npz", x=np.zeros((9, 7), np.float32))
    live.session.open_samples(tmp_path / "wide.npz")
    live.settle()
    assert live.session.document().samples_name == "mlp.npz"
    assert "takes samples of shape 6, but these are 7" in live.session.messages()[-1].text


def test_labels_out_of_range_leave_the_old_samples(
    live: Live, mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    before = live.session.document(), live.session.strip(), live.session.rows()
    np.savez(tmp_path / "bad.npz", x=np.ones((20, 6), np.float32), labels=[9] * 20)
    live.session.open_samples(tmp_path / "bad.npz")
    live.settle()
    assert (live.session.document(), live.session.strip(), live.session.rows()) == before
    assert "label 9 of sample 0 is out of range" in live.session.messages()[-1].text


def test_samples_opened_before_the_weights_are_measured(
    live: Live, mlp: Path, mlp_samples: Path
) -> None:
    live.session.open(mlp)
    live.run_until(lambda: live.session.document().layers == 2)
    live.session.open_samples(mlp_samples)
    live.settle()
    live.session.set_scheme(["fc1.weight", "fc2.weight"], "int2")
    live.settle()
    plain = Session()
    plain.open(mlp, mlp_samples)
    plain.set_scheme(["fc1.weight", "fc2.weight"], "int2")
    assert live.session.strip().flips == plain.evaluate().flips


def test_samples_opened_while_a_model_is_wait_for_it(
    live: Live, mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    live.session.open(mlp)
    live.session.open_samples(mlp_samples)  # before the model was read
    live.settle()
    assert live.session.document().samples_name == "mlp.npz"
    assert live.session.strip().state == "done"
    live.session.set_bits(["fc1.weight"], 3)
    live.session.set_part("tune")
    live.settle()
    live.session.save_project(tmp_path / "work.qviz")
    shutil.copy(mlp_samples, tmp_path / "other.npz")
    live.session.open(tmp_path / "work.qviz")
    live.run_until(lambda: live.session.document().samples_count == 0)  # the model was read
    live.session.open_samples(tmp_path / "other.npz")
    live.settle()
    assert live.session.document().samples_name == "other.npz"
    assert live.session.form(["fc1.weight"]).scheme == "int3:channel"
    assert live.session.current().part == "tune"
    assert not [m for m in live.session.messages() if m.level == "error"]


def test_samples_that_waited_for_a_model_that_fails_are_named(
    live: Live, mlp_samples: Path, tmp_path: Path
) -> None:
    live.session.open(tmp_path / "absent.onnx")
    live.session.open_samples(mlp_samples)
    live.settle()
    assert [message.level for message in live.session.messages()] == ["warning", "error"]
    assert "mlp.npz waited for the model" in live.session.messages()[0].text


def test_a_model_whose_samples_do_not_open_has_synthetic_inputs(
    live: Live, mlp: Path, tmp_path: Path
) -> None:
    live.session.open(mlp, tmp_path / "absent.npz")
    live.settle()
    assert [m.level for m in live.session.messages()].count("error") == 1
    assert live.session.document().synthetic
    assert live.session.distribution("fc1.input").synthetic
    assert live.session.strip().state == "no samples"
    assert all(row.local_db is not None for row in live.session.rows())


def test_stopped_calibration_says_so_and_is_resumed(
    live: Live, demo_model: Path, demo_samples: Path
) -> None:
    live.session.open(demo_model, demo_samples)
    live.run_until(lambda: any(job.title == "Calibrating" for job in live.session.jobs()))
    live.session.cancel()
    assert live.session.strip().state == "cancelled"
    live.session.set_bits(["conv1.weight"], 4)
    live.settle()
    assert live.session.strip().exact


def test_a_failed_opening_resumes_what_it_interrupted(
    live: Live, mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    live.session.open(mlp)
    live.settle()
    live.session.open_samples(mlp_samples)
    live.run_until(lambda: live.session.document().samples_count == 60)
    live.session.open_samples(tmp_path / "absent.npz")
    live.settle()
    assert live.session.strip().state == "done"


def test_a_measure_of_older_statistics_is_dropped(mlp: Path, mlp_samples: Path) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    group = next(s.group for s in read_onnx(mlp).slots.values() if s.role == "input")
    stale = measure(torch.ones(3))
    late = measure_slot(stale, group, parse_scheme("uint8"))
    assert learn(session.findings, late) is session.findings


def test_nonsense_limits_and_parts_are_refused(mlp: Path, mlp_samples: Path) -> None:
    with pytest.raises(QvizError, match="at least 1"):
        Session(limit=-1)
    session = Session()
    session.open(mlp, mlp_samples)
    with pytest.raises(QvizError, match="at least 1"):
        session.evaluate(limit=0)
    with pytest.raises(QvizError, match="no such part"):
        session.set_part("test")
    assert "mlp.onnx, 2 layers, 60 samples" in repr(session)


def test_cancel_stops_and_the_session_goes_on(
    live: Live, demo_model: Path, demo_samples: Path
) -> None:
    live.session.open(demo_model, demo_samples)
    live.run_until(lambda: any(job.title == "Evaluating" for job in live.session.jobs()))
    live.session.cancel("evaluate")
    assert live.session.jobs() == ()
    live.session.set_bits(["conv1.weight"], 4)
    live.settle()
    assert live.session.strip().exact


def test_distribution_and_a_dragged_clip(live: Live, mlp: Path, mlp_samples: Path) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    whole = live.session.distribution("fc2.input")
    assert whole.counts.sum() == whole.values
    assert whole.quantized_counts is not None
    assert whole.quantized_counts.sum() == whole.values
    assert whole.high is not None
    dragged = live.session.preview_clip("fc2.input", 0.0, whole.high / 4)
    assert dragged.clipped is not None
    assert dragged.clipped > 0.0
    assert dragged.high == pytest.approx(whole.high / 4, rel=1e-5)
    assert live.session.document().undo_text == ""  # a preview is no edit
    live.session.set_clip(["fc2.input"], 0.0, whole.high / 4)
    assert live.session.distribution("fc2.input").high == dragged.high
    for spelling in ("int8:channel", "int8"):
        live.session.set_scheme(["fc1.weight"], spelling)
        one = live.session.distribution("fc1.weight", channel=3)
        assert one.channel == 3
        assert one.counts.sum() == 6
        assert one.levels.size == 255


def test_without_samples_the_inputs_are_synthetic_and_nothing_is_scored(
    live: Live, mlp: Path, mlp_samples: Path
) -> None:
    live.session.open(mlp)
    live.settle()
    view = live.session.distribution("fc1.input")
    assert view.synthetic
    assert view.counts.sum() == 16 * 6
    assert not live.session.distribution("fc1.weight").synthetic
    assert live.session.document().synthetic
    assert live.session.document().samples_path == ""
    assert live.session.strip().state == "no samples"
    assert live.session.strip().float_value is None
    assert all(row.local_db is not None for row in live.session.rows())
    live.session.open_samples(mlp_samples)
    live.settle()
    assert not live.session.distribution("fc1.input").synthetic
    assert live.session.strip().state == "done"


def test_the_form_knows_mixed_values_and_reasons(live: Live, mlp: Path, mlp_samples: Path) -> None:
    live.session.open(mlp, mlp_samples)
    live.settle()
    live.session.set_scheme(["fc2.weight"], "int4:mse")
    form = live.session.form(["fc1.weight", "fc2.weight"])
    assert form.scheme == "mixed"
    fields = {field.name: field for field in form.fields}
    assert fields["bits"].value is None
    assert fields["symmetry"].value == "sym"
    assert fields["granularity"].value is None
    inputs = {field.name: field for field in live.session.form(["fc1.input"]).fields}
    channel = next(c for c in inputs["granularity"].choices if c.value == "channel")
    assert "per tensor" in channel.reason


def test_plans_are_saved_and_read_back(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    session.set("re:fc.*.weight", "int5:channel:mse")
    session.set_bits(["fc2.input"], 4)
    session.save_plan(tmp_path / "plan.json")
    assert not session.document().modified
    other = Session()
    other.open(mlp, mlp_samples, tmp_path / "plan.json")
    assert other.plan == session.plan
    assert other.evaluate().value == session.evaluate().value
    assert "sha256" in (tmp_path / "plan.json").read_text()
    with pytest.raises(QvizError, match="cannot be written"):
        session.save_plan(tmp_path / "nowhere" / "plan.json")


def test_presets_replace_the_plan_in_one_step(mlp: Path, mlp_samples: Path) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    session.set_bits(["fc1.weight"], 2)
    for preset in session.presets():
        session.apply_preset(preset.value)
        assert session.plan.overrides == {}
        assert preset.tip
    session.apply_preset("Float")
    assert session.evaluate().flips == 0
    assert session.document().undo_text != ""


def test_presets_of_extremes_leave_the_ends_in_float(demo_model: Path) -> None:
    session = Session()
    session.open(demo_model)
    for name in ("Ternary weights", "Binary weights", "DoReFa W1A2"):
        session.apply_preset(name)
        schemes = [row.weight.scheme for row in session.rows() if row.weight]
        assert schemes[0] == schemes[-1] == "float"
        assert "float" not in schemes[1:-1]
        inputs = [row.input.scheme for row in session.rows() if row.input]
        assert inputs[0] == inputs[-1] == "float"
    session.apply_preset("FP8")
    assert "float" not in [row.weight.scheme for row in session.rows() if row.weight]
    with pytest.raises(QvizError, match="no such preset"):
        session.apply_preset("W3A3")


def test_a_preset_that_changes_nothing_says_so(mlp: Path) -> None:
    session = Session()
    session.open(mlp)
    session.apply_preset("Ternary weights")
    assert "this model has no other" in session.messages()[-1].text


@pytest.mark.parametrize(
    "spelling",
    [
        "int8:aciq-gauss",
        "int8:mse:full",
        "int8:mse:wide",
        "int8:percentile=99:asym",
        "int8:aciq-laplace:pow2",
        "fp8-e4m3:mse",
        "pot4:mse",
    ],
)
def test_a_range_by_hand_starts_from_the_present_one(demo_model: Path, spelling: str) -> None:
    session = Session()
    session.open(demo_model)
    slot = "block3.pw.weight"
    session.set_scheme([slot], spelling)
    before = session.distribution(slot)
    session.set_field([slot], "range", "clip")
    after = session.distribution(slot)
    assert ":clip=" in after.scheme
    assert after.low == pytest.approx(before.low, rel=1e-4)
    assert after.high == pytest.approx(before.high, rel=1e-4)
    assert after.sqnr_db == pytest.approx(before.sqnr_db, abs=0.05)


def test_a_range_by_hand_of_a_channel_of_zeros_is_that_of_the_others(demo_model: Path) -> None:
    session = Session()
    session.open(demo_model)
    slot = "block3.pw.weight"
    before = session.distribution(slot)
    session.set_field([slot], "range", "clip")
    after = session.distribution(slot)
    assert after.high == pytest.approx(before.high, rel=1e-4)
    assert after.sqnr_db == pytest.approx(before.sqnr_db, abs=0.01)


def test_widths_beyond_float32_are_exact(demo_model: Path, demo_samples: Path) -> None:
    session = Session()
    session.open(demo_model, demo_samples)
    bars = session.distribution("conv1.input").widths
    assert bars
    assert bars[-1].sqnr_db == float("inf")
    assert all(bar.sqnr_db <= 130.0 for bar in bars[:-1])


def test_groups_whose_scales_no_float16_holds_are_paid_for(write_model: Write) -> None:
    """64 codes of 4 bits and 4 scales: 32 + 4·2 bytes until it is known, 32 + 4·4 then."""
    w = (1e-7 * np.random.default_rng(0).normal(size=(16, 4))).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")]
    path = write_model("tiny.onnx", nodes, {"w": w}, {"x": ["N", 16]}, {"y": ["N", 4]})
    session = Session()
    session.open(path)
    session.set_defaults("int4:group=16", "float")
    assert session.rows()[0].size_bytes == 32 + 4 * 2
    session.measure()
    assert session.rows()[0].size_bytes == session.strip().bytes_quantized == 32 + 4 * 4
    facts = {fact.label: fact.value for fact in session.form(["fc.weight"]).facts}
    assert facts["Bits per weight"] == "6"
    session.set_defaults("int4:channel")
    assert session.rows()[0].size_bytes == 32 + 4 * 4
    session.set_defaults("int4:group=32")
    session.measure()
    assert session.rows()[0].size_bytes == 32 + 4 * 4
    session.set_defaults("int4:group=16:pow2")
    session.measure()
    assert session.rows()[0].size_bytes == 32 + 4


def test_nothing_open_is_said_plainly() -> None:
    session = Session()
    with pytest.raises(QvizError, match="Open a model first"):
        session.evaluate()
    assert session.rows() == ()
    assert session.strip().state == "empty"
