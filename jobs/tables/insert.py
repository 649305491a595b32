"""Mode `insert`: rows whose key is new; what is there stays (ON CONFLICT DO NOTHING)."""

from __future__ import annotations

from contextlib import ExitStack

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.tables.changes import INSERT, OP, Arrival, change_rows
from jobs.tables.current_rows import rows_with_keys

_PLACE = ("_object", "_record", "_offset")


def changes(arrival: Arrival, stack: ExitStack) -> DataFrame:
    """Of several new rows of one key the first by object and record."""
    table, key = arrival.table, list(arrival.table.key)
    content = [name for name in table.columns if name not in key]
    first = F.min(F.struct(*_PLACE, *content)).alias("_first")
    rows = arrival.arriving.groupBy(*key).agg(first).select(*key, *(F.col(f"_first.`{name}`") for name in content))
    known = rows_with_keys(arrival.current, arrival.arriving.select(*key), key)
    return change_rows(table, rows.join(known, on=key, how="left_anti").withColumn(OP, F.lit(INSERT)))
