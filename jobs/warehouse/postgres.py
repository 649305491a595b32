"""The local warehouse: a Postgres given by a URL. Sessions, staging, transactions; which batches and in what order is `load`'s.

psycopg runs every statement. Only the COPY into staging goes through ADBC, as binary straight from Arrow: 1,000,000 rows x 9
columns in 1.0 s, against 1.7 s for COPY text built by Arrow, 2.4 s for its CSV and 3.3 s for psycopg's rows (2 cores).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict

from jobs.batches import ExportedTable
from jobs.config.table import Table
from jobs.errors import ConfigError, LoadRefusedError
from jobs.warehouse.postgres_errors import explained, login_error, warehouse_errors
from jobs.warehouse.postgres_tables import (
    INDEX_PREFIX,
    ExistingColumn,
    ExistingTable,
    create_loads,
    create_staging,
    table_changes,
)
from jobs.warehouse.statements import (
    LOADS,
    Dialect,
    FailedGuard,
    failed_guard,
    identity_columns,
    literal,
    published_columns,
    quoted,
)
from jobs.warehouse.warehouse import Answer, ExportedFiles, Staging, WrongQueryError

_STAGING = re.compile(r"tidemark_staging_.*_([0-9a-f]{12})_[0-9]+")

_WRONG_QUERY = (psycopg.ProgrammingError, psycopg.DataError, psycopg.InternalError, psycopg.NotSupportedError)


class PostgresWarehouse:
    """One session. Made by `open_warehouse`."""

    dialect: Dialect = "postgres"

    def __init__(self, connection: psycopg.Connection, url: str, where: str) -> None:
        self._connection = connection
        self._url = url
        self._where = where

    def published_attempts(self, pipeline: str, feed: str) -> dict[int, str]:
        """By batch number, the attempt whose rows were loaded."""
        query = f"SELECT n, attempt FROM {quoted(pipeline, LOADS)} WHERE feed = {literal(feed)}"
        doing = f"Looking up what is loaded of {pipeline}.{feed}"
        try:
            with warehouse_errors(doing, self._where, psycopg.errors.UndefinedTable):
                return dict(self._execute(query).fetchall())
        except psycopg.errors.UndefinedTable:
            return {}

    def published_load(self, pipeline: str, feed: str, number: int) -> tuple[str, dict[str, int]]:
        """The load id and the rows per table of a batch that is loaded."""
        query = f'SELECT load_id, "rows" FROM {quoted(pipeline, LOADS)} WHERE feed = {literal(feed)} AND n = {number}'
        with warehouse_errors(f"Looking up batch {number} of {pipeline}.{feed}", self._where):
            load_id, rows = cast(tuple[str, str], self._execute(query).fetchone())
        return load_id, json.loads(rows)

    def prepare(self, pipeline: str, tables: Mapping[str, Table]) -> None:
        """Makes the pipeline's schema and tables fit the contracts; one loader at a time."""
        schema = literal(quoted(pipeline))
        with warehouse_errors(f"Preparing the tables of {pipeline}", self._where), self._connection.transaction():
            self._limit(lock_minutes=1)  # ALTER TABLE makes new readers wait behind it
            self._execute(f"SELECT pg_advisory_xact_lock(hashtextextended({literal('tidemark ' + pipeline)}, 0))")
            if self._execute(f"SELECT to_regnamespace({schema})").fetchone() == (None,):
                self._execute(f"CREATE SCHEMA {quoted(pipeline)}")
            self._execute(create_loads(pipeline))
            existing = self._existing_tables(pipeline)
            for name, contract in tables.items():
                for statement in table_changes(pipeline, name, contract, existing.get(name)):
                    self._change(pipeline, name, contract, statement)

    @contextmanager
    def staging(self, pipeline: str, feed: str, number: int, tables: Mapping[str, ExportedTable]) -> Iterator[Staging]:
        """Empty staging tables under a fresh load id, dropped afterwards; those of dead loaders are dropped first.

        The session holds an advisory lock on its load id: whoever can take that lock knows that the loader is gone.
        """
        load_id = secrets.token_hex(6)
        prefix = f"tidemark_staging_{feed[:16]}_{number}_{load_id}"  # with up to 13 digits below the 63 bytes of a name
        names = {table: f"{prefix}_{i}" for i, table in enumerate(tables)}
        with_deletes = [table for table, exported in tables.items() if exported.deleted or exported.deleted_files]
        deleted = {table: f"{prefix}_{i}" for i, table in enumerate(with_deletes, start=len(names))}
        try:
            with warehouse_errors(f"Making staging tables in {pipeline}", self._where):
                self._drop_staging_of_dead_loaders(pipeline)
                self._execute(f"SELECT pg_advisory_lock({int(load_id, 16)})")
                for table, staging in names.items():
                    self._execute(create_staging(pipeline, staging, published_columns(tables[table].contract)))
                for table, staging in deleted.items():
                    self._execute(create_staging(pipeline, staging, identity_columns(tables[table].contract)))
            yield Staging(load_id, names, deleted)
        finally:
            with suppress(psycopg.Error):  # a lost session: the next loader drops them
                self._drop(pipeline, [*names.values(), *deleted.values()])
                self._execute(f"SELECT pg_advisory_unlock({int(load_id, 16)})")

    def copy(self, pipeline: str, staging: str, files: ExportedFiles) -> None:
        """Adds the rows to a staging table, all or none. Raises LoadRefusedError for a text with U+0000, among others."""
        # Here, as both take their time (ADBC brings pandas: 1.5 s): only where there is something to load.
        import adbc_driver_postgresql.dbapi as adbc

        from jobs.warehouse.exported_rows import exported_rows

        try:
            with adbc.connect(self._url) as connection, connection.cursor() as cursor:
                for batch in exported_rows(files):
                    cursor.adbc_ingest(staging, batch, mode="append", db_schema_name=pipeline)
                connection.commit()
        except adbc.Error as error:
            raise explained(f"Copying into {pipeline}.{staging}", self._where, str(error), error.sqlstate) from error

    def commit(self, pipeline: str, statements: Iterable[str]) -> FailedGuard | None:
        """Runs the statements as one transaction; None when it is committed, else the guard that made it roll back."""
        invalid_text = psycopg.errors.InvalidTextRepresentation
        try:
            with warehouse_errors(f"Loading {pipeline}", self._where, invalid_text), self._connection.transaction():
                self._limit(lock_minutes=15)  # another loader's whole transaction
                for statement in statements:
                    self._execute(statement)
        except invalid_text as error:
            guard = failed_guard(str(error))
            if guard is None:
                raise explained(f"Loading {pipeline}", self._where, str(error), error.sqlstate) from error
            return guard
        return None

    def read(self, doing: str, query: str) -> Answer:
        """Column names and rows of a query, which cannot write. Raises WrongQueryError: the query itself is wrong."""
        try:
            with warehouse_errors(doing, self._where, *_WRONG_QUERY), self._connection.transaction():
                self._execute("SET TRANSACTION READ ONLY")
                answer = self._execute(query)
                return tuple(column.name for column in answer.description or ()), answer.fetchall()
        except _WRONG_QUERY as error:
            raise WrongQueryError(error.diag.message_primary or str(error)) from error

    def has_table(self, schema: str, name: str) -> bool:
        with warehouse_errors(f"Looking for {schema}.{name}", self._where):
            return self._execute(f"SELECT to_regclass({literal(quoted(schema, name))})").fetchone() != (None,)

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        """Without parameters, so that a % is only a %."""
        return self._connection.execute(statement)

    def _change(self, pipeline: str, name: str, contract: Table, statement: str) -> None:
        try:
            self._execute(statement)
        except psycopg.errors.UniqueViolation as error:
            raise LoadRefusedError(
                f"Preparing {pipeline}.{name}: expected one row for each {', '.join(contract.identity)} in the warehouse, got "
                f"{error.diag.message_detail!r}. The table was filled in another mode or changed by hand: delete what "
                "is doubled there, then run the pipeline again."
            ) from error

    def _limit(self, lock_minutes: int) -> None:
        """A loader that falls silent with the lock in its hands loses it: between two statements it never pauses."""
        self._execute(f"SET LOCAL lock_timeout = '{lock_minutes}min'")
        self._execute("SET LOCAL idle_in_transaction_session_timeout = '1min'")

    def _existing_tables(self, pipeline: str) -> dict[str, ExistingTable]:
        rows = self._execute(
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            f"WHERE c.relnamespace = to_regnamespace({literal(quoted(pipeline))}) AND c.relkind IN ('r', 'p')"
        )
        columns: dict[str, dict[str, ExistingColumn]] = {}
        for table, column, type_, not_null in rows:
            columns.setdefault(table, {})[column] = ExistingColumn(type_, not_null)
        indexes = self._existing_indexes(pipeline)
        return {table: ExistingTable(there, indexes.get(table, ())) for table, there in columns.items()}

    def _existing_indexes(self, pipeline: str) -> dict[str, tuple[str, ...]]:
        """By table, the columns of the index that Tidemark made for it, in the index's order."""
        rows = self._execute(
            "SELECT t.relname, array_agg(a.attname::text ORDER BY array_position(x.indkey::int2[], a.attnum)) FROM pg_index x "
            "JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid "
            "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (x.indkey) "
            f"WHERE t.relnamespace = to_regnamespace({literal(quoted(pipeline))}) "
            f"AND starts_with(i.relname, {literal(INDEX_PREFIX)}) GROUP BY t.relname"
        )
        return {table: tuple(columns) for table, columns in rows}

    def _drop_staging_of_dead_loaders(self, pipeline: str) -> None:
        names = self._execute(
            f"SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace({literal(quoted(pipeline))}) "
            "AND relkind = 'r' AND starts_with(relname, 'tidemark_staging_')"
        ).fetchall()
        for (name,) in names:
            if loader := _STAGING.fullmatch(name):
                key = int(loader.group(1), 16)
                if self._execute(f"SELECT pg_try_advisory_lock({key})").fetchone() == (True,):
                    self._drop(pipeline, [name])
                    self._execute(f"SELECT pg_advisory_unlock({key})")

    def _drop(self, pipeline: str, names: Iterable[str]) -> None:
        for name in names:
            self._execute(f"DROP TABLE IF EXISTS {quoted(pipeline, name)}")


@contextmanager
def open_warehouse(url: str) -> Iterator[PostgresWarehouse]:
    """A session on the Postgres at `url` (`postgresql://…`), closed when the block is left.

    Raises:
        ConfigError: not a Postgres URL.
        CredentialsError: user, password or database refused.
        WarehouseUnavailableError: nothing answers there.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Neither shown nor chained: libpq quotes what it cannot parse, password included.
        raise ConfigError(
            "Connecting to the warehouse: expected TIDEMARK_WAREHOUSE_URL to read "
            "postgresql://user:password@host:port/database, got something else. Correct it; a password is percent-encoded."
        ) from None
    where = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10, client_encoding="utf8")
    except psycopg.Error as error:
        raise login_error(where, str(parts.get("user", "")), error) from error
    with connection:
        with warehouse_errors("Connecting to the warehouse", where):
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.execute("SET TIME ZONE 'UTC'")
        yield PostgresWarehouse(connection, url, where)
