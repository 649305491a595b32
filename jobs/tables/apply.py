"""Applying a batch's changes to a Delta table: exactly one commit, and no more of the table read than can hold the changed rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config.table import Table
from jobs.tables.changes import CLOSE, DELETE, INSERT, MARK, OP, UPDATE
from jobs.tables.commits import BatchCommit
from jobs.tables.current_rows import BROADCAST_ROWS, key_range
from jobs.tables.delta import BATCH

_OPS = (INSERT, UPDATE, CLOSE, MARK, DELETE)

# With deletion vectors Delta joins changes and table a second time to write the new rows, as a left outer join if any are inserted: Spark
# would shuffle the keys of every touched file for it. A Bloom filter of the changes' keys drops nearly all of them before; by default
# Spark makes one only for tables beyond 10 GB. The changes are immutable Parquet: Delta need not copy them first.
_MERGE_CONFS = {
    "spark.sql.optimizer.runtime.bloomFilter.enabled": "true",
    "spark.sql.optimizer.runtime.bloomFilter.applicationSideScanSizeThreshold": "0",
    "spark.sql.optimizer.runtime.bloomFilter.creationSideThreshold": "1g",
    "spark.databricks.delta.merge.materializeSource": "none",
}


@dataclass(frozen=True)
class Applied:
    """Rows of the table that a commit changed, by Delta's own count; `updated` are updates, closings and marks."""

    inserted: int
    updated: int
    deleted: int


def apply(changes: DataFrame, address: str, table: Table, batch: int, counts: Mapping[str, int]) -> None:
    """Makes the one commit, under the tag that is set. `changes`: stored ones, for they are read more than once; `counts`: how many of
    them there are by `_op`. A commit without changes records its tag like any other."""
    rows = changes.withColumn(BATCH, F.lit(batch).cast("long"))
    columns = [*table.columns, *table.added_columns, BATCH]
    if not any(counts.get(op, 0) for op in _OPS if op != INSERT):
        rows.select(*columns).write.format("delta").mode("append").save(address)
        return
    with _confs(changes.sparkSession, _MERGE_CONFS):
        _merge(rows, address, table, columns, {op for op in _OPS if counts.get(op, 0)}).execute()


def applied(commit: BatchCommit) -> Applied:
    metrics = commit.metrics
    if "numTargetRowsInserted" not in metrics:
        return Applied(metrics.get("numOutputRows", 0), 0, 0)
    return Applied(*(metrics[f"numTargetRows{what}"] for what in ("Inserted", "Updated", "Deleted")))


def _merge(rows: DataFrame, address: str, table: Table, columns: list[str], ops: set[str]) -> DeltaMergeBuilder:
    """One clause per `_op` that occurs: a clause that only sets some columns makes Delta read all of them."""
    rows = rows.where(F.col(OP).isin(*sorted(ops)))  # also what Spark asks of a Bloom filter's side: a filter
    number, within = key_range(rows.where(F.col(OP) != INSERT).select(*table.key), "kept")
    rows = F.broadcast(rows) if number <= BROADCAST_ROWS else rows
    same = within
    for name in table.identity:
        same = same & (F.col(f"kept.`{name}`") == F.col(f"changed.`{name}`"))
    merge = DeltaTable.forPath(rows.sparkSession, address).alias("kept").merge(rows.alias("changed"), same)
    if DELETE in ops:
        merge = merge.whenMatchedDelete(_is(DELETE))
    if UPDATE in ops:
        merge = merge.whenMatchedUpdate(_is(UPDATE), _assigned(columns))
    if ops & {CLOSE, MARK}:
        merge = merge.whenMatchedUpdate(_is(CLOSE, MARK), _assigned([*_settable(table), BATCH]))
    return merge.whenNotMatchedInsert(_is(INSERT), _assigned(columns)) if INSERT in ops else merge


def _is(*ops: str) -> Column:
    return F.col(f"changed.{OP}").isin(*ops)


def _assigned(names: list[str]) -> dict[str, str | Column]:
    return {f"`{name}`": F.col(f"changed.`{name}`") for name in names}


def _settable(table: Table) -> list[str]:
    return [name for name in table.added_columns if name not in table.identity]


@contextmanager
def _confs(spark: SparkSession, wanted: dict[str, str]) -> Iterator[None]:
    """The settings for one statement, and whatever they were before afterwards."""
    before = {name: spark.conf.get(name, None) for name in wanted}
    try:
        for name, value in wanted.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, old)
