"""`qviz sensitivity` through the real main(): the table, JSON, stopping, going on, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qviz
from qviz.app.sensitivity.result import Cost
from qviz.cli import main
from qviz.cli.sensitivity import lines, tables
from qviz.engine.sensitivity.sweep import Sweep


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: str | Path) -> int:
    """Exit code of the command line."""
    try:
        main(["sensitivity", *(str(argument) for argument in arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def figures(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert run(*arguments, "--json", "-") == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def test_the_table_names_the_worst_layer_first_and_says_why(
    capsys: pytest.CaptureFixture[str], demo_model: Path, demo_samples: Path
) -> None:
    asked = (demo_model, "--samples", demo_samples, "--schemes", "int8", "--limit", "64")
    assert run(*asked) == 0
    out = capsys.readouterr().out
    names = [line.split()[1] for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert names[0] == "block1.dw"
    assert len(names) == 12
    assert "64 of 2,000 samples" in out
    assert "• block1.dw costs" in out
    assert "per-channel weights or equalisation" in out
    data = figures(capsys, *asked)
    assert [one["layer"] for one in data["findings"]][:2] == [1, 1]
    _check_documented(data)
    assert run(*asked, "--sort", "layer") == 0
    ordered = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in ordered if line.strip()[:1].isdigit()] == [
        str(index) for index in range(12)
    ]


def test_tables_on_a_narrow_line_are_alike_and_findings_are_indented(
    capsys: pytest.CaptureFixture[str],
    demo_model: Path,
    demo_samples: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    asked = (demo_model, "--samples", demo_samples, "--schemes", "int8:channel,int8,int4:channel")
    assert run(*asked, "--limit", "64") == 0
    out = capsys.readouterr().out
    printed = out.splitlines()
    assert all(line == line.rstrip() and len(line) <= 80 for line in printed)
    heads = {line for line in printed if line.strip().startswith("#")}
    assert len(heads) == 1
    assert out.count("ordered by int4:channel") == 1
    findings = printed[next(at for at, line in enumerate(printed) if line.startswith("•")) :]
    assert all(line[:1] in ("•", " ", "") for line in findings)


def test_all_but_shows_what_the_return_takes_away(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path
) -> None:
    asked = (mlp, "--samples", mlp_samples, "--mode", "all-but", "--weights", "int2")
    assert run(*asked) == 0
    out = capsys.readouterr().out
    assert "Δ KL nats" in out
    data = figures(capsys, *asked)
    first = min(data["layers"], key=lambda layer: layer["rank"])
    change = first["costs"][0]["kl"] - data["start"]["kl"]
    rows = [line for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert f"{change:+.3g}" in rows[0]
    assert "████████" in rows[0]
    assert "████████" not in rows[1]


@pytest.mark.parametrize("mode", ["only", "all-but"])
def test_json_holds_every_documented_figure(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, mode: str
) -> None:
    data = figures(capsys, mlp, "--samples", mlp_samples, "--limit", "all", "--mode", mode)
    assert data["complete"] is True
    assert data["samples"] == data["total"] == 60
    assert [layer["name"] for layer in data["layers"]] == ["fc1", "fc2"]
    assert sorted(layer["rank"] for layer in data["layers"]) == [1, 2]
    for layer in data["layers"]:
        assert [cost["scheme"] for cost in layer["costs"]] == data["schemes"]
        for cost in layer["costs"]:
            assert cost["exact"] is True
            assert cost["low"] == cost["delta"] == cost["high"]
    _check_documented({**data, "start": None})


def _check_documented(data: dict[str, Any]) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    _, _, own = documented.partition("# What `qviz sensitivity --json` writes")
    for name in _paths(data):
        assert f"`{name}`" in own, name


def _paths(data: Any, prefix: str = "") -> set[str]:
    """Dotted names of all values; list entries are [], and an empty list has none."""
    if data == []:
        return set()
    if isinstance(data, dict):
        return {p for key, value in data.items() for p in _paths(value, f"{prefix}{key}.")}
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return {p for entry in data for p in _paths(entry, prefix.removesuffix(".") + "[].")}
    return {prefix.removesuffix(".")}


def test_json_goes_to_a_file_beside_the_table(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out.json"
    assert run(mlp, "--samples", mlp_samples, "--json", path, "--role", "both") == 0
    assert "fc1" in capsys.readouterr().out
    assert json.loads(path.read_text())["role"] == "both"


def test_the_plan_is_set_as_in_run(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path
) -> None:
    asked = (mlp, "--samples", mlp_samples, "--mode", "all-but", "--weights", "int2")
    data = figures(capsys, *asked, "--set", "fc2.weight=float")
    assert [layer["name"] for layer in data["layers"]] == ["fc1"]
    assert data["start"]["kl"] > data["layers"][0]["costs"][0]["kl"]


def test_ctrl_c_keeps_what_is_known_and_the_same_command_goes_on(
    capsys: pytest.CaptureFixture[str],
    mlp: Path,
    mlp_samples: Path,
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
) -> None:
    whole = figures(capsys, mlp, "--samples", mlp_samples, "--json", "-")
    monkeypatch.setenv("QVIZ_CACHE", str(cache / "second"))
    real = Sweep.run
    tried: list[int] = []

    def interrupted(self: Sweep, *arguments: Any) -> Iterator[int]:
        for number in real(self, *arguments):
            tried.append(number)
            yield number
            if len(tried) == 3:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "run", interrupted)
        assert run(mlp, "--samples", mlp_samples) == 130
    told = capsys.readouterr()
    assert "the same command goes on from here" in told.err
    assert tried == [0, 1, 2]
    saved = list((cache / "second" / "sensitivity").iterdir())
    assert len(saved) == 1 + 3
    again = figures(capsys, mlp, "--samples", mlp_samples, "--json", "-")
    for one, other in zip(whole["layers"], again["layers"], strict=True):
        kept = [{**cost, "guess": None} for cost in one["costs"]]
        assert kept == [{**cost, "guess": None} for cost in other["costs"]]


def test_what_was_stopped_says_how_many_samples_each_layer_has_seen(
    mlp: Path, mlp_samples: Path
) -> None:
    found = qviz.open(mlp, mlp_samples).sensitivity(["int8", "int4"], samples=40)
    ((_, whole), _) = tables(found, "kl", 200)
    assert "n" not in [str(column.header) for column in whole.columns]
    first, *rest = found.layers
    fewer = replace(first, costs=tuple(replace(cost, samples=16) for cost in first.costs))
    stopped = replace(found, layers=(fewer, *rest))
    for _, table in tables(stopped, "layer", 200):
        (seen,) = (column for column in table.columns if str(column.header) == "n")
        assert [str(cell) for cell in seen.cells] == ["16", "40"]
    assert "40 wanted" in lines(stopped)[0]
    assert "~" not in lines(stopped)[0]
    guess = replace(first, costs=tuple(Cost(0, c.scheme, guess=0.1) for c in first.costs))
    assert "~ marks guesses" in lines(replace(found, layers=(guess, *rest)))[0]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--limit", "0"], 2, "neither a number of samples nor all"),
        (["--limit", "some"], 2, "neither a number of samples nor all"),
        (["--role", "biases"], 2, "biases"),
        (["--schemes", "int99"], 1, "int99"),
        (["--schemes", ""], 1, "none to try"),
        (["--schemes", ","], 1, "none to try"),
        (["--schemes", "int4", "--mode", "all-but"], 1, "takes no other schemes"),
        (["--mode", "all-but", "--weights", "float"], 1, "that the plan quantizes"),
        (["--metric", "nonsense"], 1, "nonsense"),
        (["--json", "/nowhere/out.json"], 1, "--json"),
    ],
)
def test_what_is_wrong_ends_with_one_line(
    capsys: pytest.CaptureFixture[str],
    mlp: Path,
    mlp_samples: Path,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    assert run(mlp, "--samples", mlp_samples, *arguments) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err


def test_samples_are_needed(capsys: pytest.CaptureFixture[str], mlp: Path) -> None:
    assert run(mlp) == 1
    assert "Name some with --samples FILE" in capsys.readouterr().err


def test_a_regression_is_ranked_by_sqnr(
    capsys: pytest.CaptureFixture[str], mlp: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    samples = tmp_path / "targets.npz"
    x = rng.normal(size=(60, 6)).astype(np.float32)
    np.savez(samples, x=x, labels=rng.normal(size=(60, 4)).astype(np.float32))
    data = figures(capsys, mlp, "--samples", samples, "--schemes", "int3")
    costs = {layer["rank"]: layer["costs"][0] for layer in data["layers"]}
    assert costs[1]["kl"] is None
    assert costs[1]["sqnr_db"] < costs[2]["sqnr_db"]
