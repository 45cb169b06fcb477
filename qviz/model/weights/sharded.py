"""Several safetensors files under one index, `model.safetensors.index.json`."""

from __future__ import annotations

from pathlib import Path

from qviz.errors import QvizError
from qviz.model.weights.opened_file import open_file
from qviz.model.weights.safetensors_file import LARGEST_HEADER, load_json, read_safetensors
from qviz.model.weights.stored import StoredTensor, WeightFile, damaged


def read_sharded(path: Path) -> WeightFile:
    """Read the headers of all files that the index names.

    Raises:
        QvizError: the index or a file is damaged, a file is missing or outside the index's folder.
    """
    index = open_file(path)
    if index.size > LARGEST_HEADER:
        raise damaged(index, f"an index of {index.size:,} bytes is too long")
    with index.stream() as stream:
        places = load_json(index, stream.read()).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise QvizError(
            path.name, "it has no weight_map", "Choose the .safetensors file itself, or its index"
        )
    if not all(isinstance(shard, str) and shard for shard in places.values()):
        raise damaged(index, "its weight_map does not name files")
    wanted: dict[str, list[str]] = {}
    for name, shard in places.items():
        wanted.setdefault(shard, []).append(name)
    tensors: dict[str, StoredTensor] = {}
    files, left_out = [index], []
    for shard, names in wanted.items():
        content = read_safetensors(_inside(path, shard))
        files += content.files
        here, out = {t.name: t for t in content.tensors}, dict(content.left_out)
        for name in names:
            if name in here:
                tensors[name] = here[name]
            elif name in out:
                left_out.append((name, out[name]))
            else:
                raise QvizError(
                    path.name,
                    f"it places tensor '{name[:80]}' in {shard}, which does not hold it",
                    f"Download the index and {shard} again",
                )
    ordered = tuple(tensors[name] for name in places if name in tensors)
    return WeightFile(ordered, tuple(files), tuple(left_out))


def _inside(index: Path, shard: str) -> Path:
    """The shard's path; links may lead only to where the index itself lies.

    The index may be a link too: hubs keep the files of a folder together in another one.
    """
    folder = index.parent.resolve()
    path = folder / shard
    try:
        resolved, found = path.resolve(), path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, not a path, a link to itself
        resolved, found = folder, False
    if not any(resolved.is_relative_to(f) for f in (folder, index.resolve().parent)):
        raise QvizError(
            index.name,
            f"it names a file outside its folder, '{shard[:200]}'",
            "Put the files beside the index and name them there",
        )
    if not found:
        raise QvizError(
            index.name, f"its file '{shard[:200]}' is missing", "Put it beside the index"
        )
    return path
