"""What the tables of a pipeline look like in the local Postgres: DDL from the contract. Pure text, no connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.config.column_type import SqlType
from jobs.config.pipeline import Table
from jobs.errors import LoadRefusedError
from jobs.warehouse.statements import BATCH, LOADS, quoted

# As `format_type` shows them, so that what is there can be compared. varchar(n) counts characters here and bytes in a contract:
# what the contract lets pass always fits.
_TYPES = {
    "boolean": "boolean",
    "smallint": "smallint",
    "int": "integer",
    "bigint": "bigint",
    "double": "double precision",
    "date": "date",
    "timestamp": "timestamp without time zone",
    "text": "text",
}


@dataclass(frozen=True)
class ExistingColumn:
    """A column of a warehouse table; `type` as `format_type` shows it."""

    type: str
    not_null: bool


def postgres_type(type_: SqlType) -> str:
    if type_.kind == "varchar":
        return f"character varying({type_.length})"
    if type_.kind == "numeric":
        return f"numeric({type_.precision},{type_.scale})"
    return _TYPES[type_.kind]


def create_loads(pipeline: str) -> str:
    """One row per loaded batch; `attempt` is the curation it came from, `rows` a JSON object of counts per table."""
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(pipeline, LOADS)} (feed varchar(63) NOT NULL, n bigint NOT NULL, "
        "attempt varchar(256) NOT NULL, load_id varchar(64) NOT NULL, loaded_at timestamp NOT NULL, "
        '"rows" text NOT NULL, PRIMARY KEY (feed, n))'
    )


def create_staging(pipeline: str, staging: str, contract: Table) -> str:
    """The contract's columns and nothing else; the batch number is added where the rows enter their table."""
    return f"CREATE UNLOGGED TABLE {quoted(pipeline, staging)} ({', '.join(_column_definitions(contract))})"


def table_changes(
    pipeline: str, name: str, contract: Table, existing: Mapping[str, ExistingColumn] | None
) -> list[str]:
    """What makes the table fit the contract; nothing when it does. Columns are never dropped.

    An added column is nullable: the rows that are there have no value for it. A column that the contract gave up, or now
    allows to be NULL, loses its NOT NULL.

    Raises:
        LoadRefusedError: a column has another type than the contract says.
    """
    target = quoted(pipeline, name)
    if existing is None:
        return [
            f"CREATE TABLE {target} ({', '.join([*_column_definitions(contract), f'{quoted(BATCH)} bigint NOT NULL'])})"
        ]
    changes = []
    for column, definition in contract.columns.items():
        wanted, there = postgres_type(definition.type), existing.get(column)
        if there is None:
            changes.append(f"ALTER TABLE {target} ADD COLUMN {quoted(column)} {wanted}")
        elif there.type != wanted:
            raise LoadRefusedError(
                f"Loading {pipeline}.{name}: expected column {column!r} to be {wanted} as in the contract, got "
                f"{there.type}. Run `ALTER TABLE {target} ALTER COLUMN {quoted(column)} TYPE {wanted}` in the warehouse, "
                "then run the pipeline again."
            )
    for column, there in existing.items():
        kept = contract.columns.get(column)
        if there.not_null and column != BATCH and (kept is None or kept.nullable):
            changes.append(f"ALTER TABLE {target} ALTER COLUMN {quoted(column)} DROP NOT NULL")
    return changes


def _column_definitions(contract: Table) -> list[str]:
    return [
        f"{quoted(name)} {postgres_type(column.type)}{'' if column.nullable else ' NOT NULL'}"
        for name, column in contract.columns.items()
    ]
