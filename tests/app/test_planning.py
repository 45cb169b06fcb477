"""Rules, locks, notes, tags and branches through the Session: each change one undo step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

import qviz
from qviz.app.session import Session
from qviz.errors import QvizError


@pytest.fixture
def session(mlp: Path) -> Session:
    return qviz.open(mlp)


def spelled(session: Session, slot: str) -> str:
    assert session.model is not None
    role = session.model.slots[slot].role
    row = next(row for row in session.rows() if row.name == slot.split(".")[0])
    cell = row.weight if role == "weight" else row.input
    assert cell is not None
    return cell.scheme


def test_each_change_is_one_undo_step(session: Session) -> None:
    session.set("op:Gemm.weight", "int6")
    steps: list[tuple[str, Callable[[], None]]] = [
        ("set at:last.weight to int4", lambda: session.set("at:last.weight", "int4")),
        ("change rule 1 to fc1.weight=int5", lambda: session.replace_rule(0, "fc1.weight", "int5")),
        ("move rule 1 to 2", lambda: session.move_rule(0, 1)),
        ("remove rule 1, at:last.weight", lambda: session.remove_rule(0)),
        ("note on fc1", lambda: session.set_note("fc1", "the first")),
        ("tags of 2 layers", lambda: session.set_tags(["fc1", "fc2"], ["a", "b"])),
        ("lock fc1", lambda: session.lock(["fc1"])),
        ("new branch low", lambda: session.create_branch("low")),
        ("rename branch low to lower", lambda: session.rename_branch("low", "lower")),
        ("switch to branch main", lambda: session.switch_branch("main")),
        ("delete branch lower", lambda: session.delete_branch("lower")),
        ("unlock fc1", lambda: session.unlock(["fc1"])),
        ("note on fc1", lambda: session.set_note("fc1", " ")),
    ]
    moments = []
    for label, act in steps:
        moments.append((label, session.plan, session.current().branches))
        act()
        assert session.document().undo_text == label
    last = session.plan, session.current().branches
    for label, plan, branches in reversed(moments):
        assert session.document().undo_text == label
        session.undo()
        assert (session.plan, session.current().branches) == (plan, branches)
    for _ in moments:
        session.redo()
    assert (session.plan, session.current().branches) == last


def test_the_rules_say_what_becomes_of_them(session: Session) -> None:
    session.set("op:Gemm.weight", "int6")
    session.set("fc1.weight", "int5")
    session.set("at:first.weight", "int4")
    session.set("fc2.input", "uint4")
    session.set_bits(["fc2.input"], 3)
    view = session.rules()
    assert (view.weight, view.input, view.overrides, view.locked) == ("int8:channel", "uint8", 1, 0)
    assert [(rule.pattern, rule.scheme, rule.decides) for rule in view.rules] == [
        ("op:Gemm.weight", "int6", 1),
        ("fc1.weight", "int5", 0),
        ("at:first.weight", "int4", 1),
        ("fc2.input", "uint4", 0),
    ]
    assert view.rules[0].slots == ("fc1.weight", "fc2.weight")
    assert [rule.words for rule in view.rules] == [
        "Decides 1 of the 2 slots it matches: rule 3, at:first.weight (1) wins over the others",
        "Shadowed, decides no slot: rule 3, at:first.weight (1) wins over the slot that it matches",
        "Decides the slot that it matches",
        "Shadowed, decides no slot: an override (1) wins over the slot that it matches",
    ]
    assert Session().rules().rules == ()


def test_a_rule_that_lost_its_tag_matches_nothing(session: Session) -> None:
    session.set_tags(["fc1"], ["edge"])
    session.set("tag:edge.weight", "int3")
    assert spelled(session, "fc1.weight") == "int3"
    session.set_tags(["fc1"], [])
    assert spelled(session, "fc1.weight") == "int8:channel"
    assert session.rules().rules[0].words == "Matches no slot of this model"
    with pytest.raises(QvizError, match="no slot of the model matches it"):
        session.set("tag:edge.input", "uint3")
    for tag in ("a|b", "a&b", " "):
        with pytest.raises(QvizError, match="a tag is a word without"):
            session.set_tags(["fc1"], [tag])
    with pytest.raises(QvizError, match=r"Did you mean fc"):
        session.set_note("fc3", "x")


def test_edits_of_locked_slots_are_refused_with_the_lock(session: Session) -> None:
    session.lock(["fc1", "fc2.weight"])
    before = session.plan
    acts: list[Callable[[], None]] = [
        lambda: session.set_bits(["fc1.weight"], 2),
        lambda: session.set_scheme(["fc1.weight", "fc1.input"], "float"),
        lambda: session.set_field(["fc1.input"], "bits", "4"),
        lambda: session.set_clip(["fc1.input"], -1, 1),
        lambda: session.reset(["fc1.input"]),
        lambda: session.set("fc1.input", "uint4"),
        lambda: session.set("op:Gemm.weight", "int4"),
    ]
    for act in acts:
        with pytest.raises(QvizError, match=r"fc1\.\w+: the lock on fc1 holds it\. Unlock fc1"):
            act()
    assert session.plan is before


def test_a_selection_skips_its_locked_slots_and_says_so(session: Session) -> None:
    session.lock(["fc1"])
    session.set_bits(["fc1.weight", "fc2.weight"], 4)
    assert spelled(session, "fc1.weight") == "int8:channel"
    assert spelled(session, "fc2.weight") == "int4:channel"
    said = "fc1.weight is locked and stays as before. Unlock fc1 to change it"
    assert session.messages()[-1].text == said
    session.unlock(["fc1"])
    session.set_bits(["fc1.weight", "fc2.weight"], 3)
    assert spelled(session, "fc1.weight") == "int3:channel"
    assert session.messages()[-1].text == said  # nothing more


def test_presets_defaults_and_rules_leave_locked_slots_alone(session: Session) -> None:
    session.set_bits(["fc1.weight"], 5)
    session.set_tags(["fc1"], ["edge"])
    session.set("tag:edge.input", "uint7")
    session.lock(["fc1"])
    acts: list[Callable[[], None]] = [
        lambda: session.apply_preset("W8A8 per-tensor"),
        lambda: session.set_defaults("int3", "uint3"),
        lambda: session.set("op:Gemm.weight", "int2"),
        lambda: session.set("re:fc.*.input", "uint2"),
        lambda: session.move_rule(0, 1),
        lambda: session.replace_rule(0, "op:Gemm.input", "float"),
        lambda: session.remove_rule(1),
        lambda: session.set_tags(["fc1"], []),
    ]
    for act in acts:
        act()
        assert spelled(session, "fc1.weight") == "int5:channel"
        assert spelled(session, "fc1.input") == "uint7"
    session.apply_preset("Float")
    assert session.plan.locks == {"fc1"}
    assert spelled(session, "fc2.weight") == "float"
    assert "locked and stay" in session.messages()[-1].text


def test_a_lock_holds_all_that_share_the_quantizer(write_model: Callable[..., Path]) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="left"),
        helper.make_node("MatMul", ["x", "w"], ["b"], name="right"),
        helper.make_node("Add", ["a", "b"], ["y"], name="sum"),
    ]
    w = {"w": np.eye(4, dtype=np.float32)}
    session = qviz.open(write_model("shared.onnx", nodes, w, {"x": ["N", 4]}, {"y": ["N", 4]}))
    session.lock(["left"])
    assert session.locked()["right.weight"] == "left"
    with pytest.raises(QvizError, match="Unlock left"):
        session.set_bits(["right.weight"], 4)


def test_notes_change_no_number_and_are_saved(session: Session, tmp_path: Path) -> None:
    topics: list[frozenset[str]] = []
    session.save_plan(tmp_path / "plan.json")
    key = session.plan.key
    session.subscribe(topics.append)
    session.set_note("fc1", "keep")
    assert session.plan.key == key
    assert topics == [frozenset({"document", "rows"})]
    assert session.document().modified
    session.save_plan(tmp_path / "plan.json")
    assert not session.document().modified
    session.set_note("fc1", "")
    assert session.document().modified
    session.load_plan(tmp_path / "plan.json")
    assert session.plan.notes == {"fc1": "keep"}
    assert not session.document().modified
    session.undo()
    assert session.document().modified


def test_branches_are_compared_with_the_open_plan(session: Session) -> None:
    session.create_branch("low")
    session.set("op:Gemm.weight", "int2")
    assert [(b.name, b.current, b.differs) for b in session.branches()] == [
        ("main", False, 2),
        ("low", True, 0),
    ]
    found = session.differences("main")
    assert [(d.kind, d.subject, d.a, d.b) for d in found] == [
        ("rule", "op:Gemm.weight", "int2", ""),
        ("slot", "fc1.weight", "int2", "int8:channel"),
        ("slot", "fc2.weight", "int2", "int8:channel"),
    ]
    assert session.differences("low") == ()
    session.switch_branch("main")
    assert spelled(session, "fc1.weight") == "int8:channel"
    with pytest.raises(QvizError, match="it is the branch that is open"):
        session.delete_branch("main")


@pytest.mark.parametrize("index", [-1, 1, 7])
def test_places_that_hold_no_rule_are_refused(session: Session, index: int) -> None:
    session.set("fc1.weight", "int4")
    acts: list[Callable[[], None]] = [
        lambda: session.remove_rule(index),
        lambda: session.move_rule(0, index),
        lambda: session.replace_rule(index, "fc1.weight", "int3"),
    ]
    for act in acts:
        with pytest.raises(QvizError, match="no such one among its 1, counted from 0"):
            act()


def test_layers_whose_names_look_like_selectors_can_be_named(
    write_model: Callable[..., Path],
) -> None:
    names = ("op:MatMul", "at:first", "re:.*")
    nodes = [
        helper.make_node("MatMul", [a, "w"], [b], name=name)
        for a, b, name in zip("xab", "aby", names, strict=True)
    ]
    w = {"w": np.eye(4, dtype=np.float32)}
    session = qviz.open(write_model("odd.onnx", nodes, w, {"x": ["N", 4]}, {"y": ["N", 4]}))
    session.set("name:at:first.input", "uint3")
    session.set("name:re:.*.input", "uint2")
    assert [row.input and row.input.scheme for row in session.rows()] == ["uint8", "uint3", "uint2"]
    session.apply_preset("Ternary weights")
    assert session.rules().rules[0].pattern == "name:op:MatMul.weight"


def test_reset_in_a_quantized_file_goes_back_to_a_rule_by_operator(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    class Batches(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter([{"x": np.load(mlp_samples)["x"]}])

        def get_next(self) -> dict[Any, Any]:
            return next(self._left, {})

    path = tmp_path / "qdq.onnx"
    quantize_static(mlp, path, Batches(), quant_format=QuantFormat.QDQ)
    session = qviz.open(path)
    own = spelled(session, "fc1.weight")
    assert own.endswith("stored")
    session.set("op:Gemm.weight", "int4")
    session.set_bits(["fc1.weight", "fc1.input"], 3)
    session.reset(["fc1.weight", "fc1.input"])
    assert spelled(session, "fc1.weight") == "int4"
    assert spelled(session, "fc1.input").endswith("stored")
    session.set_tags(["fc1"], ["edge"])
    session.lock(["fc1"])
    session.remove_rule(0)
    assert spelled(session, "fc1.weight") == "int4"
