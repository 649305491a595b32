"""A landing as Spark sees it: the rows of its tables, what was rejected, the keys beside them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.batches import Checked, Manifest
from jobs.config.table import Table
from jobs.contracts.batch_rules import FATE, without
from jobs.run.context import RunContext
from jobs.tables.commits import curated_path
from jobs.tables.current_rows import rows_with_places
from jobs.tables.delta import curated_schema, landed_schema
from jobs.tables.quarantine import REJECTED_SCHEMA

_FAILED_SCHEMA = StructType([*REJECTED_SCHEMA.fields, StructField(FATE, StringType())])


def landed_rows(context: RunContext, manifest: Manifest, name: str) -> DataFrame:
    """The landed rows of one table (landed_schema)."""
    files = [file.path for file in manifest.tables[name].files]
    return _parquet(context, files, landed_schema(manifest.contract[name]))


def landed_keys(context: RunContext, manifest: Manifest, name: str) -> DataFrame | None:
    """The key columns that were landed beside a table's rows; None where there is no need of them."""
    if name not in manifest.keys:
        return None
    table = manifest.contract[name]
    files = [file.path for file in manifest.keys[name]]
    return _parquet(context, files, StructType([landed_schema(table)[column] for column in table.key]))


def deleted_keys(context: RunContext, manifest: Manifest, checked: Checked, name: str) -> DataFrame | None:
    """The keys of rows that are gone from the source; None where the batch did not look for any."""
    table, files = manifest.contract[name], checked.tables[name].deleted_keys
    schema = StructType([landed_schema(table)[column] for column in table.key])
    return _parquet(context, list(files), schema) if files else None


def accepted_rows(context: RunContext, manifest: Manifest, checked: Checked, name: str) -> DataFrame:
    """The rows of one table that the batch takes (landed_schema)."""
    rows, table = landed_rows(context, manifest, name), checked.tables[name]
    if table.rejected + table.filtered == 0:
        return rows
    return without(rows, failed_rows(context, checked.rejected_folder).where(F.col("table") == name))


def failed_rows(context: RunContext, folder: str | None) -> DataFrame:
    """The records that failed a rule of the whole batch (REJECTED_SCHEMA and their fate)."""
    return _parquet(context, [folder] if folder else [], _FAILED_SCHEMA)


def quarantined_rows(context: RunContext, manifest: Manifest, checked: Checked) -> DataFrame:
    """Every record of the batch that goes to the quarantine, from landing and check (REJECTED_SCHEMA)."""
    landed = _parquet(context, [file.path for file in manifest.rejected_files], REJECTED_SCHEMA)
    failed = failed_rows(context, checked.rejected_folder).where(F.col(FATE) == "quarantine")
    return landed.unionByName(failed.drop(FATE))


def curated_rows(context: RunContext, name: str, table: Table) -> DataFrame:
    """The curated table as it is, each row with its place; no rows where there is no table yet."""
    path, spark = curated_path(context.name, name), context.spark()
    if context.lake.objects(f"{path}/_delta_log"):
        return rows_with_places(spark, context.lake.uri(path), table)
    return spark.createDataFrame([], curated_schema(table))


def _parquet(context: RunContext, files: list[str], schema: StructType) -> DataFrame:
    spark = context.spark()
    addresses = [context.lake.uri(file) for file in files]
    return spark.read.schema(schema).parquet(*addresses) if addresses else spark.createDataFrame([], schema)
