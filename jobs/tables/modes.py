"""The load modes by name, for tables that change row by row; `replace` is an overwrite and stands alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pyspark.sql import DataFrame

from jobs.tables import append, history, insert, recompute, upsert
from jobs.tables.changes import Arrival

_CHANGES: dict[str, Callable[[Arrival, ExitStack], DataFrame]] = {
    "append": append.changes,
    "insert": insert.changes,
    "upsert": upsert.changes,
    "history": history.changes,
    "recompute": recompute.changes,
}


@contextmanager
def changes(arrival: Arrival) -> Iterator[DataFrame]:
    """What the batch changes in the table, by its load mode (columns: see `jobs.tables.changes`). To be written within the context:
    afterwards nothing that was read for it is kept."""
    with ExitStack() as stack:
        yield _CHANGES[arrival.table.load.mode](arrival, stack)


def stored_changes(arrival: Arrival, address: str) -> DataFrame:
    """The batch's changes, found once and stored at `address`: they are read more than once, and counted without Spark."""
    with changes(arrival) as rows:
        # Keys and texts differ from row to row: looking for repeated values took a quarter of the executors' time, and found none.
        rows.write.mode("overwrite").option("parquet.enable.dictionary", "false").parquet(address)
        return rows.sparkSession.read.schema(rows.schema).parquet(address)
