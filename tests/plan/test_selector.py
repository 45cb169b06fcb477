"""Selectors: which layers a rule means by operator, place, size and tag."""

from __future__ import annotations

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qviz.errors import QvizError
from qviz.model.slots import Role, Slot
from qviz.plan.layer_facts import LayerFacts
from qviz.plan.plan import Plan, Rule, check_plan, check_rule
from qviz.plan.rule import make_rule, parse_pattern, pattern_of_layer
from qviz.quant.scheme import FLOAT, Scheme
from qviz.quant.spelling import parse_scheme

WEIGHT, INPUT, BOTH = (
    frozenset[Role]({"weight"}),
    frozenset[Role]({"input"}),
    frozenset[Role]({"weight", "input"}),
)
NONE: frozenset[Role] = frozenset()
LAYERS = {
    0: LayerFacts("add", "Add", 0, 0, INPUT, NONE),
    1: LayerFacts("stem", "Conv", 1, 999, WEIGHT, NONE, frozenset({"edge", "early"})),
    2: LayerFacts("a&b", "Conv", 2, 1000, NONE, NONE),
    3: LayerFacts("op:Conv", "MatMul", 3, 1500, NONE, NONE),
    4: LayerFacts("fc", "Gemm", 4, 2_000_000, NONE, BOTH, frozenset({"edge"})),
}
ROLES: tuple[Role, ...] = ("weight", "input")
SLOTS = {
    name: Slot(name, layer.index, role, "v", 0, None, name)
    for layer in LAYERS.values()
    for role in ROLES
    if role == "input" or layer.parameters
    for name in [f"{layer.name}.{role}"]
}


@pytest.mark.parametrize(
    ("pattern", "layers"),
    [
        ("op:Conv.weight", "stem, a&b"),
        ("op:Conv|Gemm.weight", "stem, a&b, fc"),
        ("!op:Conv.weight", "op:Conv, fc"),
        ("op:conv.weight", ""),
        ("at:first.weight", "stem"),
        ("at:first.input", "add"),
        ("at:last.input", "fc"),
        ("params<1000.weight", "stem"),
        ("params<1k.input", "add, stem"),
        ("params<=1k.weight", "stem, a&b"),
        ("params>1.5k.weight", "fc"),
        ("params>=1.5k.weight", "op:Conv, fc"),
        ("params>=2M.weight", "fc"),
        ("tag:edge.weight", "stem, fc"),
        ("tag:late|early.weight", "stem"),
        ("!tag:edge.weight", "a&b, op:Conv"),
        ("op:Conv&params<1k.weight", "stem"),
        ("op:Conv&!at:first.weight", "a&b"),
        ("op:Conv&re:a&b|fc.weight", "a&b"),  # an expression reaches to the end
        ("!re:.*m.weight", "a&b, op:Conv, fc"),
        ("a&b.weight", "a&b"),
        ("name:a&b.weight", "a&b"),
        ("name:op:Conv.weight", "op:Conv"),
        ("name:fc.input", "fc"),
        ("first.weight", ""),
    ],
)
def test_which_layers_a_pattern_means(pattern: str, layers: str) -> None:
    rule = make_rule(pattern, "int4")
    found = [LAYERS[s.layer].name for s in SLOTS.values() if rule.matches(s, LAYERS[s.layer])]
    assert ", ".join(found) == layers


@pytest.mark.parametrize(
    "pattern",
    [
        *("op:.weight", "op:A|.weight", "at:middle.weight", "at:.weight", "params<.weight"),
        *("params<many.weight", "params<=-3.weight", "tag:.weight", "op:Conv&fc.weight"),
        *("op:Conv&.weight", "name:.weight", "re:(.weight", "op:A&re:*.input"),
    ],
)
def test_what_is_no_selector_is_refused(pattern: str) -> None:
    with pytest.raises(QvizError, match=r"is no selector|malformed") as caught:
        make_rule(pattern, "int4")
    assert caught.value.subject == f"pattern '{pattern}'"


@given(st.text(min_size=1), st.sampled_from(ROLES))
def test_every_layer_can_be_addressed_whatever_its_name(name: str, role: Role) -> None:
    pattern = parse_pattern(pattern_of_layer(name, role))
    slot = Slot(f"{name}.{role}", 0, role, "v", 0, None, "g")
    assert pattern.role == role
    assert pattern.means(slot, LayerFacts(name))
    assert not pattern.means(slot, LayerFacts(f"{name}x"))


def test_of_a_bare_name_selectors_know_nothing() -> None:
    slot = SLOTS["stem.weight"]
    for pattern in ("op:Conv", "!op:Gemm", "at:first", "params<1G", "!params>1", "!tag:x"):
        assert not make_rule(f"{pattern}.weight", "int4").matches(slot, "stem")
    assert make_rule("!name:fc.weight", "int4").matches(slot, LAYERS[1])


def test_a_plan_brings_the_tags_that_its_rules_ask_for() -> None:
    bare = {0: LayerFacts("fc", "Gemm", 0, 10)}
    slots = {"fc.weight": Slot("fc.weight", 0, "weight", "v", 0, None, "g")}
    rules = (make_rule("tag:edge.weight", "int4"),)
    assert Plan(rules=rules).schemes(slots, bare) == {"fc.weight": FLOAT}
    tagged = Plan(rules=rules, tags={"fc": frozenset({"edge"})})
    assert tagged.schemes(slots, bare) == {"fc.weight": parse_scheme("int4")}
    assert tagged.decide(slots["fc.weight"], bare[0])[0] == 1


