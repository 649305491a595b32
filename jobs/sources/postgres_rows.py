"""Rows of one Postgres table under a shared snapshot, as Arrow.

Every column gets an explicit cast, chosen from the catalogue and the contract: natively where Arrow holds the type exactly, else as
text, which the contract then types or refuses. Read with ADBC (COPY in binary): as fast as DuckDB's Postgres extension when the
rows go on as Arrow (1,000,000 rows x 11 columns: 0.9 s both), and it needs no extension to be loaded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
from psycopg import sql

from jobs.batches import INEXACT, OFFSET, RECORD, IdRange
from jobs.config.column_type import SqlType
from jobs.config.pipeline import Read, Table
from jobs.errors import SourceRightsError, SourceSchemaError, TidemarkError
from jobs.sources.postgres_session import (
    FIXED_OUTPUT,
    INTEGERS,
    Session,
    SourceColumn,
    connection_error,
    near,
    source_columns,
    table_name,
)
from jobs.sources.records import Piece

ROWS_PER_READER = 50_000
_BAD_VALUE = "invalid byte sequence|no equivalent in encoding|out of range|division by zero|invalid input syntax"
_PRINTED = {"bpchar": "bpcharout", "inet": "inet_out"}  # whose cast to text is not what clients read: it strips or adds


@dataclass(frozen=True)
class IdSlice:
    """One reader's share: rows with `after < id <= upto`, counted by the database under the batch's snapshot.

    `names` of the query's columns travel beside it: Postgres cuts an alias after 63 bytes.
    """

    query: str
    names: tuple[str, ...]
    after: int
    upto: int
    records: int


def slices(
    session: Session, name: str, table: Table, ids: IdRange, fields: Mapping[str, str], timezone: str
) -> tuple[list[IdSlice], int]:
    """What to read of `ids`, bounded by `max_rows_per_batch`, and the next lower bound. Run inside the exported snapshot.

    `fields`: column → field of the source. Rows within `lookback_ids` below the range are read again and do not count for the bound.
    """
    read = _required(table)
    query, names = _query(session, name, table, fields, timezone)
    identifier, relation = sql.Identifier(read.cursor), table_name(read)
    counted = sql.SQL(
        "SELECT count(*), max(id) FROM (SELECT {id} AS id FROM {table} WHERE {id} > {after} AND {id} <= {ceiling} ORDER BY 1 LIMIT {most}) AS rows"
    ).format(id=identifier, table=relation, after=ids.after, ceiling=ids.ceiling, most=read.max_rows_per_batch)
    count, last = session.execute(counted).fetchone() or (0, None)
    upto = int(str(last)) if count == read.max_rows_per_batch else ids.ceiling
    start = max(ids.after - (read.lookback_ids or 0), -(2**63))
    parts = sql.SQL(
        "SELECT max(id), count(*) FROM (SELECT id, max(part) OVER (PARTITION BY id) AS part FROM ("  # equal ids stay together
        "SELECT {id} AS id, ntile({parts}) OVER (ORDER BY {id}) AS part FROM {table} WHERE {id} > {start} AND {id} <= {upto}"
        ") AS rows) AS rows GROUP BY part ORDER BY 1"
    ).format(
        id=identifier, table=relation, start=start, upto=upto, parts=max(1, -(-int(str(count)) // ROWS_PER_READER))
    )
    found, after = [], start
    for highest, records in session.execute(parts).fetchall():
        found.append(IdSlice(query, names, after, int(str(highest)), int(str(records))))
        after = int(str(highest))
    return found, upto


def read_slice(url: str, pipeline: str, snapshot: str, share: IdSlice) -> Iterator[Piece]:
    """The rows of one slice in id order, in pieces of bounded memory. `_record` is the row's id."""
    try:
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            for setting in FIXED_OUTPUT:
                cursor.execute(setting)
            cursor.execute(share.query.format(after=share.after, upto=share.upto))
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


def _query(
    session: Session, name: str, table: Table, fields: Mapping[str, str], timezone: str
) -> tuple[str, tuple[str, ...]]:
    """The SELECT of one table with places for `after` and `upto`, and the names of its columns."""
    read = _required(table)
    known = source_columns(session, read)
    _require_columns(name, read, fields, known)
    selected: dict[str, sql.Composable] = {}
    for field in dict.fromkeys(fields.values()):
        kinds = [table.columns[column].type for column in fields if fields[column] == field]
        ways = [_expressions(known[field], kind, timezone) for kind in kinds]
        selected |= ways[0] if all(way == ways[0] for way in ways) else _as_text(known[field])
    selected[RECORD] = sql.SQL("{}::int8").format(sql.Identifier(read.cursor))
    listed = sql.SQL(", ").join(selected.values())
    query = sql.SQL("SELECT {listed} FROM {table}").format(listed=listed, table=table_name(read)).as_string(session)
    cursor = sql.Identifier(read.cursor).as_string(session)
    escaped, identifier = query.replace("{", "{{").replace("}", "}}"), cursor.replace("{", "{{").replace("}", "}}")
    where = f" WHERE {identifier} > {{after}} AND {identifier} <= {{upto}} ORDER BY {identifier}"
    return escaped + where, tuple(selected)


