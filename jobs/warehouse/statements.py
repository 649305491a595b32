"""The load transaction of one batch as a list of SQL statements that Postgres and Redshift both run.

Pure text, no connection. A Data API batch has no IF, so a guard is a SELECT whose CAST of a text to int fails; the text comes
back in the error. TRUNCATE and ALTER TABLE APPEND would commit, DROP would block readers: none of them belongs here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, assert_never, cast

from jobs.config.column import Column
from jobs.config.table import DELETED_AT, Table
from jobs.errors import ConfigError

MAX_STATEMENTS = 40  # of one Data API batch
MAX_STATEMENT_BYTES = 100_000
LOADS = "tidemark_loads"
BATCH = "_batch"
Dialect = Literal["postgres", "redshift"]
GuardKind = Literal["loaded", "order", "rows", "deletes", "doubled"]

_LOCK: dict[Dialect, str] = {
    "postgres": "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",  # conflicts with itself, lets readers pass
    "redshift": "LOCK {}",  # ACCESS EXCLUSIVE is the only mode there
}
_GUARD = re.compile(r"tidemark guard: (loaded|order|rows|deletes|doubled)((?: \w+)*)")
_MAY_BE_NULL = {"valid_to", DELETED_AT}
FOUND_BY_IDENTITY = ("insert", "upsert", "history", "recompute")
"""The modes that find rows by their identity, and so need each once."""


@dataclass(frozen=True)
class StagedTable:
    """A table of the batch, copied to `staging` in the pipeline's schema; `rows` as the export manifest counts them.

    `deleted_staging` holds the identities of the `deleted` rows that went; None where none went.
    """

    name: str
    staging: str
    contract: Table
    rows: int
    deleted_staging: str | None = None
    deleted: int = 0


@dataclass(frozen=True)
class BatchLoad:
    """One attempt to publish a batch. `earlier`: how many committed batches of the feed have a lower number."""

    pipeline: str
    feed: str
    number: int
    attempt: str
    load_id: str
    earlier: int
    tables: tuple[StagedTable, ...]

    @property
    def rows(self) -> dict[str, int]:
        return {table.name: table.rows for table in self.tables}


@dataclass(frozen=True)
class FailedGuard:
    """Why the warehouse rolled back. `table` for staged rows and deletes; `expected` and `got` not for a batch that is loaded.
    `doubled`: `got` identities stand in staging more than once."""

    kind: GuardKind
    table: str = ""
    expected: int = 0
    got: int = 0


def quoted(*names: str) -> str:
    """`"schema"."table"`."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A text as SQL. Not for texts with a backslash, which Redshift takes for an escape."""
    return "'" + text.replace("'", "''") + "'"


def published_columns(contract: Table) -> dict[str, Column]:
    """The contract's columns, then those that its mode adds; the batch number is added where the rows enter their table."""
    added = {
        name: Column.model_validate({"type": type_, "nullable": name in _MAY_BE_NULL})
        for name, type_ in contract.added_columns.items()
    }
    return contract.columns | added


def identity_columns(contract: Table) -> dict[str, Column]:
    """What identifies a row, and so all that is known of one that went."""
    columns = published_columns(contract)
    return {name: columns[name] for name in contract.identity}


def load_transaction(load: BatchLoad, loaded_at: datetime, dialect: Dialect) -> list[str]:
    """Lock, guards, every table by its mode, the row that says it is loaded: five, and one to three per table. The caller
    begins and commits.

    Raises:
        ConfigError: more than 40 statements, or one of more than 100 KB.
    """
    loads = quoted(load.pipeline, LOADS)
    statements = [_LOCK[dialect].format(loads), _not_loaded_yet(load, loads), _nothing_left_out(load, loads)]
    if load.tables:
        statements.append(_staged_counts(load, dialect))
    for table in load.tables:
        statements += _apply(load, table)
    statements.append(_record(load, loads, loaded_at))
    if len(statements) > MAX_STATEMENTS:
        raise ConfigError(
            f"Loading {load.pipeline}.{load.feed}: expected at most {MAX_STATEMENTS} statements in one transaction, "
            f"got {len(statements)}. Spread its {len(load.tables)} tables over several feeds."
        )
    longest = max(len(statement.encode()) for statement in statements)
    if longest > MAX_STATEMENT_BYTES:
        raise ConfigError(
            f"Loading {load.pipeline}.{load.feed}: expected statements of at most {MAX_STATEMENT_BYTES} bytes, got one of "
            f"{longest}. Shorten the names of its columns, or split its widest table."
        )
    return statements


