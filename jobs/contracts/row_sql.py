"""The one SQL statement that judges the rows of a piece: bind, cast, transform, then every check with its reason.

It runs in DuckDB over Arrow, so a million rows cost about as much as parsing them; nothing here touches a row in Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from jobs.batches import INEXACT, OFFSET, RAW, RECORD
from jobs.config.column import Column
from jobs.config.column_type import SqlType
from jobs.config.table import Table
from jobs.contracts.casts import cast

_WHITE = r"[\s\v\x1c-\x1f\x85\pZ]"  # what Unicode calls white space; DuckDB's trim leaves tabs and line ends
_TRANSFORMS = {
    "lower": "lower({}::VARCHAR)",
    "upper": "upper({}::VARCHAR)",
    "trim": f"regexp_replace({{}}::VARCHAR, '^{_WHITE}+|{_WHITE}+$', '', 'g')",
    "url_decode": "TRY(url_decode({}::VARCHAR))",  # it raises for what decodes to bytes that are not UTF-8
}
_SHOWN = 60  # characters of a value in a reason; the raw record holds the rest


def row_sql(table: Table, fields: Mapping[str, str], layout: pa.Schema, *, empty_is_null: bool, timezone: str) -> str:
    """A SELECT over `piece` (its columns by place, see `places`): the contract's columns, `_record`, `_offset`, `_fate`, `_reasons`,
    `_refusals`, `_warned`, `_raw`.

    A text is transformed before it is cast, so that it is the curated text that fits the type. A fate is reject (type or null failure), filter, refuse, reject (a failed check), or accept: the first that applies.
    """
    bound, typed, broken = [], [], []
    place = places(layout)
    failures: dict[str, list[str]] = {"quarantine": [], "filter": [], "refuse": [], "warn": []}
    for name, column in table.columns.items():
        source, given, value = _quote("_bound_" + name), _quote("_given_" + name), _quote("_typed_" + name)
        delivered = _bound(place[fields[name]], column, empty_is_null)
        bound += [f"{delivered} AS {source}", f"{_transformed(delivered, column)} AS {given}"]
        arrow = pa.string() if column.transform else layout.field(fields[name]).type
        typed.append(f"{cast(given, arrow, column.type, timezone)} AS {value}")
        broken.append(_type_failure(name, column, source, value, place.get(INEXACT + fields[name])))
        failures[column.on_failure] += _check_failures(name, column, value)
    columns = ", ".join(f"{_quote('_typed_' + name)} AS {_quote(name)}" for name in table.columns)
    return f"""
        WITH bound AS (SELECT *, {", ".join(bound)} FROM piece),
        typed AS (SELECT *, {", ".join(typed)} FROM bound),
        checked AS (
            SELECT *, {_reasons(broken)} AS _broken, {_reasons(failures["quarantine"])} AS _failed,
                {_reasons(failures["filter"])} AS _filters, {_reasons(failures["refuse"])} AS _refusals,
                {_reasons(failures["warn"])} AS _warnings
            FROM typed
        ),
        judged AS (
            SELECT *, CASE WHEN len(_broken) > 0 THEN 'reject' WHEN len(_filters) > 0 THEN 'filter'
                WHEN len(_refusals) > 0 THEN 'refuse' WHEN len(_failed) > 0 THEN 'reject' ELSE 'accept' END AS _fate
            FROM checked
        )
        SELECT _record, _offset, {columns}, _fate, list_concat(_broken, _failed) AS _reasons, _refusals,
            CASE WHEN _fate = 'accept' THEN len(_warnings) ELSE 0 END AS _warned,
            CASE WHEN _fate = 'reject' THEN {_raw(layout)}::VARCHAR END AS _raw
        FROM judged
    """


def places(layout: pa.Schema) -> dict[str, str]:
    """Field of the source → its name in `piece`. Source names may be empty, differ only in case, or be one of ours (`_fate`)."""
    return {name: name if name in (RECORD, OFFSET, RAW) else f"f{number}" for number, name in enumerate(layout.names)}


def _bound(field: str, column: Column, empty_is_null: bool) -> str:
    return f"nullif({field}, '')" if empty_is_null and column.nullable else field


def _transformed(expression: str, column: Column) -> str:
    for transform in column.transform:
        expression = _TRANSFORMS[transform].format(expression)
    return expression


def _type_failure(name: str, column: Column, source: str, value: str, inexact: str | None) -> str:
    """Why the value is not one of the column's type, or NULL. A value that the source could not hold natively fails too."""
    shown, missing = source, f"{source} IS NULL"
    if inexact:
        shown, missing = f"coalesce({inexact}, {source}::VARCHAR)", f"{source} IS NULL AND {inexact} IS NULL"
    absent = "NULL" if column.nullable else _text(f"{name}: expected a value, got NULL")
    return (
        f"CASE WHEN {missing} THEN {absent} "
        f"WHEN {value} IS NULL THEN {_because(name, f'expected {column.type}', shown)} END"
    )


