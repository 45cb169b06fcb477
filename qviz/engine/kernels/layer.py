"""Layers of codes: what a kernel is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from qviz.engine.kernels.codes import Bytes, WeightCodes
from qviz.model.operators.window import Window


@dataclass(frozen=True, eq=False, slots=True)
class Convolution:
    """A convolution over one or two axes of the codes `taken`."""

    taken: Bytes
    weight: WeightCodes  # [out, in / groups, …]
    bias: Tensor | None  # float32 [out]
    groups: int
    window: Callable[[Sequence[int]], Window]  # of a spatial size


@dataclass(frozen=True, eq=False, slots=True)
class Product:
    """A product of the codes `taken` with a matrix, along their last axis."""

    taken: Bytes
    weight: WeightCodes  # [out, in]
    bias: Tensor | None  # float32 [out]
