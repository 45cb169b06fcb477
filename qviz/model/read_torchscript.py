"""From a TorchScript archive (.pt of torch.jit.save) and example inputs to a Model."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnx_ir as ir
import torch

from qviz.errors import QvizError, root_cause
from qviz.model.build import Source, build_model
from qviz.model.forward_arguments import as_fed, match_arguments, quoted
from qviz.model.model import Model
from qviz.model.read_torch import name_nodes, quiet_torch
from qviz.model.torch_archive import open_zip

# TorchScript holds no Python, but it may run when it is loaded (__setstate__), and these calls
# write or read files or reach machine code of other libraries.
_REACHES_OUT = re.compile(
    r"\b(?:save|from_file|load_tensor)\b|\bops\s*\.(?!\s*(?:aten|prim|torchvision)\b)"
    r"|__torch__\s*\.\s*torch\s*\.\s*classes"
)
_CONVERT = "Convert it with torch.export.save from the Python code of the module"


def is_torchscript(path: Path) -> bool:
    """Whether the file is an archive of torch.jit.save; raises QvizError when it is no archive."""
    with open_zip(Path(path)) as archive:
        return _is_torchscript(archive)


def read_torchscript(path: Path, inputs: Mapping[str, torch.Tensor] | None) -> Model:
    """Read a TorchScript model, whose example inputs tell the shapes that it does not record.

    Inputs go to the arguments of forward() by name, as written or in another case; what forward()
    still needs takes those that are left in their order, scalars aside.
    Loading runs TorchScript, never Python; code that reaches for files is refused before.

    Raises:
        QvizError: no archive of TorchScript, no inputs, more or fewer than forward() takes, or
            operators that ONNX has no words for.
    """
    path = Path(path)
    _check_code(path)
    if inputs is None:
        raise QvizError(
            path.name,
            "it is TorchScript, which does not record the shape of its inputs",
            "Open it together with samples, or convert it with torch.export.save",
        )
    with quiet_torch():
        try:
            graph = _convert(path, inputs)
        except QvizError:
            raise
        except Exception as error:
            raise QvizError(
                path.name,
                f"this TorchScript cannot be turned into ONNX operators: {root_cause(error)}",
                _CONVERT,
            ) from error
    name_nodes(graph, [_scope(node) for node in graph.graph.all_nodes()])
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return build_model(graph, Source(path, digest, path.stat().st_size))


def _check_code(path: Path) -> None:
    with open_zip(path) as archive:
        if not _is_torchscript(archive):
            raise QvizError(
                path.name,
                "it holds weights or a pickled module, which could run code, and no graph",
                _CONVERT,
            )
        for entry in archive.infolist():
            if entry.filename.lower().endswith(".py"):
                try:
                    code = archive.read(entry).decode("utf-8", errors="replace")
                except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
                    raise QvizError(
                        path.name, f"its code is damaged ({error})", "Copy or save the file again"
                    ) from error
                found = _REACHES_OUT.search(code)
                if found is not None:
                    raise QvizError(
                        path.name,
                        f"its code calls '{found[0]}', which reaches beyond tensors",
                        f"{_CONVERT}; do not trust where this file came from",
                    )


def _is_torchscript(archive: zipfile.ZipFile) -> bool:
    below = {name.partition("/")[2] for name in archive.namelist()}
    return "constants.pkl" in below and any(name.startswith("code/") for name in below)


def _convert(path: Path, inputs: Mapping[str, torch.Tensor]) -> ir.Model:
    """The graph by PyTorch's older exporter, the one that reads TorchScript; any batch size."""
    module = torch.jit.load(str(path), map_location="cpu").eval()
    _, *arguments = module.forward.schema.arguments  # the first is the module itself
    names = [each.name for each in arguments]
    needed = [each.name for each in arguments if not each.has_default_value()]
    found = match_arguments(path, names, needed, inputs)
    left_out = [each for each in arguments if each.name not in found]
    _check_defaults(path, [each.name for each in left_out if each.default_value is None])
    given = {name: as_fed(inputs[array], module) for name, array in found.items()}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        torch.onnx.export(
            module,
            tuple(given.values()),
            file,
            dynamo=False,
            input_names=[*given, *(each.name for each in left_out)],
            dynamic_axes={name: {0: "batch"} for name, tensor in given.items() if tensor.dim()},
        )
        return ir.from_proto(onnx.load(file))


def _check_defaults(path: Path, absent: Sequence[str]) -> None:
    """PyTorch's exporter wants a value for each argument that is None by default."""
    if absent:
        raise QvizError(
            path.name,
            f"its forward() may be called without {quoted(absent)}, but PyTorch cannot turn that "
            "call of TorchScript into ONNX operators",
            f"Save an array for each of them, too; or {_CONVERT[0].lower()}{_CONVERT[1:]}",
        )


def _scope(node: ir.Node) -> str:
    """The module in the exporter's node name '/block/block.0/conv/Conv': 'block.0.conv'."""
    name = ""
    for part in _parts(node.name or ""):
        name = part if part.startswith(f"{name}.") or not name else f"{name}.{part}"
    return name


def _parts(name: str) -> Sequence[str]:
    return name.strip("/").split("/")[:-1] if name.startswith("/") else ()