def _check_failures(name: str, column: Column, value: str) -> Iterator[str]:
    """One expression per check: the reason, or NULL where it holds. A NULL value fails no check."""
    checks = {
        "a text that is not blank": column.not_blank and f"regexp_full_match({value}, '{_WHITE}*')",
        f"a match of {column.pattern}": column.pattern and f"NOT regexp_matches({value}, {_text(column.pattern)})",
        f"one of {', '.join(column.one_of or ())}": column.one_of and f"{value} NOT IN ({_texts(column.one_of)})",
        f"at least {column.minimum}": column.minimum is not None and _is(value, "<", column.minimum, column.type),
        f"at most {column.maximum}": column.maximum is not None and _is(value, ">", column.maximum, column.type),
    }
    for expected, fails in checks.items():
        if fails:
            yield f"CASE WHEN {fails} THEN {_because(name, f'expected {expected}', value)} END"


def _is(value: str, operator: str, limit: int, sql_type: SqlType) -> str:
    """A comparison with an integer. DuckDB compares a DECIMAL with none that has more digits than it: those are decided here."""
    if sql_type.kind == "numeric" and abs(limit) >= 10 ** ((sql_type.precision or 0) - (sql_type.scale or 0)):
        return f"{value} IS NOT NULL" if (limit > 0) == (operator == "<") else "false"
    return f"{value} {operator} {limit}"


def _because(name: str, expected: str, shown: str) -> str:
    """`amount: expected numeric(10,2), got '1.005'`, as an expression."""
    return f"concat({_text(f'{name}: {expected}, got ')}, '''', left({shown}::VARCHAR, {_SHOWN}), '''')"


def _reasons(expressions: list[str]) -> str:
    return f"list_filter([{', '.join(expressions)}]::VARCHAR[], lambda reason: reason IS NOT NULL)"


def _raw(layout: pa.Schema) -> str:
    """The record's own text, if the source has it; else its fields as JSON, for a value that its Arrow type cannot hold its text."""
    place = places(layout)
    if RAW in place:
        return RAW
    not_fields = {RECORD, OFFSET} | {INEXACT + name for name in place}
    values = {}
    for name in (name for name in layout.names if name not in not_fields):
        # A native timestamp is in UTC and says so: when the record is replayed, a text without it is a time of the feed's zone.
        is_utc = pa.types.is_timestamp(layout.field(name).type) and layout.field(name).type.tz is None
        value = f"({place[name]}::VARCHAR || 'Z')" if is_utc else place[name]
        inexact = place.get(INEXACT + name)
        values[name] = f"coalesce({inexact}, {value}::VARCHAR)" if inexact else value
    return f"json_object({', '.join(f'{_text(name)}, {value}' for name, value in values.items())})"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''").replace("\0", "'||chr(0)||'") + "'"


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(_text(value) for value in values)
