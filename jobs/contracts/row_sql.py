"""The one SQL statement that judges the rows of a piece: bind, cast, transform, then every check with its reason.

It runs in DuckDB over Arrow, so a million rows cost about as much as parsing them; nothing here touches a row in Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from jobs.batches import INEXACT, OFFSET, RECORD
from jobs.config.pipeline import Column, Table
from jobs.contracts.casts import cast

_TRANSFORMS = {"lower": "lower({})", "upper": "upper({})", "trim": "trim({})", "url_decode": "url_decode({})"}
_BLANK = r"[\s\p{Z}]*"
_SHOWN = 60  # characters of a value in a reason; the raw record holds the rest


def row_sql(table: Table, fields: Mapping[str, str], layout: pa.Schema, *, empty_is_null: bool, timezone: str) -> str:
    """A SELECT over the relation `piece`: the contract's columns, `_record`, `_offset`, `_fate`, `_reasons`, `_refusals`, `_warned`, `_raw`.

    A fate is reject (type or null failure), filter, refuse, reject (a failed check), or accept: the first that applies.
    """
    bound, typed, broken = [], [], []
    failures: dict[str, list[str]] = {"quarantine": [], "filter": [], "refuse": [], "warn": []}
    for name, column in table.columns.items():
        source, value = _quote("_bound_" + name), _quote("_typed_" + name)
        bound.append(f"{_bound(fields[name], column, empty_is_null)} AS {source}")
        typed.append(
            f"{_transformed(cast(source, layout.field(fields[name]).type, column.type, timezone), column)} AS {value}"
        )
        broken.append(_type_failure(name, column, source, value, fields[name], layout))
        failures[column.on_failure] += _check_failures(name, column, value)
    columns = ", ".join(f"{_quote('_typed_' + name)} AS {_quote(name)}" for name in table.columns)
    raw = ", ".join(f"{_quote(name)} := {_quote(name)}" for name in _source_fields(layout))
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
            len(_warnings) AS _warned, CASE WHEN _fate = 'reject' THEN to_json(struct_pack({raw}))::VARCHAR END AS _raw
        FROM judged
    """


def _bound(field: str, column: Column, empty_is_null: bool) -> str:
    return f"nullif({_quote(field)}, '')" if empty_is_null and column.nullable else _quote(field)


def _transformed(expression: str, column: Column) -> str:
    for transform in column.transform:
        expression = _TRANSFORMS[transform].format(expression)
    return expression


def _type_failure(name: str, column: Column, source: str, value: str, field: str, layout: pa.Schema) -> str:
    """Why the value is not one of the column's type, or NULL. A value that the source could not hold natively fails too."""
    shown, missing = source, f"{source} IS NULL"
    if INEXACT + field in layout.names:
        inexact = _quote(INEXACT + field)
        shown, missing = f"coalesce({inexact}, {source}::VARCHAR)", f"{source} IS NULL AND {inexact} IS NULL"
    absent = "NULL" if column.nullable else _text(f"{name}: expected a value, got NULL")
    return (
        f"CASE WHEN {missing} THEN {absent} "
        f"WHEN {value} IS NULL THEN {_because(name, f'expected {column.type}', shown)} END"
    )


def _check_failures(name: str, column: Column, value: str) -> Iterator[str]:
    """One expression per check: the reason, or NULL where it holds. A NULL value fails no check."""
    checks = {
        "a text that is not blank": column.not_blank and f"regexp_full_match({value}, '{_BLANK}')",
        f"a match of {column.pattern}": column.pattern and f"NOT regexp_matches({value}, {_text(column.pattern)})",
        f"one of {', '.join(column.one_of or ())}": column.one_of and f"{value} NOT IN ({_texts(column.one_of)})",
        f"at least {column.minimum}": column.minimum is not None and f"{value} < {column.minimum}",
        f"at most {column.maximum}": column.maximum is not None and f"{value} > {column.maximum}",
    }
    for expected, fails in checks.items():
        if fails:
            yield f"CASE WHEN {fails} THEN {_because(name, f'expected {expected}', value)} END"


def _because(name: str, expected: str, shown: str) -> str:
    """`amount: expected numeric(10,2), got '1.005'`, as an expression."""
    return f"concat({_text(f'{name}: {expected}, got ')}, '''', left({shown}::VARCHAR, {_SHOWN}), '''')"


def _reasons(expressions: list[str]) -> str:
    return f"list_filter([{', '.join(expressions)}]::VARCHAR[], lambda reason: reason IS NOT NULL)"


def _source_fields(layout: pa.Schema) -> list[str]:
    return [name for name in layout.names if name not in (RECORD, OFFSET)]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(_text(value) for value in values)
