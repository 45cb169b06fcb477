"""Calibrate: stream the float model's activations into statistics of constant size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.chunks import Feeder
from qviz.engine.execute import WorkCancelledError
from qviz.model.file_tensors import FileTensors
from qviz.model.model import Model, Step, Value
from qviz.model.runtime import Runtime
from qviz.plan.stored import stored_quantizers
from qviz.quant.axes import Axes
from qviz.quant.measure import measure
from qviz.quant.statistics import TensorStats, merge
from qviz.quant.tally import Room


@dataclass(frozen=True, eq=False, slots=True)
class Calibration:
    """Statistics of every input group after `samples` of `total` calibration samples."""

    statistics: Mapping[str, TensorStats]
    samples: int
    total: int


def calibrate(
    model: Model,
    runtime: Runtime,
    feeder: Feeder,
    rows: Indices,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Calibration]:
    """Run the calibration samples in float, yielding merged statistics after every chunk.

    Raises:
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    watched, stored = _input_slots(model), stored_quantizers(model)
    collected: dict[str, TensorStats] = {}
    chunks = feeder.cut(rows)
    if feeder.fixed_batch is not None and len(chunks) > 1 and len(chunks[-1]) < feeder.fixed_batch:
        chunks.pop()  # a padded batch would count some samples more often than others
    total = sum(len(chunk) for chunk in chunks)
    done, room = 0, Room()
    for chunk_rows in chunks:
        batch: dict[str, TensorStats] = {}

        def observe(
            step: Step,
            inputs: Sequence[Value],
            _outputs: Sequence[Value],
            batch: dict[str, TensorStats] = batch,
        ) -> None:
            if cancelled():
                raise WorkCancelledError
            for operand, group, axis in watched.get(step.index, ()):
                value = inputs[operand]
                if group not in batch and isinstance(value, Tensor):
                    batch[group] = measure(value, axis, room=room)

        with torch.inference_mode():
            runtime.run(feeder.chunk(chunk_rows).feeds, keep=(), observe=observe)
        for group, stats in batch.items():
            known = collected.get(group)
            own = stored.get(group)
            first = stats if own is None else replace(stats, stored=own.encoding)
            collected[group] = first if known is None else merge(known, stats)
        done += len(chunk_rows)
        yield Calibration(dict(collected), done, total)


def _input_slots(model: Model) -> dict[int, list[tuple[int, str, Axes]]]:
    """Step index -> (operand, group, channel axis) of its input slots."""
    watched: dict[int, list[tuple[int, str, Axes]]] = {}
    for slot in model.slots.values():
        if slot.role == "input":
            step = model.layers[slot.layer].step
            if step is not None:
                watched.setdefault(step, []).append((slot.operand, slot.group, slot.axis))
    return watched


def weight_statistics(model: Model, groups: Collection[str]) -> Iterator[tuple[str, TensorStats]]:
    """(group, statistics) of the weight slots in `groups`, the values kept for exact errors."""
    left, stored, room = set(groups), stored_quantizers(model), Room()
    for slot in model.slots.values():
        if slot.group in left:
            left.remove(slot.group)
            read = partial(model.constants.__getitem__, slot.value)
            keep = read if isinstance(model.constants, FileTensors) else True
            stats = measure(read(), slot.axis, keep=keep, room=room)
            own = stored.get(slot.group)
            yield slot.group, stats if own is None else replace(stats, stored=own.encoding)