def failed_guard(error: str) -> FailedGuard | None:
    """The guard that an error text of the database comes from; None for any other error."""
    found = _GUARD.search(error)
    if not found:
        return None
    kind, words = cast(GuardKind, found.group(1)), found.group(2).split()
    if kind == "loaded":
        return FailedGuard(kind)
    if kind == "order":
        return FailedGuard(kind, expected=int(words[0]), got=int(words[1]))
    return FailedGuard(kind, words[0], int(words[1]), int(words[2]))


def _not_loaded_yet(load: BatchLoad, loads: str) -> str:
    return (
        "SELECT CAST(CASE WHEN COUNT(*) = 0 THEN '0' ELSE 'tidemark guard: loaded' END AS INT) "
        f"FROM {loads} WHERE feed = {literal(load.feed)} AND n = {load.number}"
    )


def _nothing_left_out(load: BatchLoad, loads: str) -> str:
    """Only committed batches are ever recorded, so the count tells; a list of numbers would outgrow a statement."""
    return (
        f"SELECT CAST(CASE WHEN COUNT(*) = {load.earlier} THEN '0' "
        f"ELSE 'tidemark guard: order {load.earlier} ' || CAST(COUNT(*) AS VARCHAR(20)) END AS INT) "
        f"FROM {loads} WHERE feed = {literal(load.feed)} AND n < {load.number}"
    )


def _staged_counts(load: BatchLoad, dialect: Dialect) -> str:
    """One statement for all tables: with a guard each, half as many would fit into a batch."""
    staged = [("rows", table.name, table.rows, quoted(load.pipeline, table.staging)) for table in load.tables]
    staged += [
        ("deletes", table.name, table.deleted, quoted(load.pipeline, table.deleted_staging))
        for table in load.tables
        if table.deleted_staging
    ]
    if dialect == "redshift":  # where no unique index refuses what Postgres's does
        staged += [
            ("doubled", table.name, 0, _doubled(load, table))
            for table in load.tables
            if table.contract.load.mode in FOUND_BY_IDENTITY
        ]
    counts = " UNION ALL ".join(
        f"SELECT CAST({literal(f'{kind} {name}')} AS VARCHAR(80)) AS name, {expected} AS expected, COUNT(*) AS staged "
        f"FROM {source}"
        for kind, name, expected, source in staged
    )
    return (
        "SELECT CAST(CASE WHEN staged = expected THEN '0' ELSE 'tidemark guard: ' || name || ' ' "
        "|| CAST(expected AS VARCHAR(20)) || ' ' || CAST(staged AS VARCHAR(20)) END AS INT) "
        f"FROM ({counts}) AS counts"
    )


def _doubled(load: BatchLoad, table: StagedTable) -> str:
    """The identities that stand in the staging table more than once, as a table of a query."""
    identity = ", ".join(quoted(name) for name in table.contract.identity)
    return f"(SELECT {identity} FROM {quoted(load.pipeline, table.staging)} GROUP BY {identity} HAVING COUNT(*) > 1) AS doubled"


def _apply(load: BatchLoad, table: StagedTable) -> list[str]:
    """At most three statements. Readers see the table as it was until the commit."""
    target = quoted(load.pipeline, table.name)
    columns = ", ".join(quoted(name) for name in published_columns(table.contract))
    insert = (
        f"INSERT INTO {target} ({columns}, {quoted(BATCH)}) "
        f"SELECT {columns}, {load.number} FROM {quoted(load.pipeline, table.staging)} AS staged"
    )
    match table.contract.load.mode:
        case "replace":
            return [f"DELETE FROM {target}", insert]
        case "append":
            return [insert]
        case "insert":
            same_key = " AND ".join(f"held.{quoted(name)} = staged.{quoted(name)}" for name in table.contract.identity)
            return [f"{insert} WHERE NOT EXISTS (SELECT 1 FROM {target} AS held WHERE {same_key})"]
        case "upsert" | "history" | "recompute":
            gone = [_delete(load, table, table.deleted_staging)] if table.deleted_staging else []
            return [*gone, _delete(load, table, table.staging), insert]
        case mode:
            assert_never(mode)


def _delete(load: BatchLoad, table: StagedTable, staging: str) -> str:
    """Of the rows that `staging` identifies. Without aliases, which Redshift's DELETE … USING does not have."""
    same = " AND ".join(f"{quoted(table.name, name)} = {quoted(staging, name)}" for name in table.contract.identity)
    return f"DELETE FROM {quoted(load.pipeline, table.name)} USING {quoted(load.pipeline, staging)} WHERE {same}"


def _record(load: BatchLoad, loads: str, loaded_at: datetime) -> str:
    at = loaded_at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    values = [
        *[literal(load.feed), str(load.number), literal(load.attempt), literal(load.load_id)],
        *[f"CAST({literal(at)} AS TIMESTAMP)", literal(json.dumps(load.rows))],
    ]
    return f'INSERT INTO {loads} (feed, n, attempt, load_id, loaded_at, "rows") VALUES ({", ".join(values)})'
