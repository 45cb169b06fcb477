"""Near errors: what quantizing one layer alone does to its output, from float inputs at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.devices import CPU
from qviz.engine.execute import Executor
from qviz.engine.metrics import sqnr_db
from qviz.engine.program import Encodings, Program, as_is, slots_by_operand
from qviz.engine.tasks import Ref
from qviz.model.model import Model, Step, Value

WHY = "near"  # why the memo keeps the inputs


def fetch_float_inputs(
    executor: Executor,
    feeder: Feeder,
    rows: Indices,
    steps: Sequence[int],
    share: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Fill the memo with what the float model feeds these steps, up to a share of its budget.

    Raises:
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    quiet, memo, program = copy(executor), executor.memo, executor.program({})
    refs = tuple(ref for step in steps for ref in _computed(executor.model, program, step))
    memo.pin(WHY, [program.keys[ref] for ref in refs])
    part, left = replace(program, outputs=refs), memo.budget * share
    for chunk_rows in feeder.cut(rows) if refs and memo.budget else ():
        identity = feeder.identity(chunk_rows)
        if not all((program.keys[ref], identity) in memo for ref in refs):
            with torch.inference_mode():
                quiet.run(feeder.chunk(chunk_rows), {}, part, cancelled, keep="outputs")
        left -= sum(memo.size((program.keys[ref], identity)) for ref in refs)
        if left < 0:
            return


def near_sqnr(
    executor: Executor,
    feeder: Feeder,
    rows: Indices,
    encodings: Encodings,
    step: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> float | None:
    """SQNR in dB of a step's output when it alone is quantized; inf when exact.

    The same as `layer_errors` finds, in the time of this one step; None where its inputs are not
    at hand in the memory of the CPU, or its output cannot be compared.
    """
    if executor.place != CPU:
        return None
    model, program = executor.model, executor.program({})
    refs = _computed(model, program, step)
    chunks = feeder.cut(rows)
    keys = [program.keys[ref] for ref in refs]
    at_hand = all((key, feeder.identity(each)) in executor.memo for each in chunks for key in keys)
    if not at_hand or feeder.fixed_batch is not None:
        return None
    xx = ee = 0.0
    for chunk_rows in chunks:
        with torch.inference_mode():
            chunk = feeder.chunk(chunk_rows)
            operands = _operands(executor, program, model.steps[step], chunk)
            if operands is None or cancelled():
                return None
            quantized = _quantized(model, encodings, model.steps[step], operands)
            x, q = (
                executor.runtime.run_step(model.steps[step], each)[0]
                for each in (operands, quantized)
            )
            if not isinstance(x, Tensor) or not isinstance(q, Tensor) or x.shape != q.shape:
                return None
            if not x.is_floating_point():
                return None
            exact = x.double()
            xx += float(exact.square().sum())
            ee += float((q.double() - exact).square().sum())
    return sqnr_db(xx, ee)


def _computed(model: Model, program: Program, step: int) -> list[Ref]:
    """What a step reads that other steps write."""
    names = (*model.steps[step].inputs, *model.steps[step].captures)
    return [as_is(name) for name in names if as_is(name) in program.writer]


def _operands(executor: Executor, program: Program, step: Step, chunk: Chunk) -> list[Value] | None:
    """The step's float operands; None where one was dropped from the memo in the meantime."""
    operands: list[Value] = []
    for name in (*step.inputs, *step.captures):
        if as_is(name) in program.writer:
            value = executor.memo.get((program.keys[as_is(name)], chunk.id))
            if value is None:
                return None
            operands.append(value)
        else:
            fed = chunk.feeds.get(name)
            operands.append(executor.model.constants[name] if name and fed is None else fed)
    return operands


def _quantized(
    model: Model, encodings: Encodings, step: Step, operands: Sequence[Value]
) -> list[Value]:
    slots = slots_by_operand(model)
    found = list(operands)
    for position, value in enumerate(operands):
        slot = slots.get((step.index, position))
        if slot is not None and slot.name in encodings and isinstance(value, Tensor):
            found[position] = encodings[slot.name].apply(value)
    return found
