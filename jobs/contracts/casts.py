"""One SQL expression per column: the source's value as the contract's type, or NULL when it cannot be held exactly.

A value is exact or refused, never changed: a decimal is not rounded, 24:00 is not the next day, ' 7' is not 7. DuckDB's own casts
do all three, so a pattern stands before each of them.
"""

from __future__ import annotations

import pyarrow as pa

from jobs.config.column_type import SqlType

_INTEGERS = {"smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT"}
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6}0*)?"
_OFFSET = r" ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)?"
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

    `timezone` is that of times without an offset. Of a local time that a change of clocks repeats, the earlier is taken; one that
    the change leaves out is refused.
    """
    if pa.types.is_string(source) or pa.types.is_large_string(source):
        return _from_text(x, target, timezone)
    if target.kind in _INTEGERS:
        return f"TRY_CAST({x} AS {_INTEGERS[target.kind]})"
    if target.kind == "numeric":
        return f"TRY_CAST({x} AS DECIMAL({target.precision}, {target.scale}))"
    return x


def _from_text(x: str, target: SqlType, timezone: str) -> str:
    if target.is_text:
        return f"CASE WHEN strlen({x}) <= {target.length} AND NOT contains({x}, chr(0)) THEN {x} END"
    if target.kind in _INTEGERS:
        return _matching(x, "[+-]?[0-9]+", f"TRY_CAST({x} AS {_INTEGERS[target.kind]})")
    if target.kind == "numeric":
        digits = rf"[+-]?([0-9]+(\.[0-9]{{0,{target.scale}}}0*)?|\.[0-9]{{1,{max(target.scale or 0, 1)}}}0*)"
        return _matching(x, digits, f"TRY_CAST({x} AS DECIMAL({target.precision}, {target.scale}))")
    if target.kind == "double":
        return _matching(x, _DOUBLE, f"TRY_CAST({x} AS DOUBLE)")
    if target.kind == "boolean":
        return (
            f"CASE lower({x}) WHEN 'true' THEN true WHEN 't' THEN true WHEN 'false' THEN false WHEN 'f' THEN false END"
        )
    if target.kind == "date":
        return _matching(x, _DAY, f"CASE WHEN {x} NOT LIKE '0000%' THEN TRY_CAST({x} AS DATE) END")
    return _timestamp(x, timezone)


def _timestamp(x: str, timezone: str) -> str:
    """A day alone is no timestamp. The session's time zone is `timezone`, so text without an offset is read in it."""
    instant = f"timezone('UTC', TRY_CAST({x} AS TIMESTAMPTZ))"
    if timezone != "UTC":
        local = rf"regexp_full_match({x}, '{_DAY}[ T]{_TIME}')"
        shown = f"timezone('{timezone}', TRY_CAST({x} AS TIMESTAMPTZ))"
        instant = f"CASE WHEN NOT {local} OR {shown} = TRY_CAST({x} AS TIMESTAMP) THEN {instant} END"
    return _matching(x, f"{_DAY}[ T]{_TIME}{_OFFSET}", f"CASE WHEN {x} NOT LIKE '0000%' THEN {instant} END")


def _matching(x: str, pattern: str, value: str) -> str:
    return f"CASE WHEN regexp_full_match({x}, '{pattern}') THEN {value} END"
