"""Projects: saved, moved, opened again, and what is wrong with one that is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import qviz
from qviz.data.reading import Reading
from qviz.errors import QvizError


@pytest.fixture
def saved(mlp: Path, mlp_samples: Path, tmp_path: Path) -> Path:
    session = qviz.open(mlp, mlp_samples, seed=3)
    session.open_samples(mlp_samples, Reading(subset=40, seed=1))
    session.set("fc1.weight", "int4:channel")
    session.set_metric("cross-entropy")
    session.set_part("tune")
    session.save_project(tmp_path / "work.qviz")
    return tmp_path / "work.qviz"


def test_a_project_opens_as_it_was_saved(saved: Path) -> None:
    session = qviz.open(saved)
    document = session.current()
    assert document.samples is not None
    assert document.samples.count == 40
    assert (document.part, document.seed, document.metric) == ("tune", 3, "cross-entropy")
    weight = session.rows()[0].weight
    assert weight is not None
    assert weight.scheme == "int4:channel"
    assert session.evaluate().metric == "cross-entropy"
    assert session.evaluate().part == "tune"


def test_a_project_moves_with_its_folder(saved: Path, tmp_path: Path) -> None:
    before = qviz.open(saved).evaluate().value
    data = json.loads(saved.read_text())
    assert not Path(data["model"]).is_absolute()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in (saved.name, data["model"], data["samples"]):
        shutil.move(tmp_path / name, moved / name)
    assert qviz.open(moved / saved.name).evaluate().value == before


def test_what_is_given_besides_takes_the_place_of_its_own(
    saved: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.npz"
    shutil.copy(mlp_samples, other)
    assert qviz.open(saved, other).document().samples_name == "other.npz"


def changed(path: Path, **fields: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return path


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"qviz_project": 3}, "its version is 3"),
        ({"gates": []}, "this qviz knows no field 'gates'"),
        ({"branches": []}, "its branches are not one that is open"),
        ({"branches": [{"name": "main"}]}, "not those of a project"),
        ({"plan": {}}, "not a qviz plan"),
        ({"part": "some"}, "no such part"),
        ({"inputs": {"sr": "fast"}}, "not those of a project"),
        ({"inputs": None}, "not those of a project"),
        ({"seed": "x"}, "not those of a project"),
        ({"seed": float("inf")}, "not those of a project"),
        ({"model": "none.onnx"}, "no such file"),
        ({"reading": {"subset": 0}}, "subset is 0"),
    ],
)
def test_a_wrong_project_is_one_message(saved: Path, fields: dict[str, Any], cause: str) -> None:
    with pytest.raises(QvizError) as caught:
        qviz.open(changed(saved, **fields))
    assert cause in str(caught.value)
    assert caught.value.cure


@pytest.mark.parametrize("text", ["", "hello", "[]", "{}", "[" * 100_000])
def test_what_is_no_project_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.qviz"
    path.write_text(text)
    with pytest.raises(QvizError, match=r"x\.qviz"):
        qviz.open(path)


def test_a_project_of_version_1_opens(saved: Path) -> None:
    data = json.loads(saved.read_text())
    del data["branches"]
    data["qviz_project"] = data["plan"]["qviz_plan"] = 1
    saved.write_text(json.dumps({**data, "left": "out"}))
    session = qviz.open(saved)
    assert [branch.name for branch in session.branches()] == ["main"]
    assert session.rows()[0].weight == qviz.open(saved).rows()[0].weight
    assert not session.document().modified


def test_branches_are_kept_in_the_project(saved: Path) -> None:
    session = qviz.open(saved)
    session.create_branch("low")
    assert session.document().modified
    session.set_bits(["fc2.weight"], 2)
    session.switch_branch("main")
    session.save_project(saved)
    assert not session.document().modified
    again = qviz.open(saved)
    assert [(b.name, b.current, b.differs) for b in again.branches()] == [
        ("main", True, 0),
        ("low", False, 1),
    ]
    assert not again.document().modified
    again.switch_branch("low")
    assert again.plan.overrides.keys() == {"fc2.weight"}


def test_nothing_open_cannot_be_saved(tmp_path: Path) -> None:
    from qviz.app.session import Session

    with pytest.raises(QvizError, match="no model is open"):
        Session().save_project(tmp_path / "x.qviz")


def test_a_program_that_brings_its_samples_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n\n\n"
        "def get_model():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Linear(6, 4)\n\n\n"
        "def get_eval_batches():\n"
        "    torch.manual_seed(1)\n"
        "    yield torch.randn(30, 6), torch.randint(0, 4, (30,))\n"
    )
    session = qviz.open(path, seed=5, run_code=True)
    session.set_part("confirm")
    session.set_metric("cross-entropy")
    session.save_project(tmp_path / "net.qviz")
    assert json.loads((tmp_path / "net.qviz").read_text())["samples"] is None
    again = qviz.open(tmp_path / "net.qviz", run_code=True)
    before, after = session.current().split, again.current().split
    assert before is not None
    assert after is not None
    assert (after.seed, after.hash) == (5, before.hash)
    assert again.current().metric == "cross-entropy"
    assert again.evaluate().value == session.evaluate().value


def test_a_project_whose_plan_does_not_fit_changes_nothing(saved: Path, demo_model: Path) -> None:
    plan = {**json.loads(saved.read_text())["plan"], "overrides": {"conv9.weight": "int4"}}
    session = qviz.open(demo_model)
    before = session.current()
    with pytest.raises(QvizError, match=r"conv9\.weight"):
        session.open(changed(saved, plan=plan))
    assert session.current() is before


def test_part_and_seed_of_a_project_do_not_stay_for_the_next_model(
    saved: Path, mlp: Path, mlp_samples: Path
) -> None:
    session = qviz.open(mlp, seed=8)
    session.open(saved)
    assert (session.current().part, session.current().seed) == ("tune", 3)
    session.open(mlp, mlp_samples)
    split = session.current().split
    assert (session.current().part, session.current().seed) == ("all", 8)
    assert split is not None
    assert split.seed == 8
