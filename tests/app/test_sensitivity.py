"""Sensitivity in a Session: requests, results, findings in words, the cache and the lane."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qviz
from qviz.app.jobs import Token
from qviz.app.sensitivity.cache import cache_folder
from qviz.app.sensitivity.observe import observe
from qviz.app.sensitivity.request import read_request
from qviz.app.sensitivity.result import LayerCosts, Sensitivity
from qviz.app.sensitivity.work import sweep_layers
from qviz.app.session import Session
from qviz.errors import QvizError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def session(mlp: Path, mlp_samples: Path) -> Session:
    return qviz.open(mlp, mlp_samples)


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"QVIZ_CACHE": "/own"}, "/own"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/qviz"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/qviz"),
        ("linux", {}, "/home/me/.cache/qviz"),
        ("darwin", {}, "/home/me/Library/Caches/qviz"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/qviz/cache"),
    ],
)
def test_the_cache_lies_where_the_platform_has_it(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for name in ("QVIZ_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    assert cache_folder() == Path(expected)


@pytest.mark.parametrize(
    ("scheme", "role", "weight", "inputs"),
    [
        ("int4:channel", "both", "int4:channel", "uint4"),
        ("int8", "both", "int8", "uint8"),
        ("int4:group=32", "inputs", "int4:group=32", "uint4"),
        ("int8", "inputs", "int8", "int8"),
        ("fp8-e4m3:channel", "both", "fp8-e4m3:channel", "fp8-e4m3"),
        ("mxfp4", "both", "mxfp4", "mxfp4"),
    ],
)
def test_inputs_take_the_bits_of_a_scheme_for_weights(
    scheme: str, role: str, weight: str, inputs: str
) -> None:
    request = read_request([scheme], role, "only", 256)
    assert str(request.scheme(scheme, "weight")) == weight
    assert str(request.scheme(scheme, "input")) == inputs


@pytest.mark.parametrize(
    ("schemes", "role", "mode", "samples", "cause"),
    [
        (None, "biases", "only", 256, "no such role"),
        (None, "weights", "each", 256, "no such mode"),
        (["int4"], "weights", "all-but", 256, "no other schemes"),
        (["float"], "weights", "only", 256, "changes nothing"),
        (["ternary"], "both", "only", 256, "weights only"),
        (["nonsense"], "weights", "only", 256, "nonsense"),
        (None, "weights", "only", 0, "no number"),
        (None, "weights", "only", "few", "no number"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    schemes: list[str] | None, role: str, mode: str, samples: int | str, cause: str
) -> None:
    with pytest.raises(QvizError, match=cause):
        read_request(schemes, role, mode, samples)


def test_each_layer_costs_what_a_plan_of_it_alone_does(session: Session) -> None:
    found = session.sensitivity(["int3", "int2"], samples="all")
    assert [layer.name for layer in found.layers] == ["fc1", "fc2"]
    assert found.complete
    assert found.metric == "top-1"
    for layer in found.layers:
        for cost in layer.costs:
            session.set_defaults("float", "float")
            session.set(f"{layer.name}.weight", cost.scheme)
            evaluation = session.evaluate()
            assert cost.kl == pytest.approx(evaluation.kl, rel=1e-5)
            assert cost.flips == evaluation.flips
            assert cost.delta == pytest.approx(evaluation.delta, abs=1e-9)
            assert cost.exact
            session.undo()


def test_all_but_leaves_one_layer_of_the_plan_in_float(session: Session) -> None:
    session.set_defaults("int3", "uint3")
    found = session.sensitivity(mode="all-but", role="both", samples="all")
    whole = session.evaluate()
    assert found.start is not None
    assert found.start.kl == pytest.approx(whole.kl, rel=1e-5)
    session.set("fc1.weight", "float")
    session.set("fc1.input", "float")
    alone = session.evaluate()
    (cost,) = found.layers[0].costs
    assert cost.kl == pytest.approx(alone.kl, rel=1e-5)
    assert cost.delta == pytest.approx(alone.value - whole.value, abs=1e-9)
    assert session.sensitivities() == ()  # it was of another plan
    left = [layer.costs[0].kl or 0.0 for layer in found.ranking()]
    assert left == sorted(left)


def test_rankings_of_the_demo_and_what_is_said_of_them(
    demo_model: Path, demo_samples: Path
) -> None:
    session = qviz.open(demo_model, demo_samples)
    found = session.sensitivity(["int8", "int8:channel"], samples=64)
    assert found.ranking("int8")[0].name == "block1.dw"
    texts = [one.text for one in found.findings]
    assert any("channel 3 of block1.dw has 63 × the median range" in text for text in texts)
    kl = sorted((layer.costs[0].kl or 0.0 for layer in found.layers), reverse=True)
    times, share = kl[0] / kl[1], 100 * kl[0] / sum(kl)
    said = next(text for text in texts if text.startswith("block1.dw costs"))
    assert f"{times:.1f} × the next layer" in said
    assert f"{share:.0f} % of the sum" in said
    per_channel = session.sensitivity(["int8:channel"], samples=64)
    assert not any("channel" in one.text.split(":")[0] for one in per_channel.findings[1:])


def test_what_was_measured_is_read_again(
    session: Session, mlp: Path, mlp_samples: Path, cache: Path
) -> None:
    first = session.sensitivity(samples="all")
    files = sorted((cache / "sensitivity").iterdir())
    assert len(files) == 1 + 2 * 2
    times = [path.read_bytes() for path in files]
    again = qviz.open(mlp, mlp_samples).sensitivity(samples="all")
    assert [path.read_bytes() for path in files] == times
    for one, other in zip(first.layers, again.layers, strict=True):
        for cost, known in zip(one.costs, other.costs, strict=True):
            assert known.guess is None  # nothing was left to guess
            assert (cost.kl, cost.flips, cost.delta) == (known.kl, known.flips, known.delta)


def test_other_seeds_and_samples_have_names_of_their_own(
    mlp: Path, mlp_samples: Path, tmp_path: Path, cache: Path
) -> None:
    qviz.open(mlp, mlp_samples).sensitivity(["int4"])
    other = tmp_path / "other.npz"
    np.savez(other, x=np.ones((60, 6), np.float32), labels=np.zeros(60, np.int64))
    qviz.open(mlp, other).sensitivity(["int4"])
    qviz.open(mlp, mlp_samples, seed=1).sensitivity(["int4"])
    assert len(list((cache / "sensitivity").iterdir())) == 3 * 3


def test_a_cache_that_cannot_be_written_loses_nothing(session: Session, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert session.sensitivity(["int4"], cache=blocked).complete


def test_work_that_is_stopped_is_saved_and_goes_on(session: Session, tmp_path: Path) -> None:
    document, findings = session.current(), session.findings
    assert document.model is not None
    request = read_request(["int3"], "weights", "only", "all")
    token, folder = Token(), tmp_path / "found"
    steps = sweep_layers(document.model, document, findings, request, folder, token)
    next(steps)
    token.cancel()
    assert list(steps) == []
    assert len(list(folder.iterdir())) == 2  # the start, and the candidate that was tried
    rest = list(sweep_layers(document.model, document, findings, request, folder, Token()))
    found = rest[-1].payload
    assert isinstance(found, Sensitivity)
    assert found.complete
    assert rest[0].total < 2 * 60  # what was known is no work any more


def test_without_samples_there_is_nothing_to_measure(mlp: Path) -> None:
    with pytest.raises(QvizError, match="Open some"):
        qviz.open(mlp).sensitivity()


def test_a_live_session_measures_in_a_lane(mlp: Path, mlp_samples: Path) -> None:
    waiting: list[Callable[[], None]] = []
    arrived = threading.Condition()

    def post(action: Callable[[], None]) -> None:
        with arrived:
            waiting.append(action)
            arrived.notify()

    session = Session(post)
    topics: set[str] = set()
    session.subscribe(topics.update)

    def until(done: Callable[[], bool]) -> None:
        while not done():
            with arrived:
                assert arrived.wait_for(lambda: bool(waiting), timeout=60)
                action = waiting.pop(0)
            action()

    try:
        session.open(mlp, mlp_samples)
        with pytest.raises(QvizError):
            session.start_sensitivity()
        until(lambda: session.findings.calibration_done)
        with pytest.raises(QvizError, match="background"):
            session.sensitivity()
        request = session.start_sensitivity(["int4"])
        assert "sweep" in [job.lane for job in session.jobs()]
        until(lambda: any(found.complete for found in session.sensitivities()))
        assert "sensitivity" in topics
        assert session.sensitivities()[-1].request == request
        session.start_sensitivity(["int3"])
        session.cancel("sweep")
        assert "sweep" not in [job.lane for job in session.jobs()]
    finally:
        session.close()


def test_findings_give_the_numbers_of_all_layers_that_they_name(
    demo_model: Path, demo_samples: Path
) -> None:
    session = qviz.open(demo_model, demo_samples)
    found = session.sensitivity(["mxfp4", "int8"], samples=64)
    (channel,) = (one for one in found.findings if "channel 3 of block1.dw" in one.text)
    assert "in int8:" in channel.text
    assert "at int8 KL" in channel.evidence
    several = replace(found, layers=tuple(_costing(layer, 2.0) for layer in found.layers))
    several = replace(
        several,
        layers=(*(_costing(layer, 9.0) for layer in found.layers[:3]), *several.layers[3:]),
    )
    model = session.model
    assert model is not None
    texts = observe(several, model, session.findings)
    (said,) = (one for one in texts if "3 of 12 layers" in one.text and one.scheme == "mxfp4")
    for layer in found.layers[:3]:
        assert f"{layer.name} 9" in said.evidence


def _costing(layer: LayerCosts, kl: float) -> LayerCosts:
    return replace(layer, costs=tuple(replace(cost, kl=kl) for cost in layer.costs))


def test_schemes_that_are_none_are_refused(session: Session) -> None:
    with pytest.raises(QvizError, match="none to try"):
        session.sensitivity([])
