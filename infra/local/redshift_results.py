"""Rows as the Data API gives them: typed fields and the metadata of columns (API reference, "Field", "ColumnMetadata")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from infra.local.redshift_errors import RedshiftError

# The smaller of what AWS's pages say: the newest one allows 500 MB.
# Management guide, "Considerations when calling the Amazon Redshift Data API"; "Troubleshooting issues for Amazon Redshift Data API".
LARGEST_RESULT_BYTES = 100 * 1024 * 1024
LARGEST_ROW_BYTES = 64 * 1024

_TYPE_NAMES = {
    16: "bool", 19: "name", 20: "int8", 21: "int2", 23: "int4", 25: "varchar", 700: "float4", 701: "float8", 1042: "bpchar",
    1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz", 1700: "numeric",
}  # fmt: skip
_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "bool": ("booleanValue", lambda text: text == "t"),
    **dict.fromkeys(("int2", "int4", "int8"), ("longValue", int)),
    **dict.fromkeys(("float4", "float8"), ("doubleValue", float)),
}


@dataclass(frozen=True)
class Result:
    """`sizes` are the bytes of each row."""

    columns: list[dict[str, Any]]
    records: list[list[dict[str, Any]]]
    sizes: list[int]


def result_of(cursor: psycopg.Cursor[Any]) -> Result | None:
    """The rows of a query as the server wrote them; None for a statement that has none.

    Raises:
        RedshiftError: more than the Data API hands out.
    """
    answer = cursor.pgresult
    if answer is None or cursor.description is None:
        return None
    types = [_TYPE_NAMES.get(column.type_code, "varchar") for column in cursor.description]
    records, sizes = [], []
    for row in range(answer.ntuples):
        values = [answer.get_value(row, column) for column in range(answer.nfields)]
        sizes.append(sum(len(value) for value in values if value is not None))
        if sizes[-1] > LARGEST_ROW_BYTES:
            raise RedshiftError("Packet for query is too large")
        records.append([_field(value, type_) for value, type_ in zip(values, types, strict=True)])
    if sum(sizes) > LARGEST_RESULT_BYTES:
        raise RedshiftError("Database response exceeded size limit")
    columns = [_metadata(column, type_) for column, type_ in zip(cursor.description, types, strict=True)]
    return Result(columns, records, sizes)


def _field(value: bytes | None, type_: str) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    name, read = _FIELDS.get(type_, ("stringValue", str))
    return {name: read(value.decode())}


def _metadata(column: psycopg.Column, type_: str) -> dict[str, Any]:
    return {
        "name": column.name,
        "label": column.name,
        "typeName": type_,
        "precision": column.precision or column.display_size or 0,
        "scale": column.scale or 0,
        "length": column.internal_size or 0,
        "nullable": 1,
        "isCaseSensitive": type_ in ("varchar", "bpchar"),
        "isCurrency": False,
        "isSigned": type_ in ("int2", "int4", "int8", "float4", "float8", "numeric"),
        "schemaName": "",
        "tableName": "",
    }
