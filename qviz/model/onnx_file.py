"""The file on disk: parsed, hashed, and its tensors checked before anyone reads them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from qviz.errors import QvizError
from qviz.model.onnx_names import check_names
from qviz.model.steps import subgraphs

_BLOCK = 1 << 22
_LISTS = ("float", "int32", "int64", "uint64", "double", "string")


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """A parsed file with the hash and the size of everything it consists of."""

    graph: ir.Model
    hash: str
    size: int


@contextmanager
def quiet_parser() -> Iterator[None]:
    """Keep onnx_ir's own warnings from the terminal: what is wrong is refused with its cure."""
    parser = logging.getLogger("onnx_ir")
    level = parser.level
    parser.setLevel(logging.ERROR)
    try:
        yield
    finally:
        parser.setLevel(level)


def load_file(path: Path) -> OnnxFile:
    """Parse the file; raises QvizError when it cannot be read or is no ONNX model."""
    digest = hashlib.sha256()
    try:
        size = _feed(path, digest)
        proto = onnx.load(path, load_external_data=False)
        check_names(path, proto)
        with quiet_parser():
            graph = ir.from_proto(proto)
    except QvizError:
        raise
    except FileNotFoundError as error:
        raise QvizError(path.name, "there is no such file", "Check the path") from error
    except OSError as error:
        cause = error.strerror or str(error)
        raise QvizError(path.name, f"it cannot be read: {cause}", "Check the file") from error
    except Exception as error:
        raise _not_onnx(path) from error
    for data in _checked_files(path, graph):
        size += _feed(data, digest)
    return OnnxFile(graph, digest.hexdigest(), size)


def check_tensors(path: Path, graph: ir.Model) -> None:
    """Raise QvizError unless every tensor's bytes are there and as many as its shape needs."""
    for tensor in _tensors(graph):
        try:
            if (
                isinstance(tensor, ir.TensorProtoTensor)
                and tensor.size
                and not _has_values(tensor.raw)
            ):
                raise _bad_tensor(path, tensor)  # onnx_ir takes it for zeros
            size = tensor.numpy().size
            packed = tensor.dtype != ir.DataType.STRING and tensor.dtype.bitwidth < 8
            if packed and len(tensor.tobytes()) != tensor.nbytes:
                raise _bad_tensor(path, tensor)
        except QvizError:
            raise
        except Exception as error:
            raise _bad_tensor(path, tensor) from error
        if size != tensor.size:
            raise _bad_tensor(path, tensor)


def _data_files(path: Path, graph: ir.Model) -> list[Path]:
    """The external data files, each inside the model's folder and long enough."""
    folder = path.parent.resolve()
    files = {}
    for tensor in _tensors(graph):
        if not isinstance(tensor, ir.ExternalTensor):
            continue
        location = str(tensor.location)
        data = _resolved(path, folder, location)
        if not data.is_relative_to(folder):
            raise QvizError(
                path.name,
                f"its tensor '{tensor.name}' points outside the model's folder, at '{location}'",
                "Put the data file beside the model and export it again",
            )
        if not data.is_file():
            raise QvizError(
                path.name,
                f"its weights are in the file '{location}', which is missing",
                f"Put '{location}' beside the model",
            )
        if tensor.length is not None and tensor.length < tensor.nbytes:
            raise _bad_tensor(path, tensor)
        end = (tensor.offset or 0) + max(tensor.length or 0, tensor.nbytes)
        if data.stat().st_size < end:
            raise QvizError(
                path.name,
                f"its data file '{location}' ends before tensor '{tensor.name}' does",
                f"Copy '{location}' again; the copy is not complete",
            )
        files[location] = data
    return [files[location] for location in sorted(files)]


def _has_values(proto: onnx.TensorProto) -> bool:
    lists = (getattr(proto, f"{kind}_data") for kind in _LISTS)
    return proto.HasField("raw_data") or any(len(values) for values in lists)


def _checked_files(path: Path, graph: ir.Model) -> list[Path]:
    try:
        _find_data(path, graph)
        return _data_files(path, graph)
    except QvizError:
        raise
    except Exception as error:  # a tensor that is none, whose size cannot be told
        raise _not_onnx(path) from error


def _find_data(path: Path, graph: ir.Model) -> None:
    """Tell every tensor the folder that its data file lies in; without it, it is searched for."""
    for tensor in _tensors(graph):
        if isinstance(tensor, ir.ExternalTensor):
            tensor.base_dir = path.parent


def _resolved(path: Path, folder: Path, location: str) -> Path:
    try:
        data = (folder / location).resolve()
        data.stat()
        return data
    except FileNotFoundError:
        return data
    except (OSError, RuntimeError, ValueError) as error:  # too long, a link to itself, zero bytes
        raise QvizError(
            path.name,
            f"its weights are in the file {location[:80]!r}, which cannot be found: {error}"[:300],
            "Put the data file beside the model and export it again",
        ) from error


def _tensors(graph: ir.Model) -> Iterator[ir.TensorProtocol]:
    """Every tensor of the main graph, its subgraphs and the functions."""
    yield from _graph_tensors(graph.graph)
    for function in graph.functions.values():
        for node in function:
            yield from _node_tensors(node)


def _graph_tensors(graph: ir.Graph) -> Iterator[ir.TensorProtocol]:
    for value in graph.initializers.values():
        if value.const_value is not None:
            yield value.const_value
    for node in graph:
        yield from _node_tensors(node)


def _node_tensors(node: ir.Node) -> Iterator[ir.TensorProtocol]:
    for attr in node.attributes.values():
        if attr.is_ref():
            continue
        if attr.type == ir.AttributeType.TENSOR:
            yield attr.as_tensor()
        elif attr.type == ir.AttributeType.TENSORS:
            yield from attr.as_tensors()
    for graph in subgraphs(node):
        yield from _graph_tensors(graph)


def _feed(path: Path, digest: hashlib._Hash) -> int:
    """Add the file's bytes to the digest and return how many they are."""
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size


def _not_onnx(path: Path) -> QvizError:
    return QvizError(
        path.name,
        "it is not an ONNX model, or only part of one",
        "Check that the download or copy is complete, or export the model again",
    )


def _bad_tensor(path: Path, tensor: ir.TensorProtocol) -> QvizError:
    return QvizError(
        path.name,
        f"its tensor '{tensor.name}' does not hold as many values as its shape "
        f"{tuple(tensor.shape)} needs",
        "Export the model again; the file is damaged",
    )
