"""The first layer that inherits more error than it adds, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

import qviz
from qviz.app.departure import DEPARTS_DB, first_departure
from qviz.app.session import Session
from qviz.engine.layer_errors import LayerError, OutputError
from qviz.model.model import Model


def errors(*decibels: tuple[float, float] | None) -> tuple[LayerError, ...]:
    """Local and accumulated SQNR of each layer; None where outputs cannot be compared."""
    return tuple(
        LayerError(None, None) if pair is None else LayerError(*(_error(db) for db in pair))
        for pair in decibels
    )


def _error(sqnr_db: float) -> OutputError:
    return OutputError(sqnr_db, 1.0, 0.0)


@pytest.fixture
def branched(write_model: Callable[..., Path]) -> Model:
    """Layers a → c → d, and b beside them: d = (x·a)·c·d, y2 = x·b."""
    weights = {name: np.ones((4, 4), dtype=np.float32) for name in "abcd"}
    edges: Sequence[tuple[str, str, str]] = (
        ("x", "a", "h"),
        ("x", "b", "y2"),
        ("h", "c", "g"),
        ("g", "d", "y"),
    )
    nodes = [onnx.helper.make_node("MatMul", [i, w], [o], name=w) for i, w, o in edges]
    path = write_model(
        "branched.onnx", nodes, weights, {"x": ["N", 4]}, {"y": ["N", 4], "y2": ["N", 4]}
    )
    model = qviz.open(path).model
    assert model is not None
    return model


@pytest.mark.parametrize(
    ("decibels", "layer"),
    [
        (((30, 30), (30, 30), (30, 27), (30, 20)), "d"),  # 3 dB down is not yet the double
        (((30, 30), (30, 30), (30, 26.9), (30, 20)), "c"),
        (((30, 30), None, None, (30, 20)), "d"),
        (((30, 30), (30, 30), (inf, 30), (30, 29)), "c"),  # left in float, fed by errors
        (((inf, inf), (inf, inf), (inf, inf), (inf, inf)), ""),
        (((30, 30), (30, 31), (30, 40), (-3, -3)), ""),
    ],
)
def test_it_is_the_first_whose_inherited_error_exceeds_its_own(
    branched: Model, decibels: tuple[tuple[float, float] | None, ...], layer: str
) -> None:
    found = first_departure(branched, errors(*decibels))
    assert (found.layer if found else "") == layer


def test_half_the_error_is_inherited_at_the_threshold(branched: Model) -> None:
    found = first_departure(
        branched, errors((30, 30), (30, 30), (30, 30 - DEPARTS_DB - 1e-6), (30, 20))
    )
    assert found is not None
    assert found.inherited == pytest.approx(0.5, abs=1e-6)


def test_the_words_name_the_worst_layer_that_feeds_it(branched: Model) -> None:
    found = first_departure(branched, errors((21.04, 21.04), (-5, -5), (30, 28), (40, 20)))
    assert found is not None
    assert found.text == (
        "d inherits about 99 % of its output's error: local SQNR 40.0 dB, accumulated 20.0 dB. "
        "Of the layers that feed it, look first at a (local 21.0 dB)"
    )
    left = first_departure(branched, errors((-1, -1), (9, 9), (inf, -1), (40, 20)))
    assert left is not None
    assert left.text.startswith(
        "c inherits all of its output's error: local SQNR exact, accumulated −1.0 dB."
    )


def test_why_there_is_none_is_said(mlp: Path, mlp_samples: Path) -> None:
    session = Session()
    assert session.document().no_departure == "Open a model first"
    assert session.departure() is None
    session.open(mlp)
    assert session.document().no_departure.startswith("Open samples first")
    session.open(mlp, mlp_samples)
    assert session.document().no_departure == "The errors of the layers are not measured yet"
    session.evaluate()
    found = session.departure()
    assert (found is None) == bool(session.document().no_departure)
    session.set_defaults("float", "float")
    session.evaluate()
    assert session.departure() is None
    assert session.document().no_departure == "No layer inherits more error than it adds"


def test_weights_alone_need_a_graph_not_samples(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a.w": np.zeros((4, 4), np.float32)}, path)
    session = Session()
    session.open(path)
    assert session.document().no_departure.startswith("Weights only")


def test_it_follows_the_plan(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.set_defaults("float", "float")
    session.set("fc1.weight", "int2")
    session.evaluate()
    found = session.departure()
    assert found is not None
    row = session.rows()[1]
    assert (found.layer, found.local_db, found.accumulated_db) == ("fc2", inf, row.accumulated_db)
    assert session.document().no_departure == ""
