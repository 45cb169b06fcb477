"""Every operator works on a device: all that it reads and makes is there, and nowhere else.

No GPU is needed. On torch's device "meta" tensors have shapes but no numbers, and an operator that
mixes them with the CPU's raises. Where an operator must know the numbers of an input, such as the
axes of a sum, it is told those of the case, as a GPU would copy them over.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests
from torch import Tensor

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.operators import find_operator
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.model.tensors import from_numpy

META = torch.device("meta")
READING = ("tolist", "item", "__bool__", "__int__", "__float__", "__index__")
MOVING = ("reshape", "flatten", "long", "to")  # whose results may be read, too
NEEDS_NUMBERS = {"Compress", "NonZero", "Pow"}  # of which only numbers tell the shape or the way


class Numbers:
    """What the numbers of tensors on the device would be."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Tensor, Tensor]] = {}  # with the tensor, so that its id stays

    def put(self, tensor: Tensor) -> Tensor:
        """The tensor on the device."""
        return self.keep(torch.empty_like(tensor, device=META), tensor)

    def keep(self, there: Tensor, numbers: Tensor) -> Tensor:
        self._known[id(there)] = there, numbers
        return there

    def of(self, there: Tensor) -> Tensor:
        return self._known[id(there)][1] if id(there) in self._known else there


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Numbers:
    known = Numbers()

    def reading(plain: Callable[..., Any]) -> Callable[..., Any]:
        return lambda tensor, *given: plain(known.of(tensor), *given)

    def moving(plain: Callable[..., Any]) -> Callable[..., Any]:
        def result(tensor: Tensor, *given: Any, **named: Any) -> Any:
            found, of = plain(tensor, *given, **named), known.of(tensor)
            if of is not tensor and found.device == META:
                known.keep(found, plain(of, *given, **named))
            return found

        return result

    for names, made in ((READING, reading), (MOVING, moving)):
        for name in names:
            monkeypatch.setattr(Tensor, name, made(getattr(Tensor, name)))
    return known


@dataclass(frozen=True, eq=False)
class Case:
    """One of the ONNX project's cases of a single operator, which torch runs."""

    name: str
    model: Model
    operands: tuple[Tensor | None, ...]


def cases(path: Path) -> Iterator[Case]:
    """Those of tensors that run on the CPU without onnxruntime."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making the cases overflows on purpose
        every = load_model_tests(kind="node")
    for case in every:
        written: Any = case.model
        data: Any = case.data_sets
        path.write_bytes(written.SerializeToString())
        try:
            model = read_onnx(path)
        except QvizError:
            continue
        arrays = [numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for v in data[0][0]]
        if len(model.steps) != 1 or not all(isinstance(v, np.ndarray) for v in arrays):
            continue
        (step,) = model.steps
        given = {
            i.name: from_numpy(np.array(a)) for i, a in zip(model.inputs, arrays, strict=False)
        }
        given.update(model.constants)
        names = (*step.inputs, *step.captures)
        operands = tuple(given.get(name) for name in names)
        runtime = Runtime(model)
        try:
            runtime.run_step(step, operands)
        except QvizError:
            continue
        tensors = all(v is None or isinstance(v, Tensor) for v in operands)
        known = find_operator(step.domain, step.op, step.version) is not None
        if tensors and known and not runtime._runner.fallen_back:
            yield Case(
                case.name, model, tuple(v for v in operands if not isinstance(v, np.ndarray))
            )


def test_operators_keep_all_values_on_their_device(tmp_path: Path, numbers: Numbers) -> None:
    worked, failed = 0, list[str]()
    for case in cases(tmp_path / "case.onnx"):
        (step,) = case.model.steps
        given = [None if value is None else numbers.put(value) for value in case.operands]
        try:
            found = Runtime(case.model, META).run_step(step, given)
        except QvizError as error:
            if step.op not in NEEDS_NUMBERS:
                failed.append(f"{case.name}: {error.__cause__}")
            continue
        worked += 1
        if any(isinstance(value, Tensor) and value.device != META for value in found):
            failed.append(f"{case.name}: an output is elsewhere")
    assert not failed
    assert worked > 700
