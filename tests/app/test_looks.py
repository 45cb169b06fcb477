"""Numbers of samples that helped to choose the plan are marked; see docs/decisions/0013."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qviz.app.looks import NO_LOOKS, Looks, from_json, selection, to_json
from qviz.app.session import Session
from qviz.app.summary import summary
from qviz.data.parts import Part
from qviz.errors import QvizError

PARTS: tuple[Part, ...] = ("tune", "all", "confirm")


def looked(*looks: tuple[Part, str]) -> Looks:
    found = NO_LOOKS
    for part, plan in looks:
        found = found.with_one("split", part, plan)
    return found


def word(looks: Looks, part: Part, calibration: int = 400) -> str:
    return selection(looks, "split", part, calibration).word


def test_one_plan_chooses_nothing() -> None:
    for part in ("tune", "confirm"):
        assert word(looked((part, "a"), (part, "a")), part) == ""
    assert word(looked(("all", "a")), "all") == "with calibration"
    assert word(looked(("all", "a")), "all", calibration=0) == ""


def test_the_second_plan_makes_a_choice() -> None:
    assert word(looked(("tune", "a"), ("tune", "b")), "tune") == "used to choose"
    assert word(looked(("all", "a"), ("all", "b")), "all") == "used to choose"
    assert word(looked(("tune", "a"), ("tune", "b"), ("confirm", "b")), "confirm") == ""


def test_confirm_counts_its_looks_and_all_holds_its_samples() -> None:
    looks = looked(("confirm", "a"), ("confirm", "b"), ("confirm", "b"), ("confirm", "c"))
    assert word(looks, "confirm") == "looked at 3 times"
    assert word(looked(("all", "a"), ("all", "b"), ("confirm", "b")), "confirm") != ""
    assert word(looked(("all", "a"), ("tune", "b")), "tune") == "used to choose"


def test_another_split_starts_anew() -> None:
    looks = looked(("tune", "a"), ("tune", "b"))
    assert looks.count("other", "tune") == 0
    assert looks.with_one("other", "tune", "c") == Looks("other", {"tune": ("c",)})


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from("abcd")), max_size=12))
def test_all_saw_at_least_as_many_plans_and_json_keeps_them(
    looks: list[tuple[Part, str]],
) -> None:
    found = looked(*looks)
    counts = [found.count("split", part) for part in PARTS]
    assert max(counts) == counts[PARTS.index("all")] == len({plan for _, plan in looks})
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


def test_a_session_marks_what_it_shows(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    session = Session(part="tune")
    session.open(mlp, mlp_samples)
    session.evaluate()
    assert session.strip().used == ""
    session.set("fc1.weight", "int4")
    session.evaluate()
    assert session.strip().used == "used to choose"
    assert "Confirm" in session.strip().used_why
    score = session.evaluate(part="confirm")
    assert session.strip().used == ""
    assert summary(session, score)["looks"] == {
        "tune": 2,
        "all": 2,
        "confirm": 1,
        "used_to_choose": "",
    }
    session.save_project(tmp_path / "work.qviz")
    again = Session()
    again.open(tmp_path / "work.qviz")
    again.set("fc1.weight", "int3")
    score = again.evaluate()
    assert again.strip().used == "looked at 2 times"
    assert "2 plans" in summary(again, score)["looks"]["used_to_choose"]
    again.open_samples(mlp_samples)  # the same samples: what was seen was seen
    again.evaluate()
    assert again.strip().used == "looked at 2 times"


def test_a_project_of_an_earlier_version_has_no_looks(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    session = Session(part="tune")
    session.open(mlp, mlp_samples)
    session.save_project(tmp_path / "work.qviz")
    data = json.loads((tmp_path / "work.qviz").read_text())
    del data["looks"]
    (tmp_path / "work.qviz").write_text(json.dumps(data))
    session.open(tmp_path / "work.qviz")
    assert session.current().looks == NO_LOOKS


@pytest.mark.parametrize("looks", [{}, {"split": "s", "plans": []}, 3])
def test_looks_that_are_none_are_refused(looks: object, mlp: Path, tmp_path: Path) -> None:
    session = Session()
    session.open(mlp)
    session.save_project(tmp_path / "work.qviz")
    data = json.loads((tmp_path / "work.qviz").read_text())
    (tmp_path / "work.qviz").write_text(json.dumps({**data, "looks": looks}))
    with pytest.raises(QvizError, match="not those of a project"):
        session.open(tmp_path / "work.qviz")
