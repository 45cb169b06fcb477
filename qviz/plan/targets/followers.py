"""Followers: whether what a layer computes is quantized before anything else reads it."""

from __future__ import annotations

from collections.abc import Mapping

from qviz.model.model import Model, Step
from qviz.model.slots import Layer
from qviz.plan.targets.target import Target
from qviz.quant.scheme import Scheme


class Followers:
    """The readers of every value, and the schemes with which layers read them."""

    def __init__(self, target: Target, model: Model, schemes: Mapping[str, Scheme]) -> None:
        """Look the readers up once; `schemes` has one for every slot."""
        self._target = target
        self._model = model
        self._readers: dict[str, list[Step]] = {}
        for step in model.steps:
            for name in {*step.inputs, *step.captures} - {""}:
                self._readers.setdefault(name, []).append(step)
        self._read_as: dict[tuple[int, str], Scheme] = {}
        for layer in model.layers:
            for name in layer.slots:
                if layer.step is not None and model.slots[name].role == "input":
                    self._read_as[layer.step, model.slots[name].value] = schemes[name]

    def quantized_after(self, layer: Layer) -> bool:
        """Whether all that read a layer's output take it as integers.

        Operators that pass codes on may lie between, and one that the target fuses, which needs
        a zero point at the lowest code.
        """
        if layer.step is None:
            return False
        return self._integers(self._model.steps[layer.step].outputs[0], fused=False)

    def _integers(self, value: str, *, fused: bool) -> bool:
        readers = self._readers.get(value, [])
        if not readers or value in self._model.outputs:
            return False
        return all(self._takes_integers(step, value, len(readers), fused) for step in readers)

    def _takes_integers(self, step: Step, value: str, readers: int, fused: bool) -> bool:
        scheme = self._read_as.get((step.index, value))
        if scheme is not None:
            lowest_is_zero = not (scheme.signed and scheme.symmetric)
            return scheme.row.integer and (lowest_is_zero or not fused)
        if step.op in self._target.passes:
            return self._integers(step.outputs[0], fused=fused)
        if step.op in self._target.fuses and readers == 1 and not fused:
            return self._integers(step.outputs[0], fused=True)
        return False
