"""What COPY does: every file that the manifest names, checked and read into the table, in the transaction that is open.

Developer guide, "COPY from columnar data formats". Error texts as their users quote them; see `redshift_errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg

from infra.local.redshift_copy_command import CopyCommand
from infra.local.redshift_copy_source import CopySource, Entry, source_of
from infra.local.redshift_errors import LoadError, from_postgres
from infra.local.redshift_parquet import TargetColumn, fitting_rows
from infra.local.redshift_warehouses import Warehouse


def copy_into(
    connection: psycopg.Connection,
    account: str,
    warehouse: Warehouse,
    command: CopyCommand,
    stop_if_cancelled: Callable[[], None],
) -> int:
    """The number of rows.

    Raises:
        RedshiftError: refused; with a `load` for SYS_LOAD_ERROR_DETAIL.
        psycopg.Error: the session's own troubles.
    """
    columns = _columns_of(connection, command.table)
    source = source_of(account, warehouse, command.iam_role, command.source)
    loaded = 0
    for entry in source.entries():
        stop_if_cancelled()
        loaded += _load(connection, command.table, columns, source, entry, warehouse.region)
    return loaded


def _load(
    connection: psycopg.Connection,
    table: str,
    columns: list[TargetColumn],
    source: CopySource,
    entry: Entry,
    region: str,
) -> int:
    loaded, place = 0, entry.place
    rows = fitting_rows(source.content(entry), place.bucket, place.key, region, columns)
    try:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
                loaded += 1
    except (psycopg.errors.NotNullViolation, psycopg.DataError) as error:
        refused = from_postgres(error, reads_tables=True, table_id=0, transaction=0, pid=0)
        refused.load = LoadError(place.url, error.diag.column_name or "")
        raise refused from error
    return loaded


def _columns_of(connection: psycopg.Connection, table: str) -> list[TargetColumn]:
    rows = connection.execute(
        "SELECT a.attname, t.typname, a.atttypmod FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        [table],
    )
    return [_target(*row) for row in rows]


def _target(name: str, type_: str, modifier: int) -> TargetColumn:
    """Postgres keeps n of varchar(n) as n + 4, and of numeric(p, s) p * 65536 + s + 4."""
    column = TargetColumn(name, type_, 0, 0, 0)
    if type_ in ("varchar", "bpchar"):
        return replace(column, size=modifier - 4)
    if type_ == "numeric":
        return replace(column, precision=(modifier - 4) >> 16, scale=(modifier - 4) & 0xFFFF)
    return column
