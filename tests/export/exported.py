"""A model exported with given schemes, run by onnxruntime, beside our own simulation of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.engine.chunks import Chunk
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.export.qdq import Written, write_qdq
from qviz.model.model import Model, Step, Value
from qviz.model.node_session import open_session
from qviz.model.runtime import Runtime
from qviz.model.tensors import to_numpy
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Feeds = Mapping[str, Tensor]
_ORT: Any = onnxruntime


def encodings_of(
    model: Model, feeds: Feeds, weight: str = "float", inputs: str = "float"
) -> dict[str, Encoding]:
    """Encodings of all weights and all inputs, ranges from these feeds."""
    seen: dict[str, Tensor] = {}

    def observe(step: Step, given: Sequence[Value], _outputs: Sequence[Value]) -> None:
        pairs = zip(step.inputs, given, strict=True)
        seen.update({name: value for name, value in pairs if isinstance(value, Tensor)})

    with torch.inference_mode():
        Runtime(model).run(feeds, observe=observe)
    found = {}
    for slot in model.slots.values():
        scheme = parse_scheme(weight if slot.role == "weight" else inputs)
        if not scheme.is_float:
            of_weight = slot.role == "weight"  # those of inputs are not kept
            values = model.constants[slot.value] if of_weight else seen[slot.value]
            stats = measure(values, slot.axis, keep=of_weight)
            found[slot.name] = find_encoding(stats, scheme)
    return found


@dataclass(frozen=True, eq=False)
class Exported:
    """A model, encodings, and the graph that was written of them."""

    model: Model
    encodings: Mapping[str, Encoding]
    written: Written

    @cached_property
    def proto(self) -> onnx.ModelProto:
        proto: onnx.ModelProto = ir.to_proto(self.written.graph)
        return proto

    @property
    def ops(self) -> list[str]:
        return [node.op_type for node in self.proto.graph.node]

    def initializers(self, dtype: int) -> list[onnx.TensorProto]:
        return [held for held in self.proto.graph.initializer if held.data_type == dtype]

    def simulated(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """What qviz makes of it, layer by layer in floating point."""
        executor = Executor(self.model, Memo(0), integers=False)
        rows = np.arange(len(next(iter(feeds.values()))), dtype=np.int64)
        with torch.inference_mode():
            program = executor.program(self.encodings)
            found = executor.run(Chunk("", rows, feeds, 0), self.encodings, program)
        return {name: to_numpy(v) for name, v in found.items() if isinstance(v, Tensor)}

    def run(self, feeds: Feeds, *, optimised: bool = False) -> dict[str, NDArray[Any]]:
        """What onnxruntime makes of it."""
        content = self.proto.SerializeToString()
        session = open_session(content)
        if optimised:
            options = _ORT.SessionOptions()
            options.log_severity_level = 4
            session = _ORT.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        given = {name: to_numpy(value) for name, value in feeds.items()}
        return dict(zip(names, session.run(names, given), strict=True))

    def differences(self, feeds: Feeds, *, optimised: bool = False) -> NDArray[np.float64]:
        """Of every sample, max|a - b| of its outputs, relative to the largest of all outputs."""
        ours, theirs = self.simulated(feeds), self.run(feeds, optimised=optimised)
        assert list(ours) == list(theirs)
        found = [
            np.abs(ours[name].astype(np.float64) - theirs[name].astype(np.float64))
            .reshape(len(ours[name]), -1)
            .max(1)
            / np.abs(ours[name].astype(np.float64)).max()
            for name in ours
        ]
        return np.asarray(np.stack(found).max(0), np.float64)

    def weight(self, slot: str) -> NDArray[Any]:
        """What onnxruntime makes of the codes of one weight."""
        wanted, proto = self.written.quantized[slot], onnx.ModelProto()
        proto.CopyFrom(self.proto)
        graph = proto.graph
        made = {name: node for node in graph.node for name in node.output}
        needed, pending = [], [wanted]
        while pending:
            node = made.get(pending.pop())
            if node is not None and node not in needed:
                needed.append(node)
                pending.extend(node.input)
        kept = [node for node in self.proto.graph.node if node in needed]
        for field in (graph.node, graph.input, graph.output, graph.value_info):
            del field[:]
        graph.node.extend(kept)
        slot_value = self.model.constants[self.model.slots[slot].value]
        kind = int(ir.tensor_adapters.from_torch_dtype(slot_value.dtype))
        graph.output.append(onnx.helper.make_tensor_value_info(wanted, kind, None))
        (found,) = open_session(proto.SerializeToString()).run(None, {})
        array: NDArray[Any] = found
        return array


def exported(
    model: Model,
    feeds: Feeds,
    weight: str = "float",
    inputs: str = "float",
    opset: int | None = None,
) -> Exported:
    """Export a model with one scheme for all weights and one for all inputs, and check the file."""
    encodings = encodings_of(model, feeds, weight, inputs)
    return checked(Exported(model, encodings, write_qdq(model, encodings, opset)))


def checked(case: Exported) -> Exported:
    """The same, after onnx.checker found nothing wrong with it."""
    onnx.checker.check_model(case.proto, full_check=True)
    return case


def file_size(case: Exported, path: Path) -> int:
    """Bytes of the file."""
    path.write_bytes(case.proto.SerializeToString())
    return path.stat().st_size
