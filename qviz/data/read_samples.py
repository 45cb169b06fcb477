"""From whatever holds samples, a file or a folder, to Samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qviz.data import audio, class_folders, mask_folders, pictures, shards
from qviz.data.audio import read_audio
from qviz.data.image_list import is_image_list, read_image_list
from qviz.data.images import image_input, image_samples
from qviz.data.npy_pairs import read_npy, read_npy_folder
from qviz.data.pixel_arrays import has_choice, pixel_samples
from qviz.data.read_npz import read_npz
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import InputSpec, Samples
from qviz.data.stored_file import StoredFile
from qviz.data.subset import subset
from qviz.data.token_inputs import completed
from qviz.errors import QvizError

Inputs = tuple[InputSpec, ...]
Reader = Callable[[Path, Inputs, Reading], Samples]
AS_ACCEPTED = "Choose .npz, .npy, .csv, .jsonl, .parquet, .wav, .txt, an image, or a folder of them"
_AS_NPZ = "Save arrays with numpy.savez(file, input_name=array, labels=array)"
# Formats that qviz does not read, and how to come to one that it does.
_ELSEWHERE: Mapping[str, str] = {
    ".pkl": f"{_AS_NPZ}; qviz never runs pickled objects",
    ".pickle": f"{_AS_NPZ}; qviz never runs pickled objects",
    ".pt": f"{_AS_NPZ}; qviz never runs pickled objects",
    ".bin": "Save token ids with numpy.save(file, numpy.fromfile('FILE', dtype='uint16'))",
    ".mat": f"Read it with scipy.io.loadmat. {_AS_NPZ}",
    ".h5": f"Read it with h5py. {_AS_NPZ}",
    ".hdf5": f"Read it with h5py. {_AS_NPZ}",
    ".tfrecord": f"Read it with tensorflow_datasets. {_AS_NPZ}",
    ".arrow": "Save it as Parquet: datasets.Dataset.from_file('FILE').to_parquet('FILE.parquet')",
    ".xlsx": "Save it as CSV",
    ".json": "Save it as CSV, Parquet, or .jsonl with one sample per line",
    ".mp3": "Convert it to WAV, as by ffmpeg -i FILE FILE.wav",
    ".flac": "Convert it to WAV, as by ffmpeg -i FILE FILE.wav",
    ".ogg": "Convert it to WAV, as by ffmpeg -i FILE FILE.wav",
}


def read_samples(path: Path, inputs: Inputs, reading: Reading = AS_PROPOSED) -> Samples:
    """Read samples for a model with these inputs from a file or folder of any kind known.

    Raises:
        QvizError: nothing there, a kind that is not known, or what its reader refuses.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path if path.name else path.resolve(), inputs, reading)
    if not path.exists():
        raise QvizError(
            path.name, f"there is no such file in {path.absolute().parent}", "Check the path"
        )
    suffix = path.suffix.lower()
    if not path.is_file():
        raise QvizError(path.name, "it is no file of samples but a device", "Choose a file")
    if suffix not in READERS:
        what = f"'{suffix}' files" if suffix else "files without an ending"
        raise QvizError(
            path.name, f"samples are not read from {what}", _ELSEWHERE.get(suffix, AS_ACCEPTED)
        )
    return READERS[suffix](path, inputs, reading)


def _read_folder(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    """By what most of the files below a folder are."""
    if any(file.name[0] != "." for file in path.glob("*.npy")):
        return _finished(path, read_npy_folder(path, inputs, reading), inputs, reading)
    kinds = class_folders.count_kinds(path)
    tables, sounds, images = (
        sum(kinds[suffix] for suffix in suffixes)
        for suffixes in (shards.SUFFIXES, audio.SUFFIXES, pictures.SUFFIXES)
    )
    if tables and tables >= max(sounds, images):  # shards may come with a logo
        return _read_table(path, inputs, reading)
    if sounds > images:
        return read_audio(path, inputs, reading)
    masks = mask_folders.find_masks(path)
    if masks is not None:
        return mask_folders.mask_samples(path, masks, inputs, reading)
    listing = class_folders.list_files(path, pictures.SUFFIXES, "images")
    return image_samples(
        path, listing.files, listing.labels, inputs, reading, listing.class_names, listing.notes
    )


def _read_npz(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    samples = completed(read_npz(path, inputs, reading), inputs)
    return _finished(path, samples, inputs, reading)


def _read_npy(path: Path, inputs: Inputs, reading: Reading) -> Samples:
    return _finished(path, read_npy(path, inputs, reading), inputs, reading)


def _finished(path: Path, samples: Samples, inputs: Inputs, reading: Reading) -> Samples:
    """The subset of arrays, and pictures as they are to be preprocessed where that was said."""
    drawn = subset(samples, reading)
    if not has_choice(reading):
        return drawn
    return pixel_samples(path, drawn, image_input(inputs), reading)


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
    ".jsonl": _read_table,
    **dict.fromkeys(shards.SUFFIXES, _read_table),
    ".txt": _read_text,
    **dict.fromkeys(audio.SUFFIXES, read_audio),
    **dict.fromkeys(pictures.SUFFIXES, _read_image),
}
