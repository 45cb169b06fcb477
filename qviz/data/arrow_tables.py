"""CSV and Parquet files as Arrow tables, refused before they fill the memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from qviz.data.csv_text import Dialect, read_dialect
from qviz.errors import QvizError

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
        raise _too_large(path, size, LARGEST_CSV)
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


def read_parquet(path: Path) -> pa.Table:
    """All columns of a Parquet file.

    Raises:
        QvizError: no Parquet file, a damaged one, or more values than `LARGEST_TABLE` bytes.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            size = _declared_bytes(file.metadata)
            if size > LARGEST_TABLE:
                raise _too_large(path, size, LARGEST_TABLE)
            batches, held = [], 0
            for batch in file.iter_batches(_BATCH):
                held += batch.nbytes
                if held > LARGEST_TABLE:  # repeated values may unfold to more than declared
                    raise _too_large(path, held, LARGEST_TABLE)
                batches.append(batch)
            table = pa.Table.from_batches(batches, file.schema_arrow)
            table.validate(full=True)  # text may be no UTF-8, lists may end elsewhere
            return table
    except QvizError:
        raise
    except Exception as error:  # a damaged file can fail in any of its decoders
        raise QvizError(
            path.name, f"it is no Parquet file, or a damaged one ({error})", "Copy or save it again"
        ) from error


def class_names(table: pa.Table, column: str) -> tuple[str, ...]:
    """Names of the classes, as Hugging Face's datasets write them into a Parquet file."""
    try:
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
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


def _too_large(path: Path, size: int, limit: int) -> QvizError:
    return QvizError(
        path.name,
        f"it holds {size:,} bytes of values, beyond the limit of {limit:,}",
        "Save fewer rows, or arrays as .npy, which stay on disk",
    )
