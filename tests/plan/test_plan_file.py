"""Plans as JSON and as files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qviz.errors import QvizError
from qviz.plan.json_file import laid_out
from qviz.plan.plan import Plan, Rule, from_json, read_plan, to_json, write_plan
from qviz.plan.selector import layer_named
from qviz.quant.spelling import parse_scheme

SCHEMES = st.sampled_from(
    ["float", "int8", "int4:channel:mse", "uint8:percentile=99.9", "int3:asym:clip=-0.25..1e-05"]
).map(parse_scheme)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ROLES = st.sampled_from([".weight", ".input"])
PATTERNS = st.builds(str.__add__, NAMES.map(layer_named), ROLES)
SELECTORS = st.sampled_from(
    ["re:b.*.input", "op:Conv|Gemm&params<1.5k.weight", "!at:last&tag:edge.input"]
)
PLANS = st.builds(
    Plan,
    weight=SCHEMES,
    input=SCHEMES,
    rules=st.lists(st.builds(Rule, PATTERNS | SELECTORS, SCHEMES)).map(tuple),
    overrides=st.dictionaries(NAMES, SCHEMES),
    tags=st.dictionaries(NAMES, st.frozensets(NAMES, min_size=1)),
    notes=st.dictionaries(NAMES, NAMES),
    locks=st.frozensets(NAMES),
)
EXAMPLE = Plan(
    weight=parse_scheme("int8:channel"),
    rules=(Rule("re:block.*.weight", parse_scheme("int4:mse")),),
    overrides={"fc.input": parse_scheme("uint8")},
)


@given(PLANS)
def test_every_plan_reads_back_from_json(plan: Plan) -> None:
    text = laid_out(to_json(plan))
    again = from_json(json.loads(text), "x")
    assert again == plan
    assert again.key == plan.key
    assert laid_out(to_json(again)) == text


def test_the_file_is_readable_and_names_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(EXAMPLE, path, {"model": "net.onnx", "seed": 3})
    assert read_plan(path) == EXAMPLE
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "qviz_plan": 2,
        "defaults": {"weight": "int8:channel", "input": "float"},
        "rules": [{"pattern": "re:block.*.weight", "scheme": "int4:mse"}],
        "overrides": {"fc.input": "uint8"},
        "provenance": {"model": "net.onnx", "seed": 3},
    }
    write_plan(Plan(), path, {})
    assert read_plan(path) == Plan()
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_an_edit_changes_the_lines_that_it_is_about(tmp_path: Path) -> None:
    int4 = parse_scheme("int4")
    plan = replace(
        EXAMPLE,
        rules=(*EXAMPLE.rules, Rule("op:Conv.weight", int4)),
        overrides={"z.input": int4, "a.weight": int4},
        tags={"z": frozenset({"late", "edge"})},
        locks=frozenset({"z", "a.weight"}),
    )
    write_plan(plan, tmp_path / "plan.json", {"seed": 3})
    assert (tmp_path / "plan.json").read_text(encoding="utf-8").splitlines() == [
        "{",
        '  "qviz_plan": 2,',
        '  "defaults": {',
        '    "weight": "int8:channel",',
        '    "input": "float"',
        "  },",
        '  "rules": [',
        '    {"pattern": "re:block.*.weight", "scheme": "int4:mse"},',
        '    {"pattern": "op:Conv.weight", "scheme": "int4"}',
        "  ],",
        '  "overrides": {',
        '    "a.weight": "int4",',
        '    "z.input": "int4"',
        "  },",
        '  "locks": ["a.weight", "z"],',
        '  "tags": {',
        '    "z": ["edge", "late"]',
        "  },",
        '  "provenance": {',
        '    "seed": 3',
        "  }",
        "}",
    ]


def test_version_1_knew_names_and_expressions_alone() -> None:
    old = {
        "qviz_plan": 1,
        "rules": [
            {"pattern": "re:fc.*.weight", "scheme": "int4"},
            {"pattern": "op:Conv.weight", "scheme": "int8", "why": "left out then as well"},
        ],
        "tags": {"fc1": ["edge"]},
    }
    plan = from_json(old, "x")
    assert [rule.pattern for rule in plan.rules] == ["re:fc.*.weight", "name:op:Conv.weight"]
    assert plan.tags == {}
    assert from_json(to_json(plan), "x") == plan


def test_a_plan_by_hand_may_leave_out_what_it_does_not_use() -> None:
    assert from_json({"qviz_plan": 1}, "x") == Plan()


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        ([], "it is not a qviz plan"),
        ("int8", "it is not a qviz plan"),
        ({"defaults": {}}, "it is not a qviz plan"),
        ({"qviz_plan": 3}, "its plan version is 3 and this qviz reads 1 and 2"),
        ({"qviz_plan": "1"}, "its plan version is '1'"),
        ({"qviz_plan": 1, "defaults": ["int8"]}, "its fields are not those of a plan"),
        ({"qviz_plan": 1, "rules": [{"pattern": "a.weight"}]}, "'scheme'"),
        ({"qviz_plan": 1, "rules": {"a.weight": "int8"}}, "its fields are not those of a plan"),
        ({"qviz_plan": 1, "rules": None}, "its fields are not those of a plan"),
        ({"qviz_plan": 1, "overrides": [1]}, "its fields are not those of a plan"),
        ({"qviz_plan": 1, "defaults": {"weight": "int99"}}, "scheme 'int99'"),
        ({"qviz_plan": 1, "overrides": {"a.weight": 8}}, "scheme '8'"),
        ({"qviz_plan": 1, "rules": [{"pattern": "a", "scheme": "int8"}]}, "pattern 'a'"),
        ({"qviz_plan": 2, "gates": []}, "this qviz knows no field 'gates' in it"),
        (
            {"qviz_plan": 2, "rules": [{"pattern": "a.weight", "scheme": "int8", "if": "x"}]},
            "a rule: this qviz knows no field 'if' in it",
        ),
        ({"qviz_plan": 2, "locks": "a.weight"}, "its fields are not those of a plan"),
        ({"qviz_plan": 2, "tags": {"a": "edge"}}, "its fields are not those of a plan"),
        ({"qviz_plan": 2, "rules": [{"pattern": "op:.input", "scheme": "int8"}]}, "no selector"),
    ],
)
def test_json_that_is_no_plan(data: Any, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(QvizError) as caught:
        read_plan(path)
    assert caught.value.subject == "plan.json"
    assert cause in caught.value.cause
    assert caught.value.cure


@pytest.mark.parametrize("content", [b"", b"int8", b'{"qviz_plan": 1', b"\xff\xfe\x00", b"[1,]"])
def test_files_that_are_not_json(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(QvizError, match=r"plan\.json: it is not JSON"):
        read_plan(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(QvizError, match=r"none\.json: it cannot be read \(No such file"):
        read_plan(tmp_path / "none.json")
    with pytest.raises(QvizError, match="it cannot be read"):
        read_plan(tmp_path)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(QvizError, match=r"it cannot be written \(No such file") as caught:
        write_plan(Plan(), tmp_path / "none" / "plan.json", {})
    assert caught.value.subject == str(tmp_path / "none" / "plan.json")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(QvizError, match="it cannot be written"):
        write_plan(Plan(), folder, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_failed_write_leaves_the_old_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(EXAMPLE, path, {})
    (tmp_path / "plan.json.part").mkdir()
    with pytest.raises(QvizError, match="it cannot be written"):
        write_plan(Plan(), path, {})
    assert read_plan(path) == EXAMPLE
