"""Tables: columns of CSV and Parquet files as samples, and messages that name row and column."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from qviz.data import arrow_tables
from qviz.data.fit import fit_to_inputs
from qviz.data.preprocessing import Preprocessing
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import InputSpec, Samples
from qviz.errors import QvizError

THREE = (InputSpec("x", "float32", (None, 3)),)
TWO = (InputSpec("x", "float32", (None, 2)),)
ANY = (InputSpec("x", "float32", None),)


def csv(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def parquet(folder: Path, **columns: Any) -> Path:
    path = folder / "table.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def values(samples: Samples, name: str = "x") -> list[Any]:
    return list(samples.arrays[name][np.arange(samples.count)].tolist())


def labels(samples: Samples) -> list[Any] | None:
    return None if samples.labels is None else list(samples.labels.tolist())


def refused(
    path: Path, inputs: tuple[InputSpec, ...] = TWO, reading: Reading = AS_PROPOSED
) -> QvizError:
    with pytest.raises(QvizError) as caught:
        read_samples(path, inputs, reading)
    assert caught.value.subject == path.name
    assert caught.value.cure
    return caught.value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a,b,label\n1,2,0\n3,4.5,1\n", [0, 1]),
        ("Label,a,b\n0,1,2\n1,3,4.5\n", [0, 1]),
        ("a;b;target\n1;2;0\n3;4,5;1\n", [0, 1]),
        ("a\tb\ty\n1\t2\t0\n3\t4.5\t1\n", [0, 1]),
        ("a|b|class\n1|2|0.5\n3|4.5|1.5\n", [0.5, 1.5]),
        ("a,b\n1,2\n3,4.5\n", None),
        ("1,2\n3,4.5\n", None),
        ("1,2,no\n3,4.5,yes\n", [0, 1]),
        ("0,1,label\n1,2,0\n3,4.5,1\n", [0, 1]),
        ("0,1\n1,2\n3,4.5\n", None),
        (",a,b,label\n0,1,2,0\n1,3,4.5,1\n", [0, 1]),
        ('"a, first",b,label\r\n1,2,0\r\n\r\n3,4.5e0,1\r\n', [0, 1]),
        ("\ufeffa,b,labels\n1,2,false\n3,4.5,true\n", [0, 1]),
    ],
)
def test_csv_files_as_they_come(tmp_path: Path, text: str, wanted: list[Any] | None) -> None:
    samples = read_samples(csv(tmp_path, text), TWO)
    assert values(samples) == [[1.0, 2.0], [3.0, 4.5]]
    assert samples.arrays["x"].dtype == np.float32
    assert labels(samples) == wanted


def test_text_labels_are_classes_in_sorted_order(tmp_path: Path) -> None:
    samples = read_samples(csv(tmp_path, "a,b,class\n1,2,dog\n3,4,cat\n5,6,dog\n"), TWO)
    assert labels(samples) == [1, 0, 1]
    assert samples.class_names == ("cat", "dog")
    assert samples.notes == ("Classes in the order of their names: 0 = cat, 1 = dog",)
    numbered = read_samples(csv(tmp_path, "a,b,class\n1,2,1\n3,4,0\n"), TWO)
    assert numbered.notes == ()


def test_the_label_column_can_be_chosen(tmp_path: Path) -> None:
    path = csv(tmp_path, "kind,a,label\n7,1,2\n8,3,4\n")
    samples = read_samples(path, TWO, Reading(label="kind"))
    assert labels(samples) == [7, 8]
    assert values(samples) == [[1, 2], [3, 4]]
    bare = csv(tmp_path, "1,2,7\n3,4,8\n")
    assert labels(read_samples(bare, TWO, Reading(label="2"))) == [7, 8]
    assert "no column 'none'" in refused(path, TWO, Reading(label="none")).cause


def test_columns_named_as_inputs_feed_them(tmp_path: Path) -> None:
    inputs = (InputSpec("age", "float32", (None, 1)), InputSpec("y", "int64", (None,)))
    samples = read_samples(csv(tmp_path, "y,age,other,label\n1,20,0,1\n2,30,0,0\n"), inputs)
    assert values(samples, "age") == [[20.0], [30.0]]
    assert values(samples, "y") == [1, 2]
    assert labels(samples) == [1, 0]
    assert samples.notes == ("Columns left out: other",)
    assert set(fit_to_inputs(samples, inputs).columns) == {"age", "y"}


def test_as_many_columns_as_an_input_has_numbers_take_its_shape(tmp_path: Path) -> None:
    rows = np.arange(18).reshape(2, 9)
    text = "".join(f"{label}," + ",".join(map(str, row)) + "\n" for label, row in enumerate(rows))
    path = csv(tmp_path, "label," + ",".join(f"p{i}" for i in range(9)) + "\n" + text)
    spec = InputSpec("image", "float32", (None, 1, 3, 3))
    samples = read_samples(path, (spec,))
    assert samples.arrays["image"].shape == (2, 1, 3, 3)
    assert values(samples, "image") == rows.reshape(2, 1, 3, 3).tolist()


def test_whole_numbers_stay_whole_for_integer_inputs(tmp_path: Path) -> None:
    samples = read_samples(
        csv(tmp_path, f"a,b\n{2**53 + 1},2\n3,4\n"), (InputSpec("x", "int64", (None, 2)),)
    )
    assert values(samples)[0] == [2**53 + 1, 2]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a,b,label\n1,2,0\n3,,1\n", "column 'b' has no value in row 2"),
        ("a,b,label\n1,2,0\n3,NaN,1\n", "column 'b' has no value in row 2"),
        ("a,b,label\n1,2,0\n3,4,\n", "column 'label' has no value in row 2"),
        ("a,b,label\n1,2,x\n3,4,\n", "column 'label' has no value in row 2"),
        ("a,b,label\n1,2,0\n3,inf,1\n", "column 'b' is NaN or infinite in row 2"),
        ("a,b,label\n1,2,0\n3,1e300,1\n", "NaN or infinite values, first in sample 1"),
        ("a,b,label\n1,2,0\n3,4x,1\n", "column 'b' has '4x' in row 2, which is no number"),
        ("a,b,label\n1,2,0\n3,2020-01-01,1\n", "column 'b' has '2020-01-01' in row 2"),
        ("a,b,label\n1,2,0\n3,4\n", "line 3 has 2 columns, not 3"),
        ("a,b,c,label\n1,2,3,0\n", "it has 3 columns of values (a, b, c), but model input 'x'"),
        ("a,b\n", "it holds no rows"),
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("label\n1\n2\n", "it has no columns but the labels"),
    ],
)
def test_csv_files_that_are_refused(tmp_path: Path, text: str, cause: str) -> None:
    assert cause in refused(csv(tmp_path, text)).cause


def test_other_encodings_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\n")
    path.write_bytes(b"a,b\n\xff\xfe1,2\n")
    assert "not UTF-8" in refused(path).cause
    assert "there is no such file" in refused(tmp_path / "none.csv").cause


def test_columns_of_parquet_files(tmp_path: Path) -> None:
    path = parquet(tmp_path, a=[1, 3], b=[2.0, 4.5], label=["no", "yes"])
    samples = read_samples(path, TWO)
    assert values(samples) == [[1.0, 2.0], [3.0, 4.5]]
    assert (labels(samples), samples.class_names) == ([0, 1], ("no", "yes"))


def test_lists_of_equal_length_are_arrays(tmp_path: Path) -> None:
    nested = [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [0, 1, 2]]]
    samples = read_samples(parquet(tmp_path, pixels=nested, id=[1, 2], label=[0, 1]), ANY)
    assert values(samples, "pixels") == nested
    assert samples.notes == ("Columns left out: id",)
    fixed = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))
    assert values(read_samples(parquet(tmp_path, x=fixed), TWO)) == [[1, 2], [3, 4]]
    masks = read_samples(parquet(tmp_path, x=fixed, labels=[[1, 0], [2, 2]]), TWO)
    assert labels(masks) == [[1, 0], [2, 2]]


def test_dictionaries_decimals_and_small_types(tmp_path: Path) -> None:
    a = pa.array([1, 2, 1], pa.int8()).dictionary_encode()
    b = pa.array(["1.5", "2.5", "0.5"]).cast(pa.decimal128(5, 2))
    label = pa.array(["u", "v", "u"]).dictionary_encode()
    samples = read_samples(parquet(tmp_path, a=a, b=b, label=label), TWO)
    assert values(samples) == [[1, 1.5], [2, 2.5], [1, 0.5]]
    assert labels(samples) == [0, 1, 0]


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"x": [[1, 2], [3]]}, "column 'x' has 1 values in row 2, not 2"),
        ({"x": [[1, 2], [3, None]]}, "column 'x' has no value in row 2"),
        ({"x": [[1, 2], None]}, "column 'x' has no value in row 2"),
        ({"x": [[[1], [2]], [[3], [4, 5]]]}, "column 'x' has 2 values in row 2, not 1"),
        ({"x": [[], []]}, "column 'x' has empty lists"),
        ({"x": [["a"], ["b"]]}, "column 'x' has 'a' in row 1, which is no number"),
        ({"x": [1.0, float("nan")]}, "column 'x' is NaN or infinite in row 2"),
        ({"x": [{"a": 1}, {"a": 2}]}, "which is no number"),
        ({"x": pa.array([], pa.float32())}, "it holds no rows"),
    ],
)
def test_parquet_files_that_are_refused(
    tmp_path: Path, columns: dict[str, Any], cause: str
) -> None:
    assert cause in refused(parquet(tmp_path, **columns), ANY).cause


def test_damaged_parquet_files_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, x=np.random.default_rng(0).random(1000))
    data = path.read_bytes()
    for length in (0, 3, 50, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert "no Parquet file, or a damaged one" in refused(path).cause
    table = pa.table({"x": np.random.default_rng(0).random(1000)})
    pq.write_table(table, path, write_page_checksum=True)
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes(2000) + data[2100:])
    assert "no Parquet file, or a damaged one" in refused(path).cause


def test_declared_sizes_beyond_the_limit_are_refused_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path, x=np.zeros(5_000_000, np.int8))  # 8 bytes of file for a million
    monkeypatch.setattr(arrow_tables, "LARGEST_TABLE", 2**24)
    assert path.stat().st_size < 2**16
    assert "it holds 40,000,000 bytes of values, beyond the limit" in refused(path).cause
    pq.write_table(pa.table({"x": ["y" * 2**16] * 1000}), path)  # one text, a thousand times
    assert path.stat().st_size < 2**16
    assert "beyond the limit" in refused(path).cause
    monkeypatch.setattr(arrow_tables, "LARGEST_CSV", 10)
    assert "beyond the limit" in refused(csv(tmp_path, "a,b\n1,2\n3,4\n")).cause


def png(value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (value, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("nested", [True, False])
def test_images_in_parquet_files(tmp_path: Path, nested: bool) -> None:
    cells = [png(10), png(20)]
    column = [{"bytes": cell, "path": None} for cell in cells] if nested else cells
    table = pa.table({"image": column, "label": [1, 0]})
    names = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(names)})
    pq.write_table(table, tmp_path / "images.parquet")
    inputs = (InputSpec("x", "float32", (None, 3, 4, 4)),)
    samples = read_samples(tmp_path / "images.parquet", inputs, Reading(Preprocessing()))
    found = samples.arrays["x"][np.array([1, 0])]
    assert found[:, 0].max((1, 2)).tolist() == [20, 10]
    assert labels(samples) == [1, 0]
    assert samples.class_names == ("cat", "dog")
    assert samples.digests is not None


def test_images_that_are_missing_or_broken_in_parquet_files(tmp_path: Path) -> None:
    inputs = (InputSpec("x", "float32", (None, 3, 4, 4)),)
    path = parquet(tmp_path, image=[png(1), None])
    assert "column 'image' has no value in row 2" in refused(path, inputs).cause
    path = parquet(tmp_path, image=[png(1), b"broken", b""])
    with pytest.raises(QvizError, match=r"table\.parquet row 2: it is no image"):
        read_samples(path, inputs)


def test_a_subset_of_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path, x=np.arange(100.0), label=np.arange(100))
    one = (InputSpec("x", "float32", (None,)),)
    samples = read_samples(path, one, Reading(subset=10, seed=3))
    assert samples.count == 10
    assert values(samples) == labels(samples) == sorted(labels(samples) or [])
    assert samples.notes == ("10 of 100 samples, drawn with seed 3",)
    other = read_samples(path, one, Reading(subset=10, seed=4))
    assert values(other) != values(samples)
    assert other.hash != samples.hash
    assert read_samples(path, one, Reading(subset=100)).hash == read_samples(path, one).hash


def shards(folder: Path, names: str, **columns: Any) -> Path:
    """Ten rows each, one shard per name; a column says in which order they were written."""
    for index, name in enumerate(names.split()):
        rows = pa.table({"x": np.arange(10.0) + 10 * index, **columns})
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, folder / name)
    return folder


@pytest.mark.parametrize(
    "names",
    [
        "part-0000.parquet part-0001.parquet part-0002.parquet",
        "part-9.parquet part-10.parquet part-11.parquet",
        "0.pq 1.pq 2.pq",
        " ".join(f"data/train-0000{n}-of-00003.parquet" for n in range(3)),
        "a/t-0-of-3-f0f0f0f0f0f0f0f0.parquet a/t-1-of-3-00000000aaaa.parquet a/t-2-of-3.parquet",
        " ".join(
            f"part-0000{n}-3e6ad57b-1d4b-4a3f-b5b1-90a5aa9b8a3c-c000.snappy.parquet"
            for n in range(3)
        ),
    ],
)
def test_shards_are_one_table_in_their_natural_order(tmp_path: Path, names: str) -> None:
    folder = shards(tmp_path / "set", names)
    (folder / "README.md").write_text("# Digits")
    (folder / "logo.png").write_bytes(png(1))
    (folder / "_SUCCESS").touch()
    samples = read_samples(folder, (InputSpec("x", "float32", (None,)),))
    assert values(samples) == list(range(30))
    assert (samples.name, samples.path, samples.notes) == ("set", str(folder), ())


def test_a_shard_that_is_not_there_is_noted(tmp_path: Path) -> None:
    folder = shards(tmp_path, "train-00000-of-00003.parquet train-00002-of-00003.parquet")
    assert read_samples(folder, ANY).notes == ("2 of 3 shards are there",)


@pytest.mark.parametrize(
    "names",
    [
        "data/train-00000-of-00001.parquet data/test-00000-of-00001.parquet",
        "train/0000.parquet test/0000.parquet",
        "train.parquet test.parquet",
        "x-0-of-2.parquet x-1-of-3.parquet",
    ],
)
def test_several_tables_in_a_folder_are_refused(tmp_path: Path, names: str) -> None:
    found = refused(shards(tmp_path / "set", names), ANY)
    assert "it holds 2 tables" in found.cause
    assert all(name in found.cause for name in names.split())
    assert found.cure.startswith("Open one of these files")


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"y": [1.0]}, "its columns are y, but x, label in part-0.parquet"),
        ({"x": [1], "label": ["a"]}, "its column 'x' is int64, but double in part-0.parquet"),
        ({"x": ["b"], "label": ["a"]}, "its column 'x' is string, but double in part-0.parquet"),
    ],
)
def test_shards_of_other_columns_are_named(
    tmp_path: Path, columns: dict[str, Any], cause: str
) -> None:
    shards(tmp_path, "part-0.parquet part-1.parquet", label=["a"] * 10)
    pq.write_table(pa.table(columns), tmp_path / "part-10.parquet")
    with pytest.raises(QvizError) as caught:
        read_samples(tmp_path, ANY)
    assert (caught.value.subject, caught.value.cause) == ("part-10.parquet", cause)
    assert caught.value.cure == "Write all shards of a table from the same columns"


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    shards(tmp_path, "part-0.parquet part-1.parquet part-2.parquet")
    (tmp_path / "part-1.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(QvizError, match=r"part-1\.parquet: it is no Parquet file"):
        read_samples(tmp_path, ANY)


def test_shards_are_limited_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shards(tmp_path / "set", "0.pq 1.pq 2.pq")
    monkeypatch.setattr(arrow_tables, "LARGEST_TABLE", 400)  # more than one of them, or two
    assert read_samples(shards(tmp_path / "two", "0.pq 1.pq"), ANY).count == 20
    assert "bytes of values, beyond the limit of 400" in refused(folder, ANY).cause
    wide = shards(tmp_path / "wide", "0.pq 1.pq 2.pq", text=["y" * 200] * 10)
    monkeypatch.setattr(arrow_tables, "LARGEST_TABLE", 3000)  # one text, ten times, unfolds
    assert "bytes of values, beyond the limit of 3,000" in refused(wide, ANY).cause


def test_images_and_class_names_in_shards(tmp_path: Path) -> None:
    def write(name: str, value: int, classes: list[str]) -> None:
        table = pa.table({"image": [{"bytes": png(value), "path": None}], "label": [value % 2]})
        features = {"info": {"features": {"label": {"names": classes}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
        pq.write_table(table, tmp_path / name)

    for index in range(3):
        write(f"train-0000{index}-of-00003.parquet", 10 + index, ["cat", "dog"])
    inputs = (InputSpec("x", "float32", (None, 3, 4, 4)),)
    samples = read_samples(tmp_path, inputs, Reading(Preprocessing()))
    assert samples.arrays["x"][np.arange(3)][:, 0].max((1, 2)).tolist() == [10, 11, 12]
    assert (labels(samples), samples.class_names) == ([0, 1, 0], ("cat", "dog"))
    write("train-00002-of-00003.parquet", 12, ["dog", "cat"])
    with pytest.raises(QvizError, match="column 'label' names other classes than train-00000"):
        read_samples(tmp_path, inputs)
