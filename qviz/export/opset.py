"""Opset: which one an export needs, and a copy of the model's graph that is written in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import onnx_ir as ir
from onnxscript import version_converter

from qviz.errors import QvizError, root_cause
from qviz.export.containers import BLOCKS_OPSET, LEAST_OPSET
from qviz.export.weights import needed_opset
from qviz.model.model import Model
from qviz.quant.encoding import Dynamic, Encoding
from qviz.quant.grids import Codebook, Integers, NarrowFloat

FLOAT8_OPSET = 19
CONTRIB = "com.microsoft"  # onnxruntime's own domain, whose quantizers know 4 and 16 bits
CONTRIB_OPSET = 11  # of the operators beside them: Pad, Clip and Slice with computed bounds


def needed_by(model: Model, encodings: Mapping[str, Encoding], wanted: int) -> int:
    """The least opset at or above the wanted one that has what all encodings need."""
    needed = max(wanted, LEAST_OPSET)
    for name, encoding in encodings.items():
        if model.slots[name].role == "weight":
            needed = needed_opset(encoding, needed)
        else:
            needed = max(needed, _of_input(encoding))
    return needed


def _of_input(encoding: Encoding) -> int:
    grid = encoding.grid
    if isinstance(encoding, Dynamic):
        return FLOAT8_OPSET if encoding.tensor_scale or isinstance(grid, NarrowFloat) else 18
    if isinstance(grid, Integers) and grid.qmax - grid.qmin > 255 and grid.rounding == "even":
        return BLOCKS_OPSET
    if isinstance(grid, NarrowFloat) and not encoding.unbounded:
        return FLOAT8_OPSET
    return LEAST_OPSET


def in_contrib(encodings: Mapping[str, Encoding], present: int) -> bool:
    """Whether onnxruntime's own quantizers make do with the opset that is there."""
    fixed = (
        not isinstance(encoding, Dynamic)
        and (isinstance(encoding.grid, Integers | Codebook) or encoding.unbounded)
        for encoding in encodings.values()
    )
    codebooks = any(isinstance(encoding.grid, Codebook) for encoding in encodings.values())
    return present >= (12 if codebooks else CONTRIB_OPSET) and all(fixed)


def raised(model: Model, opset: int) -> ir.Model:
    """A copy of the model's graph in an opset, or a later one that it is in already.

    Raises:
        QvizError: operators that nobody converts.
    """
    graph = model.graph.clone()
    present = graph.opset_imports.get("", 1)
    if present >= opset:
        return graph
    try:
        with _quiet():
            version_converter.convert_version(graph, opset, fallback=True)
    except Exception as error:
        raise _stuck(model, present, opset, root_cause(error)) from error
    if graph.opset_imports.get("", 1) < opset:
        raise _stuck(model, present, opset, "an operator has no converter")
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the converters tell of their ways from the terminal: what fails is raised."""
    with ExitStack() as stack:
        for name in ("onnxscript", "onnx_ir"):
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        yield


def _stuck(model: Model, present: int, opset: int, why: str) -> QvizError:
    return QvizError(
        model.name,
        f"its graph is written in opset {present} and the plan needs opset {opset}: {why}",
        f"Export the float model with opset {opset}, or choose 8-bit integers without groups",
    )
