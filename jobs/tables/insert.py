"""Mode `insert`: rows whose key is new; what is there stays (ON CONFLICT DO NOTHING)."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import DataFrame

from jobs.tables.commits import BatchCommit


def write(rows: DataFrame, address: str, key: tuple[str, ...]) -> None:
    """Merges `rows` (curated columns and `_batch`, one row per key) into the table. Records its tag even when nothing is new."""
    same_key = " AND ".join(f"kept.`{column}` = arriving.`{column}`" for column in key)
    target = DeltaTable.forPath(rows.sparkSession, address).alias("kept")
    target.merge(rows.alias("arriving"), same_key).whenNotMatchedInsertAll().execute()


def written_rows(commit: BatchCommit) -> int:
    return commit.metrics["numTargetRowsInserted"]
