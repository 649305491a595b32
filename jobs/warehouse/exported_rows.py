"""The exported Parquet files of a table as Arrow batches in exactly the types that the warehouse gives its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.config.column import Column
from jobs.config.column_type import SqlType
from jobs.errors import LoadRefusedError
from jobs.warehouse.warehouse import ExportedFiles

_ROWS_AT_ONCE = 131_072
_TYPES = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "varchar": pa.string(),
    "text": pa.string(),
}


def exported_rows(files: ExportedFiles) -> Iterator[pa.RecordBatch]:
    """The rows of the files, with the columns that are loaded. One file in memory at a time: obstore's reader is no file that
    Arrow takes.

    Raises:
        LoadRefusedError: a file is missing, lacks a column, or holds a value that the type cannot.
    """
    schema = arrow_schema(files.columns)
    for path in files.paths:
        content = files.lake.read(path)
        if content is None:
            raise refusal(files.table, path, "the exported file to be there", "none")
        try:
            file = pq.ParquetFile(
                pa.BufferReader(content), coerce_int96_timestamp_unit="us"
            )  # in ns years past 2262 wrap
            missing = [column for column in schema.names if column not in file.schema_arrow.names]
            if missing:
                raise refusal(files.table, path, f"columns {missing[:5]}", "a file without them")
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=schema.names):
                yield batch.select(schema.names).cast(schema)
        except pa.ArrowException as error:
            raise refusal(files.table, path, "Parquet in the contract's types", repr(str(error))) from error


def arrow_schema(columns: Mapping[str, Column]) -> pa.Schema:
    """Timestamps are UTC without a zone."""
    return pa.schema([pa.field(name, _arrow_type(column.type)) for name, column in columns.items()])


def _arrow_type(type_: SqlType) -> pa.DataType:
    if type_.kind == "numeric":
        return pa.decimal128(type_.precision, type_.scale)
    return _TYPES[type_.kind]


def refusal(table: str, path: str, expected: str, got: str) -> LoadRefusedError:
    """Of an exported file that cannot be loaded."""
    return LoadRefusedError(
        f"Loading {table} from {path}: expected {expected}, got {got}. "
        "Restore that file from an older version or a backup, then run the pipeline again; nothing of the batch was loaded."
    )
