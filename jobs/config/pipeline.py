"""What a pipeline is: the typed, frozen model of one file in conf/pipelines/.

Only what one file says by itself. Rules between files, and where a problem stands in its file, are in `project` and `problems`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs.config.column_type import ColumnType

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
TRANSFORMS = Literal["lower", "upper", "trim", "url_decode"]


class Frozen(BaseModel):
    """Unknown keys are refused; values cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CsvFeed(Frozen):
    """Dated folders of CSV files: one file per table, ready when every declared file is there."""

    type: Literal["csv"]
    path: str
    late_by_days: int = Field(default=7, ge=0)
    expect_within_minutes: int | None = Field(default=None, ge=0)
    timezone: str = "UTC"


class PostgresFeed(Frozen):
    """Tables of one database, read together under one exported snapshot. The connection is named after the pipeline."""

    type: Literal["postgres"]
    timezone: str = "UTC"
    wait_for_open_transactions_seconds: int = Field(default=30, ge=0)


Feed = Annotated[CsvFeed | PostgresFeed, Field(discriminator="type")]


class Read(Frozen):
    """How a table is read from Postgres: by ascending id, bounded."""

    table: Annotated[str, Field(pattern=r"^[^.\s]+\.[^.\s]+$")]
    cursor: str
    max_rows_per_batch: int = Field(default=100_000, ge=1)
    lookback_ids: int | None = Field(default=None, ge=0)


class Column(Frozen):
    """One column of the curated table and the checks its values must pass. NULL only where `nullable`."""

    type: ColumnType
    source: str | None = Field(default=None, alias="from")
    nullable: bool = False
    transform: tuple[TRANSFORMS, ...] = ()
    pattern: str | None = None
    one_of: tuple[str, ...] | None = None
    minimum: int | None = None
    maximum: int | None = None
    not_blank: bool = False
    references: Name | None = None
    on_failure: Literal["quarantine", "warn", "filter", "refuse"] = "quarantine"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """`id: bigint` is short for `id: {type: bigint}`."""
        return {"type": value} if isinstance(value, str) else value


class Load(Frozen):
    """How a batch enters the table (the load modes of the design)."""

    mode: Literal["replace", "insert"]
    min_rows: int = Field(default=1, ge=0)
    max_shrink_percent: int = Field(default=50, ge=0, le=100)


class Publish(Frozen):
    """Physical layout in the warehouse."""

    distkey: str | None = None
    diststyle: Literal["all", "even", "key", "auto"] | None = None
    sortkey: tuple[str, ...] = ()


class Table(Frozen):
    """One curated table from a feed: its contract and its load mode."""

    feed: Name = Field(alias="from")
    read: Read | None = None
    key: tuple[str, ...] = ()
    columns: dict[Name, Column]
    load: Load
    publish: Publish | Literal[False] = Publish()


class Pipeline(Frozen):
    """One source system: one name used everywhere."""

    pipeline: Name
    owner: str
    schedule: str | None = None
    feeds: dict[Name, Feed] = Field(min_length=1)
    tables: dict[Name, Table] = Field(min_length=1)
    reports: tuple[Name, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, value: Any) -> Any:
        """`defaults` fills keys that a table does not have; shallow, so a table's own `load` stands as written."""
        if not isinstance(value, dict) or "defaults" not in value:
            return value
        rest = {key: item for key, item in value.items() if key != "defaults"}
        defaults, tables = value["defaults"], rest.get("tables")
        if isinstance(defaults, dict) and isinstance(tables, dict):
            rest["tables"] = {
                name: {**defaults, **table} if isinstance(table, dict) else table for name, table in tables.items()
            }
        return rest

    def tables_of(self, feed: str) -> dict[str, Table]:
        """The tables that are read together as `feed`, in file order."""
        return {name: table for name, table in self.tables.items() if table.feed == feed}
