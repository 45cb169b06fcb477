"""The form has just the fields of the chosen format, and every choice it offers can be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qviz.app import edits, form
from qviz.app.completion import completions
from qviz.app.document import DEFAULT_PLAN, Document, Findings
from qviz.app.form import FAMILIES, empty_form, scheme_form
from qviz.app.views import Role, SchemeForm
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.quantized.quantizer import Quantizer
from qviz.model.read_onnx import read_onnx
from qviz.plan.plan import Plan
from qviz.plan.resolve import schemes
from qviz.quant.formats import FORMATS

FIELDS: dict[str, tuple[str, ...]] = {
    "float": (),
    "int8:channel": (
        "bits",
        "sign",
        "symmetry",
        "code_range",
        "granularity",
        "scales",
        "range",
        "rounding",
    ),
    "uint8": ("bits", "sign", "symmetry", "granularity", "scales", "range", "rounding"),
    "float16": ("format",),
    "fp8-e4m3": ("format", "granularity", "range"),
    "mxfp6-e2m3": ("format",),
    "nvfp4": (),
    "nf4": ("granularity", "group", "range"),
    "pot4": ("bits", "granularity", "range", "variant"),
    "apot4:group=32": ("bits", "granularity", "group", "range"),
    "kmeans4": ("bits", "variant"),
    "kmeans4:random=7": ("bits", "variant", "seed"),
    "lloyd4": ("bits",),
    "ternary": ("granularity", "range"),
    "binary": ("granularity", "range"),
    "dorefa-w2": ("bits", "range"),
    "fp8-e4m3:percentile=99": ("format", "granularity", "range", "percentile"),
    "pot4:clip=-1..1": ("bits", "granularity", "range", "clip", "variant"),
}


@pytest.fixture
def model(mlp: Path) -> Model:
    return read_onnx(mlp)


def _form(model: Model, plan: Plan, *slots: str) -> SchemeForm:
    document = Document(model=model, plan=plan)
    return scheme_form(document, Findings(), model, slots, schemes(model, plan))


def _shown(form: SchemeForm) -> dict[str, str | None]:
    return {field.name: field.value for field in form.fields}


@pytest.mark.parametrize("spelling", FIELDS)
def test_a_format_has_its_own_fields(model: Model, spelling: str) -> None:
    plan = edits.set_scheme(model, DEFAULT_PLAN, ["fc1.weight"], spelling)
    assert tuple(_shown(_form(model, plan, "fc1.weight"))) == ("family", *FIELDS[spelling])


@pytest.mark.parametrize("slot", ["fc1.weight", "fc1.input"])
@pytest.mark.parametrize("family", [word for word, _, _ in FAMILIES])
def test_each_choice_can_be_made_or_says_why_not(model: Model, slot: str, family: str) -> None:
    try:
        plan = edits.set_field(model, DEFAULT_PLAN, [slot], "family", family)
    except QvizError:
        choices = _form(model, DEFAULT_PLAN, slot).fields[0].choices
        assert next(choice.reason for choice in choices if choice.value == family)
        return
    tried = 0
    for field in _form(model, plan, slot).fields:
        for choice in field.choices:
            if choice.reason or choice.value == "clip":  # a range by hand needs its two ends
                continue
            changed = edits.set_field(model, plan, [slot], field.name, choice.value)
            assert _shown(_form(model, changed, slot))[field.name] == choice.value
            tried += 1
    assert tried >= 2


def test_what_inputs_cannot_have_says_why(model: Model) -> None:
    fields = {field.name: field for field in _form(model, DEFAULT_PLAN, "fc1.input").fields}
    why = {c.value: c.reason for name in ("family", "granularity") for c in fields[name].choices}
    assert "weights only" in why["nf4"]
    assert "per tensor" in why["channel"]
    assert not why["dorefa"]


def test_slots_that_differ_show_no_value_and_only_what_they_share(model: Model) -> None:
    plan = edits.set_scheme(model, DEFAULT_PLAN, ["fc1.weight"], "int4:mse")
    form = _form(model, plan, "fc1.weight", "fc2.weight")
    shown = _shown(form)
    assert form.scheme == "mixed"
    assert shown["bits"] is None
    assert shown["granularity"] is None
    assert shown["range"] is None
    assert shown["sign"] == "int"
    labels = {f.name: [c.label for c in f.choices] for f in form.fields}["code_range"]
    assert labels == ["2ⁿ⁻¹-1", "2ⁿ⁻¹-½", "2ⁿ⁻¹"]
    plan = edits.set_scheme(model, plan, ["fc1.weight"], "kmeans4")
    assert _shown(_form(model, plan, "fc1.weight", "fc2.weight")) == {"family": None}


def test_the_files_scales_are_offered_for_slots_that_all_have_some(model: Model) -> None:
    groups = {name: model.slots[name].group for name in ("fc1.weight", "fc2.weight")}
    scale, zero = torch.tensor([0.01]), torch.zeros(1, dtype=torch.int32)
    held = Quantizer("int8", scale, zero)
    plan = edits.set_scheme(model, DEFAULT_PLAN, list(groups), "int8:full")

    def offered(*holders: str, of: tuple[str, ...]) -> dict[str, str]:
        quantized = replace(model, quantizers={groups[name]: held for name in holders})
        fields = {field.name: field for field in _form(quantized, plan, *of).fields}
        return {choice.value: choice.reason for choice in fields["range"].choices}

    both = tuple(groups)
    assert offered(*both, of=both)["stored"] == ""
    assert offered("fc1.weight", of=("fc1.weight",))["stored"] == ""
    assert offered("fc1.weight", of=both)["stored"] == (
        "the file's scales are for int8:full:stored"
    )
    assert "stored" not in offered("fc1.weight", of=("fc2.weight",))


def test_a_refresh_asks_for_the_scales_of_the_chosen_slots_only(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(form, "stored_quantizer", lambda _, slot: asked.append(slot.name))
    _form(model, DEFAULT_PLAN, "fc2.weight")
    assert asked == ["fc2.weight"]


@pytest.mark.parametrize("role", ["weight", "input"])
def test_a_cell_completes_to_what_the_form_offers_and_to_nothing_else(
    model: Model, role: Role
) -> None:
    slot = f"fc1.{role}"
    for row in FORMATS.values():
        if role not in row.roles or row.name == "float":
            continue
        offered = completions(role, f"{row.name}:")
        words = {spelling.partition(":")[2] for spelling in offered}
        for spelling in offered:
            plan = edits.set_scheme(model, DEFAULT_PLAN, [slot], spelling)
            for field in _form(model, plan, slot).fields:
                reasons = {choice.value: choice.reason for choice in field.choices}
                assert not reasons.get(field.value or "", ""), spelling
        plan = edits.set_scheme(model, DEFAULT_PLAN, [slot], row.name)
        for field in _form(model, plan, slot).fields:
            if field.name in ("symmetry", "code_range", "granularity", "range", "variant"):
                for choice in field.choices:
                    if row.bits == 1 and choice.value == field.value == "asym":
                        continue  # one bit has nothing else, so there is no word for it
                    stems = {word.partition("=")[0] for word in words}
                    assert (choice.value in stems) == (not choice.reason), (row.name, choice)


@pytest.mark.parametrize(
    ("role", "typed", "some", "none"),
    [
        ("weight", "int4:", "asym narrow full wide pow2 entropy group=16 group=256", "average"),
        ("weight", "int4:", "round=away stochastic clip=-1..1 percentile=99.9", "channel:mse"),
        ("weight", "int4:channel:", "mse asym", "entropy group=64 tensor"),
        ("weight", "int4:e", "entropy", "mse"),
        ("weight", "fp8:", "group=64 clip=-1..1", "average asym pow2"),
        ("weight", "apot4:", "channel", "average"),
        ("input", "uint8:", "average entropy pow2", "channel group=32 stochastic"),
        ("input", "fp8-e4m3:", "average", "channel"),
        ("weight", "int4:asym:", "pow2 mse", "narrow sym full:wide"),
        ("weight", "kmeans4:", "random density", "mse"),
    ],
)
def test_completion_offers_the_next_word(role: Role, typed: str, some: str, none: str) -> None:
    done = typed.rpartition(":")[0]
    offered = {spelling.removeprefix(done + ":") for spelling in completions(role, typed)}
    assert set(some.split()) <= offered
    assert not set(none.split()) & offered


def test_completion_of_a_format_goes_on_with_longer_names_and_its_words() -> None:
    assert completions("weight", "")[:4] == ("float", "int8", "int4", "int6")
    assert completions("input", "")[1] == "uint8"
    assert "nf4" not in completions("input", "")
    begun = completions("weight", "int1")
    assert begun[0] == "int16"
    assert "int1:channel" in begun
    assert completions("weight", "int8:what:") == ()
    assert completions("weight", "mxfp4:") == ()


def test_reasons_are_true_of_what_they_refuse(model: Model) -> None:
    plan = edits.set_scheme(model, DEFAULT_PLAN, ["fc1.weight"], "pot4:group=64")
    ranges = {f.name: f for f in _form(model, plan, "fc1.weight").fields}["range"].choices
    why = {choice.value: choice.reason for choice in ranges}
    assert "percentile" in why["percentile"]
    assert "by hand" in why["clip"]
    assert "sample by sample" in why["average"]
    assert why["minmax"] == why["mse"] == ""
    families = {c.value: c.reason for c in _form(model, plan, "fc1.input").fields[0].choices}
    assert families["kmeans"] == "k-means codebook is for weights only"


def test_types_are_named_alike(model: Model) -> None:
    plan = edits.set_scheme(model, DEFAULT_PLAN, ["fc1.weight"], "mxint8")
    types = {f.name: f for f in _form(model, plan, "fc1.weight").fields}["format"].choices
    assert [choice.label for choice in types] == [
        "MXFP4",
        "MXFP6 E2M3",
        "MXFP6 E3M2",
        "MXFP8 E4M3",
        "MXFP8 E5M2",
        "MXINT8",
    ]


def test_nothing_selected_is_an_empty_form(model: Model) -> None:
    assert _form(model, DEFAULT_PLAN) == empty_form()
