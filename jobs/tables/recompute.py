"""Mode `recompute`: the rows of a derived table's affected keys become exactly what its transform returned."""

from __future__ import annotations

from contextlib import ExitStack

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.tables.changes import DELETE, INSERT, OP, PLACE, UPDATE, Arrival, change_rows, compared, values
from jobs.tables.current_rows import rows_with_keys


def changes(arrival: Arrival, stack: ExitStack) -> DataFrame:
    """`arriving` has one row per key. A key that vanished is deleted; a row whose values are the same stays as it is."""
    table, key = arrival.table, list(arrival.table.key)
    names = compared(table)
    keys = affected_keys(arrival)
    kept = rows_with_keys(arrival.current, keys, [*key, *names, *PLACE])
    kept = kept.select(*key, *PLACE, values(table, names).alias("_kept"))
    both = arrival.arriving.withColumn("_there", F.lit(True)).join(kept.withColumn("_known", F.lit(True)), key, "full")
    op = (
        F.when(F.col("_known").isNull(), INSERT)
        .when(F.col("_there").isNull(), DELETE)
        .when(~values(table, names).eqNullSafe(F.col("_kept")), UPDATE)
    )
    return change_rows(table, both.withColumn(OP, op))


def affected_keys(arrival: Arrival) -> DataFrame:
    """The affected keys and those that arrive."""
    key = arrival.table.key
    arriving = arrival.arriving.select(*key)
    return arriving if arrival.affected is None else arrival.affected.select(*key).unionByName(arriving)
