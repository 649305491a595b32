"""Applying a batch's changes to a Delta table: exactly one commit, and no more of the table read than can hold the changed rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config.table import Table
from jobs.tables.changes import CLOSE, DELETE, INSERT, MARK, OP, PLACE, UPDATE
from jobs.tables.commits import BatchCommit
from jobs.tables.current_rows import BROADCAST_ROWS, key_range, rows_with_places
from jobs.tables.delta import BATCH, has_deletion_vectors
from jobs.tables.replaced_rows import replace_rows

_ROWS_PER_FILE = 2_000_000
_OPS = (INSERT, UPDATE, CLOSE, MARK, DELETE)

# Delta copies a source before it reads it twice, lest it differ; stored changes are immutable Parquet.
_MERGE_CONFS = {"spark.databricks.delta.merge.materializeSource": "none"}


@dataclass(frozen=True)
class Applied:
    """Rows of the table that a commit changed, by Delta's own count; `updated` are updates, closings and marks."""

    inserted: int
    updated: int
    deleted: int

    def as_metrics(self) -> dict[str, int]:
        """By the names of a MERGE's metrics; the last two are asked for by Delta when it shows the others."""
        changed = {
            "numTargetRowsInserted": self.inserted,
            "numTargetRowsUpdated": self.updated,
            "numTargetRowsDeleted": self.deleted,
        }
        return changed | {"numTargetRowsCopied": 0, "operationNumSourceRows": sum(changed.values())}


def apply(changes: DataFrame, address: str, table: Table, batch: int, counts: Mapping[str, int]) -> None:
    """Makes the one commit, under the tag that is set. `changes`: stored ones, for they are read more than once; `counts`: how many of
    them there are by `_op`. A commit without changes records its tag like any other."""
    rows = changes.withColumn(BATCH, F.lit(batch).cast("long"))
    columns = [*table.columns, *table.added_columns, BATCH]
    if not any(counts.get(op, 0) for op in _OPS if op != INSERT):
        files = _files_for(counts.get(INSERT, 0))
        rows.select(*columns).coalesce(files).write.format("delta").mode("append").save(address)
        return
    if has_deletion_vectors(table):
        _replace(rows, address, table, columns, counts)
        return
    with _confs(changes.sparkSession, _MERGE_CONFS):
        _merge(rows, address, table, columns, {op for op in _OPS if counts.get(op, 0)}).execute()


def _replace(rows: DataFrame, address: str, table: Table, columns: list[str], counts: Mapping[str, int]) -> None:
    """By place: rows that change in any way go, their new versions come."""
    updated = sum(counts.get(op, 0) for op in (UPDATE, CLOSE, MARK))
    gone, come = updated + counts.get(DELETE, 0), updated + counts.get(INSERT, 0)
    whole = rows.where(F.col(OP).isin(INSERT, UPDATE)).select(*columns)
    if counts.get(CLOSE, 0) or counts.get(MARK, 0):
        whole = whole.unionByName(_completed(rows.where(F.col(OP).isin(CLOSE, MARK)), address, table).select(*columns))
    metrics = Applied(counts.get(INSERT, 0), updated, counts.get(DELETE, 0)).as_metrics()
    places = rows.where(F.col(OP) != INSERT).select(*PLACE).coalesce(_files_for(gone))
    replace_rows(rows.sparkSession, address, places, whole.coalesce(_files_for(come)), (gone, come), metrics)


def _completed(ended: DataFrame, address: str, table: Table) -> DataFrame:
    """Rows that only get other values in the columns that the mode adds, with the content that they have."""
    settable = _settable(table)
    current = rows_with_places(ended.sparkSession, address, table).drop(*settable, BATCH)
    number, within = key_range(ended.select(*table.key))
    ends = ended.select(*table.identity, *settable, BATCH)
    ends = F.broadcast(ends) if number <= BROADCAST_ROWS else ends
    return current.where(within).join(ends, on=list(table.identity), how="inner")


def _files_for(rows: int) -> int:
    """A batch's few rows go into one file, and a first load's many into some: readers open every file."""
    return max(1, -(-rows // _ROWS_PER_FILE))


def applied(commit: BatchCommit) -> Applied:
    metrics = commit.metrics
    if "numTargetRowsInserted" not in metrics:
        return Applied(metrics.get("numOutputRows", 0), 0, 0)
    return Applied(*(metrics[f"numTargetRows{what}"] for what in ("Inserted", "Updated", "Deleted")))


def _merge(rows: DataFrame, address: str, table: Table, columns: list[str], ops: set[str]) -> DeltaMergeBuilder:
    """One clause per `_op` that occurs: a clause that only sets some columns makes Delta read all of them."""
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
