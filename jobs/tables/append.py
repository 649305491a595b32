"""Mode `append`: every row is new; the ledger makes a second delivery of a batch impossible."""

from __future__ import annotations

from contextlib import ExitStack

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.tables.changes import INSERT, OP, Arrival, change_rows


def changes(arrival: Arrival, stack: ExitStack) -> DataFrame:
    return change_rows(arrival.table, arrival.arriving.withColumn(OP, F.lit(INSERT)))
