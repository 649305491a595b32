"""The load modes by name, for tables that change row by row; `replace` is an overwrite and stands alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.parquet import parquet_columns, parquet_files
from jobs.runtime.storage import Lake
from jobs.tables import append, history, insert, recompute, upsert
from jobs.tables.changes import OP, TIE, Arrival

_CHANGES: dict[str, Callable[[Arrival, ExitStack], DataFrame]] = {
    "append": append.changes,
    "insert": insert.changes,
    "upsert": upsert.changes,
    "history": history.changes,
    "recompute": recompute.changes,
}


def stored_changes(arrival: Arrival, lake: Lake, folder: str) -> DataFrame:
    """What the batch changes in the table, by its load mode (columns: see `jobs.tables.changes`), found once and stored: changes are read
    more than once, and counted without Spark. Most batches have no ties; where there are some, what comes of them is stored beside them."""
    address = lake.uri(folder)
    with ExitStack() as stack:
        found = _CHANGES[arrival.table.load.mode](arrival, stack)
        _store(found, address, "overwrite")
    if stored_counts(lake, folder)[TIE]:
        ties = _stored(found, address).where(F.col(OP) == TIE)
        _store(upsert.settled(arrival, ties), address, "append")
    return _stored(found, address).where(F.col(OP) != TIE)


def stored_counts(lake: Lake, folder: str) -> Counter[str]:
    """How many changes are stored, by `_op`."""
    files = parquet_files(lake, folder)
    return Counter(op for file in files for (op,) in parquet_columns(lake, file.path, OP))


def _store(rows: DataFrame, address: str, mode: str) -> None:
    # Keys and texts differ from row to row: looking for repeated values took a quarter of the executors' time, and found none.
    rows.write.mode(mode).option("parquet.enable.dictionary", "false").parquet(address)


def _stored(like: DataFrame, address: str) -> DataFrame:
    return like.sparkSession.read.schema(like.schema).parquet(address)