def test_the_key_is_of_what_decides_schemes() -> None:
    rules = (make_rule("tag:edge.weight", "int4"),)
    plan = Plan(rules=rules, tags={"fc": frozenset({"edge"})})
    same = Plan(
        rules=rules,
        tags={"fc": frozenset({"edge", "mine"}), "stem": frozenset({"mine"})},
        notes={"fc": "keep"},
        locks=frozenset({"fc"}),
    )
    assert same.key == plan.key
    assert Plan(rules=rules).key != plan.key
    assert Plan(tags=plan.tags).key == Plan().key
    assert same != plan
    assert same.remarks != plan.remarks


def test_keys_in_projects_of_version_1_still_name_their_plans() -> None:
    plan = Plan(parse_scheme("int8:channel"), parse_scheme("uint8"))
    assert plan.key == "d05764b365890ca78128ef9caf9e218d942b57e67d626feeeffa446183724fa6"


def test_a_selector_may_match_nothing_in_a_file_but_not_when_it_is_added() -> None:
    plan = Plan(rules=(make_rule("op:LSTM.weight", "int4"),))
    check_plan(plan, SLOTS, LAYERS)
    with pytest.raises(QvizError, match="no slot of the model matches it") as caught:
        check_rule(plan.rules[0], SLOTS, LAYERS, may_be_idle=False)
    assert caught.value.cure == "The model's layers are of Add, Conv, Gemm, MatMul"
    with pytest.raises(QvizError, match="per tensor"):
        check_plan(Plan(rules=(make_rule("op:LSTM.input", "uint8:channel"),)), SLOTS, LAYERS)


@pytest.mark.parametrize("field", ["tags", "notes", "locks"])
def test_remarks_on_layers_that_are_not_there_are_refused(field: str) -> None:
    remarks = {
        "tags": Plan(tags={"fcc": frozenset({"x"})}),
        "notes": Plan(notes={"fcc": "x"}),
        "locks": Plan(locks=frozenset({"fcc"})),
    }
    with pytest.raises(QvizError, match=r"'fcc': no layer of the model .* Did you mean fc\?"):
        check_plan(remarks[field], SLOTS, LAYERS)


SCHEMES = st.sampled_from(["int8", "int4", "int2", "float"]).map(parse_scheme)
TERMS = st.sampled_from(
    [
        *("op:Conv", "op:Conv|Gemm", "!op:Conv", "at:first", "at:last", "params<1k", "params>=1k"),
        *("tag:edge", "!tag:edge", "re:.*m|fc", "name:op:Conv", "fc", "stem"),
    ]
)
RULES = st.builds(
    lambda term, role, s: Rule(f"{term}.{role}", s), TERMS, st.sampled_from(ROLES), SCHEMES
)


@given(st.lists(RULES, max_size=6), st.dictionaries(st.sampled_from(sorted(SLOTS)), SCHEMES))
def test_overrides_win_over_later_rules_over_earlier_ones_over_defaults(
    rules: list[Rule], overrides: dict[str, Scheme]
) -> None:
    plan = Plan(parse_scheme("int7"), parse_scheme("uint7"), tuple(rules), overrides)
    found = plan.schemes(SLOTS, LAYERS)
    for name, slot in SLOTS.items():
        expected = plan.weight if slot.role == "weight" else plan.input
        for rule in rules:
            if rule.matches(slot, LAYERS[slot.layer]):
                expected = rule.scheme
        assert found[name] == overrides.get(name, expected)
        assert plan.decide(slot, LAYERS[slot.layer])[1] == found[name]


@given(st.lists(RULES, max_size=5), RULES)
def test_a_rule_at_the_end_decides_all_that_it_matches(rules: list[Rule], last: Rule) -> None:
    before = Plan(rules=tuple(rules)).schemes(SLOTS, LAYERS)
    after = Plan(rules=(*rules, last)).schemes(SLOTS, LAYERS)
    for name, slot in SLOTS.items():
        matched = last.matches(slot, LAYERS[slot.layer])
        assert after[name] == (last.scheme if matched else before[name])


def test_300_layers_and_20_rules_take_a_few_milliseconds() -> None:
    layers = {i: LayerFacts(f"l{i}", "Conv", i, i) for i in range(300)}
    slots = {
        f"l{i}.{role}": Slot(f"l{i}.{role}", i, role, "v", 0, None, f"{i}{role}")
        for i in layers
        for role in ROLES
    }
    rules = [make_rule(f"op:Conv&params<{n}.{ROLES[n % 2]}", "int4") for n in range(20)]
    plan = Plan(rules=tuple(rules))
    rather = sum(timeit.repeat(lambda: [hash(str(n)) for n in range(10_000)], number=1)) / 5
    taken = min(timeit.repeat(lambda: plan.schemes(slots, layers), number=1, repeat=7))
    assert taken < 20 * rather  # about 2 of them, of 1.3 ms each
