"""The layer table's sensitivities, from what sweeps have found."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path

import pytest

import qviz
from qviz.app.sensitivity.request import Request
from qviz.app.sensitivity.result import Cost, LayerCosts, Sensitivity
from qviz.app.table import cell_costs


def found(*costs: Cost, start: Cost | None = None) -> Sensitivity:
    """A result with these costs under its last scheme; the first is of nothing."""
    request = Request(("int8", "int4"), samples=64)
    if start is not None:
        request = Request(("plan",), mode="all-but", samples=64)
    others = () if start else (Cost(0, "int8", kl=9.0, samples=64),)
    return Sensitivity(
        request=request,
        part="tune",
        metric="top-1",
        unit="%",
        better="higher",
        layers=tuple(
            LayerCosts(at, f"layer{at}", "Conv", 9, (*others, cost))
            for at, cost in enumerate(costs)
        ),
        start=start,
        wanted=64,
        total=960,
    )


def kl(value: float) -> Cost:
    return Cost(0, "int4", guess=7.0, kl=value, sqnr_db=20.0, samples=64, total=960)


def noise(sqnr_db: float) -> Cost:
    return Cost(0, "int4", sqnr_db=sqnr_db, samples=960, total=960)


def test_bars_are_square_roots_of_the_kl_under_the_last_scheme() -> None:
    costs = cell_costs(found(kl(0.4), kl(0.1), kl(0.004), kl(0.0)))
    assert [cost.value for cost in costs.values()] == [0.4, 0.1, 0.004, 0.0]
    assert [cost.share for cost in costs.values()] == pytest.approx([1.0, 0.5, 0.1, 0.0])
    assert {(cost.unit, cost.guessed, cost.exact) for cost in costs.values()} == {
        ("nats", False, False)
    }


def test_what_is_not_measured_is_guessed_or_left_out() -> None:
    costs = cell_costs(found(kl(0.1), Cost(1, "int4", guess=0.4), Cost(2, "int4"), kl(nan)))
    assert set(costs) == {0, 1}
    assert (costs[1].value, costs[1].guessed) == (0.4, True)
    assert costs[0].share == pytest.approx(0.5)


def test_without_classes_it_is_the_noise() -> None:
    costs = cell_costs(found(noise(10.0), noise(30.0), noise(inf), noise(-inf)))
    assert [costs[at].value for at in range(3)] == pytest.approx([0.1, 0.001, 0.0])
    assert [costs[at].share for at in range(4)] == pytest.approx([1.0, 0.1, 0.0, 1.0])
    assert {cost.unit for cost in costs.values()} == {"noise"}
    assert costs[0].exact


def test_all_but_one_shows_what_is_restored() -> None:
    costs = cell_costs(found(kl(0.1), kl(0.4), kl(0.6), start=kl(0.5)))
    assert [cost.value for cost in costs.values()] == pytest.approx([0.4, 0.1, -0.1])
    assert [cost.share for cost in costs.values()] == pytest.approx([1.0, 0.5, 0.0])
    waiting = cell_costs(found(kl(0.1), Cost(1, "plan", guess=0.2), start=Cost(-1, "plan")))
    assert set(waiting) == {1}  # what is restored is known once the plan is measured too


def test_rows_show_the_latest_request(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    assert [row.sensitivity for row in session.rows()] == [None, None]
    for schemes in (["int2"], ["int8", "int3"]):
        latest = session.sensitivity(schemes, samples="all", cache=tmp_path)
        shown = [row.sensitivity for row in session.rows()]
        expected = [layer.costs[-1] for layer in latest.layers]
        for cell, cost in zip(shown, expected, strict=True):
            assert cell is not None
            assert (cell.scheme, cell.value, cell.flips) == (schemes[-1], cost.kl, cost.flips)
            assert cell.exact


def test_rows_follow_the_request_and_scheme_that_were_shown(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    session = qviz.open(mlp, mlp_samples)
    first = session.sensitivity(["int8", "int3"], samples=20, cache=tmp_path)
    session.sensitivity(mode="all-but", samples=20, cache=tmp_path)

    def shown() -> set[tuple[str, str]]:
        cells = [row.sensitivity for row in session.rows()]
        return {(cell.mode, cell.scheme) for cell in cells if cell is not None}

    assert shown() == {("all-but", "plan")}  # the latest, where nothing was shown
    session.follow_sensitivity(first.request, "int8")
    assert shown() == {("only", "int8")}
    values = [row.sensitivity.value for row in session.rows() if row.sensitivity]
    assert values == [layer.costs[0].kl for layer in first.layers]
