"""One SQL expression per column: the source's value as the contract's type, or NULL when it cannot be held exactly.

A value is exact or refused, never changed: a decimal is not rounded, 24:00 is not the next day, ' 7' is not 7. DuckDB's own casts
do all three, so a pattern stands before each of them. Its cast from text to TIMESTAMPTZ is not used at all: in 1.5.5 one value that
ends with ' UTC' changes the time zone in which the values after it are read.
"""

from __future__ import annotations

import pyarrow as pa

from jobs.config.column_type import SqlType

_INTEGERS = {"smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT"}
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_LOCAL = _DAY + r"[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6}0*)?"
_UTC = r"(Z| ?UTC)"
_OFFSET = r" ?[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?"  # below 16 hours, as in Postgres
_DOUBLE = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|NaN|[+-]?Infinity"

ARROW = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "varchar": pa.string(),
    "text": pa.string(),
}


def arrow_type(sql_type: SqlType) -> pa.DataType:
    """The type in landed Parquet; timestamps are UTC, in microseconds."""
    if sql_type.kind == "numeric":
        return pa.decimal128(sql_type.precision, sql_type.scale)
    return ARROW[sql_type.kind]


def cast(x: str, source: pa.DataType, target: SqlType, timezone: str) -> str:
    """The expression `x` (of Arrow type `source`) as `target`; naive UTC for timestamps, NULL where not exact.

    `timezone` is that of times without an offset. Of a local time that a change of clocks repeats, the later is taken (as Postgres
    reads it); one that the change leaves out is refused. What is neither text nor of the target's kind goes by its text.
    """
    if pa.types.is_integer(source) and target.kind in _INTEGERS:
        return f"TRY_CAST({x} AS {_INTEGERS[target.kind]})"
    if pa.types.is_integer(source) and target.kind == "numeric":
        return f"TRY_CAST({x} AS {_decimal(target)})"
    if target.kind in ("boolean", "double", "date", "timestamp") and source.id == arrow_type(target).id:
        return x
    return _from_text(f"({x}::VARCHAR)", target, timezone)


def _from_text(x: str, target: SqlType, timezone: str) -> str:
    if target.is_text:
        return f"CASE WHEN strlen({x}) <= {target.length} AND NOT contains({x}, chr(0)) THEN {x} END"
    if target.kind in _INTEGERS:
        return _matching(x, "[+-]?[0-9]+", f"TRY_CAST({x} AS {_INTEGERS[target.kind]})")
    if target.kind == "numeric":
        bare = rf"\.[0-9]{{1,{target.scale}}}0*" if target.scale else r"\.0+"
        digits = rf"[+-]?([0-9]+(\.[0-9]{{0,{target.scale}}}0*)?|{bare})"
        return _matching(x, digits, f"TRY_CAST({x} AS {_decimal(target)})")
    if target.kind == "double":
        return _matching(x, _DOUBLE, _double(x))
    if target.kind == "boolean":
        return (
            f"CASE lower({x}) WHEN 'true' THEN true WHEN 't' THEN true WHEN 'false' THEN false WHEN 'f' THEN false END"
        )
    if target.kind == "date":
        return _matching(x, _DAY, f"CASE WHEN {x} NOT LIKE '0000%' THEN TRY_CAST({x} AS DATE) END")
    return _timestamp(x, timezone)


def _decimal(target: SqlType) -> str:
    return f"DECIMAL({target.precision}, {target.scale})"


def _double(x: str) -> str:
    """The nearest double; a number beyond the largest is not infinity, and one below the smallest is not zero."""
    number = f"TRY_CAST({x} AS DOUBLE)"
    changed = (
        f"(isinf({number}) AND NOT contains({x}, 'Inf')) OR ({number} = 0 AND regexp_matches({x}, '^[^eE]*[1-9]'))"
    )
    return f"CASE WHEN NOT ({changed}) THEN {number} END"


def _timestamp(x: str, timezone: str) -> str:
    """A day alone is no timestamp. Every branch casts the local part only and moves it to UTC itself."""
    cut = f"TRY_CAST(regexp_extract({x}, '^{_LOCAL}') AS TIMESTAMP)"
    return (
        f"CASE WHEN {x} LIKE '0000%' THEN NULL WHEN regexp_full_match({x}, '{_LOCAL}') THEN {_local(x, timezone)} "
        f"WHEN regexp_full_match({x}, '{_LOCAL}{_UTC}') THEN {cut} "
        f"WHEN regexp_full_match({x}, '{_LOCAL}{_OFFSET}') THEN {_within_years(f'{cut} - {_offset(x)}')} END"
    )


def _local(x: str, timezone: str) -> str:
    wall = f"TRY_CAST({x} AS TIMESTAMP)"
    if timezone == "UTC":
        return wall
    instant = f"timezone('{timezone}', {wall})"
    is_on_the_clock = f"timezone('{timezone}', {instant}) = {wall}"
    in_utc = f"timezone('UTC', {instant})"
    return f"CASE WHEN {is_on_the_clock} THEN {_within_years(in_utc)} END"


def _offset(x: str) -> str:
    """`+0230`, `+02:30` or `+02` at the end of a text, as an interval. (By position: a regexp_extract costs three times as much.)"""
    sign = f"CASE WHEN '-' IN ({x}[-3], {x}[-5], {x}[-6]) THEN -1 ELSE 1 END"
    hours = f"CASE WHEN {x}[-3] IN ('+', '-') THEN {x}[-2:] WHEN {x}[-3] = ':' THEN {x}[-5:-4] ELSE {x}[-4:-3] END"
    minutes = f"CASE WHEN {x}[-3] IN ('+', '-') THEN '0' ELSE {x}[-2:] END"
    return f"to_minutes({sign} * (({hours})::INT * 60 + ({minutes})::INT))"


def _within_years(instant: str) -> str:
    """The instant if Spark and Delta can hold it: the offset of a time near the ends of the calendar can lead beyond them."""
    return f"list_filter([{instant}], lambda t: year(t) BETWEEN 1 AND 9999)[1]"


def _matching(x: str, pattern: str, value: str) -> str:
    return f"CASE WHEN regexp_full_match({x}, '{pattern}') THEN {value} END"
