"""Runs the statements of one Data API call in a session of its user, as one transaction.

Developer guide: "Managing concurrent write operations", "Isolation levels in Amazon Redshift", "TRUNCATE". A transaction sees one
snapshot, taken by its first query or change; a change waits for the table's write lock until the end of the transaction that holds
it. TRUNCATE commits; what follows it in a batch then commits statement by statement, as there is no transaction any more.
"""

from __future__ import annotations

from itertools import count
from time import monotonic
from typing import Any

import psycopg

from infra.local import redshift_catalog, redshift_clock
from infra.local.redshift_catalog import Run
from infra.local.redshift_copy import copy_into
from infra.local.redshift_errors import LoadError, RedshiftError, from_postgres
from infra.local.redshift_results import Result, result_of
from infra.local.redshift_servers import Server, Servers
from infra.local.redshift_statements import ENDED, CancelledError, Statement, Step
from infra.local.redshift_translation import Translated, translate

_QUERIES = count(1001)
_TRANSACTIONS = count(5001)


def run(account: str, servers: Servers, statement: Statement) -> None:
    """Until the statement has FINISHED, FAILED or been ABORTED; nothing is raised for a statement's own faults."""
    try:
        statement.set("STARTED")
        server = servers.of(statement.warehouse)
        if statement.database != statement.warehouse.database:
            raise RedshiftError(f'database "{statement.database}" does not exist')
        with server.connect(statement.warehouse, statement.login) as connection:
            statement.pid = connection.info.backend_pid
            statement.connection = connection
            _Session(account, server, statement, connection).run()
    except RedshiftError as error:
        statement.error = f"FATAL: {error}"
    except psycopg.OperationalError:  # the embedded AWS is being stopped
        statement.error = "FATAL: terminating connection due to administrator command"
    finally:
        if statement.status not in ENDED:
            statement.error = statement.error or "FATAL: internal error of the embedded Redshift; its output has more"
            _end_the_rest(statement)
            statement.set("FAILED")


class _Session:
    def __init__(self, account: str, server: Server, statement: Statement, connection: psycopg.Connection) -> None:
        self._account = account
        self._server = server
        self._statement = statement
        self._connection = connection
        self._is_open = False
        self._commits_each = False
        self._transaction = 0
        self._parameters = {each["name"]: each["value"] for each in statement.parameters}

    def run(self) -> None:
        for number, step in enumerate(self._statement.steps, start=1):
            if not self._run(step):
                if self._is_open:
                    self._connection.execute("ROLLBACK")
                self._end(step, number)
                return
        if self._is_open:
            self._connection.execute("COMMIT")
        self._statement.set("FINISHED")

    def _end(self, failed: Step, number: int) -> None:
        """A batch fails with the number of the statement that failed."""
        self._statement.error = (
            f"Query #{number} failed with {failed.error}" if self._statement.is_batch else failed.error
        )
        _end_the_rest(self._statement)
        self._statement.set(failed.status)

    def _run(self, step: Step) -> bool:
        """False for a step that failed or was cancelled; the transaction is then still to be rolled back."""
        if not self._is_open:
            self._transaction, self._is_open = next(_TRANSACTIONS), True
            self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        step.query = next(_QUERIES)
        statement = self._statement
        this_run = Run(statement.login.user, step.query, self._transaction, statement.pid, redshift_clock.now())
        begun = monotonic()
        step.set("STARTED")
        translated = Translated([], "UTILITY")
        try:
            statement.stop_if_cancelled()
            translated = translate(step.sql, self._parameters, statement.is_batch)
            step.rows, step.result = self._perform(translated)
            if translated.commits or self._commits_each:
                self._connection.execute("COMMIT")
                self._is_open, self._commits_each = False, True
            step.set("FINISHED")
        except (CancelledError, psycopg.errors.QueryCanceled):
            step.error = f"ERROR: Query ({step.query}) cancelled on user's request"
            step.set("ABORTED")
        except (RedshiftError, psycopg.Error) as error:
            refused = error if isinstance(error, RedshiftError) else self._explained(error, translated, this_run)
            step.error = refused.told(step.query, this_run.session)
            self._log_load_error(translated, refused, this_run)
            step.set("FAILED")
        step.seconds = monotonic() - begun
        self._log(step, translated.kind, this_run)
        return step.status == "FINISHED"

    def _perform(self, translated: Translated) -> tuple[int, Result | None]:
        if translated.table:
            self._take_write_lock(translated.table)
        if translated.copy:
            statement = self._statement
            loaded = copy_into(
                self._connection, self._account, statement.warehouse, translated.copy, statement.stop_if_cancelled
            )
            return loaded, None
        cursor: psycopg.Cursor[Any] | None = None
        for text in translated.statements:
            cursor = self._connection.execute(text)
        return (max(cursor.rowcount, 0), result_of(cursor)) if cursor else (0, None)

    def _take_write_lock(self, table: str) -> None:
        """The snapshot first, then the wait, as Redshift does: so what others commit meanwhile stays unseen.

        An advisory lock, as writers exclude each other and nobody else. Before it the lock that the change takes anyway: waiting for
        a LOCK with the advisory lock in hand would be a deadlock with whoever holds that LOCK.
        """
        self._connection.execute("SELECT 1")
        self._connection.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        self._connection.execute("SELECT pg_advisory_xact_lock(to_regclass(%s)::oid::bigint)", [table])

    def _explained(self, error: psycopg.Error, translated: Translated, this_run: Run) -> RedshiftError:
        if translated.copy and isinstance(error, psycopg.errors.UndefinedTable):
            return RedshiftError(f"Cannot COPY into nonexistent table {translated.copy.table_name}")
        with self._server.lock:
            table_id = redshift_catalog.table_id(self._server.administration, translated.table)
        return from_postgres(error, translated.reads_tables, table_id, this_run.transaction, this_run.session)

    def _log(self, step: Step, kind: str, this_run: Run) -> None:
        status = {"FINISHED": "success", "FAILED": "failed", "ABORTED": "canceled"}[step.status]
        told = (kind, status, redshift_clock.now(), step.rows, step.error, step.sql)
        with self._server.lock:
            redshift_catalog.log_query(self._server.administration, this_run, *told)

    def _log_load_error(self, translated: Translated, error: RedshiftError, this_run: Run) -> None:
        if copy := translated.copy:
            load = error.load or LoadError(copy.source)
            with self._server.lock:
                redshift_catalog.log_load_error(self._server.administration, this_run, copy.table, load, error)


def _end_the_rest(statement: Statement) -> None:
    """What had not begun when an earlier step failed."""
    for step in statement.steps:
        if step.status not in ENDED:
            step.set("ABORTED")
