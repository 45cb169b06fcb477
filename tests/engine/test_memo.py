"""The memo saves work and never changes a result."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from qviz.app.session import Session
from qviz.engine.chunks import Chunk
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme


def _scored(model: Path, samples: Path, budget: int) -> list[float]:
    session = Session(memory_budget=budget, limit=300)
    session.open(model, samples)
    values = []
    for spelling in ("int8:tensor", "int4:channel", "int8:tensor"):
        session.set_defaults(spelling)
        values.append(session.evaluate().value)
    return values


def test_a_budget_of_zero_gives_the_same_numbers(demo_model: Path, demo_samples: Path) -> None:
    full = _scored(demo_model, demo_samples, 1 << 30)
    assert _scored(demo_model, demo_samples, 0) == full
    assert _scored(demo_model, demo_samples, 3 << 20) == full


def test_only_the_suffix_of_an_edit_runs(demo_model: Path, demo_samples: Path) -> None:
    session = Session(limit=128)
    session.open(demo_model, demo_samples)
    session.evaluate()
    before = session.operators_run
    session.set("fc.weight", "int4:channel")
    session.evaluate()
    assert session.operators_run - before == 2  # fc alone, once for each of two chunks


def test_an_undone_plan_is_recalled_without_running_anything(mlp: Path, mlp_samples: Path) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    first = session.evaluate()
    session.set("fc1.weight", "int2")
    session.evaluate()
    before = session.operators_run
    session.undo()
    assert session.evaluate() is first
    assert session.operators_run == before


def test_eviction_keeps_the_newest_plan_and_the_dearest_value_per_byte() -> None:
    memo = Memo(budget=4000)
    memo.put("old", torch.zeros(250), seconds=9.0)
    memo.next_generation()
    memo.put("cheap", torch.zeros(250), seconds=0.1)
    memo.put("dear", torch.zeros(250), seconds=5.0)
    memo.put("dearest", torch.zeros(250), seconds=6.0)
    memo.put("more", torch.zeros(50), seconds=7.0)
    assert "old" not in memo
    assert all(key in memo for key in ("cheap", "dear", "dearest", "more"))
    memo.put("again", torch.zeros(250), seconds=8.0)
    assert "cheap" not in memo
    assert "again" in memo
    assert memo.used <= memo.budget


def test_a_value_larger_than_the_budget_is_not_stored() -> None:
    memo = Memo(budget=100)
    memo.put("big", torch.zeros(1000), seconds=1.0)
    assert "big" not in memo
    assert memo.used == 0
    assert memo.get("big") is None
    assert np.array([memo.hits, memo.misses]).tolist() == [0, 1]


# Any plans, one after the other, on any budget

Floats = NDArray[np.float32]
WEIGHTS = ("", "int8:channel", "int4", "uint4", "fp8-e4m3", "int4:group=32", "binary", "int8:asym")
INPUTS = ("", "int8", "uint8", "uint4", "int8:sym", "fp8-e5m2", "int6:round=zero")
BUDGETS = (0, 3_000, 1 << 24)


def _weight(*shape: int) -> Floats:
    values = np.random.default_rng(sum(shape)).normal(size=shape) / shape[-1]
    return values.astype(np.float32)


def _saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, Floats],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str]],
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def _residual(path: Path) -> Path:
    """Convolutions with a sum around two of them, and a classifier."""
    pads: dict[str, Any] = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b"], ["c"], name="one", **pads),
        helper.make_node("Relu", ["c"], ["r"], name="r"),
        helper.make_node("Conv", ["r", "w2"], ["d"], name="two", group=8, **pads),
        helper.make_node("Relu", ["d"], ["e"], name="e"),
        helper.make_node("Conv", ["e", "w3", "b"], ["f"], name="three"),
        helper.make_node("Add", ["r", "f"], ["s"], name="s"),
        helper.make_node("Relu", ["s"], ["t"], name="t"),
        helper.make_node("GlobalAveragePool", ["t"], ["g"], name="g"),
        helper.make_node("Flatten", ["g"], ["h"], name="h"),
        helper.make_node("Gemm", ["h", "w4"], ["y"], name="head"),
    ]
    weights = {"w1": _weight(8, 3, 3, 3), "w2": _weight(8, 1, 3, 3), "w3": _weight(8, 8, 1, 1)}
    weights |= {"w4": _weight(8, 5), "b": _weight(8)}
    return _saved(path, nodes, weights, {"x": ["N", 3, 6, 6]}, {"y": ["N", 5]})


def _attention(path: Path) -> Path:
    """One head of attention with a sum around it."""
    nodes = [
        helper.make_node("MatMul", ["x", "wq"], ["q"], name="query"),
        helper.make_node("MatMul", ["x", "wk"], ["k"], name="key"),
        helper.make_node("MatMul", ["x", "wv"], ["v"], name="value"),
        helper.make_node("Transpose", ["k"], ["kt"], name="kt", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["a"], name="scores"),
        helper.make_node("Softmax", ["a"], ["p"], name="p", axis=-1),
        helper.make_node("MatMul", ["p", "v"], ["m"], name="mix"),
        helper.make_node("MatMul", ["m", "wo"], ["o"], name="out"),
        helper.make_node("Add", ["o", "x"], ["y"], name="y"),
    ]
    weights = {"wq": _weight(6, 6), "wk": _weight(6, 6) * 2, "wv": _weight(6, 6) * 3}
    weights |= {"wo": _weight(6, 6) * 4}
    return _saved(path, nodes, weights, {"x": ["N", 5, 6]}, {"y": ["N", 5, 6]})


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Model, Tensor]]:
    """A residual network and an attention, with their samples."""
    folder, rng = tmp_path_factory.mktemp("memo"), torch.Generator().manual_seed(3)
    return {
        "residual": (
            read_onnx(_residual(folder / "residual.onnx")),
            torch.randn(3, 3, 6, 6, generator=rng),
        ),
        "attention": (
            read_onnx(_attention(folder / "attention.onnx")),
            torch.randn(3, 5, 6, generator=rng),
        ),
    }


def _encoded(model: Model, x: Tensor, plan: Mapping[str, str]) -> dict[str, Encoding]:
    """The encodings of a plan, with the ranges of the float model."""
    values = Runtime(model).run({"x": x}, keep={slot.value for slot in model.slots.values()})
    found = {}
    for name, spelling in plan.items():
        slot = model.slots[name]
        value, weight = values[slot.value], slot.role == "weight"
        assert isinstance(value, Tensor)
        stats = measure(value, slot.axis if weight else None, keep=weight)
        found[name] = find_encoding(stats, parse_scheme(spelling))
    return found


class _Watched(Memo):
    """A memo that notes what every value was when it came."""

    def __init__(self, budget: int) -> None:
        super().__init__(budget)
        self.copies: list[tuple[Tensor, Tensor]] = []

    def put(self, key: Hashable, value: Tensor, seconds: float) -> None:
        self.copies.append((value, value.clone()))
        super().put(key, value, seconds)


@settings(max_examples=40)
@given(st.data())
def test_no_sequence_of_plans_and_no_budget_changes_a_number(
    small: dict[str, tuple[Model, Tensor]], data: st.DataObject
) -> None:
    model, x = small[data.draw(st.sampled_from(sorted(small)))]
    executors = [Executor(model, _Watched(budget)) for budget in BUDGETS]
    plan: dict[str, str] = dict.fromkeys(model.slots, "int8")
    for _ in range(data.draw(st.integers(2, 4))):
        for name in data.draw(st.lists(st.sampled_from(sorted(model.slots)), max_size=5)):
            weight = model.slots[name].role == "weight"
            plan[name] = data.draw(st.sampled_from(WEIGHTS if weight else INPUTS))
        encodings = _encoded(model, x, {name: text for name, text in plan.items() if text})
        fresh = Executor(model, Memo(0))
        outputs = []
        for executor in (fresh, *executors):
            executor.memo.next_generation()
            chunk = Chunk("one", np.arange(3), {"x": x}, 0)
            with torch.inference_mode():
                found = executor.run(chunk, encodings, executor.program(encodings))["y"]
            assert isinstance(found, Tensor)
            outputs.append(found)
        assert all(torch.equal(found, outputs[0]) for found in outputs)
    for executor in executors:
        memo = executor.memo
        assert isinstance(memo, _Watched)
        assert all(torch.equal(value, copy) for value, copy in memo.copies)
        assert memo.used <= memo.budget


def test_a_value_that_one_plan_holds_as_codes_and_another_as_numbers(
    small: dict[str, tuple[Model, Tensor]],
) -> None:
    model, x = small["residual"]
    everywhere = _encoded(model, x, dict.fromkeys(model.slots, "int8"))
    in_float = {name: e for name, e in everywhere.items() if not name.startswith("two")}
    memo, chunk = Memo(), Chunk("one", np.arange(3), {"x": x}, 0)
    executor = Executor(model, memo)
    held = [
        {ref for ref in executor.program(encodings).kept if ref[0] == "r"}
        for encodings in (everywhere, in_float)
    ]
    assert {form == b"" for _, form in held[0] | held[1]} == {True, False}
    found = []
    for encodings in (everywhere, in_float, everywhere, in_float):
        with torch.inference_mode():
            found.append(executor.run(chunk, encodings, executor.program(encodings))["y"])
            fresh = Executor(model, Memo(0))
            alone = fresh.run(chunk, encodings, fresh.program(encodings))["y"]
        assert torch.equal(torch.as_tensor(found[-1]), torch.as_tensor(alone))
    assert not torch.equal(torch.as_tensor(found[0]), torch.as_tensor(found[1]))
