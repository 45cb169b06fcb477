"""From a file of weights, without a graph, to a Model that can be looked at but not run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import onnx_ir as ir

from qviz.errors import QvizError
from qviz.model.file_tensors import FileTensors
from qviz.model.model import Model
from qviz.model.weights.content_hash import content_hash
from qviz.model.weights.layers import find_weight_layers
from qviz.model.weights.npz_file import read_npz_weights
from qviz.model.weights.safetensors_file import read_safetensors
from qviz.model.weights.sharded import read_sharded
from qviz.model.weights.state_dict import read_state_dict
from qviz.model.weights.stored import WeightFile, listed

INDEX = ".safetensors.index.json"


def _read_gguf(path: Path) -> WeightFile:
    # Imported here since its library, with what it imports, takes a quarter of a second to load.
    from qviz.model.weights.gguf_file import read_gguf

    return read_gguf(path)


READERS: Mapping[str, Callable[[Path], WeightFile]] = {
    INDEX: read_sharded,
    ".safetensors": read_safetensors,
    ".gguf": _read_gguf,
    ".npz": read_npz_weights,
    ".pt": read_state_dict,
    ".pth": read_state_dict,
    ".bin": read_state_dict,
    ".ckpt": read_state_dict,
}


def read_weights(path: Path) -> Model:
    """Read names, types and shapes; the tensors stay in the file until they are asked for.

    Every tensor of floats with two or more dimensions is a layer. The model's hash is of the
    layout and a sample of the bytes, see `content_hash`.

    Raises:
        QvizError: no file of weights, a damaged one, or one that holds pickled objects.
    """
    path = Path(path)
    suffix = next((suffix for suffix in READERS if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise QvizError(
            path.name, "it is no file of weights that qviz knows", f"Choose {', '.join(READERS)}"
        )
    content = READERS[suffix](path)
    layers, slots, values = find_weight_layers(content.tensors)
    if not layers:
        raise QvizError(
            path.name,
            "it holds no weights: floating-point tensors of two or more dimensions",
            "; ".join([*_left_out(content), "Choose a file that holds a model's weights"]),
        )
    tensors = {s.name: s for s in content.tensors if values[s.name] == s.name}
    return Model(
        name=path.name[: -len(suffix)],
        path=str(path),
        hash=content_hash(content),
        graph=ir.Model(ir.Graph([], [], nodes=[]), ir_version=10),
        steps=(),
        inputs=(),
        outputs=(),
        constants=FileTensors({name: stored.tensor for name, stored in tensors.items()}),
        layers=layers,
        slots=slots,
        source_bytes=sum(file.size for file in content.files),
        notes=(*content.notes, *_left_out(content), *_not_quantized(content)),
        stored_types={name: stored.stored_type for name, stored in tensors.items()},
    )


def _left_out(content: WeightFile) -> Iterator[str]:
    """One note for every reason to leave tensors out."""
    reasons: dict[str, list[str]] = {}
    for name, reason in content.left_out:
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        yield f"Left out {len(names)} tensor{'s' * (len(names) != 1)} {reason}: {listed(names)}"


def _not_quantized(content: WeightFile) -> Iterator[str]:
    names = [s.name for s in content.tensors if not s.tensor.dtype.is_floating_point]
    if names:
        plural = "s" * (len(names) != 1)
        yield f"{len(names)} tensor{plural} without floating point, not quantized: {listed(names)}"
