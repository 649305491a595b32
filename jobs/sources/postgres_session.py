"""Sessions with a source Postgres: how one is opened, what its role may see, and one snapshot that many readers share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

import psycopg
from psycopg import sql

from jobs.config.table import PostgresRead, Table
from jobs.errors import CredentialsError, SourceRightsError, SourceSchemaError, SourceUnavailableError

Session = psycopg.Connection[tuple[object, ...]]

FIXED_OUTPUT = (
    "SET client_encoding = 'UTF8'",
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'iso_8601'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
)
"""Texts must not depend on settings of the role, the database or the server. Arrow takes any bytes for UTF-8: without the first
setting, text of a LATIN1 database lands as invalid Parquet strings."""

INTEGERS = ("int2", "int4", "int8")

_REFUSED_LOGIN = ("authentication failed", "no password supplied", "no pg_hba.conf entry", "is not permitted to log in")
_SNAPSHOT_LIFE = "3h"  # an exported snapshot holds back vacuum in the source: its session must not live for ever


@contextmanager
def source_session(url: str, pipeline: str) -> Iterator[Session]:
    """A session in autocommit mode. Raises CredentialsError, SourceUnavailableError; neither shows the password."""
    try:
        with psycopg.connect(
            url, autocommit=True, application_name=f"tidemark {pipeline}", connect_timeout=10
        ) as session:
            for setting in FIXED_OUTPUT:
                session.execute(setting)
            yield session
    except psycopg.errors.InsufficientPrivilege as error:
        raise SourceRightsError(
            f"Reading the source of {pipeline}: expected the right to read, got {_line(error)!r}. "
            "Grant SELECT on the table to the role of the connection."
        ) from error
    except psycopg.OperationalError as error:
        raise connection_error(pipeline, error) from error


def connection_error(pipeline: str, error: Exception) -> CredentialsError | SourceUnavailableError:
    """The Tidemark error for a connection that failed: wrong credentials need a person, a dead server only time."""
    address = f"TIDEMARK_CONN_{pipeline.upper()}_URL, or on AWS the pipeline's secret"
    if any(refused in str(error) for refused in _REFUSED_LOGIN):
        return CredentialsError(
            f"Connecting to the source of {pipeline}: expected its role and password to be accepted, got {_line(error)!r}. "
            f"Correct {address}."
        )
    return SourceUnavailableError(
        f"Connecting to the source of {pipeline}: expected a Postgres that answers, got {_line(error)!r}. "
        f"Start it or correct {address}, then run the same command again; nothing was lost."
    )


def _line(error: Exception) -> str:
    """The first line says what failed; libpq's hints and ADBC's SQLSTATE come after it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def table_name(read: PostgresRead) -> sql.Identifier:
    return sql.Identifier(*read.table.split(".", 1))


def postgres_read(table: Table) -> PostgresRead:
    """How the table is read. Raises SourceSchemaError for one that is not read from Postgres."""
    if not isinstance(table.read, PostgresRead):
        raise SourceSchemaError(
            f"Reading a Postgres table: expected `read` with a table, got {table.read!r}. Add `read: {{table: schema.table}}`."
        )
    return table.read


@dataclass(frozen=True)
class SourceColumn:
    """One column as the catalogue has it; `base_type` is pg_type.typname with domains resolved. A view's columns may always be NULL."""

    name: str
    base_type: str
    is_not_null: bool


def source_columns(session: Session, read: PostgresRead) -> dict[str, SourceColumn]:
    """The columns of a table or view by name. Raises SourceSchemaError if there is no such table."""
    rows = session.execute(
        """
        WITH RECURSIVE base AS (
            SELECT a.attname, a.attnum, a.attnotnull, t.oid, t.typname, t.typtype, t.typbasetype
            FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
            WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT base.attname, base.attnum, base.attnotnull, t.oid, t.typname, t.typtype, t.typbasetype
            FROM base JOIN pg_type AS t ON base.typtype = 'd' AND t.oid = base.typbasetype
        )
        SELECT attname::text, typname::text, attnotnull FROM base WHERE typtype <> 'd' ORDER BY attnum
        """,
        [table_name(read).as_string(session)],
    ).fetchall()
    if not rows:
        raise SourceSchemaError(
            f"Reading {read.table}: expected a table that the role can see, got none{_near_tables(session, read)}. "
            "Correct `read.table`, or grant USAGE on its schema and SELECT on the table."
        )
    return {str(name): SourceColumn(str(name), str(base), bool(is_not_null)) for name, base, is_not_null in rows}


def _near_tables(session: Session, read: PostgresRead) -> str:
    """` (near: public.posts)`, or nothing."""
    rows = session.execute(
        "SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    return near(read.table, [str(name) for (name,) in rows])


def near(name: str, known: Iterable[str]) -> str:
    """Up to three names that may have been meant, as ` (near: a, b)`, or nothing."""
    by_folded_name = {each.casefold(): each for each in known}
    found = [by_folded_name[each] for each in get_close_matches(name.casefold(), by_folded_name)]
    return f" (near: {', '.join(found)})" if found else ""


@dataclass(frozen=True)
class Snapshot:
    """`taken_at` (UTC) is read after the snapshot was taken: nothing that it shows has a later time of the source's clock."""

    name: str
    taken_at: datetime


@contextmanager
def exported_snapshot(session: Session) -> Iterator[Snapshot]:
    """A snapshot that other sessions can enter by its name while this one stays open."""
    with session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        session.execute(sql.SQL("SET LOCAL idle_in_transaction_session_timeout = {}").format(_SNAPSHOT_LIFE))
        found = session.execute("SELECT pg_export_snapshot(), clock_timestamp()").fetchone()
        assert found is not None and isinstance(found[1], datetime)
        yield Snapshot(str(found[0]), found[1])
