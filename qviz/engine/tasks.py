"""Tasks: what runs as one — a step, a layer with what follows it, or the making of codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.engine.chains import Chain, Clip
from qviz.engine.kernels import Bytes, Kernel
from qviz.engine.memo import Memo
from qviz.engine.placement import placed, quantized
from qviz.model.model import Step, Value
from qviz.model.runtime import Runtime
from qviz.model.slots import Slot
from qviz.model.step_runner import naming
from qviz.quant.encoding import Encoding

Ref = tuple[str, bytes]  # a value's name, and the key of the codes it is held as; b"" as it is
Run = Callable[[Sequence[Value]], tuple[Value, ...]]


# Measured on two cores with AVX-512 VNNI: what is worth keeping depends on the order of magnitude.
CALL_NS = 30_000.0
CODE_NS = 0.5  # making one code
VALUE_NS = 0.25  # reading and writing one value
INTEGER_NS, FLOAT_NS = 0.005, 0.025  # one multiply-accumulate


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """Steps that run as one; none where a value is made into codes."""

    steps: tuple[Step, ...]
    reads: tuple[Ref, ...]
    writes: tuple[Ref, ...]
    run: Run
    value_ns: float  # about what one value of the output costs
    input_ns: float = 0.0  # and one of the first input: a recurrent layer may give its end alone
    product_ns: float = 0.0  # and each product in a value, where the weight is computed

    def cost_ns(self, given: Sequence[Value], outputs: Sequence[Value]) -> float:
        """About what making the outputs of what was given costs; the same on every run."""
        each = self.value_ns
        if self.product_ns and isinstance(given[1], Tensor):
            each += products(self.steps[0], given[1]) * self.product_ns
        return CALL_NS + _count(outputs) * each + _count(given[:1]) * self.input_ns


def products(step: Step, weight: Tensor) -> float:
    """Products in one value of a layer's output: what it adds up over, by its weight's shape."""
    if weight.ndim < 2 or not weight.numel():
        return float(weight.numel())
    match step.op:
        case "MatMul":  # […, in, out]
            return weight.shape[-2]
        case "Gemm":
            return float(weight.shape[1 if step.attributes.get("transB", 0) else 0])
        case "ConvTranspose":  # [in, out per group, …]
            return weight.numel() / (weight.shape[1] * int(step.attributes.get("group", 1)))
        case _:  # [out, in per group, …]
            return weight.numel() / weight.shape[0]


def _count(values: Sequence[Value]) -> int:
    return sum(value.numel() for value in values if isinstance(value, Tensor))


def making_codes(form: Bytes) -> Run:
    """Turn numbers into codes."""

    def run(values: Sequence[Value]) -> tuple[Value, ...]:
        return (form.quantize(_tensor(values[0])),)

    return run


def on_codes(layer: Kernel, chain: Chain, given: Bytes | None) -> Run:
    """Run a chain's layer as a kernel on codes; the values after them are added, in order."""
    step, after = chain.steps[0], chain.after
    first = after[0][1] if after else None
    rest = after if first is None else after[1:]

    def run(values: Sequence[Value]) -> tuple[Value, ...]:
        with naming(step):
            out = layer.run(_tensor(values[0]), first, given)
        return (_in_place(out, rest, values[1:]),)

    return run


def on_numbers(
    operands: Mapping[int, tuple[Slot, Encoding]],
    runtime: Runtime,
    memo: Memo,
    step: Step,
    chain: Chain | None = None,
) -> Run:
    """Run a step on quantized numbers; the values after its own are what is added, in order."""
    count = len(step.inputs) + len(step.captures)
    after = () if chain is None else chain.after
    there = {position: placed(found[1], runtime.place) for position, found in operands.items()}

    def given_to(position: int, value: Value) -> Value:
        if position not in operands or not isinstance(value, Tensor):
            return value
        slot, encoding = operands[position]
        if slot.role == "input":
            return quantized(there[position], value)
        key = ("weight", slot.value, encoding.key)
        stored = memo.get(key)
        if stored is None:
            stored = quantized(there[position], value)
            memo.put(key, stored, 1.0)  # small and asked for by every chunk: kept first
        return stored

    def run(values: Sequence[Value]) -> tuple[Value, ...]:
        given = [given_to(position, value) for position, value in enumerate(values[:count])]
        outputs = runtime.run_step(step, given)
        if not after or not isinstance(outputs[0], Tensor):
            return outputs
        return (_in_place(outputs[0], after, values[count:]),)

    return run


def _in_place(
    out: Tensor, after: Sequence[tuple[Step, Clip | None]], others: Sequence[Value]
) -> Tensor:
    """Limit (a Clip) or add to (None: the next of the others) an output that nobody else has."""
    waiting = iter(others)
    for step, clip in after:
        with naming(step):
            out = _added(out, _tensor(next(waiting))) if clip is None else _limited(out, clip)
    return out


def _limited(out: Tensor, clip: Clip) -> Tensor:
    # Of integers there is no chain with a Clip.
    return out.clamp_(clip.low, clip.high) if out.is_floating_point() else torch.relu_(out)


def _added(out: Tensor, other: Tensor) -> Tensor:
    same = _fits_into(other.shape, out.shape) and other.dtype == out.dtype
    return out.add_(other) if same else out + other


def _tensor(value: Value) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError("a layer takes tensors")
    return value


def _fits_into(shape: torch.Size, whole: torch.Size) -> bool:
    """Whether a shape broadcasts to `whole` as it is (torch.broadcast_shapes takes 2 ms)."""
    if len(shape) > len(whole):
        return False
    ends = zip(reversed(shape), reversed(whole), strict=False)
    return all(size in (1, full) for size, full in ends)
