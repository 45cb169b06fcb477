"""Replay: the exported file and our own run side by side, layer by layer, optimisations off.

Every step runs twice: on our values, and on those that onnxruntime hands it. The second tells what
the operators and quantizers themselves do; what is left of the first is what rounding grew to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from qviz.engine.chunks import Chunk
from qviz.engine.execute import WorkCancelledError
from qviz.engine.program import Encodings, slots_by_operand
from qviz.export.following import least_step
from qviz.export.qdq import Written
from qviz.export.runtime import FileSession
from qviz.export.verdict import CLOSE, LayerDifference
from qviz.model.model import Model, Step, Value
from qviz.model.onnx_file import quiet_parser
from qviz.model.runtime import Runtime
from qviz.model.uses import count_uses, release
from qviz.quant.encoding import Encoding

_PASSED = {ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BOOL}
_PASSED |= {ir.DataType.INT64, ir.DataType.INT32, ir.DataType.INT8, ir.DataType.UINT8}
_ROUNDED = {torch.float16: 5e-3, torch.bfloat16: 4e-2}  # relative, of sums in 16-bit floats


@dataclass(eq=False, slots=True)
class _Sums:
    """What was found of one step."""

    apart: float = 0.0  # max|a - b|
    squares: float = 0.0  # of onnxruntime's output
    count: int = 0
    local: float = 0.0
    excess: float = 0.0  # `local` over what its type may round to
    codes: int = 0
    values: int = 0
    ulps: float = 0.0
    wrong: int = 0


@dataclass(eq=False)
class Replay:
    """One exported graph with every value as an output."""

    model: Model
    runtime: Runtime
    encodings: Encodings
    written: Written
    file: Path  # where it was saved
    cancelled: Callable[[], bool]
    tied: set[int] = field(default_factory=set)  # samples of which some value took another code
    seen: set[int] = field(default_factory=set)  # the samples that were run

    def __post_init__(self) -> None:
        """Build the copy that gives every value away."""
        self._slots = slots_by_operand(self.model)
        self._sums: dict[int, _Sums] = {}
        self._session = _session(_opened_up(self.model, self.written, self.file))

    def add(self, chunk: Chunk) -> None:
        """Run one chunk of samples both ways.

        Raises:
            QvizError: onnxruntime cannot run it.
            WorkCancelledError: `cancelled()` turned true between two steps.
        """
        with torch.inference_mode():
            theirs = self._session.run(chunk.feeds)
            self._walk(chunk, theirs)
        self.seen.update(map(int, chunk.rows))

    def _walk(self, chunk: Chunk, theirs: dict[str, Value]) -> None:
        ours: dict[str, Value] = dict(chunk.feeds)
        theirs = {**theirs, **chunk.feeds}
        uses = count_uses(self.model.steps)
        for step in self.model.steps:
            if self.cancelled():
                raise WorkCancelledError
            sums = self._sums.setdefault(step.index, _Sums())
            outputs = self._run(step, ours)
            self._compare_codes(step, ours, theirs, chunk, sums)
            self._compare_outputs(step, outputs, theirs, sums)
            ours.update({n: v for n, v in zip(step.outputs, outputs, strict=True) if n})
            release(step, uses, ours)

    def _run(self, step: Step, values: Mapping[str, Value]) -> tuple[Value, ...]:
        operands = []
        for position, name in enumerate((*step.inputs, *step.captures)):
            value = self._read(name, values)
            encoding = self._encoding(step, position)
            if encoding is not None and isinstance(value, Tensor):
                value = encoding.apply(value)
            operands.append(value)
        return self.runtime.run_step(step, operands)

    def _encoding(self, step: Step, position: int) -> Encoding | None:
        slot = self._slots.get((step.index, position))
        return None if slot is None else self.encodings.get(slot.name)

    def _read(self, name: str, values: Mapping[str, Value]) -> Value:
        if not name:
            return None
        return values[name] if name in values else self.model.constants[name]

    def _compare_codes(
        self,
        step: Step,
        ours: Mapping[str, Value],
        theirs: Mapping[str, Value],
        chunk: Chunk,
        sums: _Sums,
    ) -> None:
        for position, name in enumerate(step.inputs):
            slot, encoding = self._slots.get((step.index, position)), self._encoding(step, position)
            if slot is None or encoding is None or slot.role != "input":
                continue
            a, b = self._read(name, ours), theirs.get(name)
            given = theirs.get(self.written.quantized[slot.name])
            if not isinstance(a, Tensor) or not isinstance(b, Tensor) or a.shape != b.shape:
                continue
            wanted = encoding.apply(b)
            if isinstance(given, Tensor):
                sums.wrong += int((wanted != given).sum())
            differ = encoding.apply(a) != wanted
            sums.values += differ.numel()
            if bool(differ.any()):
                sums.codes += int(differ.sum())
                sums.ulps = max(sums.ulps, _ulps(a[differ], b[differ]))
                self.tied.update(_samples(differ, chunk))

    def _compare_outputs(
        self, step: Step, outputs: Sequence[Value], theirs: Mapping[str, Value], sums: _Sums
    ) -> None:
        local = self._local(step, theirs)
        for at, name in enumerate(step.outputs):
            a, b = outputs[at], theirs.get(name)
            if not isinstance(a, Tensor) or not isinstance(b, Tensor) or not b.is_floating_point():
                continue
            if local is not None:
                found = _relative(local[at], b)
                sums.local = max(sums.local, found)
                sums.excess = max(sums.excess, found / _ROUNDED.get(b.dtype, CLOSE))
            if at == 0 and a.shape == b.shape:
                sums.apart = max(sums.apart, _apart(a, b))
                sums.squares += float(b.double().square().sum())
                sums.count += b.numel()

    def _local(self, step: Step, theirs: Mapping[str, Value]) -> tuple[Value, ...] | None:
        """The step on onnxruntime's values; None where it does not give all of them away."""
        names = [name for name in (*step.inputs, *step.captures) if name]
        if any(name not in theirs and name not in self.model.constants for name in names):
            return None
        return self._run(step, theirs)

    def layers(self) -> tuple[LayerDifference, ...]:
        """What was found of every layer, in the model's order."""
        found = []
        for layer in self.model.layers:
            sums = None if layer.step is None else self._sums.get(layer.step)
            if sums is None or not sums.count:
                continue
            width = least_step(self.model, layer, self.encodings)
            rms = (sums.squares / sums.count) ** 0.5
            found.append(
                LayerDifference(
                    index=layer.index,
                    name=layer.name,
                    op=layer.op,
                    lsb=None if width is None else sums.apart / width,
                    relative=sums.apart / rms if rms else sums.apart,
                    local=sums.local,
                    codes=sums.codes,
                    values=sums.values,
                    ulps=sums.ulps,
                    wrong=sums.wrong,
                )
            )
        return tuple(found)

    @property
    def quantizes_inputs(self) -> bool:
        """Whether some value is rounded to codes on its way."""
        return any(self.model.slots[name].role == "input" for name in self.encodings)

    def disagreeing(self) -> tuple[tuple[Step, float], ...]:
        """Steps that, on the same values, give others than onnxruntime, and how far apart."""
        return tuple(
            (self.model.steps[index], sums.local)
            for index, sums in self._sums.items()
            if sums.excess > 1.0
        )

    def departures(self) -> tuple[tuple[Step, int, float], ...]:
        """Steps some of whose inputs took another code, how many, and how many ulps apart."""
        found = ((self.model.steps[at], sums) for at, sums in self._sums.items())
        return tuple((step, sums.codes, sums.ulps) for step, sums in found if sums.codes)

    def wrong(self) -> tuple[tuple[Step, int], ...]:
        """Steps with inputs that the file quantizes in another way, and how many."""
        found = ((self.model.steps[at], sums.wrong) for at, sums in self._sums.items())
        return tuple((step, wrong) for step, wrong in found if wrong)


