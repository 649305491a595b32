"""The exported Parquet files of a table as Arrow batches in exactly the types of its contract."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.batches import ExportedTable
from jobs.config.column_type import SqlType
from jobs.config.pipeline import Table
from jobs.errors import LoadRefusedError
from jobs.runtime.storage import Lake

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


def exported_rows(lake: Lake, name: str, exported: ExportedTable) -> Iterator[pa.RecordBatch]:
    """One file in memory at a time. Other columns than the contract's are left out.

    Raises:
        LoadRefusedError: a file is missing, lacks a column, or holds a value that the type cannot.
    """
    schema = arrow_schema(exported.contract)
    for path in exported.files:
        content = lake.read(path)
        if content is None:
            raise _refusal(name, path, "the exported file to be there", "none")
        try:
            file = pq.ParquetFile(
                pa.BufferReader(content), coerce_int96_timestamp_unit="us"
            )  # in ns years past 2262 wrap
            missing = [column for column in schema.names if column not in file.schema_arrow.names]
            if missing:
                raise _refusal(name, path, f"columns {missing[:5]}", "a file without them")
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=schema.names):
                yield batch.select(schema.names).cast(schema)
        except pa.ArrowException as error:
            raise _refusal(name, path, "Parquet in the contract's types", repr(str(error))) from error


def arrow_schema(contract: Table) -> pa.Schema:
    """Timestamps are UTC without a zone."""
    return pa.schema([pa.field(name, _arrow_type(column.type)) for name, column in contract.columns.items()])


def _arrow_type(type_: SqlType) -> pa.DataType:
    if type_.kind == "numeric":
        return pa.decimal128(type_.precision, type_.scale)
    return _TYPES[type_.kind]


def _refusal(name: str, path: str, expected: str, got: str) -> LoadRefusedError:
    return LoadRefusedError(
        f"Loading {name} from {path}: expected {expected}, got {got}. "
        "Restore that file from an older version or a backup, then run the pipeline again; nothing of the batch was loaded."
    )
