"""Whether a Parquet file fits a table, column by column in their order, and its rows. COPY converts nothing.

Developer guide, "COPY from columnar data formats"; how types correspond: "CREATE EXTERNAL TABLE", as COPY reads through Spectrum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.local.redshift_errors import LoadError, spectrum_error


@dataclass(frozen=True)
class TargetColumn:
    """`type` as Postgres names it inside (int8, varchar); `size` is n of varchar(n); precision and scale of a numeric."""

    name: str
    type: str
    size: int
    precision: int
    scale: int

    @property
    def shown(self) -> str:
        match self.type:
            case "varchar" | "bpchar":
                return f"{'VARCHAR' if self.type == 'varchar' else 'CHAR'}({self.size})"
            case "numeric":
                return f"DECIMAL({self.precision},{self.scale})"
        return _SHOWN[self.type]


_SHOWN = {
    "int2": "SMALLINT", "int4": "INT", "int8": "BIGINT", "float4": "REAL", "float8": "DOUBLE", "bool": "BOOLEAN", "date": "DATE",
    "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ", "time": "TIME",
}  # fmt: skip


def _is_int(bits: int, physical: str, plain: bool) -> Callable[[Any, TargetColumn], bool]:
    annotated = f"Int(bitWidth={bits}, isSigned=true)"

    def fits(column: Any, _: TargetColumn) -> bool:
        return column.physical_type == physical and (
            str(column.logical_type) == annotated or (plain and column.logical_type.type == "NONE")
        )

    return fits


def _is(physical: str, logical: str = "NONE") -> Callable[[Any, TargetColumn], bool]:
    return lambda column, _: column.physical_type == physical and column.logical_type.type == logical


def _is_timestamp(column: Any, _: TargetColumn) -> bool:
    """In nanoseconds only as INT96, which has no unit."""
    unit = str(column.logical_type)
    return column.physical_type == "INT96" or (
        column.logical_type.type == "TIMESTAMP" and ("microseconds" in unit or "milliseconds" in unit)
    )


def _is_decimal(column: Any, target: TargetColumn) -> bool:
    return column.logical_type.type == "DECIMAL" and (column.precision, column.scale) == (
        target.precision,
        target.scale,
    )


_FITS: dict[str, Callable[[Any, TargetColumn], bool]] = {
    "int2": _is_int(16, "INT32", plain=False),
    "int4": _is_int(32, "INT32", plain=True),
    "int8": _is_int(64, "INT64", plain=True),
    "float4": _is("FLOAT"),
    "float8": _is("DOUBLE"),
    "bool": _is("BOOLEAN"),
    "date": _is("INT32", "DATE"),
    "varchar": _is("BYTE_ARRAY", "STRING"),
    "bpchar": _is("BYTE_ARRAY", "STRING"),
    "timestamp": _is_timestamp,
    "timestamptz": _is_timestamp,
    "numeric": _is_decimal,
}


def fitting_rows(
    content: bytes, bucket: str, key: str, region: str, table: list[TargetColumn]
) -> Iterator[tuple[Any, ...]]:
    """The rows as Python values, after the whole file has been found to fit.

    Raises:
        RedshiftError: no Parquet, another number of columns, another type, or a text that is too long for its column.
    """
    address, url = f"https://s3.{region}.amazonaws.com/{bucket}/{key}", f"s3://{bucket}/{key}"
    try:
        file = pq.ParquetFile(BytesIO(content))
    except pa.ArrowInvalid as error:
        raise spectrum_error(
            f"File '{address}' has an invalid version number: not a Parquet file.", load=LoadError(url)
        ) from error
    schema = file.schema
    if len(schema) != len(table):
        raise spectrum_error(
            "Unmatched number of columns between table and file. "
            f"Table columns: {len(table)}, Data columns: {len(schema)}, File name: {address}",
            load=LoadError(url),
        )
    for i, target in enumerate(table):
        if target.type not in _FITS or not _FITS[target.type](schema.column(i), target):
            found = schema.column(i)
            raise spectrum_error(
                f"File '{address}' has an incompatible Parquet schema for column '{url}.{found.name}'. "
                f"Column type: {target.shown}, Parquet schema:\n{_described(found)} [i:{i}]",
                load=_load_error(url, target),
            )
    _require_fitting_texts(file, url, table)
    for batch in file.iter_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _require_fitting_texts(file: pq.ParquetFile, url: str, table: list[TargetColumn]) -> None:
    """VARCHAR(n) holds n bytes of UTF-8 (developer guide, "Character types")."""
    for i, target in enumerate(table):
        if target.type not in ("varchar", "bpchar"):
            continue
        for batch in file.iter_batches(columns=[file.schema.column(i).path]):
            longest = pc.max(pc.binary_length(batch.column(0).cast(pa.string()))).as_py()
            if longest is not None and longest > target.size:
                raise spectrum_error(
                    f"The length of the data column {target.name} is longer than the length defined in the table. "
                    f"Table: {target.size}, Data: {longest}, File name: {url}",
                    code=15001,
                    load=_load_error(url, target),
                )


def _load_error(url: str, target: TargetColumn) -> LoadError:
    return LoadError(url, target.name, target.shown.partition("(")[0].lower(), str(target.size or ""))


def _described(column: Any) -> str:
    logical = "" if column.logical_type.type == "NONE" else f" ({column.logical_type})"
    return f"optional {column.physical_type.lower()} {column.name}{logical}"
