"""The moving average of the samples' ranges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.quant.bins import finite_values

AVERAGING = 0.01  # torch's and onnxruntime's averaging constant


@dataclass(frozen=True, eq=False, slots=True)
class MovingRange:
    """Moving average m <- m + c·(x - m) of each sample's (smallest, largest) value, in order.

    Kept as the affine map that the samples apply to the first one, so that it can be merged.
    """

    first: Tensor  # [2] float64
    offset: Tensor  # [2]
    decay: float

    @property
    def value(self) -> tuple[float, float]:
        """The average (smallest, largest) value."""
        low, high = (self.offset + self.decay * self.first).tolist()
        return low, high

    def then(self, later: MovingRange) -> MovingRange:
        """Both together, the samples of `later` after these."""
        return MovingRange(
            self.first, self.offset * later.decay + later.offset, self.decay * later.decay
        )


def moving_range(x: Tensor) -> MovingRange | None:
    """Of a batch of samples, which lie along the first axis; None where there is no value."""
    if x.ndim == 0 or x.numel() == 0:
        return None
    samples = x.detach() if x.ndim > 1 else x.detach().unsqueeze(0)
    ends = _ends(samples)
    if not bool(ends.isfinite().all()):
        ends = _ends(finite_values(samples.float()))
    ages = torch.arange(len(ends) - 1, -1, -1, dtype=torch.float64)
    weights = AVERAGING * (1.0 - AVERAGING) ** ages
    return MovingRange(ends[0], weights @ ends, (1.0 - AVERAGING) ** len(ends))


def _ends(samples: Tensor) -> Tensor:
    """(smallest, largest) value of every sample [n, 2], float64."""
    inside = tuple(range(1, samples.ndim))
    # Both use all threads on one long row and any layout, which torch.aminmax does not.
    return torch.stack([samples.amin(inside), samples.amax(inside)], 1).double()
