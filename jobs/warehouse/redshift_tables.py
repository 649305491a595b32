"""What the tables of a pipeline look like in Redshift: DDL from the contract. Pure text, no connection.

No PRIMARY KEY: Redshift does not enforce one, believes it when it plans, and cannot widen its columns. In a published table only
`_batch` is NOT NULL, since Redshift cannot take NOT NULL back; the staging tables are NOT NULL as the contract says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.config.column import Column
from jobs.config.column_type import SqlType
from jobs.config.table import Publish, Table
from jobs.errors import LoadRefusedError
from jobs.warehouse.statements import BATCH, LOADS, literal, published_columns, quoted

# As SVV_COLUMNS shows them, so that what is there can be compared.
_TYPES = {
    "boolean": "boolean",
    "smallint": "smallint",
    "int": "integer",
    "bigint": "bigint",
    "double": "double precision",
    "date": "date",
    "timestamp": "timestamp without time zone",
}
_VARCHAR = "character varying"


@dataclass(frozen=True)
class ExistingColumn:
    """A column of a warehouse table; `length` in bytes, of a varchar only."""

    type: str
    length: int | None
    not_null: bool


@dataclass(frozen=True)
class TableChanges:
    """What makes a table fit its contract. `alone`: statements that Redshift refuses in a transaction with others."""

    alone: tuple[str, ...] = ()
    together: tuple[str, ...] = ()


def redshift_type(type_: SqlType) -> str:
    """VARCHAR(n) counts bytes, as a contract does."""
    if type_.is_text:
        return f"{_VARCHAR}({type_.length})"
    if type_.kind == "numeric":
        return f"numeric({type_.precision},{type_.scale})"
    return _TYPES[type_.kind]


def create_loads(pipeline: str) -> list[str]:
    """The schema and in it one row per loaded batch; `attempt` is the curation it came from, `rows` a JSON object of counts."""
    return [
        f"CREATE SCHEMA IF NOT EXISTS {quoted(pipeline)}",
        f"CREATE TABLE IF NOT EXISTS {quoted(pipeline, LOADS)} (feed varchar(63) NOT NULL, n bigint NOT NULL, "
        "attempt varchar(256) NOT NULL, load_id varchar(64) NOT NULL, loaded_at timestamp NOT NULL, "
        '"rows" varchar(65535) NOT NULL)',
    ]


def columns_query(pipeline: str, tables: Iterable[str]) -> str:
    """Rows for `existing_tables`."""
    names = ", ".join(literal(name) for name in tables)
    return (
        "SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable "
        f"FROM svv_columns WHERE table_schema = {literal(pipeline)} AND table_name IN ({names})"
    )


def existing_tables(
    rows: Iterable[tuple[str, str, str, int | None, int | None, int | None, str]],
) -> dict[str, dict[str, ExistingColumn]]:
    """By table and column, what the catalogue tells of them."""
    tables: dict[str, dict[str, ExistingColumn]] = {}
    for table, name, type_, length, precision, scale, nullable in rows:
        shown = f"numeric({precision},{scale})" if type_ == "numeric" else type_
        tables.setdefault(table, {})[name] = ExistingColumn(shown, length, nullable == "NO")
    return tables


def create_staging(pipeline: str, staging: str, columns: Mapping[str, Column], publish: Publish) -> str:
    """In the order of `columns`, which has to be the files': COPY of Parquet goes by position. Rows lie where those of the table do
    that they will be joined with."""
    definitions = ", ".join(
        f"{quoted(name)} {redshift_type(column.type)}{'' if column.nullable else ' NOT NULL'}"
        for name, column in columns.items()
    )
    distributed = f" DISTKEY ({quoted(publish.distkey)})" if publish.distkey and publish.distkey in columns else ""
    return f"CREATE TABLE {quoted(pipeline, staging)} ({definitions}){distributed}"


def table_changes(
    pipeline: str, name: str, contract: Table, existing: Mapping[str, ExistingColumn] | None
) -> TableChanges:
    """Nothing for a table that fits. A column that the contract gave up stays, and so does the layout of the rows.

    Raises:
        LoadRefusedError: a column has another type, or needs values that the contract does not have.
    """
    columns = published_columns(contract)
    if existing is None:
        definitions = ", ".join(f"{quoted(column)} {redshift_type(columns[column].type)}" for column in columns)
        batch = f"{quoted(BATCH)} bigint NOT NULL"
        created = f"CREATE TABLE {quoted(pipeline, name)} ({definitions}, {batch}){_layout(contract)}"
        return TableChanges(together=(created,))
    _require_no_foreign_columns(pipeline, name, columns, existing)
    target = quoted(pipeline, name)
    widened, added = [], []
    for column, definition in columns.items():
        wanted, there = redshift_type(definition.type), existing.get(column)
        if there is None:
            added.append(f"ALTER TABLE {target} ADD COLUMN {quoted(column)} {wanted}")
        elif _is_too_short(there, definition.type):
            widened.append(f"ALTER TABLE {target} ALTER COLUMN {quoted(column)} TYPE {wanted}")
    return TableChanges(tuple(widened), tuple(added))


def _require_no_foreign_columns(
    pipeline: str, name: str, columns: Mapping[str, Column], existing: Mapping[str, ExistingColumn]
) -> None:
    doing, target = f"Preparing {pipeline}.{name}", quoted(pipeline, name)
    for column, there in existing.items():
        wanted = columns.get(column)
        if wanted is None and there.not_null and column != BATCH:
            raise LoadRefusedError(
                f"{doing}: expected the warehouse table to need no column beside the contract's, got {column!r}, which is NOT NULL. "
                f"Drop it there: `ALTER TABLE {target} DROP COLUMN {quoted(column)}`; then run the pipeline again."
            )
        if wanted is not None and not _is_alike(there, wanted.type):
            old = quoted(f"{column}_before")
            raise LoadRefusedError(
                f"{doing}: expected column {column!r} to be {redshift_type(wanted.type)} as in the contract, got {there.type}, "
                f"which Redshift cannot change. Run `ALTER TABLE {target} RENAME COLUMN {quoted(column)} TO {old}` in the warehouse, "
                f"then run the pipeline again: it adds the column; fill its older rows from {old}."
            )


def _is_alike(there: ExistingColumn, wanted: SqlType) -> bool:
    return there.type == (_VARCHAR if wanted.is_text else redshift_type(wanted))


def _is_too_short(there: ExistingColumn, wanted: SqlType) -> bool:
    """A column that is wider than the contract stays: what the contract lets pass fits."""
    return wanted.length is not None and there.length is not None and there.length < wanted.length


def _layout(contract: Table) -> str:
    """DISTKEY, DISTSTYLE and SORTKEY of a new table; what is not said Redshift chooses itself."""
    publish = contract.publish or Publish()
    words = []
    if publish.diststyle:
        words.append(f"DISTSTYLE {publish.diststyle.upper()}")
    if publish.distkey:
        words.append(f"DISTKEY ({quoted(publish.distkey)})")
    if publish.sortkey:
        words.append(f"COMPOUND SORTKEY ({', '.join(quoted(column) for column in publish.sortkey)})")
    return "".join(f" {word}" for word in words)
