"""Tensors that stay in their file until they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class FileTensor:
    """One tensor of a file: what it declares, and how to read it."""

    shape: tuple[int, ...]
    dtype: torch.dtype  # of what `read` returns
    read: Callable[[], torch.Tensor]
    packed: int | None = None  # bytes in the file, where it holds codes and not values of `dtype`

    @property
    def elements(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def stored_bytes(self) -> int:
        """How many bytes it takes in the file, before any compression of the file."""
        return self.elements * self.dtype.itemsize if self.packed is None else self.packed


class FileTensors(Mapping[str, torch.Tensor]):
    """Reads a tensor each time it is asked for and keeps none."""

    def __init__(self, tensors: Mapping[str, FileTensor]) -> None:
        """The readers stay valid as long as their files stay where they are."""
        self._tensors = tensors

    def __getitem__(self, name: str) -> torch.Tensor:
        """Read one tensor."""
        return self._tensors[name].read()

    def __iter__(self) -> Iterator[str]:
        """The names, as the file orders them."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._tensors)

    def stored_bytes(self, name: str) -> int:
        """How many bytes a tensor takes in the file."""
        return self._tensors[name].stored_bytes

    def declared(self, name: str) -> torch.Tensor:
        """Shape and type as a tensor without data (torch's meta device)."""
        tensor = self._tensors[name]
        return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