def _opened_up(model: Model, written: Written, file: Path) -> ir.Model:
    """A copy of the file whose outputs are all values of the model, and all quantized inputs."""
    with quiet_parser():
        graph = ir.load(file)
    wanted = {name for step in model.steps for name in step.outputs if name}
    wanted |= {
        name for slot, name in written.quantized.items() if model.slots[slot].role != "weight"
    }
    types = {
        value.name: value.type
        for node in model.graph.graph
        for value in node.outputs
        if isinstance(value.type, ir.TensorType)
    }
    sources = {name: model.slots[slot].value for slot, name in written.quantized.items()}
    given = {value.name: value.type for value in model.graph.graph.inputs}
    for node in graph.graph:
        for value in node.outputs:
            if value.name not in wanted or value.is_graph_output():
                continue
            source = sources.get(value.name or "", value.name)
            kind = types.get(source, given.get(source))
            if isinstance(kind, ir.TensorType) and kind.dtype in _PASSED:
                value.type = kind
                graph.graph.outputs.append(value)
    return graph


def _session(graph: ir.Model) -> FileSession:
    with TemporaryDirectory(prefix="qviz-") as folder:
        path = Path(folder) / "layers.onnx"
        ir.save(graph, path, external_data="layers.data")
        return FileSession(path, optimised=False)


def _ulps(a: Tensor, b: Tensor) -> float:
    """The largest distance of two numbers in float32 units in the last place."""
    wide_a, wide_b = a.float().numpy(), b.float().numpy()
    unit = np.spacing(np.maximum(np.abs(wide_a), np.abs(wide_b)))
    return float((np.abs(wide_a.astype(np.float64) - wide_b) / unit).max())


def _samples(differ: Tensor, chunk: Chunk) -> list[int]:
    """The samples that hold a difference, by the first axis as long as the batch; or all."""
    count = len(chunk.rows) + chunk.padded
    for axis in range(min(2, differ.ndim)):
        if differ.shape[axis] == count:
            hit = differ.movedim(axis, 0).reshape(count, -1).any(1)[: len(chunk.rows)]
            return [int(row) for row in chunk.rows[hit.numpy()]]
    return [int(row) for row in chunk.rows]


def _apart(a: Tensor, b: Tensor) -> float:
    same = (a == b) | (a.isnan() & b.isnan())
    apart = torch.where(same, 0.0, (a.double() - b.double()).abs())
    return float(apart.nan_to_num(nan=float("inf")).max()) if apart.numel() else 0.0


def _relative(a: Value, b: Tensor) -> float:
    if not isinstance(a, Tensor) or a.shape != b.shape:
        return float("inf")
    largest = b.double().abs()
    scale = float(largest[largest.isfinite()].max()) if bool(largest.isfinite().any()) else 0.0
    apart = _apart(a, b)
    return apart / scale if scale else apart
