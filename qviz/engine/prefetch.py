"""Prefetch: what feeds the layers that are looked at, computed before an edit asks for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from copy import copy

import numpy as np
import torch
from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.chunks import Feeder
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.engine.program import Encodings, Program
from qviz.engine.tasks import Ref

SHARE = 0.5  # of the budget that may be filled ahead of time


def in_order(rows: Indices) -> Indices:
    """The same order for the same samples: what comes first stands for all of a sorted file."""
    return np.random.default_rng(len(rows)).permutation(rows)


def inputs_of(program: Program, steps: Collection[int]) -> tuple[Ref, ...]:
    """The computed values that an edit of these steps of the model starts from."""
    tasks = [task for task in program.tasks if any(step.index in steps for step in task.steps)]
    return tuple(dict.fromkeys(ref for task in tasks for ref in task.reads if ref in program.kept))


def keep_inputs(memo: Memo, program: Program, steps: Collection[int]) -> tuple[Ref, ...]:
    """Have the memo keep what these steps read before all else; which values that are."""
    refs = inputs_of(program, steps)
    memo.pin("watched", [program.keys[ref] for ref in refs])
    return refs


def prefetch(
    executor: Executor,
    feeder: Feeder,
    encodings: Encodings,
    rows: Indices,
    steps: Collection[int],
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[int]:
    """Fill the memo with what these steps read, in the chunks that `evaluate` takes of `rows`.

    Yields the bytes that are held, after every chunk, until they take half of the budget.

    Raises:
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    quiet = copy(executor)  # shares all but the count of operators that evaluations ran
    memo, program = executor.memo, executor.program(encodings)
    refs = keep_inputs(memo, program, steps)
    held = 0
    for chunk_rows in feeder.cut(in_order(rows)) if refs and memo.budget else ():
        known = [memo.size((program.keys[ref], feeder.identity(chunk_rows))) for ref in refs]
        if all(known):
            held += sum(known)
        else:
            held += _compute(quiet, feeder, chunk_rows, program, refs, cancelled)
        if held > memo.budget * SHARE:
            return
        yield held


def _compute(
    executor: Executor,
    feeder: Feeder,
    rows: Indices,
    program: Program,
    refs: tuple[Ref, ...],
    cancelled: Callable[[], bool],
) -> int:
    """Run one chunk up to these values; their bytes."""
    with torch.inference_mode():
        found = executor.fetch(feeder.chunk(rows), program, refs, cancelled)
    return sum(value.nbytes for value in found.values() if isinstance(value, Tensor))