def _require_columns(name: str, read: Read, fields: Mapping[str, str], known: Mapping[str, SourceColumn]) -> None:
    """Raises SourceSchemaError for fields that are missing, or whose names could not be told apart further on."""
    missing = sorted({*fields.values(), read.cursor} - set(known))
    if missing:
        raise SourceSchemaError(
            f"Reading {read.table}: expected the columns {', '.join(each + near(each, known) for each in missing)}, got a table "
            f"without them (it has {', '.join(known)}). Correct `from` of these columns of {name}, or the source."
        )
    folded = Counter(field.casefold() for field in set(fields.values()))
    unclear = sorted(
        field
        for field in set(fields.values())
        if folded[field.casefold()] > 1 or field in (RECORD, OFFSET) or field.startswith(INEXACT)
    )
    if unclear:
        raise SourceSchemaError(
            f"Reading {read.table}: expected names that differ whatever their case and that Tidemark does not add itself, "
            f"got {', '.join(unclear)}. Let {name} read a view that gives these columns other names."
        )


def _expressions(column: SourceColumn, target: SqlType, timezone: str) -> dict[str, sql.Composable]:
    """The casts that read one column: its value, and beside a native date or time the text of what Arrow cannot hold."""
    name, base = sql.Identifier(column.name), column.base_type
    if base in INTEGERS and target.kind in ("smallint", "int", "bigint", "numeric"):
        return {column.name: sql.SQL("{}::int8").format(name)}
    if base in (*INTEGERS, "numeric") and target.kind == "double":
        return _or_as_text(column.name, name, sql.SQL("{}::float8").format(name), _fits_double(name))
    if base in ("float4", "float8") and target.kind == "double":
        return {column.name: sql.SQL("{}::float8").format(name)}
    if base == "bool" and target.kind == "boolean":
        return {column.name: name}
    if base == "date" and target.kind == "date":
        return _or_as_text(column.name, name, name, _within_years(name))
    if base == "timestamptz" and target.kind == "timestamp":
        in_utc = sql.SQL("({} AT TIME ZONE 'UTC')").format(name)
        return _or_as_text(column.name, name, in_utc, _within_years(in_utc))
    if base == "timestamp" and target.kind == "timestamp" and timezone == "UTC":
        return _or_as_text(column.name, name, name, _within_years(name))
    # A timestamp of another zone too: the contract alone knows what to do with hours that a change of clocks repeats or skips.
    return _as_text(column)


def _as_text(column: SourceColumn) -> dict[str, sql.Composable]:
    """What holds every value; also the one way for a field that two columns read under types that need different ones."""
    name, base = sql.Identifier(column.name), column.base_type
    text = "textin({}({}))" if base in _PRINTED else "{1}::text"
    return {column.name: sql.SQL(text).format(sql.SQL(_PRINTED.get(base, "")), name)}


def _or_as_text(
    alias: str, raw: sql.Composable, value: sql.Composable, holds: sql.Composable
) -> dict[str, sql.Composable]:
    """The value where the contract's type holds it exactly, else its text beside it, to be refused by name."""
    return {
        alias: sql.SQL("CASE WHEN {} THEN {} END").format(holds, value),
        INEXACT + alias: sql.SQL("CASE WHEN NOT {} THEN {}::text END").format(holds, raw),
    }


def _within_years(value: sql.Composable) -> sql.Composable:
    """Not infinity, nor a year outside 1 to 9999: these have no place in Spark's types."""
    return sql.SQL("({} >= '0001-01-01' AND {} < '10000-01-01')").format(value, value)


def _fits_double(number: sql.Composable) -> sql.Composable:
    """The double's shortest text is the same number. A cast of what lies beyond its range would end the query."""
    return sql.SQL(
        "(CASE WHEN {0} = 0 OR abs({0}::numeric) BETWEEN 1e-300 AND 1e300 THEN {0}::float8::text::numeric = {0} "
        "ELSE {0}::text IN ('NaN', 'Infinity', '-Infinity') END)"
    ).format(number)


def _required(table: Table) -> Read:
    if table.read is None:
        raise SourceSchemaError(
            "Reading a Postgres table: expected `read`, got none. Add `read: {table: …, cursor: …}`."
        )
    return table.read
