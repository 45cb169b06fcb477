"""The corpus of malformed models and data files: made on the spot, the same every time."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.archives import archive_cases
from tests.fuzz.case import Case
from tests.fuzz.mutations import damaged
from tests.fuzz.onnx_bombs import bomb_cases
from tests.fuzz.onnx_graphs import graph_cases
from tests.fuzz.onnx_models import MODELS
from tests.fuzz.onnx_tensors import tensor_cases
from tests.fuzz.plans import plan_cases
from tests.fuzz.samples import sample_cases
from tests.fuzz.weights import weight_cases


def corpus() -> Iterator[Case]:
    """Every case, each with a name of its own within its kind."""
    yield from damaged_models("0", 12)
    yield from graph_cases()
    yield from tensor_cases()
    yield from bomb_cases()
    yield from archive_cases()
    yield from weight_cases()
    yield from sample_cases()
    yield from plan_cases()


def damaged_models(seed: str, count: int) -> Iterator[Case]:
    """ONNX models whole, and with bits flipped and pieces cut: `count` of each."""
    for model, make in MODELS.items():
        content = make().SerializeToString()
        yield Case("onnx bytes", model, {"net.onnx": content}, outcome="opens")
        for name, broken in damaged(content, f"{seed} {model}", count):
            yield Case("onnx bytes", f"{model} {name}", {"net.onnx": broken}, outcome="either")
