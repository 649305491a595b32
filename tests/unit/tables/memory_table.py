"""A curated table held in memory, for tests of the load modes: changes enter it in plain Python, strictly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config.table import Table
from jobs.runtime.storage import Lake
from jobs.tables.changes import FILE, PLACE, ROW, Arrival
from jobs.tables.delta import curated_schema
from jobs.tables.modes import stored_changes

Row = dict[str, Any]
WHOLE, PARTIAL = ("insert", "update"), ("close", "mark")
WRITES_ABSENT = {"insert": True, "update": False, "close": False, "mark": False, "delete": False}


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def table_of(mode: str, derived: bool = False, **more: Any) -> Table:
    """id → name, score, made_on, ordered by updated_at (where the mode has an order)."""
    load = {"mode": mode} | ({"newest_by": ["updated_at"]} if mode in ("upsert", "history") else {}) | more
    columns = {
        "id": "bigint",
        "name": {"type": "text", "nullable": True},
        "score": {"type": "double", "nullable": True},
    }
    columns |= {"updated_at": "timestamp"} | ({"made_on": {"type": "date", "from": "_as_of"}} if derived else {})
    return Table.model_validate(
        {"from": ["inputs"] if derived else "feed", "key": ["id"], "columns": columns, "load": load}
    )


def plain(row: Any) -> Row:
    """A Spark row as a dict with aware times, without its place."""
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row.asDict().items()
        if name not in PLACE
    }


class MemoryTable:
    """The table after every batch that `take` was given; `rows` by identity. Its changes go through a lake."""

    def __init__(self, spark: SparkSession, lake: Lake, table: Table) -> None:
        self.spark, self.lake, self.table, self.batch = spark, lake, table, 0
        self.rows: dict[tuple[Any, ...], Row] = {}

    def take(self, arriving: list[Row], deleted: list[int] | None = None, **arrival: Any) -> list[Row]:
        """Applies one batch; the changes that it made."""
        self.batch += 1
        affected = arrival.pop("affected", None)
        frames = {"deleted": deleted, "affected": affected}
        keys = {name: self._keys(ids) for name, ids in frames.items() if ids is not None}
        arrived = Arrival(self.table, self._arriving(arriving), self._current(), **keys, **arrival)
        found = [plain(row) for row in stored_changes(arrived, self.lake, "changes").collect()]
        before = dict(self.rows)
        for row in found:
            self._apply(row)
        assert len({self._identity(row) for row in found}) == len(found), "two changes of one row"
        for row in found:
            was, now = before.get(self._identity(row)), self.rows.get(self._identity(row))
            assert repr(was) != repr({**(now or {}), "_batch": was and was["_batch"]}), f"no change: {row}"
        return found

    def _apply(self, change: Row) -> None:
        identity, op = self._identity(change), change["_op"]
        assert (identity not in self.rows) == WRITES_ABSENT[op], change
        content = {name: value for name, value in change.items() if name != "_op"} | {"_batch": self.batch}
        if op in WHOLE:
            self.rows[identity] = content
        elif op in PARTIAL:
            ends = {name: content[name] for name in (*self.table.added_columns, "_batch")}
            self.rows[identity] = self.rows[identity] | ends
        else:
            del self.rows[identity]

    def _identity(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.table.identity)

    def _arriving(self, rows: list[Row]) -> DataFrame:
        names = [field.name for field in curated_schema(self.table).fields if field.name in self.table.columns]
        values = [(*(row[name] for name in names), "object", number, 0) for number, row in enumerate(rows)]
        fields = [
            f"{field.name} {field.dataType.simpleString()}"
            for field in curated_schema(self.table).fields
            if field.name in names
        ]
        return self.spark.createDataFrame(
            values, ", ".join([*fields, "_object string", "_record bigint", "_offset bigint"])
        )

    def _current(self) -> DataFrame:
        schema = curated_schema(self.table)
        rows = [tuple(row[f.name] for f in schema.fields) for row in self.rows.values()]
        return self.spark.createDataFrame(rows, schema).withColumns({FILE: F.lit("file"), ROW: F.lit(0).cast("long")})

    def _keys(self, ids: list[int]) -> DataFrame:
        return self.spark.createDataFrame([(each,) for each in ids], "id bigint")
