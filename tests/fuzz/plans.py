"""Plan files that are no plans."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.fuzz.case import Case, Outcome
from tests.fuzz.mutations import damaged
from tests.fuzz.onnx_models import perceptron

PLAN: dict[str, Any] = {
    "qviz_plan": 1,
    "defaults": {"weight": "int8:channel", "input": "uint8"},
    "rules": [{"pattern": "re:fc.*.weight", "scheme": "int4:channel"}],
    "overrides": {"fc1.weight": "int6:tensor"},
}


def plan_cases() -> Iterator[Case]:
    """Every damaged plan."""
    yield _case("whole", json.dumps(PLAN).encode(), "opens")
    yield from damaged_plans("0", 14)
    for field in PLAN:
        values: tuple[Any, ...] = (None, 7, -1.5, True, "text", [], [1], {"a": 1}, [[]], {"a": {}})
        for value in values:
            name = f"{field} that is {json.dumps(value)}"
            harmless = field != "qviz_plan" and value in ([], None)
            yield _case(
                name, _changed({field: value}), "either" if harmless or value is True else "error"
            )
    for name, change in (
        ("an unknown scheme", {"defaults": {"weight": "int99"}}),
        ("a scheme of 10^6 letters", {"defaults": {"weight": "i" * 10**6}}),
        ("a layer that is not there", {"overrides": {"fc9.weight": "int4:channel"}}),
        ("a broken expression", {"rules": [{"pattern": "re:(.weight", "scheme": "int4"}]}),
        ("a clip of NaN", {"defaults": {"weight": "int8:tensor:clip=nan,nan"}}),
        ("a later version", {"qviz_plan": 2**70}),
    ):
        yield _case(name, _changed(change))
    endless = {"rules": [{"pattern": "re:(a+)+b.weight", "scheme": "int4:channel"}]}
    yield _case("an expression that tries for long", _changed(endless), "either")
    for name, content in (
        ("nothing", b""),
        ("null", b"null"),
        ("NaN", b"NaN"),
        ("a number of 10,000 digits", b'{"qviz_plan": ' + b"9" * 10_000 + b"}"),
        ("100,000 deep", b'{"qviz_plan": 1, "rules": ' + b"[" * 100_000),
        ("deep but whole", b'{"qviz_plan": 1, "rules": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
        ("not UTF-8", b'{"qviz_plan": "\xff\xfe"}'),
        ("UTF-16", json.dumps(PLAN).encode("utf-16")),
        ("zero bytes", b"\0" * 100),
        ("many rules", _changed({"rules": PLAN["rules"] * 20_000})),
    ):
        yield _case(name, content, "either" if name in ("many rules", "UTF-16") else "error")


def damaged_plans(seed: str, count: int) -> Iterator[Case]:
    """Bits flipped, pieces cut."""
    for name, content in damaged(json.dumps(PLAN).encode(), f"{seed} plan", count):
        yield _case(name, content, "either")


def _changed(change: dict[str, Any]) -> bytes:
    return json.dumps({**PLAN, **change}).encode()


def _case(name: str, content: bytes, outcome: Outcome = "error") -> Case:
    files = {"net.onnx": perceptron().SerializeToString(), "plan.json": content}
    return Case("plan", name, files, plan="plan.json", outcome=outcome)
