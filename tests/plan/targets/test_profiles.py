"""Target profiles: that each can be read, and that what it claims agrees with itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from qviz.errors import QvizError
from qviz.model.layer_kinds import _KINDS
from qviz.plan.plan import why_not_for
from qviz.plan.targets.nearest import nearest_layer, nearest_on
from qviz.plan.targets.read_target import bundled_target, bundled_targets, read_target
from qviz.plan.targets.target import Target, why_not_on
from qviz.quant.formats import FORMATS, Role
from qviz.quant.scheme import FLOAT, Scheme, plain
from qviz.quant.spelling import parse_scheme

OPS = sorted({op for _, op in _KINDS})
ROLES: tuple[Role, ...] = ("weight", "input")


def every_scheme(role: Role) -> list[Scheme]:
    """Each format with each granularity and symmetry that a slot of the role can have."""
    found = [
        replace(plain(name), granularity=grain, symmetric=symmetric)
        for name, row in FORMATS.items()
        for grain in ("tensor", "channel", "group")
        if grain in row.granularities
        for symmetric in (True, False)
    ]
    return [scheme for scheme in dict.fromkeys(found) if not why_not_for(scheme, role)]


@pytest.fixture(params=bundled_targets(), ids=lambda target: str(target.id))
def target(request: pytest.FixtureRequest) -> Target:
    made = request.param
    assert isinstance(made, Target)
    return made


def test_no_limits_comes_first_and_the_names_are_known() -> None:
    assert [target.id for target in bundled_targets()] == [
        "none",
        "litert-full-integer",
        "onnxruntime-cpu",
        "openvino",
        "tensorrt",
        "weight-only-llm",
    ]
    assert bundled_target("tensorrt").title == "TensorRT"
    with pytest.raises(QvizError, match="no profile has that name"):
        bundled_target("abacus")


def test_it_says_what_it_rests_on(target: Target) -> None:
    assert target.title
    assert target.summary
    assert target.limits == (target.id != "none")
    for source in target.sources:
        assert source.title
        assert source.url.startswith("https://")
        assert source.version


def test_its_operators_are_layers(target: Target) -> None:
    """A misspelt operator would be a way that nothing takes."""
    named = {op for way in target.ways for op in way.ops}
    named |= {op for refusal in target.refusals for op in refusal.ops}
    assert named <= set(OPS)


def test_what_it_refuses_is_in_no_way(target: Target) -> None:
    for refusal in target.refusals:
        spoken_of: list[list[tuple[Role, Scheme]]] = [
            [(role, scheme) for scheme in every_scheme(role) if any(f.admits(scheme) for f in fits)]
            for role, fits in zip(ROLES, (refusal.weight, refusal.input), strict=True)
            if fits
        ]
        assert all(spoken_of)
        for op in refusal.ops or OPS:
            for operands in product(*spoken_of):
                assert refusal.of(op, operands)
                assert target.way_of(op, operands) is None, (op, operands, refusal.why)


@pytest.mark.parametrize("role", ROLES)
def test_the_nearest_scheme_runs_and_the_reason_says_so(target: Target, role: Role) -> None:
    for op in OPS:
        for scheme in every_scheme(role):
            reason, near = (
                why_not_on(target, op, role, scheme),
                nearest_on(target, op, role, scheme),
            )
            assert why_not_on(target, op, role, near) == ""
            assert not why_not_for(near, role)
            assert (near == scheme) is (reason == "")
            if reason:
                assert target.title.split()[0] in reason or "runtime" in reason


def test_any_layer_can_be_mended(target: Target) -> None:
    for op in ("Conv", "MatMul", "LSTM"):
        for weight in every_scheme("weight")[::5]:
            for value in every_scheme("input")[::7]:
                operands: tuple[tuple[Role, Scheme], ...] = (("weight", weight), ("input", value))
                found = nearest_layer(target, op, operands)
                assert found is not None
                assert target.way_of(op, [("weight", found[0]), ("input", found[1])]) is not None


def test_no_limits_has_none() -> None:
    none = bundled_target("none")
    for role in ROLES:
        for scheme in every_scheme(role):
            assert why_not_on(none, "Conv", role, scheme) == ""


WIDTHS = [
    # target, operator, role, scheme, what it becomes
    ("tensorrt", "Conv", "input", "uint8", "int8:full"),
    ("tensorrt", "Conv", "weight", "int8:channel:asym", "int8:channel"),
    ("tensorrt", "Conv", "weight", "int5:channel", "int5:channel"),
    ("tensorrt", "MatMul", "weight", "int4:group=32", "int4:group=32"),
    ("tensorrt", "Conv", "weight", "int4:group=32", "int4:channel"),
    ("litert-full-integer", "Conv", "weight", "int8:channel:wide", "int8:channel"),
    ("litert-full-integer", "Gemm", "weight", "int8:channel", "int8"),
    ("litert-full-integer", "Conv", "input", "uint4:mse", "int8:asym:mse"),
    ("litert-full-integer", "Conv", "input", "float", "int8:full"),
    ("litert-full-integer", "Conv", "weight", "int16", "int8"),
    ("openvino", "Conv", "input", "uint4", "uint8"),
    ("openvino", "MatMul", "weight", "int4:group=256", "int4:group=128"),
    ("weight-only-llm", "MatMul", "weight", "int3:group=128", "int4:group=128"),
    ("weight-only-llm", "MatMul", "weight", "int5:group=16", "int8:group=32"),
    ("weight-only-llm", "MatMul", "input", "uint8", "float"),
    ("weight-only-llm", "Conv", "weight", "int8", "float16"),
    ("onnxruntime-cpu", "Conv", "input", "fp8", "int8:full"),
    ("onnxruntime-cpu", "Conv", "input", "uint4", "uint4"),
]


@pytest.mark.parametrize(("name", "op", "role", "scheme", "mended"), WIDTHS)
def test_widths_are_kept_or_go_up(name: str, op: str, role: Role, scheme: str, mended: str) -> None:
    near = nearest_on(bundled_target(name), op, role, parse_scheme(scheme))
    assert str(near) == mended


@pytest.mark.parametrize(
    ("name", "op", "role", "scheme", "words"),
    [
        ("tensorrt", "Conv", "weight", "int8:asym", "no zero point for int8 weights of Conv"),
        ("tensorrt", "Conv", "input", "int8", "full or wide codes for int8 inputs of Conv"),
        ("litert-full-integer", "Gemm", "weight", "int8:channel", "scales per tensor"),
        ("litert-full-integer", "Conv", "weight", "kmeans4", "only int2…int8"),
        ("litert-full-integer", "Conv", "input", "int8:full:round=up", "rounds half to even"),
        (
            "openvino",
            "MatMul",
            "weight",
            "uint4:group=16",
            "groups of 32, 64 or 128 values, not of 16",
        ),
        ("onnxruntime-cpu", "Conv", "input", "fp8", "does not load"),
    ],
)
def test_reasons_are_plain(name: str, op: str, role: Role, scheme: str, words: str) -> None:
    assert words in why_not_on(bundled_target(name), op, role, parse_scheme(scheme))


def test_stored_scales_do_not_outlive_their_grid() -> None:
    target = bundled_target("tensorrt")
    kept = replace(parse_scheme("int8:full"), range="stored")
    assert nearest_on(target, "Conv", "input", kept) == kept
    changed = nearest_on(target, "Conv", "input", replace(parse_scheme("uint8"), range="stored"))
    assert changed == parse_scheme("int8:full")


MINIMAL = """
id = "mine"
title = "Mine"
summary = "A runtime."
[[ways]]
kernel = "integer"
weight = [{ formats = ["int4-8"], granularities = ["channel"] }]
input = [{ formats = ["uint*", "!uint1-7"] }]
"""


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    mine = read_target(path)
    assert mine.ways[0].weight[0].formats == ("int4", "int5", "int6", "int7", "int8")
    assert mine.ways[0].input[0].formats == tuple(f"uint{bits}" for bits in range(8, 17))
    assert why_not_on(mine, "Conv", "weight", FLOAT)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "mine"', "", "id"),
        ('id = "mine"', 'id = "mine', "cannot be read"),
        ("int4-8", "int4_8", "no format that weights can have"),
        ("uint*", "kmeans4", "no format that inputs can have"),
        ('"channel"', '"row"', "row"),
        ('"integer"', '"fast"', "'fast' is none of"),
        ('kernel = "integer"', 'kernel = "integer"\nops = ["Conv"]', "last way"),
        ('title = "Mine"', 'title = "Mine"\ncolour = "red"', "'colour' is no key"),
        ('"channel"]', '"group"], groups = [7]', "groups of 7"),
    ],
)
def test_a_faulty_profile_says_what_is_wrong(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.replace(old, new), encoding="utf-8")
    with pytest.raises(QvizError, match=r"mine\.toml") as caught:
        read_target(path)
    assert words in str(caught.value)
