"""The casts that read one column of a source exactly, chosen from the catalogue and the contract.

Natively where Arrow holds the type exactly, else as text, which the contract then types or refuses. What is selected, and which rows,
is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from jobs.batches import INEXACT
from jobs.config.column_type import SqlType
from jobs.sources.postgres_session import INTEGERS, SourceColumn

_PRINTED = {"bpchar": "bpcharout", "inet": "inet_out"}  # whose cast to text is not what clients read: it strips or adds


def exact_casts(column: SourceColumn, targets: Sequence[SqlType], timezone: str) -> dict[str, sql.Composable]:
    """Name → expression for a column that is read under one contract type or several: as text where these need different ways."""
    ways = [_expressions(column, target, timezone) for target in targets]
    return ways[0] if all(way == ways[0] for way in ways) else _as_text(column)


def _expressions(column: SourceColumn, target: SqlType, timezone: str) -> dict[str, sql.Composable]:
    """The casts that read one column: its value, and beside a native date or time the text of what Arrow cannot hold."""
    name, base = sql.Identifier(column.name), column.base_type
    if base in INTEGERS and target.kind in ("smallint", "int", "bigint", "numeric"):
        return {column.name: sql.SQL("{}::int8").format(name)}
    if base in (*INTEGERS, "numeric") and target.kind == "double":
        return _or_as_text(column.name, name, sql.SQL("{}::float8").format(name), _fits_double(name))
    if base in ("float4", "float8") and target.kind == "double":
        return {column.name: sql.SQL("{}::float8").format(name)}
    if base == "bool" and target.kind == "boolean":
        return {column.name: name}
    if base == "date" and target.kind == "date":
        return _or_as_text(column.name, name, name, _within_years(name))
    if base == "timestamptz" and target.kind == "timestamp":
        in_utc = sql.SQL("({} AT TIME ZONE 'UTC')").format(name)
        return _or_as_text(column.name, name, in_utc, _within_years(in_utc))
    if base == "timestamp" and target.kind == "timestamp" and timezone == "UTC":
        return _or_as_text(column.name, name, name, _within_years(name))
    # A timestamp of another zone too: the contract alone knows what to do with hours that a change of clocks repeats or skips.
    return _as_text(column)


def _as_text(column: SourceColumn) -> dict[str, sql.Composable]:
    """What holds every value."""
    name, base = sql.Identifier(column.name), column.base_type
    text = "textin({}({}))" if base in _PRINTED else "{1}::text"
    return {column.name: sql.SQL(text).format(sql.SQL(_PRINTED.get(base, "")), name)}


def _or_as_text(
    alias: str, raw: sql.Composable, value: sql.Composable, holds: sql.Composable
) -> dict[str, sql.Composable]:
    """The value where the contract's type holds it exactly, else its text beside it, to be refused by name."""
    return {
        alias: sql.SQL("CASE WHEN {} THEN {} END").format(holds, value),
        INEXACT + alias: sql.SQL("CASE WHEN NOT {} THEN {}::text END").format(holds, raw),
    }


def _within_years(value: sql.Composable) -> sql.Composable:
    """Not infinity, nor a year outside 1 to 9999: these have no place in Spark's types."""
    return sql.SQL("({} >= '0001-01-01' AND {} < '10000-01-01')").format(value, value)


def _fits_double(number: sql.Composable) -> sql.Composable:
    """The double's shortest text is the same number. A cast of what lies beyond its range would end the query."""
    return sql.SQL(
        "(CASE WHEN {0} = 0 OR abs({0}::numeric) BETWEEN 1e-300 AND 1e300 THEN {0}::float8::text::numeric = {0} "
        "ELSE {0}::text IN ('NaN', 'Infinity', '-Infinity') END)"
    ).format(number)
