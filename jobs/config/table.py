"""One curated table: where its rows come from, its contract, how a batch enters it, how the warehouse holds it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, StrictInt, Tag, model_validator

from jobs.config.column import Column
from jobs.config.column_type import SqlType
from jobs.config.frozen import Frozen, Name

Mode = Literal["replace", "append", "insert", "upsert", "history", "recompute"]
Reader = Literal["athena", "spectrum"]

HISTORY_COLUMNS = {"valid_from": "timestamp", "valid_to": "timestamp", "is_current": "boolean"}
"""What mode `history` adds to a table: the version holds for `valid_from <= t < valid_to`; NULL: until now."""
DELETED_AT = "_deleted_at"
"""What soft deletes add to a table: the time of the snapshot in which the row was gone; NULL: it is there."""


# The tags of unions begin with =, so that no error's location mistakes one for a key of the file.


class PostgresRead(Frozen):
    """How a table is read from Postgres: whole, by the time of its last change, or by ascending id, as the cursor's type says."""

    TAG: ClassVar = "=table"

    table: Annotated[str, Field(pattern=r"^[^.\s]+\.[^.\s]+$", description="schema.table in the source.")]
    cursor: str | None = Field(
        default=None,
        description="The source's name of a column of the contract: a timestamp of the last change, or an ascending "
        "integer id. Absent: every run reads the whole table.",
    )
    max_rows_per_batch: StrictInt = Field(
        default=100_000, ge=1, description="By id only. Counts rows above the bound only."
    )
    lookback_ids: StrictInt | None = Field(
        default=None,
        ge=0,
        description="By id only. Ids read again below the bound: for sequences with a cache, ids of applications.",
    )
    lookback_minutes: StrictInt | None = Field(
        default=None,
        ge=1,
        description="By time only. A fixed overlap, for a role that may not see other sessions: a transaction that stays "
        "open longer loses rows.",
    )
    null_cursors: Literal["read", "ignore", "refuse"] = Field(
        default="read",
        description="By time only. Rows whose cursor is NULL, which no bound finds: read with every batch, left out and "
        "counted in the plan, or refused.",
    )


class EventsRead(Frozen):
    """Which events are the table's rows."""

    TAG: ClassVar = "=events"

    match: dict[str, str] = Field(
        min_length=1, description="Dotted path → exact text; a record that equals all of them is the table's."
    )


def _read_as(value: Any) -> str:
    """By the keys it has; where none is known by what they seem to mean, so that a misspelt one is told as what it was to be."""
    if isinstance(value, EventsRead):
        return EventsRead.TAG
    keys = [str(key) for key in value] if isinstance(value, dict) else []
    known = (*PostgresRead.model_fields, *EventsRead.model_fields)
    meant = set(known).intersection(keys) or {near for key in keys for near in get_close_matches(key, known, n=1)}
    return EventsRead.TAG if "match" in meant or (keys and not meant) else PostgresRead.TAG


class Deletes(Frozen):
    """Deletions are found by comparing the keys under the batch's own snapshot with the curated ones."""

    TAG: ClassVar = "=reconciled"

    reconcile: Literal["soft", "hard"] = Field(description="soft: the row stays and gets `_deleted_at`; hard: it goes.")
    max_delete_percent: StrictInt = Field(
        default=5, ge=0, le=100, description="More of the table's rows gone than that voids the batch."
    )


def _deleted_as(value: Any) -> str:
    return Deletes.TAG if isinstance(value, dict | Deletes) else "=ignored"


