"""What a pipeline is: the typed, frozen model of one file in conf/pipelines/.

Only what one value says by itself. Rules between values are in `checks`, between files in `project`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    Tag,
    model_validator,
)
from pydantic_core import CoreSchema

from jobs.config.column_type import ColumnType

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
TRANSFORMS = Literal["lower", "upper", "trim", "url_decode"]
OnFailure = Literal["quarantine", "warn", "filter", "refuse"]


class Frozen(BaseModel):
    """Unknown keys are refused; values cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CsvFeed(Frozen):
    """Dated folders of CSV files: one file per table, ready when every declared file is there."""

    type: Literal["csv"]
    path: str = Field(
        description="Below raw/<pipeline>/; holds {YYYY}, {MM}, {DD} in its folders and {table} once each."
    )
    late_by_days: StrictInt = Field(default=7, ge=0, description="How many days back a look lists dated folders.")
    expect_within_minutes: StrictInt | None = Field(
        default=None,
        ge=0,
        description="From the midnight in the path; a folder incomplete after it ends the run with 2.",
    )
    timezone: str = Field(default="UTC", description="Of times without an offset, and of the dates in the path.")


class PostgresFeed(Frozen):
    """Tables of one database, read together under one exported snapshot. The connection is named after the pipeline."""

    type: Literal["postgres"]
    timezone: str = Field(default="UTC", description="Of times without an offset.")
    wait_for_open_transactions_seconds: StrictInt = Field(
        default=30, ge=0, description="Then the reading holds back to the last bound below which all have ended."
    )


Feed = Annotated[CsvFeed | PostgresFeed, Field(discriminator="type")]


class Read(Frozen):
    """How a table is read from Postgres: by ascending id, bounded."""

    table: Annotated[str, Field(pattern=r"^[^.\s]+\.[^.\s]+$", description="schema.table in the source.")]
    cursor: str = Field(description="The source's ascending integer id; one of the table's columns reads it.")
    max_rows_per_batch: StrictInt = Field(default=100_000, ge=1, description="Counts rows above the bound only.")
    lookback_ids: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Ids read again below the bound: for sequences with a cache, ids of applications.",
    )


class Column(Frozen):
    """One column of the curated table and the checks its values must pass. NULL only where `nullable`.

    Two columns may read the same source field (an address as delivered, and one in lower case).

    `on_failure` says what becomes of a record that fails one of this column's checks: `pattern`, `one_of`, `minimum`,
    `maximum`, `not_blank`, `references`. A value of the wrong type, or a NULL where none may be, is always quarantined.

    - `quarantine` (default): the record goes to the feed's quarantine table with its reasons; the rest of the batch goes on.
    - `warn`: the record is accepted and the failure counted.
    - `filter`: the record is left out on purpose: counted in the balance, kept nowhere.
    - `refuse`: one such record voids the whole batch; nothing of it is written.
    """

    type: ColumnType = Field(description="varchar(n) counts UTF-8 bytes; text is varchar(65535).")
    source: str | None = Field(
        default=None, alias="from", min_length=1, description="The source's name of it; absent: the column's own name."
    )
    nullable: StrictBool = Field(default=False, description="Whether NULL (an empty CSV field) is a value.")
    transform: tuple[TRANSFORMS, ...] = Field(default=(), description="Applied in order, before the checks.")
    pattern: str | None = Field(
        default=None, min_length=1, description="RE2, found anywhere in the text: anchor it with ^ and $."
    )
    one_of: tuple[str, ...] | None = Field(default=None, min_length=1, description="The only texts allowed.")
    minimum: StrictInt | None = Field(default=None, description="Smallest number allowed.")
    maximum: StrictInt | None = Field(default=None, description="Largest number allowed.")
    not_blank: StrictBool = Field(default=False, description="Refuses '' and texts of white space only.")
    references: Name | None = Field(default=None, description="A table whose one key column must hold the value.")
    on_failure: OnFailure = Field(
        default="quarantine",
        description="quarantine the record, warn (keep it, count it), filter (leave it out, count it), "
        "or refuse (void the batch). Type and null failures are always quarantined.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """`id: bigint` is short for `id: {type: bigint}`."""
        return {"type": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        long_form = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [long_form["properties"]["type"], long_form]}


class Load(Frozen):
    """How a batch enters the table: `replace` makes it the whole table, `insert` adds rows whose key is new."""

    mode: Literal["replace", "insert"]
    min_rows: StrictInt = Field(default=1, ge=0, description="replace: fewer rows void the batch.")
    max_shrink_percent: StrictInt = Field(default=50, ge=0, le=100, description="replace: losing more voids the batch.")


class Publish(Frozen):
    """Physical layout in the warehouse."""

    distkey: str | None = None
    diststyle: Literal["all", "even", "key", "auto"] | None = None
    sortkey: tuple[str, ...] = ()


def _published_as(value: Any) -> str:
    return "no" if value is False else "layout"


class Table(Frozen):
    """One curated table from a feed: its contract and its load mode."""

    feed: Name = Field(alias="from", description="The feed that it is read with.")
    read: Read | None = Field(default=None, description="Postgres only.")
    key: tuple[str, ...] = Field(default=(), description="The columns that name one row.")
    columns: dict[Name, Column] = Field(min_length=1, description="The contract, in the table's column order.")
    load: Load
    publish: Annotated[
        Annotated[Publish, Tag("layout")] | Annotated[Literal[False], Tag("no")], Discriminator(_published_as)
    ] = Field(default=Publish(), description="false keeps the table out of the warehouse.")


class Pipeline(Frozen):
    """One source system: one name used everywhere."""

    pipeline: Name = Field(description="The file's own name; also the schema in the warehouse.")
    owner: str = Field(min_length=1)
    schedule: str | None = Field(default=None, description="Cron in UTC, five fields; absent: by hand.")
    feeds: dict[Name, Feed] = Field(min_length=1, description="What is read together.")
    tables: dict[Name, Table] = Field(min_length=1)
    reports: tuple[Name, ...] = Field(default=(), description="conf/reports/<name>.sql, queries in the warehouse.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_filled(cls, value: Any) -> Any:
        return fill_defaults(value)

    def tables_of(self, feed: str) -> dict[str, Table]:
        """The tables that are read together as `feed`, in file order."""
        return {name: table for name, table in self.tables.items() if table.feed == feed}


def fill_defaults(value: Any) -> Any:
    """`defaults` fills keys that a table does not have; shallow, so a table's own `load` stands as written.

    A `defaults` that cannot be filled in stays, and is then refused as a key.
    """
    if not isinstance(value, dict) or not isinstance(value.get("defaults"), dict):
        return value
    rest = {key: item for key, item in value.items() if key != "defaults"}
    if isinstance(tables := rest.get("tables"), dict):
        rest["tables"] = {
            name: {**value["defaults"], **table} if isinstance(table, dict) else table for name, table in tables.items()
        }
    return rest
