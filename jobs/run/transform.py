"""Transform: what a derived table's function makes of its pinned inputs, for the keys that changed in them.

The result is landed and checked like any other rows; how it enters the table is the load mode's.
"""

from __future__ import annotations

from functools import reduce
from importlib import import_module

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.batches import Plan
from jobs.config.column import AS_OF
from jobs.config.table import DELETED_AT, Deletes, Table
from jobs.run.context import RunContext
from jobs.tables.commits import curated_path
from jobs.tables.delta import BATCH, curated_schema, spark_type


def affected_keys(context: RunContext, plan: Plan, table: Table) -> DataFrame:
    """One row per key of the derived table that may have changed since the batches of `plan.since`.

    Rows of an input say by `_batch` when they changed. Of a row that went, or that had another key before, nothing says it: where an
    input can have such rows, every key counts, and those that the derived table still has.
    """
    frames = [_input_keys(context, plan, name, table.key) for name in plan.inputs]
    if not plan.since or not all(_tells_what_changed(context.pipeline.tables[name], table.key) for name in plan.inputs):
        frames.append(_own_keys(context, plan, table))
    return reduce(DataFrame.unionByName, frames).distinct()


def transformed(context: RunContext, plan: Plan, table: Table, affected: DataFrame) -> DataFrame:
    """What the transform returns for the affected keys, and the plan's time where the contract asks for it."""
    module, _, function = str(table.transform).partition(".")
    inputs = {
        name: _rows(context, plan, name).join(affected, on=list(table.key), how="left_semi") for name in table.inputs
    }
    result: DataFrame = getattr(import_module(f"jobs.transforms.{module}"), function)(**inputs)
    kinds = {column.type.kind: column.type for column in table.columns.values() if column.source == AS_OF}
    for kind, sql_type in kinds.items():
        result = result.withColumn(f"{AS_OF}_{kind}", _literal(plan).cast(spark_type(sql_type)))
    return result


def _tells_what_changed(table: Table, key: tuple[str, ...]) -> bool:
    """Whether whatever a batch changes of an input leaves a row of that batch with the same values of `key`."""
    deletes = table.load.deletes
    if table.load.mode in ("append", "insert"):
        return True
    is_hard = isinstance(deletes, Deletes) and deletes.reconcile == "hard"
    loses_rows = (
        table.load.mode in ("replace", "recompute") or is_hard or (table.load.mode == "history" and table.inputs)
    )
    return not loses_rows and set(key) <= set(table.key)


def _literal(plan: Plan) -> Column:
    return F.lit(plan.as_of.isoformat(sep=" ")).cast("timestamp")


def _input_keys(context: RunContext, plan: Plan, name: str, key: tuple[str, ...]) -> DataFrame:
    rows = _pinned(context, plan, name)
    if plan.since and _tells_what_changed(context.pipeline.tables[name], key):
        rows = rows.where(F.col(BATCH) > plan.since.get(name, 0))
    return rows.select(*key)


def _own_keys(context: RunContext, plan: Plan, table: Table) -> DataFrame:
    path = curated_path(plan.pipeline, plan.feed)
    spark = context.spark()
    if context.lake.objects(f"{path}/_delta_log"):
        return spark.read.format("delta").load(context.lake.uri(path)).select(*table.key)
    return spark.createDataFrame([], curated_schema(table)).select(*table.key)


def _rows(context: RunContext, plan: Plan, name: str) -> DataFrame:
    """The rows of an input that are there: without those marked as deleted, and without Tidemark's own columns."""
    if name not in plan.inputs:
        schema = curated_schema(context.pipeline.tables[name])
        rows = context.spark().createDataFrame([], schema)
    else:
        rows = _pinned(context, plan, name)
    if DELETED_AT in rows.columns:
        rows = rows.where(F.col(DELETED_AT).isNull())
    return rows.drop(BATCH, DELETED_AT)


def _pinned(context: RunContext, plan: Plan, name: str) -> DataFrame:
    reader = context.spark().read.format("delta").option("versionAsOf", plan.inputs[name].version)
    return reader.load(context.lake.uri(curated_path(plan.pipeline, name)))
