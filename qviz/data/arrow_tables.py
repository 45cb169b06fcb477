"""CSV and Parquet files as Arrow tables, refused before they fill the memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from qviz.data.csv_text import Dialect, read_dialect
from qviz.errors import QvizError, first_line

LARGEST_CSV = 2**31  # bytes of the file; numbers take up to four times as much
LARGEST_TABLE = 2**32  # bytes of values
_BATCH = 1024  # rows
_WRONG_COLUMNS = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def read_csv(path: Path) -> pa.Table:
    """All columns of a CSV: numbers where every cell is one, else text.

    Raises:
        QvizError: an empty or too large file, no text, or rows of different lengths.
    """
    dialect = read_dialect(path)
    size = path.stat().st_size
    if size > LARGEST_CSV:
        raise _too_large(path.name, size, LARGEST_CSV)
    try:
        table = _parsed(path, dialect, threads=True)
    except (pa.ArrowException, OSError):
        try:
            table = _parsed(path, dialect, threads=False)  # only so an error tells its row
        except (pa.ArrowException, OSError) as error:
            raise _unreadable_csv(path, error) from error
    return table.rename_columns([name.strip() for name in table.column_names])


def _parsed(path: Path, dialect: Dialect, threads: bool) -> pa.Table:
    names = None if dialect.header is not None else list(dialect.columns)
    return pc.read_csv(
        path,
        read_options=pc.ReadOptions(use_threads=threads, column_names=names),
        parse_options=pc.ParseOptions(delimiter=dialect.delimiter),
        convert_options=pc.ConvertOptions(decimal_point=dialect.decimal, strings_can_be_null=True),
    )


def read_json_lines(path: Path) -> pa.Table:
    """All columns of a file with one JSON object per line.

    Raises:
        QvizError: no such lines, values of several types under one name, or too large a file.
    """
    size = path.stat().st_size
    if size > LARGEST_CSV:
        raise _too_large(path.name, size, LARGEST_CSV)
    try:
        return pj.read_json(path)
    except (pa.ArrowException, OSError) as error:
        raise QvizError(
            path.name,
            f"it is not one JSON object per line ({first_line(error)})",
            "Save it so, or as CSV",
        ) from error


def read_parquet(subject: str, files: Sequence[Path]) -> pa.Table:
    """All columns of a Parquet file, or of the shards of one table, one after another.

    Raises:
        QvizError: no Parquet file, a damaged one, shards of different columns, or more values
            than `LARGEST_TABLE` bytes.
    """
    heads = [_head(file) for file in files]
    for file, head in zip(files, heads, strict=True):
        _check_columns(file, head.schema, files[0], heads[0].schema)
    declared = sum(head.declared for head in heads)
    if declared > LARGEST_TABLE:
        raise _too_large(subject, declared, LARGEST_TABLE)
    tables: list[pa.Table] = []
    for file in files:
        tables.append(_read_shard(subject, file, sum(table.nbytes for table in tables)))
    return pa.concat_tables(tables)


@dataclass(frozen=True, eq=False, slots=True)
class _Head:
    """What a Parquet file says of itself."""

    schema: pa.Schema
    declared: int  # bytes of values


def _head(path: Path) -> _Head:
    with _damage_named(path), pq.ParquetFile(path) as file:
        return _Head(file.schema_arrow, _declared_bytes(file.metadata))


def _read_shard(subject: str, path: Path, held: int) -> pa.Table:
    """All columns of one file, where `held` bytes of others are in memory already."""
    with _damage_named(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        batches = []
        for batch in file.iter_batches(_BATCH):
            held += batch.nbytes
            if held > LARGEST_TABLE:  # repeated values may unfold to more than declared
                raise _too_large(subject, held, LARGEST_TABLE)
            batches.append(batch)
        table = pa.Table.from_batches(batches, file.schema_arrow)
        table.validate(full=True)  # text may be no UTF-8, lists may end elsewhere
        return table


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Whatever a decoder raises, as a message that names the file."""
    try:
        yield
    except QvizError:
        raise
    except Exception as error:  # a damaged file can fail in any of its decoders
        raise QvizError(
            path.name, f"it is no Parquet file, or a damaged one ({error})", "Copy or save it again"
        ) from error


def _check_columns(path: Path, schema: pa.Schema, first: Path, wanted: pa.Schema) -> None:
    """Raise QvizError unless a shard has the columns and classes of the first one."""
    cure = "Write all shards of a table from the same columns"
    if schema.names != wanted.names:
        cause = f"its columns are {_listed(schema.names)}, but {_listed(wanted.names)} in "
        raise QvizError(path.name, cause + first.name, cure)
    for ours, theirs in zip(schema, wanted, strict=True):
        if ours.type != theirs.type:
            cause = f"its column '{ours.name}' is {ours.type}, but {theirs.type} in {first.name}"
            raise QvizError(path.name, cause, cure)
        if _classes(schema, ours.name) != _classes(wanted, ours.name):
            cause = f"its column '{ours.name}' names other classes than {first.name}"
            raise QvizError(path.name, cause, cure)


def class_names(table: pa.Table, column: str) -> tuple[str, ...]:
    """Names of the classes, as Hugging Face's datasets write them into a Parquet file."""
    return _classes(table.schema, column)


def _classes(schema: pa.Schema, column: str) -> tuple[str, ...]:
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features[column]["names"])
    except (KeyError, TypeError, ValueError):
        return ()


def _declared_bytes(metadata: pq.FileMetaData) -> int:
    # Columns are not asked one by one: a damaged one then ends the process (pyarrow 26).
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    stored = sum(int(group.total_byte_size) for group in groups)
    rows = sum(int(group.num_rows) for group in groups)
    return max(stored, 8 * rows * int(metadata.num_columns))


def _unreadable_csv(path: Path, error: BaseException) -> QvizError:
    found = _WRONG_COLUMNS.search(str(error))
    if found is None:
        return QvizError(path.name, f"it is no CSV ({error})", "Save it as UTF-8 text")
    return QvizError(
        path.name,
        f"line {found[1]} has {found[3]} columns, not {found[2]}",
        "Give every row the same columns",
    )


def _too_large(subject: str, size: int, limit: int) -> QvizError:
    return QvizError(
        subject,
        f"it holds {size:,} bytes of values, beyond the limit of {limit:,}",
        "Save fewer rows, or arrays as .npy, which stay on disk",
    )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:6])}{' …' if len(names) > 6 else ''}"
