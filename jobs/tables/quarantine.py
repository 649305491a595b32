"""The quarantine of a feed: one row per rejected record, appended once and never changed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_

from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from jobs.batches import RecordId
from jobs.tables.commits import BatchCommit
from jobs.tables.delta import BATCH

_IDENTITY = ("table", "object", "record", "raw")

REJECTED_SCHEMA = StructType(
    [
        StructField("table", StringType()),
        StructField("object", StringType()),
        StructField("record", LongType()),
        StructField("offset", LongType()),
        StructField("raw", StringType()),
        StructField("reasons", ArrayType(StringType())),
    ]
)
"""One row per rejected record of one batch; the batch's number is added when it is written."""

QUARANTINE_SCHEMA = StructType([*REJECTED_SCHEMA.fields, StructField(BATCH, LongType())])


def not_yet_known(rejected: DataFrame, address: str, closed: Iterable[RecordId]) -> DataFrame:
    """Rejects without those that an earlier reading of the same rows quarantined identically, and that no replay has closed since."""
    spark = rejected.sparkSession
    known = spark.read.format("delta").load(address)
    places = [(each.batch, each.table, each.object, each.record) for each in closed]
    if places:
        replayed = spark.createDataFrame(places, f"{BATCH} long, table string, object string, record long")
        is_closed = reduce(and_, (known[name].eqNullSafe(replayed[name]) for name in replayed.columns))
        known = known.join(replayed, on=is_closed, how="left_anti")
    known = known.select(*_IDENTITY).distinct()
    is_same = reduce(and_, (rejected[name].eqNullSafe(known[name]) for name in _IDENTITY))  # no table is known for some
    return rejected.join(known, on=is_same, how="left_anti")


def write(rejected: DataFrame, address: str) -> None:
    """Appends the batch's rejects (QUARANTINE_SCHEMA), in one commit even when there are none."""
    rejected.write.format("delta").mode("append").save(address)


def written_rows(commit: BatchCommit) -> int:
    return commit.metrics["numOutputRows"]
