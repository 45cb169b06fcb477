"""One node in its own onnxruntime session, for operators without a torch meaning."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from onnx import helper

from qviz.model.model import Step, Value
from qviz.model.onnx_file import quiet_parser
from qviz.model.steps import inner_nodes
from qviz.model.tensors import from_numpy, onnx_dtype, to_numpy, torch_dtype, widened

# onnxruntime's Python interface cannot pass these as numpy arrays: they cross its border in a type
# that holds every one of their values, with a Cast inside the session.
_CARRIERS = {
    ir.DataType.BFLOAT16: ir.DataType.FLOAT,
    ir.DataType.FLOAT8E4M3FN: ir.DataType.FLOAT,
    ir.DataType.FLOAT8E4M3FNUZ: ir.DataType.FLOAT,
    ir.DataType.FLOAT8E5M2: ir.DataType.FLOAT,
    ir.DataType.FLOAT8E5M2FNUZ: ir.DataType.FLOAT,
    ir.DataType.FLOAT8E8M0: ir.DataType.FLOAT,
    ir.DataType.FLOAT4E2M1: ir.DataType.FLOAT,
    ir.DataType.INT4: ir.DataType.INT8,
    ir.DataType.INT2: ir.DataType.INT8,
    ir.DataType.UINT4: ir.DataType.UINT8,
    ir.DataType.UINT2: ir.DataType.UINT8,
}
_ORT: Any = onnxruntime  # its types are not declared
_LOOP_S = 10.0  # how long a Loop may go on; onnxruntime looks between its operators
_IR_VERSION = 10  # the newest that every onnxruntime from 1.20 on reads


def open_session(model: str | bytes) -> Any:
    """An onnxruntime session for a file or its bytes: one thread, graph as written, silent."""
    options = _ORT.SessionOptions()
    options.graph_optimization_level = _ORT.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return _ORT.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def signature(values: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """What a session is built for: the name and type of each value."""
    return tuple((name, _kind(value)) for name, value in values.items())


class NodeSession:
    """A step as a model of its own; `fixed` constants are built in, the other values are fed."""

    def __init__(
        self,
        step: Step,
        values: Mapping[str, Value],
        fixed: Mapping[str, torch.Tensor],
        model: ir.Model,
    ) -> None:
        """Build the session for values of these types; raises what onnxruntime raises."""
        self._fed = tuple(name for name in values if name not in fixed)
        builder = _Builder(step, values, fixed, model)
        self._session = builder.session({})
        awkward = {
            output.name: dtype
            for output in self._session.get_outputs()
            if (dtype := _tensor_type(output.type)) in _CARRIERS
        }
        if awkward:
            self._session = builder.session(awkward)
        self._targets = [awkward.get(name) for name in step.outputs if name]
        self._present = [bool(name) for name in step.outputs]
        nodes = (step.node, *inner_nodes(step.node))
        self._may_go_on = any(node.op_type == "Loop" for node in nodes)

    def run(self, values: Mapping[str, Value]) -> tuple[Value, ...]:
        """The step's outputs, None where an output is not asked for."""
        feeds = dict(_feed(name, values[name]) for name in self._fed)
        results = zip(self._results(feeds), self._targets, strict=True)
        found = iter([_from_result(result, target) for result, target in results])
        return tuple(next(found) if present else None for present in self._present)

    def _results(self, feeds: Mapping[str, Any]) -> list[Any]:
        """What onnxruntime returns; a Loop that does not end is ended, which raises its error."""
        options = _ORT.RunOptions()
        watch = threading.Timer(_LOOP_S, setattr, (options, "terminate", True))
        if self._may_go_on:
            watch.start()
        try:
            results: list[Any] = self._session.run(None, feeds, options)
        finally:
            watch.cancel()
        return results


