"""Delta tables of the contract's shape, and the tag that makes a commit exactly one batch's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.config.column_type import SqlType
from jobs.config.table import Table
from jobs.errors import SourceSchemaError
from jobs.tables.commits import CommitNote

BATCH = "_batch"

_SPARK: dict[str, DataType] = {
    "boolean": BooleanType(),
    "smallint": ShortType(),
    "int": IntegerType(),
    "bigint": LongType(),
    "double": DoubleType(),
    "date": DateType(),
    "timestamp": TimestampType(),
    "varchar": StringType(),
    "text": StringType(),
}


def spark_type(sql_type: SqlType) -> DataType:
    if sql_type.kind == "numeric":
        return DecimalType(sql_type.precision or 38, sql_type.scale or 0)
    return _SPARK[sql_type.kind]


def landed_schema(table: Table) -> StructType:
    """The contract's columns, then where each row came from (the landing's schema)."""
    columns = [StructField(name, spark_type(column.type)) for name, column in table.columns.items()]
    origin = [
        StructField("_object", StringType()),
        StructField("_record", LongType()),
        StructField("_offset", LongType()),
    ]
    return StructType(columns + origin)


def curated_schema(table: Table) -> StructType:
    """The contract's columns, those that the load mode adds, and `_batch`. Nullability is the contract's affair, not Delta's: a column
    may become nullable."""
    columns = [StructField(name, spark_type(column.type)) for name, column in table.columns.items()]
    added = [StructField(name, _SPARK[kind]) for name, kind in table.added_columns.items()]
    return StructType([*columns, *added, StructField(BATCH, LongType())])


def has_deletion_vectors(table: Table) -> bool:
    """Whether its Delta table marks rows as gone instead of writing the rest of their files again. Neither Athena nor Spectrum can read
    that."""
    return table.load.mode in ("upsert", "history", "recompute") and not table.readers


def prepare_table(
    spark: SparkSession, address: str, schema: StructType, stats: tuple[str, ...], deletion_vectors: bool = False
) -> None:
    """Creates the table, or adds the columns it lacks; both untagged. Raises SourceSchemaError if a column's type changed.

    `stats`: columns whose minimum and maximum the log may hold. They are data, so only keys and `_batch`.
    """
    if not DeltaTable.isDeltaTable(spark, address):
        builder = DeltaTable.createIfNotExists(spark).location(address).addColumns(schema)
        builder = builder.property("delta.enableDeletionVectors", str(deletion_vectors).lower())
        builder.property("delta.dataSkippingStatsColumns", ",".join(stats)).execute()
        return
    present = {field.name: field.dataType for field in DeltaTable.forPath(spark, address).toDF().schema.fields}
    for field in schema.fields:
        if field.name in present and present[field.name] != field.dataType:
            raise SourceSchemaError(
                f"Writing {address}: expected column {field.name} as {field.dataType.simpleString()}, "
                f"got {present[field.name].simpleString()} in the table. Undo the type change, or give the column a new name."
            )
    added = [f"`{field.name}` {field.dataType.simpleString()}" for field in schema.fields if field.name not in present]
    if added:
        spark.sql(f"ALTER TABLE delta.`{address}` ADD COLUMNS ({', '.join(added)})")


@contextmanager
def tagged(spark: SparkSession, app: str, note: CommitNote) -> Iterator[None]:
    """Every statement within is tagged as the batch's one commit. The tag is taken off again whatever happens: with it still on,
    Delta would skip the session's next statement on any table as already done."""
    tags = {
        "spark.databricks.delta.write.txnAppId": app,
        "spark.databricks.delta.write.txnVersion": str(note.batch),
        "spark.databricks.delta.commitInfo.userMetadata": note.model_dump_json(),
    }
    try:
        for key, value in tags.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key in tags:
            spark.conf.unset(key)
