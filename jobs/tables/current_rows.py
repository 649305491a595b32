"""Reading of a curated table only what a batch can touch: files by their key range, rows by their keys."""

from __future__ import annotations

from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

from jobs.config.table import Table
from jobs.tables.changes import FILE, ROW
from jobs.tables.delta import BATCH, has_deletion_vectors

BROADCAST_ROWS = 1_000_000
"""Up to as many keys are sent to every task, instead of sorting the table by key."""


def rows_with_places(spark: SparkSession, address: str, table: Table) -> DataFrame:
    """The rows of the table as it is, each with the place where it stands; NULL in a table without deletion vectors."""
    rows = spark.read.format("delta").load(address)
    if has_deletion_vectors(table):
        return rows.withColumns({FILE: F.col("_metadata.file_path"), ROW: F.col("_metadata.row_index")})
    return rows.withColumns({FILE: F.lit(None).cast("string"), ROW: F.lit(None).cast("bigint")})


def rows_with_keys(current: DataFrame, keys: DataFrame, columns: list[str]) -> DataFrame:
    """The rows of `current` whose key is among `keys` (repeated or not; its columns are the key). Counts `keys` first."""
    number, within = key_range(keys)
    wanted = F.broadcast(keys) if number <= BROADCAST_ROWS else keys
    return current.where(within).select(*columns).join(wanted, on=keys.columns, how="left_semi")


def with_content(rows: DataFrame, again: DataFrame, current: DataFrame, on: list[str], content: Column) -> DataFrame:
    """`rows` with what the table holds for those of them that are read again, as `content` (named by its alias); NULL for the others.

    `again`: their key, then `_batch` as the table has it. What a batch reads again was read before, most often by the batch before:
    `_batch` leads to the few files that hold it. Most batches read nothing again, and need not look for it. `on`: columns of both.
    """
    span = again.agg(F.min(BATCH).alias("first"), F.max(BATCH).alias("last")).first()
    if span is None or span["first"] is None:
        [field] = current.select(content).schema.fields
        return rows.withColumn(field.name, F.lit(None).cast(field.dataType))
    batches = F.col(BATCH).between(F.lit(span["first"]), F.lit(span["last"]))
    found = rows_with_keys(current.where(batches), again.drop(BATCH), current.columns)
    return rows.join(found.select(*on, content), on=on, how="left")


def key_range(keys: DataFrame, of: str = "") -> tuple[int, Column]:
    """How many rows `keys` has, and a condition that holds for every row with one of them; `of`: the alias of those rows.

    Literals, because only they let Delta skip files. Not of timestamps, which Python holds in the process's time zone.
    """
    names = [field.name for field in keys.schema.fields if not isinstance(field.dataType, TimestampType)]
    ends = [
        end(f"`{name}`").alias(f"{label} {name}") for name in names for label, end in (("low", F.min), ("high", F.max))
    ]
    found = keys.agg(F.count(F.lit(1)).alias("rows"), *ends).first()
    if found is None or found["rows"] == 0:
        return 0, F.lit(False)
    prefix = f"{of}." if of else ""
    spans = [
        F.col(f"{prefix}`{name}`").between(F.lit(found[f"low {name}"]), F.lit(found[f"high {name}"])) for name in names
    ]
    return int(found["rows"]), reduce(and_, spans, F.lit(True))
