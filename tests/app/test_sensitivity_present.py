"""What the Sensitivity page is told: rows in order, cells with colors, words, and why not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qviz
from qviz.app.sensitivity.offers import first_schemes, scheme_choices
from qviz.app.sensitivity.present import SensitivityView, sensitivity_view
from qviz.app.sensitivity.quantities import QuantityName, color_scale, spelled
from qviz.app.sensitivity.request import Mode, Request, Roles, read_request
from qviz.app.sensitivity.result import Cost, LayerCosts, Observation, Sensitivity
from qviz.app.session import Session
from qviz.app.sweeping import KEPT

SCHEMES = ("int8", "int4")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QVIZ_CACHE", str(tmp_path / "cache"))


def _with(cost: Cost, values: dict[str, Any]) -> Cost:
    return replace(cost, **values)


def cost(layer: int, scheme: str, kl: float | None, samples: int = 50, **more: Any) -> Cost:
    made = Cost(layer, scheme, guess=0.5, samples=samples, total=200)
    if samples:
        made = replace(made, kl=kl, sqnr_db=30.0, flips=2, loss=0.1, delta=-1.0)
        made = replace(made, low=-2.5, high=0.5)
    return replace(made, **more)


def swept(
    kls: list[tuple[float, float]],
    *,
    samples: int = 50,
    mode: Mode = "only",
    start: Cost | None = None,
) -> Sensitivity:
    """Layers a, b, c … with their KL under int8 and under int4."""
    schemes = SCHEMES if mode == "only" else ("plan",)
    layers = tuple(
        LayerCosts(
            at,
            "abcdefghij"[at],
            "Conv",
            1234,
            tuple(cost(at, scheme, kl, samples) for scheme, kl in zip(schemes, pair, strict=False)),
        )
        for at, pair in enumerate(kls)
    )
    request = Request(schemes, "weights", mode, 50)
    return Sensitivity(request, "tune", "top-1", "%", "higher", layers, start, 50, 200)


def view_of(found: Sensitivity, quantity: QuantityName = "kl", scheme: str = "") -> SensitivityView:
    return sensitivity_view(found.request, found, quantity=quantity, scheme=scheme)


def names(view: SensitivityView) -> list[str]:
    return [row.name for row in view.rows]


def test_the_chosen_scheme_orders_the_rows() -> None:
    found = swept([(0.3, 0.1), (0.1, 0.4), (0.2, 0.2)])
    assert names(view_of(found)) == ["b", "c", "a"]
    assert names(view_of(found, scheme="int8")) == ["a", "c", "b"]
    assert view_of(found, scheme="gone").chosen == 1
    assert names(sensitivity_view(found.request, found, order="graph")) == ["a", "b", "c"]


def test_the_same_color_means_the_same_value_under_every_scheme() -> None:
    view = view_of(swept([(0.1, 0.001), (0.001, 0.1)]))
    first, second = view.rows
    assert [cell.color for cell in first.cells] == [cell.color for cell in second.cells][::-1]
    assert max(cell.color or 0.0 for cell in first.cells) == 1.0
    assert view.scale == ("1e\N{MINUS SIGN}5", "0.1")


@given(st.lists(st.floats(1e-9, 1e3), min_size=2, max_size=8))
def test_colors_keep_the_order_of_damages(damages: list[float]) -> None:
    found = swept([(kl, kl) for kl in damages])
    scale = color_scale(found, damages, "kl")
    positions = [scale.position(value) for value in sorted(damages)]
    assert positions == sorted(positions)
    assert all(0.0 <= position <= 1.0 for position in positions)


def test_nothing_is_red_where_nothing_is_lost() -> None:
    view = view_of(swept([(1e-7, 2e-7), (3e-7, 1e-6)]))
    assert all((cell.color or 0.0) < 0.3 for row in view.rows for cell in row.cells)
    none = view_of(swept([(0.0, 0.0)]))
    assert [cell.color for cell in none.rows[0].cells] == [0.0, 0.0]


def test_a_guess_is_marked_until_it_is_measured() -> None:
    guessed = view_of(swept([(0.3, 0.1)], samples=0))
    (row,) = guessed.rows
    assert [(cell.known, cell.text) for cell in row.cells] == [("guess", "~0.50")] * 2
    assert "a guess from gradients" in guessed.numbers(row)
    assert "alone" in guessed.status
    other = view_of(swept([(0.3, 0.1)], samples=0), "flips")
    assert [cell.known for cell in other.rows[0].cells] == ["unknown"] * 2
    assert [cell.known for cell in view_of(swept([(0.3, 0.1)])).rows[0].cells] == ["measured"] * 2
    whole = view_of(swept([(0.3, 0.1)], samples=200))
    assert [cell.known for cell in whole.rows[0].cells] == ["exact"] * 2
    assert whole.status == "exact: all 200 tuning samples"


def test_the_status_counts_the_layers_that_are_measured() -> None:
    found = swept([(0.3, 0.1), (0.1, 0.4)])
    rest = replace(found.layers[1], costs=tuple(Cost(1, s, guess=0.1) for s in SCHEMES))
    half = replace(found, layers=(found.layers[0], rest))
    assert view_of(half).status == "stopped: 1 of 2 layers measured, the others guessed"
    running = sensitivity_view(half.request, half, running=True)
    assert (running.state, running.status[:2]) == ("running", "1 ")
    assert view_of(found).status == "50 of 200 tuning samples"


def test_the_metric_has_its_interval_and_the_axis_has_room_for_it() -> None:
    view = view_of(swept([(0.3, 0.1)]), "metric")
    cell = view.rows[0].cells[view.chosen]
    assert (cell.value, cell.low, cell.high) == (-1.0, -2.5, 0.5)
    assert (view.low, view.high) == (-2.5, 0.5)
    assert view.title == "Δ top-1, points"
    assert cell.text == "\N{MINUS SIGN}1.0"
    exact = view_of(swept([(0.3, 0.1)], samples=200), "metric")
    assert exact.rows[0].cells[0].low is None


def test_what_is_lost_orders_every_quantity() -> None:
    found = swept([(0.1, 0.1), (0.2, 0.2), (0.3, 0.3)])
    values: dict[QuantityName, tuple[str, tuple[float, float, float]]] = {
        "sqnr": ("sqnr_db", (5.0, math.inf, 20.0)),
        "loss": ("loss", (0.9, -0.1, 0.2)),
        "metric": ("delta", (-9.0, 1.0, -2.0)),
        "flips": ("flips", (9, 0, 3)),
    }
    for quantity, (field, numbers) in values.items():
        layers = tuple(
            replace(layer, costs=tuple(_with(c, {field: number}) for c in layer.costs))
            for layer, number in zip(found.layers, numbers, strict=True)
        )
        view = view_of(replace(found, layers=layers), quantity)
        assert names(view) == ["a", "c", "b"], quantity
        colors = [row.cells[0].color or 0.0 for row in view.rows]
        assert colors == sorted(colors, reverse=True)
        lower = view_of(replace(found, layers=layers, better="lower"), quantity)
        assert (names(lower) == ["b", "c", "a"]) == (quantity == "metric")


def test_all_but_shows_what_the_return_to_float_changes() -> None:
    start = cost(-1, "plan", 0.5, flips=10, sqnr_db=20.0)
    found = swept([(0.4, 0.0), (0.1, 0.0), (0.6, 0.0)], mode="all-but", start=start)
    view = view_of(found)
    assert names(view) == ["b", "a", "c"]
    assert [row.cells[0].value for row in view.rows] == pytest.approx([-0.4, -0.1, 0.1])
    assert view.rows[2].cells[0].color == 0.0  # without its error the others count more
    assert view.title == "Δ KL, nats"
    assert view_of(found, "sqnr").rows[0].cells[0].text == "+10.0"
    assert "(the plan: 0.50)" in view.numbers(view.rows[0])


def test_without_classes_there_is_sqnr_and_the_others_say_why() -> None:
    found = swept([(0.3, 0.1)])
    plain = tuple(replace(c, kl=None, flips=None, loss=None) for c in found.layers[0].costs)
    view = view_of(replace(found, layers=(replace(found.layers[0], costs=plain),)))
    assert view.quantity == "sqnr"
    lacking = {choice.value for choice in view.quantities if choice.reason}
    assert lacking == {"kl", "loss", "flips"}


def test_nothing_measured_says_why() -> None:
    request = Request()
    assert sensitivity_view(request, None).state == "ready"
    failed = sensitivity_view(request, None, failure="it broke")
    assert (failed.state, failed.notice, failed.rows) == ("failed", "it broke", ())
    hidden = sensitivity_view(request, swept([(0.1, 0.2)]), notice="no samples")
    assert (hidden.state, hidden.rows) == ("notice", ())


def test_rows_as_text_have_all_numbers() -> None:
    found = swept([(0.3, 0.1), (0.1, 0.4)])
    lines = [line.split("\t") for line in view_of(found).as_text().split("\n")]
    assert {len(line) for line in lines} == {4 + 2 * 9}
    assert lines[0][:5] == ["#", "layer", "op", "parameters", "int8 KL"]
    assert lines[1][:5] == ["1", "b", "Conv", "1234", "0.1"]
    assert sensitivity_view(found.request, None).as_text() == ""


@pytest.mark.parametrize(
    ("value", "name", "change", "expected"),
    [
        (0.0, "kl", False, "0"),
        (1.23e-5, "kl", False, "1.2e−5"),
        (0.00123, "kl", False, "0.0012"),
        (5.86, "kl", False, "5.9"),
        (84.375, "metric", True, "+84.4"),
        (-0.390625, "metric", True, "−0.39"),
        (1234.0, "flips", False, "1,234"),
        (math.inf, "sqnr", False, "exact"),
        (-2.1, "sqnr", False, "−2.1"),
        (None, "kl", False, "–"),
    ],
)
def test_numbers_are_short(
    value: float | None, name: QuantityName, change: bool, expected: str
) -> None:
    assert spelled(value, name, change=change) == expected


def test_every_offered_scheme_can_be_measured_or_says_why() -> None:
    roles: tuple[Roles, ...] = ("weights", "inputs", "both")
    for role in roles:
        offered = scheme_choices(role, ("ternary", "int8:channel"))
        values = [choice.value for choice in offered]
        assert len(values) == len(set(values))
        possible = [choice.value for choice in offered if not choice.reason]
        assert set(first_schemes(role)) <= set(possible)
        assert len(read_request(possible, role, "only", 1).schemes) == len(possible)
        (ternary,) = (choice for choice in offered if choice.value == "ternary")
        assert bool(ternary.reason) == (role != "weights")


# in a Session


def test_a_session_shows_what_it_measured(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    request = Request(("int4", "int2"), samples=20)
    assert session.sensitivity_view(request).state == "ready"
    found = session.sensitivity(request.schemes, samples=20)
    view = session.sensitivity_view(request)
    assert (view.state, view.found, view.other_plan) == ("done", found, False)
    assert names(view) == [layer.name for layer in found.ranking()]
    session.set_bits(["fc1.weight"], 3)
    assert session.sensitivity_view(request) == view  # one layer at a time: the plan is no matter
    assert "int3:channel" in [c.value for c in session.sensitivity_schemes("weights")]


def test_all_but_of_an_other_plan_is_shown_as_such(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    request = Request(("plan",), mode="all-but", samples=20)
    session.sensitivity(mode="all-but", samples=20)
    session.set_bits(["fc1.weight"], 3)
    assert session.sensitivities() == ()
    other_view = session.sensitivity_view(request)
    assert other_view.other_plan
    assert other_view.rows
    session.sensitivity(["int4"], samples=20)  # another request forgets nothing
    assert session.sensitivity_view(request).other_plan
    other = session.sensitivity(mode="all-but", samples=20)
    session.undo()
    back = session.sensitivity_view(request)
    assert (back.found, back.other_plan) == (other_view.found, False)
    session.redo()
    assert session.sensitivity_view(request).found == other
    for bits in range(2, 9):  # of more plans than are kept
        for layer in ("fc1.weight", "fc2.weight"):
            session.set_bits([layer], bits)
            session.sensitivity(mode="all-but", samples=20)
    swept = [one for one in session._swept if one.sensitivity.request == request]
    assert len(swept) <= KEPT + 1
    session.set_part("tune")
    assert session.sensitivity_view(request).state == "ready"


def test_a_session_says_why_it_cannot_measure(mlp: Path) -> None:
    assert Session().sensitivity_view(Request()).notice == "Open a model to begin"
    assert Session().sensitivity_schemes("weights") == scheme_choices("weights")
    view = qviz.open(mlp).sensitivity_view(Request())
    assert view.state == "notice"
    assert view.wants_samples
    assert "samples" in view.notice


def test_findings_come_with_the_view() -> None:
    said = (Observation(0, "int4", "a costs much", "KL 0.3 nats"),)
    found = replace(swept([(0.3, 0.1)]), findings=said)
    assert view_of(found).findings == said


def test_without_classes_the_loss_is_the_mse() -> None:
    found = swept([(0.3, 0.1)])
    assert view_of(found, "loss").title == "Δ Loss, nats"
    layers = tuple(
        replace(layer, costs=tuple(replace(cost, kl=None, flips=None) for cost in layer.costs))
        for layer in found.layers
    )
    view = view_of(replace(found, layers=layers), "loss")
    assert view.title == "Δ MSE"
    assert "MSE +0.10 against float" in view.numbers(view.rows[0])
    assert [c.label for c in view.quantities if c.value == "loss"] == ["MSE"]


def test_words_say_what_inputs_take_and_count_one() -> None:
    both = Request(("int8:channel",), "both")
    assert both.told("int8:channel") == "weights int8:channel and inputs uint8"
    assert Request(("int8:channel",)).told("int8:channel") == "int8:channel"
    assert Request(("plan",), "both", "all-but").told("plan") == "plan"
    found = swept([(0.3, 0.1)])
    said = view_of(replace(found, request=Request(SCHEMES, "both")))
    assert "weights int4 and inputs uint4: KL" in said.numbers(said.rows[0])
    layers = tuple(
        replace(layer, costs=tuple(replace(c, samples=1, total=1, flips=1) for c in layer.costs))
        for layer in found.layers
    )
    one = view_of(replace(found, layers=layers, total=1, wanted=1))
    assert one.status == "exact: the 1 tuning sample"
    assert "1 of 1 flips" in one.numbers(one.rows[0])
    assert "on 1 sample" in one.numbers(one.rows[0])
