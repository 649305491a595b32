"""Rules that need the whole batch: keys and references. DataFrame in, DataFrame of failed records out; the only Spark in contracts."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.config.table import Table

FATE = "fate"
"""What becomes of a failed record, by the column's `on_failure`; of several, the first of _FATES. Only `warn` keeps it in its table."""

_PLACE = ("_object", "_record")
_FATES = ("filter", "refuse", "quarantine", "warn")
# By itself Spark cuts times to milliseconds, and a replay would bring back another value.
_JSON = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}


def repeated_keys(landed: DataFrame, name: str, table: Table) -> DataFrame:
    """Every record whose key an earlier record of the batch has (by object, then record number)."""
    same_key = Window.partitionBy(*table.key).orderBy(*_PLACE)
    numbered = landed.withColumn("_nth", F.row_number().over(same_key)).withColumn(
        "_first", F.first("_record").over(same_key)
    )
    shown = F.concat_ws(", ", *[F.col(column).cast("string") for column in table.key])
    reason = F.concat(
        F.lit(f"{', '.join(table.key)}: expected each key once, got "), shown, F.lit(" as in record "), F.col("_first")
    )
    return _failed(numbered.where(F.col("_nth") > 1), name, table, reason, "quarantine")


def missing_parents(landed: DataFrame, name: str, table: Table, column: str, parents: DataFrame) -> DataFrame:
    """Every record whose `column` is not null and not among `parents` (one column, the parent's key)."""
    keys = parents.toDF(column).distinct()
    orphans = landed.where(F.col(column).isNotNull()).join(keys, on=column, how="left_anti")
    contract = table.columns[column]
    reason = F.concat(F.lit(f"{column}: expected a key of {contract.references}, got "), F.col(column).cast("string"))
    return _failed(orphans, name, table, reason, contract.on_failure)


def without(landed: DataFrame, failed: DataFrame) -> DataFrame:
    """The landed rows that are not among the failed ones of the same table, but for those that are only warned of."""
    places = failed.where(F.col(FATE) != "warn").select(
        F.col("object").alias("_object"), F.col("record").alias("_record")
    )
    return landed.join(places, on=list(_PLACE), how="left_anti")


def merged(failed: DataFrame) -> DataFrame:
    """One row per record, with all its reasons and one fate."""
    order = F.array(*[F.lit(fate) for fate in _FATES])
    return failed.groupBy("table", "object", "record", "offset", "raw").agg(
        F.array_sort(F.flatten(F.collect_set("reasons"))).alias("reasons"),
        F.element_at(order, F.min(F.array_position(order, F.col(FATE))).cast("int")).alias(FATE),
    )


def references(tables: Mapping[str, Table]) -> list[tuple[str, str, str]]:
    """(table, column, parent) of every reference, parents' tables before their children's where no circle forbids it; a
    table's references to itself come after its others, which may take parents away."""
    found = [
        (name, column, contract.references)
        for name, table in tables.items()
        for column, contract in table.columns.items()
        if contract.references
    ]
    ordered: list[tuple[str, str, str]] = []
    while found:
        waiting = {name for name, _, parent in found if parent != name}
        ready = [each for each in found if each[2] not in waiting] or found
        ordered += ready
        found = [each for each in found if each not in ready]
    return ordered


def _failed(rows: DataFrame, name: str, table: Table, reason: Column, fate: str) -> DataFrame:
    fields = [F.col(column).alias(source) for source, column in _as_delivered(table).items()]
    return rows.select(
        F.lit(name).alias("table"),
        F.col("_object").alias("object"),
        F.col("_record").alias("record"),
        F.col("_offset").alias("offset"),
        F.to_json(F.struct(*fields), _JSON).alias("raw"),
        F.array(reason).alias("reasons"),
        F.lit(fate).alias(FATE),
    )


def _as_delivered(table: Table) -> dict[str, str]:
    """Field of the source → the column that holds it: of several one without transforms, then a text, is nearest to it."""
    found: dict[str, list[str]] = {}
    for name, column in table.columns.items():
        found.setdefault(column.source or name, []).append(name)
    columns = table.columns
    return {
        source: max(names, key=lambda name: (not columns[name].transform, columns[name].type.is_text))
        for source, names in found.items()
    }