class _Builder:
    """Makes the one-node ModelProto."""

    def __init__(
        self,
        step: Step,
        values: Mapping[str, Value],
        fixed: Mapping[str, torch.Tensor],
        model: ir.Model,
    ) -> None:
        self._step = step
        self._values = values
        self._fixed = fixed
        self._functions = [ir.to_proto(f) for f in model.functions.values()]
        declared = [value for value in step.node.inputs if value is not None]
        self._declared = {value.name: value.type for value in declared}
        self._opsets = self._needed_opsets(model)

    def session(self, awkward: Mapping[str, ir.DataType]) -> Any:
        """The session; outputs named in `awkward` leave it in their carrier type."""
        try:
            return self._open(awkward, self._step.version)
        except Exception:
            # An opset newer than this onnxruntime knows: the same operator under the version
            # that introduced its present meaning.
            since = _since_version(self._step)
            if since is None or since >= self._step.version:
                raise
            return self._open(awkward, since)

    def _open(self, awkward: Mapping[str, ir.DataType], version: int) -> Any:
        return open_session(self._model(awkward, version).SerializeToString())

    def _model(self, awkward: Mapping[str, ir.DataType], version: int) -> Any:
        with quiet_parser():
            node: Any = ir.to_proto(self._step.node)
        node.name = ""
        node.ClearField("metadata_props")
        used = [name if name in self._values else "" for name in self._step.inputs]
        nodes, inputs, initializers = [], [], []
        for name, value in self._values.items():
            if name in self._fixed:
                initializers.append(ir.to_proto(ir.tensor_adapters.TorchTensor(self._fixed[name])))
                initializers[-1].name = name
                continue
            crossing = _carrier(value)
            if crossing is not None and isinstance(value, torch.Tensor | np.ndarray):
                to = onnx_dtype(value).value
                inputs.append(_value_info(_carried(name), _tensor_proto(crossing)))
                nodes.append(helper.make_node("Cast", [_carried(name)], [name], to=to))
            else:
                inputs.append(_value_info(name, _type_proto(value, self._declared.get(name))))
        del node.input[:]
        node.input.extend(used)
        nodes.append(node)
        outputs = []
        for name in (name for name in self._step.outputs if name):
            carrier = _carried(name) if name in awkward else name
            outputs.append(onnx.ValueInfoProto(name=carrier))
            if name in awkward:
                to = _CARRIERS[awkward[name]].value
                nodes.append(helper.make_node("Cast", [name], [carrier], to=to))
        graph = helper.make_graph(nodes, "node", inputs, outputs, initializers)
        opsets = {**self._opsets, self._step.domain: version}
        if len(nodes) > 1:
            opsets.setdefault("", 21)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, v) for domain, v in opsets.items()],
            functions=self._functions,
            ir_version=_IR_VERSION,
        )

    def _needed_opsets(self, model: ir.Model) -> dict[str, int]:
        domains = {node.domain for node in (self._step.node, *inner_nodes(self._step.node))}
        imports = dict(model.graph.opset_imports)
        for function in model.functions.values():
            domains |= set(function.opset_imports) | {function.domain}
            imports = {**function.opset_imports, **imports}
        return {domain: imports.get(domain, 1) for domain in domains}


def _feed(name: str, value: Value) -> tuple[str, Any]:
    """The input's name in the session and its numpy form."""
    carrier = _carrier(value)
    if carrier is None:
        return name, _as_fed(value)
    if isinstance(value, torch.Tensor):
        return _carried(name), value.to(torch_dtype(carrier)).numpy()
    return _carried(name), widened(np.asarray(value)).numpy()


def _as_fed(value: Value) -> Any:
    if isinstance(value, list):
        return [_as_fed(item) for item in value]
    if not isinstance(value, torch.Tensor):
        return value
    return np.ascontiguousarray(to_numpy(value)).reshape(value.shape)


def _carrier(value: Value) -> ir.DataType | None:
    if not isinstance(value, torch.Tensor | np.ndarray):
        return None
    return _CARRIERS.get(onnx_dtype(value))


def _carried(name: str) -> str:
    return f"{name}::carried"


def _from_result(result: Any, target: ir.DataType | None) -> Any:
    if isinstance(result, list):
        return [_from_result(item, None) for item in result]
    if result is None or isinstance(result, dict):
        return result
    value = from_numpy(np.asarray(result))
    if target is None or not isinstance(value, torch.Tensor):
        return value
    dtype = torch_dtype(target)
    return value.numpy().astype(target.numpy()) if dtype is None else value.to(dtype)


def _kind(value: Value) -> str:
    if isinstance(value, list):
        return f"sequence of {_kind(value[0]) if value else 'nothing'}"
    return "none" if value is None else onnx_dtype(value).name


def _tensor_proto(dtype: ir.DataType) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(dtype.value, None)


def _type_proto(value: Value, declared: ir.TypeProtocol | None) -> onnx.TypeProto:
    if isinstance(declared, ir.OptionalType | ir.SequenceType):
        proto = onnx.TypeProto()
        ir.serde.serialize_type_into(proto, declared)
        return proto
    if isinstance(value, list):
        first = onnx_dtype(value[0]) if value else ir.DataType.FLOAT
        return helper.make_sequence_type_proto(_tensor_proto(first))
    if value is None:
        raise TypeError("an absent value has no type")
    return _tensor_proto(onnx_dtype(value))


def _value_info(name: str, proto: onnx.TypeProto) -> onnx.ValueInfoProto:
    return onnx.ValueInfoProto(name=name, type=proto)


def _tensor_type(text: str) -> ir.DataType | None:
    """Onnxruntime's "tensor(int4)" as an ONNX type; None for what is not a tensor."""
    inner = text.removeprefix("tensor(").removesuffix(")")
    return next((d for d in _CARRIERS if d.name.lower() == inner), None)


def _since_version(step: Step) -> int | None:
    """The oldest opset in which the step and what is inside it mean the same."""
    every = (step.node, *inner_nodes(step.node))
    nodes = [node for node in every if node.domain == step.domain]
    try:
        schemas = [onnx.defs.get_schema(n.op_type, step.version, n.domain) for n in nodes]
    except onnx.defs.SchemaError:
        return None
    return max(int(schema.since_version) for schema in schemas)
