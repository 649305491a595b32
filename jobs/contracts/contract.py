"""A table's contract applied to pieces of its source: typed rows, rejected records, counts.

Order: bind, cast, column transforms, filter, row checks. Keys and references need the whole batch and are checked later, in Spark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from jobs.batches import Contract
from jobs.config.column import Column
from jobs.config.table import Table
from jobs.contracts.casts import arrow_type
from jobs.contracts.row_sql import places, row_sql

REJECTED = pa.schema(
    [
        ("table", pa.string()),
        ("object", pa.string()),
        ("record", pa.int64()),
        ("offset", pa.int64()),
        ("raw", pa.string()),
        ("reasons", pa.list_(pa.string())),
    ]
)
"""One row per rejected record. `record` counts from 1 in its object, `offset` in bytes; `raw` is JSON of the source's fields by
name, or the record's own text where its fields could not be told apart."""


@dataclass(frozen=True)
class Verdict:
    """`accepted` has the landing's schema; `rejected` lacks only what the caller knows (table and object)."""

    accepted: pa.Table
    rejected: pa.Table
    filtered: int
    warned: int
    refusals: tuple[str, ...]


def contract_digest(contract: Contract) -> str:
    """Names the contract of a feed: equal digests accept, reject and store the same."""
    text = "\n".join(f"{name} {table.model_dump_json(by_alias=True)}" for name, table in contract.items())
    return sha256(text.encode()).hexdigest()[:16]


def landing_schema(table: Table) -> pa.Schema:
    """The contract's columns, then where each row came from."""
    columns = [(name, arrow_type(column.type)) for name, column in table.columns.items()]
    return pa.schema([*columns, ("_object", pa.string()), ("_record", pa.int64()), ("_offset", pa.int64())])


def source_fields(table: Table) -> dict[str, str]:
    """Curated column → the field of the source that it is read from."""
    return {name: column.source or name for name, column in table.columns.items()}


def key_contract(table: Table) -> Table:
    """The contract of a table's key columns alone: the same casts and transforms, so that keys compare; no checks, because a key that
    fails one of today's may be that of a row which was accepted before."""
    columns = {name: table.columns[name] for name in table.key}
    defaults = {name: field.default for name, field in Column.model_fields.items()}
    unchecked = {name: default for name, default in defaults.items() if name not in ("type", "source", "transform")}
    bare = {name: column.model_copy(update=unchecked) for name, column in columns.items()}
    return table.model_copy(update={"columns": bare})


class RowContract:
    """The contract of one table, compiled for one layout of source fields; reused for every piece of an object."""

    def __init__(
        self, table: Table, fields: Mapping[str, str], layout: pa.Schema, *, empty_is_null: bool, timezone: str
    ) -> None:
        """`fields`: column → field name in `layout`. `empty_is_null`: '' is NULL in nullable columns (CSV)."""
        self._schema = landing_schema(table)
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1")
        self._connection.execute("SET TimeZone = 'UTC'")
        self._places = list(places(layout).values())
        self._sql = row_sql(table, fields, layout, empty_is_null=empty_is_null, timezone=timezone)

    def apply(self, fields: pa.Table, source_object: str) -> Verdict:
        """The verdict on one piece; every row of `fields` is accepted, rejected or filtered."""
        self._connection.register("piece", fields.rename_columns(self._places))
        judged = self._connection.execute(self._sql).to_arrow_table()
        fate = judged["_fate"]
        accepted = judged.filter(pc.equal(fate, "accept"))
        accepted = accepted.append_column("_object", pa.array([source_object] * accepted.num_rows, pa.string()))
        rejected = judged.filter(pc.equal(fate, "reject"))
        refused = judged.filter(pc.equal(fate, "refuse"))
        return Verdict(
            accepted=accepted.select(self._schema.names).cast(self._schema),
            rejected=_rejected(rejected, source_object),
            filtered=judged.num_rows - accepted.num_rows - rejected.num_rows - refused.num_rows,
            warned=pc.sum(judged["_warned"]).as_py() or 0,
            refusals=tuple(
                f"record {record}: {'; '.join(reasons)}"
                for record, reasons in zip(
                    refused["_record"].to_pylist()[:5], refused["_refusals"].to_pylist()[:5], strict=True
                )
            ),
        )


def _rejected(judged: pa.Table, source_object: str) -> pa.Table:
    rows = judged.num_rows
    return pa.table(
        {
            "table": pa.nulls(rows, pa.string()),
            "object": pa.array([source_object] * rows, pa.string()),
            "record": judged["_record"],
            "offset": judged["_offset"],
            "raw": judged["_raw"],
            "reasons": judged["_reasons"],
        }
    ).cast(REJECTED)