class Load(Frozen):
    """How a batch enters the table.

    - `replace`: the batch is the whole table.
    - `append`: rows are added.
    - `insert`: rows whose key is new are added; what is there stays.
    - `upsert`: the newest version per key wins, by `newest_by`; of equals the one with the greatest values.
    - `history`: every version is kept, with valid_from, valid_to and is_current (SCD type 2).
    - `recompute` (derived tables, their default): the affected keys become exactly what the transform returns.
    """

    mode: Mode = Field(description="replace, append, insert, upsert, history, or for derived tables recompute.")
    min_rows: StrictInt = Field(default=1, ge=0, description="replace: fewer rows void the batch.")
    max_shrink_percent: StrictInt = Field(default=50, ge=0, le=100, description="replace: losing more voids the batch.")
    newest_by: tuple[str, ...] = Field(
        default=(),
        description="upsert, history: columns that order a key's versions. history: the first is valid_from.",
    )
    deletes: Annotated[
        Annotated[Deletes, Tag(Deletes.TAG)] | Annotated[Literal["ignore"], Tag("=ignored")], Discriminator(_deleted_as)
    ] = Field(default="ignore", description="Of rows that are gone from a Postgres table. `ignore`: they stay.")


class Publish(Frozen):
    """Physical layout in the warehouse."""

    TAG: ClassVar = "=layout"

    distkey: str | None = Field(default=None, description="Rows with equal values of this column lie on one node.")
    diststyle: Literal["all", "even", "key", "auto"] | None = Field(
        default=None, description="all: a copy on every node, for small tables. key: as `distkey` says."
    )
    sortkey: tuple[str, ...] = Field(default=(), description="Columns by which the rows lie in order, for ranges.")


def _published_as(value: Any) -> str:
    return "=no" if value is False else Publish.TAG


def _comes_from(value: Any) -> str:
    return "=inputs" if isinstance(value, list | tuple) else "=feed"


class Table(Frozen):
    """One curated table, from a feed or derived from other tables: its contract and its load mode."""

    origin: Annotated[
        Annotated[Name, Tag("=feed")] | Annotated[tuple[Name, ...], Tag("=inputs")], Discriminator(_comes_from)
    ] = Field(alias="from", description="The feed that it is read with; a list of tables makes a derived table.")
    read: (
        Annotated[
            Annotated[PostgresRead, Tag(PostgresRead.TAG)] | Annotated[EventsRead, Tag(EventsRead.TAG)],
            Discriminator(_read_as),
        ]
        | None
    ) = Field(default=None, description="Postgres: which table. Events: which records.")
    transform: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")] | None = Field(
        default=None, description="Derived tables: module.function in jobs/transforms/."
    )
    key: tuple[str, ...] = Field(default=(), description="The columns that name one row.")
    columns: dict[Name, Column] = Field(min_length=1, description="The contract, in the table's column order.")
    load: Load = Field(description="How a batch enters the table. Absent in a derived table: recompute.")
    publish: Annotated[
        Annotated[Publish, Tag(Publish.TAG)] | Annotated[Literal[False], Tag("=no")], Discriminator(_published_as)
    ] = Field(default=Publish(), description="false keeps the table out of the warehouse.")
    readers: tuple[Reader, ...] = Field(
        default=(), description="Who else reads the Delta table: it gets no feature that they do not know."
    )

    @model_validator(mode="before")
    @classmethod
    def _derived_is_recomputed(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("from"), list) and "load" not in value:
            return {**value, "load": {"mode": "recompute"}}
        return value

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tables that a derived table is made from; none for a feed's table."""
        return () if isinstance(self.origin, str) else self.origin

    @property
    def cursor_type(self) -> SqlType | None:
        """The type of the column that reads the cursor; None where the whole table is read."""
        cursor = self.read.cursor if isinstance(self.read, PostgresRead) else None
        columns = self.columns.items()
        return next((column.type for name, column in columns if cursor and (column.source or name) == cursor), None)

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that name one row of the curated table: the key, and in mode `history` the version's beginning."""
        return (*self.key, "valid_from") if self.load.mode == "history" else self.key

    @property
    def added_columns(self) -> dict[str, str]:
        """Columns that the load mode adds to the contract's, and their types; `_batch` is not among them."""
        added = HISTORY_COLUMNS if self.load.mode == "history" else {}
        soft = isinstance(self.load.deletes, Deletes) and self.load.deletes.reconcile == "soft"
        return added | ({DELETED_AT: "timestamp"} if soft and self.load.mode == "upsert" else {})
