"""Rows of one slice of a Postgres table under a shared snapshot, as Arrow.

Read with ADBC (COPY in binary): as fast as DuckDB's Postgres extension when the rows go on as Arrow (1,000,000 rows x 11 columns:
0.9 s both), and it needs no extension to be loaded. Which rows, and under which casts, is in the slice's query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from jobs.batches import OFFSET
from jobs.errors import SourceRightsError, SourceSchemaError, TidemarkError
from jobs.sources.postgres_session import FIXED_OUTPUT, connection_error
from jobs.sources.postgres_slices import Slice
from jobs.sources.records import Piece

_BAD_VALUE = "invalid byte sequence|no equivalent in encoding|out of range|division by zero|invalid input syntax"


def read_slice(url: str, pipeline: str, snapshot: str, share: Slice) -> Iterator[Piece]:
    """The rows of one slice, in id order when read by id, in pieces of bounded memory."""
    try:
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            for setting in FIXED_OUTPUT:
                cursor.execute(setting)
            cursor.execute(share.query)
            for batch in cursor.fetch_record_batch():
                fields = pa.Table.from_batches([batch]).rename_columns(share.names)
                fields = fields.append_column(OFFSET, pa.nulls(fields.num_rows, pa.int64()))
                yield Piece(fields, fields.num_rows)
    except (adbc.Error, OSError) as error:  # OSError while rows come: ADBC's stream tells no SQLSTATE then
        raise _reading_error(pipeline, error) from error


def _reading_error(pipeline: str, error: Exception) -> TidemarkError:
    """By SQLSTATE: what a person must change in the source or the contract, else what only time or a connection needs."""
    found = re.search(r"SQLSTATE: (\w{5})|" + _BAD_VALUE, str(error))
    state, line = found.group(1) or "22000" if found else "", str(error).splitlines()[0]
    if state == "42501":
        return SourceRightsError(
            f"Reading rows of {pipeline}: expected the right to read, got {line!r}. "
            "Grant SELECT on every column of the contract to the role of the connection."
        )
    if state[:2] not in ("22", "42") or re.search(r'snapshot ".*" does not exist|invalid snapshot', str(error)):
        return connection_error(pipeline, error)
    return SourceSchemaError(
        f"Reading rows of {pipeline}: expected the source to run the query, got {line!r}. "
        "Correct the source or the contract that names the column, then run the same command again."
    )
