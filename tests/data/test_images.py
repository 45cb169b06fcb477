"""Images from folders, lists and single files: what is read, and what is refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from qviz.data import images
from qviz.data.images import ImageColumn, OpenedImage
from qviz.data.parts import split_samples
from qviz.data.pictures import decode, read_size
from qviz.data.preprocessing import Preprocessing
from qviz.data.read_samples import read_samples
from qviz.data.reading import Reading
from qviz.data.samples import InputSpec, Samples
from qviz.data.stored_file import StoredFile, digest_of
from qviz.errors import QvizError

RGB = (InputSpec("x", "float32", (None, 3, 8, 8)),)
AS_IS = Reading(preprocessing=Preprocessing())


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8)) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def column(samples: Samples) -> ImageColumn:
    found = samples.arrays["x"]
    assert isinstance(found, ImageColumn)
    return found


def labels(samples: Samples) -> list[int]:
    assert samples.labels is not None
    return list(samples.labels.tolist())


def refused(path: Path, reading: Reading = AS_IS) -> QvizError:
    with pytest.raises(QvizError) as caught:
        read_samples(path, RGB, reading)
    assert caught.value.cure
    return caught.value


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for index, name in enumerate(("dog/a.png", "dog/deep/b.PNG", "cat/c.png", "cat/.hidden.png")):
        picture(tmp_path / "set" / name, index)
    (tmp_path / "set/cat/notes.md").write_text("no image")
    (tmp_path / "set/.cache").mkdir()
    return tmp_path / "set"


def test_sub_folders_are_classes_in_the_order_of_their_names(classes: Path) -> None:
    samples = read_samples(classes, RGB, AS_IS)
    assert samples.class_names == ("cat", "dog")
    assert labels(samples) == [0, 1, 1]
    assert [image.file.name for image in column(samples).images] == [
        "cat/c.png", "dog/a.png", "dog/deep/b.PNG",
    ]  # fmt: skip
    assert (samples.name, samples.count, column(samples).shape) == ("set", 3, (3, 3, 8, 8))


def test_rows_come_in_the_order_asked_for(classes: Path) -> None:
    samples = read_samples(classes, RGB, AS_IS)
    found = samples.arrays["x"][np.array([2, 0, 2])]
    assert found.dtype == np.float32
    with Image.open(classes / "dog/deep/b.PNG") as image:
        np.testing.assert_array_equal(found[0], np.asarray(image).transpose(2, 0, 1))
    np.testing.assert_array_equal(found[0], found[2])
    assert samples.arrays["x"][np.array([], np.int64)].shape == (0, 3, 8, 8)


def test_folders_that_are_numbers_are_the_indices(tmp_path: Path) -> None:
    for name in ("00012", "0", "3"):
        picture(tmp_path / name / "a.png")
    samples = read_samples(tmp_path, RGB, AS_IS)
    assert labels(samples) == [0, 12, 3]
    assert samples.class_names == ()
    picture(tmp_path / "03" / "a.png")
    assert "the same number" in refused(tmp_path).cause


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for index, name in enumerate(("b.png", "a.png")):
        picture(tmp_path / name, index)
    (tmp_path / "empty").mkdir()
    samples = read_samples(tmp_path, RGB, AS_IS)
    assert samples.labels is None
    assert [image.file.name for image in column(samples).images] == ["a.png", "b.png"]


def test_a_single_sub_folder_is_opened_and_is_no_class(tmp_path: Path) -> None:
    for name in ("images/cat/a.png", "images/dog/a.png"):
        picture(tmp_path / name)
    samples = read_samples(tmp_path, RGB, AS_IS)
    assert samples.class_names == ("cat", "dog")
    assert "'images' is the only sub-folder" in samples.notes[0]


def test_loose_images_beside_class_folders_are_left_out_with_a_note(classes: Path) -> None:
    picture(classes / "loose.png")
    assert "1 images outside" in read_samples(classes, RGB, AS_IS).notes[1]


def test_links_in_circles_end(classes: Path) -> None:
    (classes / "dog/again").symlink_to(classes / "dog")
    assert read_samples(classes, RGB, AS_IS).count == 3


@pytest.mark.parametrize(
    ("files", "subject", "cause"),
    [
        ((), "set", "it is empty"),
        (("readme.md",), "set", "it holds no images"),
        (("cat/a.png", "dog/readme.md"), "set/dog", "this class folder holds no images"),
        (("train/cat/a.png", "test/cat/a.png"), "set", "are parts of a data set"),
    ],
)
def test_folders_without_what_is_needed(
    tmp_path: Path, files: tuple[str, ...], subject: str, cause: str
) -> None:
    (tmp_path / "set").mkdir()
    for name in files:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x") if path.suffix == ".md" else picture(path)
    error = refused(tmp_path / "set")
    assert error.subject == subject
    assert cause in error.cause


def test_one_broken_image_is_named(classes: Path) -> None:
    (classes / "cat/c.png").write_bytes(b"no image")
    (classes / "dog/a.png").write_bytes(b"")
    assert refused(classes).subject == "cat/c.png"
    assert "no image that can be read" in refused(classes).cause


def test_a_few_unreadable_images_are_left_out_with_a_note(classes: Path) -> None:
    whole = read_samples(classes, RGB, AS_IS)
    data = (classes / "dog/a.png").read_bytes()
    (classes / "cat/d.png").write_bytes(data[: len(data) // 2])  # its header can be read
    samples = read_samples(classes, RGB, AS_IS)
    assert samples.hash == whole.hash
    assert samples.labels is not None
    assert whole.labels is not None
    assert samples.labels.tolist() == whole.labels.tolist()
    note = samples.notes[-1]
    assert note.startswith("1 of 4 images cannot be read and are left out, the first is cat/d.png")
    assert "damaged or truncated" in note


def test_files_that_end_otherwise_but_are_whole_are_kept(tmp_path: Path) -> None:
    for suffix in (".png", ".jpg", ".gif"):
        picture(tmp_path / f"a{suffix}")
        with (tmp_path / f"a{suffix}").open("ab") as stream:
            stream.write(bytes(100))
    samples = read_samples(tmp_path, RGB, Reading(preprocessing=Preprocessing((8, 8))))
    assert samples.count == 3
    assert samples.notes == ()


def test_classes_are_told_in_their_order(classes: Path) -> None:
    note = "Sub-folders are the classes, in the order of their names: 0 = cat, 1 = dog"
    assert read_samples(classes, RGB, AS_IS).notes == (note,)


def test_a_subset_says_of_how_many(classes: Path) -> None:
    assert read_samples(classes, RGB, AS_IS).drawn_from is None
    drawn = read_samples(classes, RGB, Reading(preprocessing=Preprocessing(), subset=2))
    assert (drawn.count, drawn.drawn_from) == (2, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".webp", ".tif"])
def test_truncated_images_are_named_when_they_are_decoded(tmp_path: Path, suffix: str) -> None:
    picture(tmp_path / f"whole{suffix}", 0, (64, 64))
    data = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / "set").mkdir()
    (tmp_path / f"set/cut{suffix}").write_bytes(data[: len(data) * 6 // 10])
    reading = Reading(preprocessing=Preprocessing((8, 8)))
    with pytest.raises(QvizError) as caught:
        read_samples(tmp_path / "set", RGB, reading).arrays["x"][np.array([0])]
    assert caught.value.subject == f"cut{suffix}"


def test_an_image_that_has_changed_is_refused(classes: Path) -> None:
    samples = read_samples(classes, RGB, AS_IS)
    picture(classes / "dog/a.png", 9)
    with pytest.raises(QvizError, match=r"dog/a\.png: it has changed since"):
        samples.arrays["x"][np.array([1])]
    (classes / "cat/c.png").unlink()
    with pytest.raises(QvizError, match=r"cat/c\.png: it cannot be read"):
        samples.arrays["x"][np.array([0])]


def bomb(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data)


@pytest.mark.parametrize("side", [9_460, 12_000, 60_000, 2**31 - 1])
def test_declared_sizes_beyond_the_limit_are_refused_before_decoding(
    tmp_path: Path, side: int
) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(side))
    error = refused(tmp_path)
    assert error.subject == "bomb.png"
    assert "beyond the limit" in error.cause


def test_pictures_of_several_sizes_need_a_size(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0, (8, 10))
    picture(tmp_path / "b.png", 0, (10, 8))
    open_input = (InputSpec("x", "float32", (None, 3, None, None)),)
    with pytest.raises(QvizError, match=r"comes out 10×8, but a\.png 8×10"):
        read_samples(tmp_path, open_input, AS_IS)
    cropped = Reading(preprocessing=Preprocessing(crop=8))
    assert read_samples(tmp_path, open_input, cropped).arrays["x"].shape == (2, 3, 8, 8)


def test_the_hash_names_contents_and_preprocessing(classes: Path) -> None:
    first = read_samples(classes, RGB, AS_IS)
    (classes / "cat").rename(classes / "aardvark")
    renamed = read_samples(classes, RGB, AS_IS)
    assert renamed.hash == first.hash
    assert split_samples(renamed).hash == split_samples(first).hash
    scaled = read_samples(classes, RGB, Reading(preprocessing=Preprocessing(scale=0.5)))
    assert scaled.hash != first.hash
    assert split_samples(scaled).tune.tolist() == split_samples(first).tune.tolist()
    picture(classes / "dog/a.png", 9)
    assert read_samples(classes, RGB, AS_IS).hash != first.hash


def test_a_subset_is_drawn_by_its_seed_and_only_that_is_opened(tmp_path: Path) -> None:
    for index in range(20):
        picture(tmp_path / f"set/{index % 2}/{index}.png", index)
    found = [
        [
            image.file.name
            for image in column(
                read_samples(tmp_path / "set", RGB, Reading(Preprocessing(), subset=6, seed=seed))
            ).images
        ]
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]
    assert found[0] == sorted(found[0], key=lambda name: (name[0], name))
    samples = read_samples(tmp_path / "set", RGB, Reading(Preprocessing(), subset=6))
    assert labels(samples) == [int(name[0]) for name in found[0]]
    assert samples.notes == ("6 of 20 samples, drawn with seed 0",)
    left = next(name for name in ("0/0.png", "0/2.png", "0/4.png", "0/6.png", "0/8.png",
                                  "1/1.png", "1/3.png") if name not in found[0])  # fmt: skip
    (tmp_path / "set" / left).write_bytes(b"broken")
    assert read_samples(tmp_path / "set", RGB, Reading(Preprocessing(), subset=6)).count == 6


def test_without_a_choice_the_proposed_preprocessing_is_used(classes: Path) -> None:
    found = read_samples(classes, RGB).arrays["x"][np.array([0])]
    assert found.max() <= 1.0
    whole = (InputSpec("x", "uint8", (None, 8, 8, 3)),)
    assert read_samples(classes, whole).arrays["x"][np.array([0])].dtype == np.uint8
    with pytest.raises(QvizError, match="no picture of 1 or 3 channels"):
        read_samples(classes, (InputSpec("x", "float32", (None, 10)),))
    with pytest.raises(QvizError, match="none of the inputs 'a', 'b' takes pictures"):
        read_samples(classes, (InputSpec("a", "float32", (1, 2)), InputSpec("b", "float32", ())))
    mixed = (InputSpec("scale", "float32", (None, 2)), *RGB)
    assert list(read_samples(classes, mixed).arrays) == ["x"]


def test_a_preview_shows_the_picture_and_the_numbers(classes: Path) -> None:
    shown = column(read_samples(classes, RGB, AS_IS)).preview(0, Preprocessing(crop=4, scale=2.0))
    with Image.open(classes / "cat/c.png") as image:
        np.testing.assert_array_equal(shown.picture, np.asarray(image)[2:6, 2:6])
    np.testing.assert_array_equal(shown.values, shown.picture.transpose(2, 0, 1) * 2.0)


def test_pictures_are_kept_up_to_a_number_of_bytes(
    classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = column(read_samples(classes, RGB, AS_IS)).images
    decoded: list[str] = []

    def counted(image: OpenedImage, _: Preprocessing) -> NDArray[np.uint8]:
        decoded.append(image.file.name[:3])
        return np.zeros((8, 8, 3), np.uint8)

    monkeypatch.setattr(images.OpenedImage, "decoded", counted)
    kept = ImageColumn(opened, Preprocessing(), np.dtype("float32"), 2 * 8 * 8 * 3)
    for row in (0, 1, 0, 2, 0, 1):  # the one used longest ago goes
        kept[np.array([row])]
    assert decoded == ["cat", "dog", "dog", "dog"]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation_turns_pictures_upright(orientation: int, kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True, "quality": 100, "subsampling": 0}
    data = encoded(Image.fromarray(pixels), kind, exif=exif, **options)
    # EXIF 2.32, table 6: what the first row and the first column of the stored picture show.
    wanted = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.swapaxes(0, 1), 6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).swapaxes(0, 1), 8: np.rot90(pixels),
    }[orientation]  # fmt: skip
    found = decode(data, Preprocessing(), "x")
    np.testing.assert_allclose(found.astype(int), wanted, atol=4 if kind == "JPEG" else 0)
    assert read_size(data, "x") == found.shape[:2]


def gradient() -> NDArray[np.uint8]:
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


WIDE = gradient().astype(np.uint16) * 257
GRAY = Image.fromarray(gradient())


def palette(transparent: bool) -> bytes:
    image = Image.fromarray(gradient()).convert("P")
    image.putpalette([value for index in range(256) for value in (index, 0, 255 - index)])
    options = {"transparency": bytes(range(256))} if transparent else {}
    return encoded(image, "PNG", **options)


@pytest.mark.parametrize(
    ("data", "red"),
    [
        (lambda: palette(transparent=False), gradient()),
        (lambda: palette(transparent=True), gradient()),
        (lambda: encoded(Image.fromarray(gradient()).convert("LA"), "PNG"), gradient()),
        (lambda: encoded(Image.merge("RGBA", [GRAY] * 4), "PNG"), gradient()),
        (lambda: encoded(Image.fromarray(WIDE), "PNG"), gradient()),
        (lambda: encoded(Image.fromarray(WIDE), "TIFF"), gradient()),
        (lambda: encoded(Image.fromarray(gradient() > 127), "PNG"), (gradient() > 127) * 255),
        (
            lambda: encoded(
                Image.merge("CMYK", [Image.fromarray(gradient()), *[Image.new("L", (16, 16))] * 3]),
                "TIFF",
            ),
            255 - gradient(),
        ),
    ],
    ids=["palette", "transparent palette", "gray alpha", "alpha", "16 bit png", "16 bit tiff",
         "1 bit", "cmyk"],
)  # fmt: skip
def test_all_kinds_of_pixels(data: Callable[[], bytes], red: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(decode(data(), Preprocessing(), "x")[..., 0], red)


def test_pixels_without_a_known_white_are_refused() -> None:
    floating = encoded(Image.fromarray(gradient().astype(np.float32)), "TIFF")
    with pytest.raises(QvizError, match="black and white are not known"):
        decode(floating, Preprocessing(), "x")


def test_a_thin_strip_does_not_grow_without_limit() -> None:
    strip = encoded(Image.new("L", (60_000, 1)), "PNG")
    with pytest.raises(QvizError, match=r"1×60000 pixels would be resized to 256×15360000"):
        decode(strip, Preprocessing(256, crop=224), "x")


def test_postscript_is_never_interpreted(tmp_path: Path) -> None:
    data = encoded(Image.new("RGB", (8, 8)), "EPS")
    (tmp_path / "trap.png").write_bytes(data)
    assert "no image that can be read" in refused(tmp_path).cause


def test_damaged_exif_counts_as_upright() -> None:
    data = encoded(Image.fromarray(gradient()), "PNG", exif=b"Exif\x00\x00II*\x00garbage")
    assert read_size(data, "x") == (16, 16)


def test_a_single_image_is_one_sample(tmp_path: Path) -> None:
    pixels = picture(tmp_path / "a.png")
    found = read_samples(tmp_path / "a.png", RGB, AS_IS)
    assert found.count == 1
    np.testing.assert_array_equal(found.arrays["x"][np.array([0])][0], pixels.transpose(2, 0, 1))


def test_a_file_too_large_to_be_an_image(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(2**30)
    assert "1,073,741,824 bytes" in refused(tmp_path).cause


def test_bytes_are_known_by_their_digest() -> None:
    file = StoredFile("row 1", b"abc")
    assert file.read_unchanged(digest_of(b"abc")) == b"abc"
    with pytest.raises(QvizError, match="row 1: it has changed"):
        file.read_unchanged(digest_of(b"abd"))


# Lists of images


def image_list(folder: Path, text: str) -> Path:
    for index, name in enumerate(("a.png", "sub/b.png")):
        picture(folder / name, index)
    path = folder / "list.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "wanted", "names"),
    [
        ("path,label\na.png,1\nsub/b.png,0\n", [1, 0], ()),
        ("a.png,1\nsub/b.png,0\n", [1, 0], ()),
        ("a.png,dog\nsub/b.png,cat\n", [1, 0], ("cat", "dog")),
        ("label;filename\ndog;a.png\ncat;sub/b.png\n", [1, 0], ("cat", "dog")),
        ("class\timage\textra\n7\ta.png\tx\n8\tsub/b.png\ty\n", [7, 8], ()),
        ("\ufefffile,target\r\n./a.png,1\r\n\r\nsub/b.png,0\r\n", [1, 0], ()),
    ],
)
def test_lists_of_paths_and_labels(
    tmp_path: Path, text: str, wanted: list[int], names: tuple[str, ...]
) -> None:
    samples = read_samples(image_list(tmp_path, text), RGB, AS_IS)
    assert labels(samples) == wanted
    assert samples.class_names == names
    assert len(samples.notes) == bool(names)  # the order of classes that have names
    assert samples.count == 2


def test_lists_without_labels_and_with_a_chosen_column(tmp_path: Path) -> None:
    assert read_samples(image_list(tmp_path, "path\na.png\n"), RGB, AS_IS).labels is None
    path = image_list(tmp_path, "path,label,kind\na.png,1,5\nsub/b.png,0,6\n")
    assert labels(read_samples(path, RGB, Reading(Preprocessing(), label="kind"))) == [5, 6]
    error = refused(path, Reading(Preprocessing(), label="none"))
    assert "no column 'none' for labels" in error.cause
    assert "path, label, kind" in error.cure


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("path,label\na.png,1\nmissing.png,0\n", "row 2 names 'missing.png', but there is no such"),
        ("path,label\na.png,1\n../list.png,0\n", "row 2 names '../list.png', which lies outside"),
        ("path,label\na.png,1\n/etc/x.png,0\n", "row 2 names '/etc/x.png', which lies outside"),
        ("path,label\na.png,1\nlink.png,0\n", "row 2 names 'link.png', which lies outside"),
        ("path,label\na.png,1\nsub,0\n", "row 2 names 'sub', but there is no such file"),
        ("path,label\na.png,1\na.png\n", "row 2 has 1 columns, not 2"),
        ("path,label\na.png,1\na.png,\n", "row 2 has no label"),
    ],
)
def test_lists_that_are_refused(tmp_path: Path, text: str, cause: str) -> None:
    (tmp_path / "set").mkdir()
    path = image_list(tmp_path / "set", text)
    picture(tmp_path / "list.png")
    (tmp_path / "set/link.png").symlink_to(tmp_path / "list.png")
    error = refused(path)
    assert error.subject == "list.csv"
    assert cause in error.cause
