"""Rules within a table: keys, checks that fit their type, references, layout. How it is read and loaded is checked beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobs.config.column import RESERVED_FIELDS, Column
from jobs.config.derived_checks import derived_faults
from jobs.config.document import Document
from jobs.config.load_checks import load_faults
from jobs.config.pipeline import Pipeline
from jobs.config.problems import Fault, Path, did_you_mean, listed
from jobs.config.reading_checks import reading_faults
from jobs.config.table import Publish, Table
from jobs.config.text_rules import pattern_fault

_INTEGERS = ("smallint", "int", "bigint")
_NUMBERS = (*_INTEGERS, "double", "numeric")
_CHECKS = ("pattern", "one_of", "minimum", "maximum", "not_blank", "references")
# Neither Postgres nor Redshift lets a table have these, quoted or not.
_SYSTEM_COLUMNS = {"oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "insertxid", "deletexid"}


def table_faults(pipeline: Pipeline, document: Document) -> Iterator[Fault]:
    """Everything that is wrong with the pipeline's tables."""
    for name, table in pipeline.tables.items():
        path = ("tables", name)
        columns = document.names(*path, "columns")
        yield from _unknown_columns((*path, "key"), table.key, name, columns)
        yield from _nullable_keys(path, table)
        yield from load_faults((*path, "load"), table, columns)
        yield from derived_faults(name, table, pipeline, document)
        yield from reading_faults(path, table, pipeline.feeds.get(str(table.origin)), columns)
        if isinstance(table.publish, Publish):
            yield from _layout((*path, "publish"), table.publish, name, (*columns, *table.added_columns))
        for column_name, column in table.columns.items():
            yield from _column((*path, "columns", column_name), column_name, column)
            if column_name in table.added_columns:
                hint = f"Mode {table.load.mode} adds a column of that name: write another and `from: {column_name}`."
                yield Fault(
                    (*path, "columns", column_name), "a name that the mode does not add", repr(column_name), hint
                )
            if column.references is not None:
                yield from _reference((*path, "columns", column_name, "references"), column, pipeline, document)


def _unknown_columns(path: Path, names: tuple[str, ...], table: str, columns: tuple[str, ...]) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if name not in columns:
            yield Fault((*path, index), f"a column of {table}", repr(name), _near_column(name, columns))
        elif name in names[:index]:
            yield Fault((*path, index), "each column once", f"{name!r} again", "Remove one.")


def _near_column(name: str, columns: Iterable[str]) -> str:
    return did_you_mean(name, columns) or f"Its columns: {listed(columns)}."


def _nullable_keys(path: Path, table: Table) -> Iterator[Fault]:
    for name in table.key:
        if name in table.columns and table.columns[name].nullable:
            hint = "A NULL equals no key: rows would come twice."
            yield Fault((*path, "columns", name, "nullable"), "false, as the column is in the key", "true", hint)


def _layout(path: Path, layout: Publish, table: str, columns: tuple[str, ...]) -> Iterator[Fault]:
    if layout.distkey is not None and layout.distkey not in columns:
        hint = _near_column(layout.distkey, columns)
        yield Fault((*path, "distkey"), f"a column of {table}", repr(layout.distkey), hint)
    if layout.distkey is not None and layout.diststyle not in (None, "key"):
        yield Fault((*path, "diststyle"), "key, beside a distkey", repr(layout.diststyle), "Remove one of them.")
    if layout.distkey is None and layout.diststyle == "key":
        yield Fault((*path, "diststyle"), "a distkey beside it", "none", "Add `distkey: <column>`.")
    yield from _unknown_columns((*path, "sortkey"), layout.sortkey, table, columns)


def _column(path: Path, name: str, column: Column) -> Iterator[Fault]:
    if name in _SYSTEM_COLUMNS:
        hint = f"The warehouse has a system column of that name; write another and `from: {name}`."
        yield Fault(path, "a name that a table can have", repr(name), hint)
    if column.source in RESERVED_FIELDS:
        hint = "Have it delivered under another name; a Postgres table can be read by way of a view."
        yield Fault((*path, "from"), "a field that Tidemark does not add itself", repr(column.source), hint)
    for check in ("transform", "pattern", "one_of", "not_blank"):
        if getattr(column, check) and not column.type.is_text:
            yield Fault((*path, check), "it on a text column only", f"it on {column.type}", "Remove it.")
    for check in ("minimum", "maximum"):
        if getattr(column, check) is not None and column.type.kind not in _NUMBERS:
            yield Fault((*path, check), "it on a number only", f"it on {column.type}", "Remove it.")
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        yield Fault((*path, "minimum"), f"at most the maximum, {column.maximum}", str(column.minimum))
    if column.pattern is not None and (fault := pattern_fault(column.pattern)):
        yield Fault((*path, "pattern"), *fault)
    if "on_failure" in column.model_fields_set and not any(
        getattr(column, check) not in (None, False) for check in _CHECKS
    ):
        hint = "Type and null failures are always quarantined."
        yield Fault((*path, "on_failure"), f"a check beside it ({listed(_CHECKS)})", "none", hint)


def _reference(path: Path, column: Column, pipeline: Pipeline, document: Document) -> Iterator[Fault]:
    known, name = document.names("tables"), str(column.references)
    if name not in known:
        yield Fault(path, f"a table of this pipeline ({listed(known)})", repr(name), did_you_mean(name, known))
        return
    parent = pipeline.tables.get(name)
    if parent is None:
        return
    if len(parent.key) != 1:
        got = f"{name} with the key {listed(parent.key)}"
        yield Fault(path, "a table with one key column", got, "A value can only be found by one column.")
    elif parent.key[0] in parent.columns:
        key = parent.columns[parent.key[0]].type
        if not key.compares(column.type):
            got = f"{column.type} here, {key} there"
            yield Fault(path, f"the type of {name}.{parent.key[0]}", got, "Give both the same type.")
