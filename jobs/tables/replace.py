"""Mode `replace`: the batch is the whole table, in one atomic commit."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.tables.commits import BatchCommit


def write(rows: DataFrame, address: str, key: tuple[str, ...]) -> None:
    """Overwrites the table with `rows`, which hold the curated columns and `_batch`. `key` plays no part here."""
    columns_may_change = {"overwriteSchema": "true"}
    rows.write.format("delta").mode("overwrite").options(**columns_may_change).save(address)


def written_rows(commit: BatchCommit) -> int:
    return commit.metrics["numOutputRows"]
