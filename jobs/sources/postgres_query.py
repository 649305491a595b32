"""The SELECT that reads a table's fields under its contract, before anybody has said which rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from jobs.batches import INEXACT, OFFSET, RAW, RECORD, IdRange, Window
from jobs.config.table import PostgresRead, Table
from jobs.errors import SourceSchemaError
from jobs.sources.postgres_casts import exact_casts
from jobs.sources.postgres_session import (
    INTEGERS,
    Session,
    SourceColumn,
    near,
    postgres_read,
    source_columns,
    table_name,
)


@dataclass(frozen=True)
class TableQuery:
    """`SELECT … FROM relation` without a WHERE. `names` of its columns travel beside it: Postgres cuts an alias after 63 bytes."""

    select: sql.Composable
    names: tuple[str, ...]
    read: PostgresRead
    columns: Mapping[str, SourceColumn]
    relation: sql.Composable


def table_query(
    session: Session, name: str, table: Table, window: Window, fields: Mapping[str, str], timezone: str
) -> TableQuery:
    """The query for `fields` (column of the contract → field of the source) and the record's number. Raises SourceSchemaError."""
    read = postgres_read(table)
    known = source_columns(session, read)
    _require_columns(name, read, fields, known)
    selected: dict[str, sql.Composable] = {}
    for field in dict.fromkeys(fields.values()):
        targets = [table.columns[column].type for column in fields if fields[column] == field]
        selected |= exact_casts(known[field], targets, timezone)
    if isinstance(window, IdRange) and read.cursor:
        selected[RECORD] = sql.SQL("{}::int8").format(sql.Identifier(read.cursor))
    else:
        selected[RECORD] = _record_number([known[fields[column]] for column in table.key], fields.values())
    select = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(selected.values()), table_name(read))
    return TableQuery(select, tuple(selected), read, known, table_name(read))


def _record_number(key: list[SourceColumn], fields: Iterable[str]) -> sql.Composable:
    """The same for every reading of a row that has not changed: the key if it is one integer, else a hash of the key's text, or of
    all fields where there is no key. Its text is the same because the session's settings are."""
    hashed = [column.name for column in key] or list(dict.fromkeys(fields))
    text = sql.SQL("ROW({})::text").format(sql.SQL(", ").join(map(sql.Identifier, hashed)))
    number = sql.SQL("hashtextextended({}, 0)").format(text)
    if len(key) == 1 and key[0].base_type in INTEGERS:
        # A key that is NULL is rejected further on; a rejected record has a number too.
        return sql.SQL("COALESCE({}::int8, {})").format(sql.Identifier(key[0].name), number)
    return number


def _require_columns(
    name: str, read: PostgresRead, fields: Mapping[str, str], known: Mapping[str, SourceColumn]
) -> None:
    """Raises SourceSchemaError for fields that are missing, or whose names could not be told apart further on."""
    needed = {*fields.values(), read.cursor} if read.cursor else set(fields.values())
    missing = sorted(needed - set(known))
    if missing:
        raise SourceSchemaError(
            f"Reading {read.table}: expected the columns {', '.join(each + near(each, known) for each in missing)}, got a table "
            f"without them (it has {', '.join(known)}). Correct `from` of these columns of {name}, or the source."
        )
    folded = Counter(field.casefold() for field in set(fields.values()))
    unclear = sorted(
        field
        for field in set(fields.values())
        if folded[field.casefold()] > 1 or field in (RECORD, OFFSET, RAW) or field.startswith(INEXACT)
    )
    if unclear:
        raise SourceSchemaError(
            f"Reading {read.table}: expected names that differ whatever their case and that Tidemark does not add itself, "
            f"got {', '.join(unclear)}. Let {name} read a view that gives these columns other names."
        )
