"""Float run: what the float model gives, and how its output is read and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.execute import Executor
from qviz.engine.metrics import Task, find_task
from qviz.engine.metrics.outputs import are_boxes, choose_output
from qviz.engine.metrics.reading import Reading, declared_axis, find_readings, origin
from qviz.engine.metrics.task import is_single

SHARES_SEEN = 64  # samples whose outputs must all be shares, where the model does not say so


def scored_output(outputs: Mapping[str, object], chunk: Chunk, reading: Reading) -> Tensor:
    """The output [n, …] that a reading names, float32, padding left out.

    The batch may be the second axis, as recurrent networks have it.

    Raises:
        QvizError: no output has an entry per sample.
    """
    count = len(chunk.rows) + chunk.padded
    chosen = outputs.get(reading.output)
    if not isinstance(chosen, Tensor) or chosen.shape[reading.axis] != count:
        reading = find_readings(outputs, count)[0]
        chosen = outputs[reading.output]
    if not isinstance(chosen, Tensor):
        raise TypeError(f"output '{reading.output}' is no tensor")
    return chunk.trimmed(chosen.movedim(reading.axis, 0)).float()


class FloatRun:
    """The float model's outputs, read alike for all chunks."""

    def __init__(
        self,
        executor: Executor,
        feeder: Feeder,
        rows: Indices,
        wanted: str,
        cancelled: Callable[[], bool],
    ) -> None:
        """`wanted` names the output to score, "" for the one that fits; `rows` are all samples."""
        self._executor = executor
        self._feeder = feeder
        self._rows = rows
        self._wanted = wanted
        self._cancelled = cancelled
        self._program = executor.program({})
        self._reading: Reading | None = None
        self.scorable: tuple[str, ...] = ()

    @property
    def reading(self) -> Reading:
        """Which output is scored and along which axis its samples lie, once one was made."""
        if self._reading is None:
            raise ValueError("no output was made yet")
        return self._reading

    def output(self, chunk: Chunk) -> Tensor:
        """The output that is scored [n, …]; the first chunk decides how it is read."""
        outputs = self._outputs(chunk)
        if self._reading is None:
            self._reading = self._read(outputs, chunk)
        return scored_output(outputs, chunk, self._reading)

    def task(self, example: Tensor) -> Task:
        """What is asked of the model; `example` is what it gave for the first samples."""
        subject, labels = self._feeder.samples.name, self._feeder.samples.labels
        if labels is None and are_boxes(self._executor.model, self.reading.output, example):
            return Task("unlabelled", 0, probabilities=False)
        task = find_task(example, labels, subject)
        if not task.probabilities:
            return task
        made_by = origin(self._executor.model, self.reading.output)
        one = task.single or is_single(example)
        if made_by == "logits":
            return replace(task, probabilities=False)
        if made_by == "softmax" or (made_by == "sigmoid" and one):
            return task
        tried = (find_task(output, labels, subject).probabilities for output in self._more(example))
        return replace(task, probabilities=all(tried))

    def _outputs(self, chunk: Chunk) -> Mapping[str, object]:
        return self._executor.run(chunk, {}, self._program, self._cancelled, keep="outputs")

    def _read(self, outputs: Mapping[str, object], chunk: Chunk) -> Reading:
        count, samples = len(chunk.rows) + chunk.padded, self._feeder.samples
        self.scorable = tuple(reading.output for reading in find_readings(outputs, count))
        found = choose_output(
            self._executor.model, outputs, count, samples.labels, samples.name, self._wanted
        )
        if found.certain:
            return found
        columns = self._feeder.fitted.columns
        axis = declared_axis(self._executor.model, found.output, columns)
        if axis is None and self._feeder.fixed_batch is None and len(chunk.rows) > 1:
            fewer = self._feeder.chunk(chunk.rows[:-1])  # the axis that shrinks with the batch
            axes = {r.output: r.axis for r in find_readings(self._outputs(fewer), len(fewer.rows))}
            axis = axes.get(found.output)
        return found if axis is None else Reading(found.output, axis)

    def _more(self, example: Tensor) -> Iterator[Tensor]:
        """Outputs of the next chunks, until enough samples were seen to call them all shares."""
        seen = len(example)
        for rows in self._feeder.cut(self._rows)[1:]:
            if seen >= SHARES_SEEN:
                return
            seen += len(rows)
            yield self.output(self._feeder.chunk(rows))
