"""The words of this floor: a Model, its Steps and the values that flow between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from numpy.typing import NDArray

from qviz.model.file_tensors import FileTensors

if TYPE_CHECKING:
    import onnx_ir as ir

    from qviz.model.quantized.quantizer import Quantizer
    from qviz.model.slots import Layer, Slot

# A tensor; a numpy array for what torch cannot hold (strings, integers under 8 bits); a list for an
# ONNX sequence; None for an optional value that is absent.
Value: TypeAlias = torch.Tensor | NDArray[Any] | list[Any] | None


@dataclass(frozen=True)
class TensorInfo:
    """What the file declares about one tensor; symbolic dimensions keep their name."""

    name: str
    dtype: torch.dtype | None
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True, eq=False)
class Step:
    """One node of the graph, ready to run. An input named "" is an absent optional."""

    index: int
    name: str
    op: str
    domain: str
    version: int  # opset version of its domain
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    captures: tuple[str, ...]  # outer values that its subgraphs (If, Loop, Scan) read
    node: ir.Node
    key: str  # content hash of the operator and its attributes, without any names


@dataclass(frozen=True, eq=False)
class Model:
    """The network as a graph that can be run: steps in topological order and their constants."""

    name: str
    path: str
    hash: str  # sha256 of the file and its external data
    graph: ir.Model  # after the passes; export starts from it
    steps: tuple[Step, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, torch.Tensor]  # initializers and folded constants, or FileTensors
    layers: tuple[Layer, ...]
    slots: Mapping[str, Slot]
    source_bytes: int  # of the file and its external data
    notes: tuple[str, ...]  # what the passes did, for the user
    stored_types: Mapping[str, str] = field(default_factory=dict)  # of constants: "BF16", "Q4_K"
    quantizers: Mapping[str, Quantizer] = field(default_factory=dict)  # the file's own, by group

    @property
    def runs(self) -> bool:
        """Whether there is a graph to run; a file of weights has none."""
        return bool(self.steps)

    def declared(self, name: str) -> torch.Tensor:
        """A constant's shape and type; of a tensor left in its file, without reading it."""
        if isinstance(self.constants, FileTensors):
            return self.constants.declared(name)
        return self.constants[name]

    def stored_bytes(self, name: str) -> int:
        """Bytes of a constant in its own type: of a tensor left in its file, those it takes there.

        Files quantize some tensors, such as GGUF; they are read as float32.
        """
        if isinstance(self.constants, FileTensors):
            return self.constants.stored_bytes(name)
        tensor = self.constants[name]
        return tensor.numel() * tensor.element_size()
