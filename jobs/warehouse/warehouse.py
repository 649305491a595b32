"""What a warehouse is to those who load into it and report from it. `postgres` and `redshift` are the two there are.

SQL that both run alike is in `statements`; which batches are loaded, and in what order, is `load`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from jobs.batches import ExportedTable
from jobs.config.column import Column
from jobs.config.table import Table
from jobs.runtime.storage import Lake
from jobs.warehouse.statements import Dialect, FailedGuard

Answer = tuple[tuple[str, ...], list[tuple[Any, ...]]]
"""Column names, and rows as plain Python values: exact numbers, times without a zone in UTC."""


@dataclass(frozen=True)
class Staging:
    """Tables of one load attempt: staging name by table name; `deleted` for the tables with rows that went."""

    load_id: str
    names: dict[str, str]
    deleted: dict[str, str]


@dataclass(frozen=True)
class ExportedFiles:
    """Parquet files of a batch for one staging table. `folder` is where the export's manifest lies; `table` is pipeline.name, for
    messages; `columns` are those that are loaded."""

    lake: Lake
    folder: str
    table: str
    contract: Table
    paths: tuple[str, ...]
    columns: Mapping[str, Column]


class WrongQueryError(Exception):
    """The database cannot run a query as it is written; the text is the database's own. For whoever asked it to explain."""


class Warehouse(Protocol):
    """One session. Every method raises CredentialsError for a missing right, and WarehouseUnavailableError or AwsUnavailableError
    for a warehouse that does not answer; nothing is half-loaded then."""

    @property
    def dialect(self) -> Dialect: ...

    def published_attempts(self, pipeline: str, feed: str) -> dict[int, str]:
        """By batch number, the attempt whose rows were loaded."""

    def published_load(self, pipeline: str, feed: str, number: int) -> tuple[str, dict[str, int]]:
        """The load id and the rows per table of a batch that is loaded."""

    def prepare(self, pipeline: str, tables: Mapping[str, Table]) -> None:
        """Makes the pipeline's schema and tables fit the contracts. Columns are never dropped.

        Raises:
            LoadRefusedError: a table there cannot be made to fit.
        """

    def staging(
        self, pipeline: str, feed: str, number: int, tables: Mapping[str, ExportedTable]
    ) -> AbstractContextManager[Staging]:
        """Names under a fresh load id for tables that `copy` fills; dropped afterwards, as are those of dead loaders."""

    def copy(self, pipeline: str, staging: str, files: ExportedFiles) -> None:
        """Fills a staging table, with all rows or with none.

        Raises:
            LoadRefusedError: a file is missing, lacks a column, or holds a value that the type cannot.
        """

    def commit(self, pipeline: str, statements: Sequence[str]) -> FailedGuard | None:
        """Runs the statements as one transaction; None when it is committed, else the guard that made it roll back.

        Raises:
            LoadRefusedError: the database refuses a statement; nothing has changed.
        """

    def read(self, doing: str, query: str) -> Answer:
        """Raises WrongQueryError: the query itself is wrong."""

    def has_table(self, schema: str, name: str) -> bool: ...
