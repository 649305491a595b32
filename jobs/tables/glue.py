"""A curated table in the Glue catalogue, where Athena and Spectrum find it. They read columns and files from the Delta log itself."""

from __future__ import annotations

from typing import Any

from jobs.config.column_type import SqlType
from jobs.config.table import Table
from jobs.runtime.aws import aws_errors

_HIVE = {"varchar": "string", "text": "string"}

# What Spark and Glue's own crawler write for a Delta table (Athena user guide, "Query Linux Foundation Delta Lake tables").
_PARAMETERS = {
    "EXTERNAL": "TRUE",
    "classification": "delta",
    "spark.sql.sources.provider": "delta",
    "table_type": "delta",
}
_FORMAT = {
    "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
}


def register(glue: Any, database: str, name: str, table: Table, location: str) -> None:
    """The table is in the catalogue as the contract has it now. Raises CredentialsError, AwsUnavailableError, AwsRefusedError."""
    wanted = _wanted(name, table, location)
    with aws_errors(f"Registering {database}.{name} in the Glue catalogue"):
        try:
            known = glue.get_table(DatabaseName=database, Name=name)["Table"]
        except glue.exceptions.EntityNotFoundException:
            glue.create_table(DatabaseName=database, TableInput=wanted)
            return
        if not _is_as_wanted(known, wanted):
            glue.update_table(DatabaseName=database, TableInput=wanted)


def _wanted(name: str, table: Table, location: str) -> dict[str, Any]:
    columns = [(column, hive_type(contract.type)) for column, contract in table.columns.items()]
    columns += [(column, _HIVE.get(kind, kind)) for column, kind in table.added_columns.items()]
    described = [{"Name": column, "Type": kind} for column, kind in [*columns, ("_batch", "bigint")]]
    storage = {"Location": location, "Columns": described, **_FORMAT}
    return {"Name": name, "TableType": "EXTERNAL_TABLE", "Parameters": _PARAMETERS, "StorageDescriptor": storage}


def _is_as_wanted(known: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Glue adds keys of its own to what it was given."""
    stored, given = known.get("StorageDescriptor", {}), wanted["StorageDescriptor"]
    columns = [{"Name": each["Name"], "Type": each.get("Type")} for each in stored.get("Columns", [])]
    return bool(
        columns == given["Columns"]
        and stored.get("Location") == given["Location"]
        and all(known.get("Parameters", {}).get(key) == value for key, value in _PARAMETERS.items())
    )


def hive_type(sql_type: SqlType) -> str:
    if sql_type.kind == "numeric":
        return f"decimal({sql_type.precision},{sql_type.scale})"
    return _HIVE.get(sql_type.kind, sql_type.kind)
