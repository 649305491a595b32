"""Redshift as the warehouse, through its Data API. Staging, tables, transactions; which batches and in what order is `load`'s.

Rows go from the exported Parquet files into staging by COPY, and from there into their tables by the statements of `statements`.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256

import boto3

from jobs.batches import ExportedTable
from jobs.config.aws import RedshiftWarehouse
from jobs.config.column import Column
from jobs.config.table import Publish, Table
from jobs.errors import LoadRefusedError, TidemarkError
from jobs.runtime.aws import client
from jobs.warehouse.redshift_data_api import DataApi, FailedStatementError
from jobs.warehouse.redshift_errors import LoadErrorDetail, explained, is_missing_table, redshift_errors, told
from jobs.warehouse.redshift_tables import (
    columns_query,
    create_loads,
    create_staging,
    existing_tables,
    table_changes,
)
from jobs.warehouse.statements import (
    BATCH,
    LOADS,
    MAX_STATEMENTS,
    Dialect,
    FailedGuard,
    failed_guard,
    literal,
    quoted,
)
from jobs.warehouse.warehouse import Answer, ExportedFiles, Staging, WrongQueryError

_PREPARE_TRIES = 5
_DEAD_AFTER_SECONDS = 24 * 3600  # the Data API ends a statement that runs longer
_STAGING = re.compile(r"tidemark_staging_(?P<feed>.+)_(?P<number>[0-9]+)_(?P<load_id>[0-9a-f]{12})_[0-9]+")


class DataApiWarehouse:
    """One warehouse as one caller. Made by `open_redshift`."""

    dialect: Dialect = "redshift"

    def __init__(self, api: DataApi, copy_role: str) -> None:
        self._api = api
        self._copy_role = copy_role

    def published_attempts(self, pipeline: str, feed: str) -> dict[int, str]:
        """By batch number, the attempt whose rows were loaded."""
        query = f"SELECT n, attempt FROM {quoted(pipeline, LOADS)} WHERE feed = {literal(feed)}"
        doing = f"Looking up what is loaded of {pipeline}.{feed}"
        try:
            return dict(self._api.query(doing, query)[1])
        except FailedStatementError as error:
            if is_missing_table(error):
                return {}
            raise explained(doing, self._api.place, error) from error

    def published_load(self, pipeline: str, feed: str, number: int) -> tuple[str, dict[str, int]]:
        """The load id and the rows per table of a batch that is loaded."""
        query = f'SELECT load_id, "rows" FROM {quoted(pipeline, LOADS)} WHERE feed = {literal(feed)} AND n = {number}'
        load_id, rows = self._query(f"Looking up batch {number} of {pipeline}.{feed}", query)[1][0]
        return load_id, json.loads(rows)

    def prepare(self, pipeline: str, tables: Mapping[str, Table]) -> None:
        """Makes the pipeline's schema and tables fit the contracts; begins again where another loader was faster."""
        doing = f"Preparing the tables of {pipeline}"
        for attempt in range(_PREPARE_TRIES):
            try:
                self._prepare(doing, pipeline, tables)
                return
            except FailedStatementError as error:
                if "already exists" not in str(error) or attempt + 1 == _PREPARE_TRIES:
                    raise explained(doing, self._api.place, error) from error

    def _prepare(self, doing: str, pipeline: str, tables: Mapping[str, Table]) -> None:
        """Raises FailedStatementError, and LoadRefusedError before anything is changed."""
        existing = existing_tables(self._api.query(doing, columns_query(pipeline, [LOADS, *tables]))[1])
        changes = [table_changes(pipeline, name, table, existing.get(name)) for name, table in tables.items()]
        for statement in (alone for change in changes for alone in change.alone):
            self._api.run(doing, statement)
        together = [statement for change in changes for statement in change.together]
        if LOADS not in existing:
            together = [*create_loads(pipeline), *together]
        for first in range(0, len(together), MAX_STATEMENTS):
            self._api.transaction(doing, together[first : first + MAX_STATEMENTS])

    @contextmanager
    def staging(self, pipeline: str, feed: str, number: int, tables: Mapping[str, ExportedTable]) -> Iterator[Staging]:
        """Names under a fresh load id, which begins with the time; the tables are made when they are filled.

        No lock tells whether a loader lives. But a batch that is loaded needs no staging any more, whoever made it: a loader that still
        works on it fails at the guard and adopts the other's load. Of batches that are not loaded only what is a day old is dropped.
        """
        load_id = f"{int(time.time()):08x}{secrets.token_hex(2)}"
        prefix = f"tidemark_staging_{_short(feed)}_{number}_{load_id}"  # with up to 13 digits 63 bytes, as in Postgres
        names = {table: f"{prefix}_{i}" for i, table in enumerate(tables)}
        with_deletes = [table for table, exported in tables.items() if exported.deleted or exported.deleted_files]
        deleted = {table: f"{prefix}_{i}" for i, table in enumerate(with_deletes, start=len(names))}
        try:
            yield Staging(load_id, names, deleted)
        finally:
            with suppress(TidemarkError, FailedStatementError):  # what stays is dropped by a later load
                self._drop_staging(pipeline, feed, load_id)

    def copy(self, pipeline: str, staging: str, files: ExportedFiles) -> None:
        """Makes the staging table with the files' columns in the files' order and fills it, both or neither."""
        # Here, as Arrow takes its time: only where there is something to load.
        from jobs.warehouse.copy_manifest import copy_files, put_copy_manifest

        found = copy_files(files)
        columns = {**files.columns, BATCH: Column.model_validate("bigint")}
        ordered = {name: columns[name] for name in (found[0].columns if found else files.columns)}
        statements = [create_staging(pipeline, staging, ordered, files.contract.publish or Publish())]
        if found:
            manifest = put_copy_manifest(files, found)
            statements.append(
                f"COPY {quoted(pipeline, staging)} FROM {literal(manifest)} IAM_ROLE {literal(self._copy_role)} "
                "FORMAT AS PARQUET MANIFEST"
            )
        doing = f"Copying {files.table}"
        try:
            self._api.transaction_once(doing, statements)
        except FailedStatementError as error:
            raise explained(doing, self._api.place, error, self._load_error(error.query)) from error

    def commit(self, pipeline: str, statements: Sequence[str]) -> FailedGuard | None:
        """Runs the statements as one transaction; None when it is committed, else the guard that made it roll back."""
        doing = f"Loading {pipeline}"
        try:
            self._api.transaction_once(doing, statements)
        except FailedStatementError as error:
            guard = failed_guard(told(error))
            if guard is None:
                raise explained(doing, self._api.place, error) from error
            return guard
        return None

    def read(self, doing: str, query: str) -> Answer:
        """Column names and rows of a query. Raises WrongQueryError: the query itself is wrong."""
        try:
            return self._api.query(doing, query)
        except FailedStatementError as error:
            reason = explained(doing, self._api.place, error)
            if isinstance(reason, LoadRefusedError):  # no right, no room, no warehouse: none of them
                raise WrongQueryError(told(error)) from error
            raise reason from error

    def has_table(self, schema: str, name: str) -> bool:
        query = (
            f"SELECT 1 AS found FROM svv_tables WHERE table_schema = {literal(schema)} AND table_name = {literal(name)}"
        )
        return bool(self._query(f"Looking for {schema}.{name}", query)[1])

    def _query(self, doing: str, query: str) -> Answer:
        with redshift_errors(doing, self._api.place):
            return self._api.query(doing, query)

    def _load_error(self, query: int) -> LoadErrorDetail | None:
        """What the system view keeps of a failed COPY; not every failure leaves a row there."""
        sql = f"SELECT file_name, column_name, error_message FROM sys_load_error_detail WHERE query_id = {query}"
        with suppress(TidemarkError, FailedStatementError):
            rows = self._api.query("Looking up a load error", sql)[1]
            return LoadErrorDetail(*(value.strip() for value in rows[0])) if rows else None
        return None

    def _drop_staging(self, pipeline: str, feed: str, load_id: str) -> None:
        doing = f"Dropping staging tables of {pipeline}"
        prefix = "tidemark_staging_"
        listed = (
            f"SELECT table_name FROM svv_tables WHERE table_schema = {literal(pipeline)} "
            f"AND LEFT(table_name, {len(prefix)}) = {literal(prefix)}"
        )
        found = [match for (name,) in self._api.query(doing, listed)[1] if (match := _STAGING.fullmatch(name))]
        loaded = self.published_attempts(pipeline, feed) if any(each["load_id"] != load_id for each in found) else {}

        def is_dead(each: re.Match[str]) -> bool:
            begun = int(each["load_id"][:8], 16)
            is_loaded = each["feed"] == _short(feed) and int(each["number"]) in loaded
            return is_loaded or begun < time.time() - _DEAD_AFTER_SECONDS

        own = [each[0] for each in found if each["load_id"] == load_id]
        dead = [each[0] for each in found if each["load_id"] != load_id and is_dead(each)]
        for names in (own, dead):  # not together: what another user left cannot be dropped
            drops = [f"DROP TABLE IF EXISTS {quoted(pipeline, name)}" for name in names]
            for first in range(0, len(drops), MAX_STATEMENTS):
                self._api.transaction(doing, drops[first : first + MAX_STATEMENTS])


def _short(feed: str) -> str:
    """16 characters at most, and others for each feed."""
    return f"{feed[:9]}_{sha256(feed.encode()).hexdigest()[:6]}"


@contextmanager
def open_redshift(session: boto3.Session, warehouse: RedshiftWarehouse) -> Iterator[DataApiWarehouse]:
    """The environment's Redshift, asked as `session`; nothing is asked yet."""
    place = (
        {"WorkgroupName": warehouse.workgroup}
        if warehouse.workgroup
        else {"ClusterIdentifier": warehouse.cluster or ""}
    )
    api = client(session, "redshift-data")
    try:
        yield DataApiWarehouse(DataApi(api, {**place, "Database": warehouse.database}), warehouse.copy_role)
    finally:
        api.close()
