"""From whatever holds samples, a file or a folder, to Samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qviz.data import audio, class_folders, pictures
from qviz.data.audio import read_audio
from qviz.data.image_list import is_image_list, read_image_list
from qviz.data.images import image_samples
from qviz.data.npy_pairs import map_array, read_npy, read_npy_folder
from qviz.data.read_npz import read_npz
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import InputSpec, Samples
from qviz.data.stored_file import StoredFile
from qviz.data.subset import subset
from qviz.errors import QvizError

Inputs = tuple[InputSpec, ...]
Reader = Callable[[Path, Inputs, Reading], Samples]
AS_ACCEPTED = "Choose .npz, .npy, .csv, .parquet, .wav, .txt, an image, or a folder of them"


def read_samples(path: Path, inputs: Inputs, reading: Reading = AS_PROPOSED) -> Samples:
    """Read samples for a model with these inputs from a file or folder of any kind known.

    Raises:
        QvizError: nothing there, a kind that is not known, or what its reader refuses.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, inputs, reading)
    if not path.exists():
        raise QvizError(
            path.name, f"there is no such file in {path.absolute().parent}", "Check the path"
        )
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise QvizError(path.name, f"samples are not read from '{suffix}' files", AS_ACCEPTED)
    return READERS[suffix](path, inputs, reading)


def _read_folder(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    """By what most of the files below a folder are."""
    if any(file.name[0] != "." for file in path.glob("*.npy")):
        return subset(read_npy_folder(path, inputs), reading)
    kinds = class_folders.count_kinds(path)
    if sum(kinds[suffix] for suffix in audio.SUFFIXES) > sum(
        kinds[suffix] for suffix in pictures.SUFFIXES
    ):
        return read_audio(path, inputs, reading)
    listing = class_folders.list_files(path, pictures.SUFFIXES, "images")
    return image_samples(
        path, listing.files, listing.labels, inputs, reading, listing.class_names, listing.notes
    )


def _read_npz(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    return subset(read_npz(path, inputs), reading)


def _read_npy(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    array = map_array(path)
    if array.dtype.kind in "iu" and array.ndim == 2:
        # Imported here since its library takes long to load, as those of tables and text do.
        from qviz.data.tokens import read_token_array, token_input

        if token_input(inputs) is not None:
            return read_token_array(path, inputs, reading)
    return subset(read_npy(path, inputs), reading)


def _read_image(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    return image_samples(path, [StoredFile(path.name, path)], None, inputs, reading)


def _read_csv(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    if is_image_list(path):
        return read_image_list(path, inputs, reading)
    return _read_table(path, inputs, reading)


def _read_table(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    from qviz.data.tables import read_table

    return read_table(path, inputs, reading)


def _read_text(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    from qviz.data.tokens import read_text

    return read_text(path, inputs, reading)


READERS: Mapping[str, Reader] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_table,
    ".pq": _read_table,
    ".txt": _read_text,
    **dict.fromkeys(audio.SUFFIXES, read_audio),
    **dict.fromkeys(pictures.SUFFIXES, _read_image),
}
