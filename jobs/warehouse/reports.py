"""Reports: one SELECT in Redshift SQL per file of conf/reports/, run read-only in the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.errors import ConfigError, InputError
from jobs.warehouse.redshift_sql import parse_report, problems, tables_of, to_postgres, translation_problem, with_as_of
from jobs.warehouse.warehouse import Warehouse, WrongQueryError


@dataclass(frozen=True)
class Report:
    """A query's answer as plain Python values, in the order of its ORDER BY."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def lint_report(name: str, sql: str) -> list[str]:
    """Everything that keeps the report from running here and on Redshift alike; empty if nothing does."""
    query = parse_report(sql)
    found = query if isinstance(query, list) else list(dict.fromkeys(problems(query)))
    if not isinstance(query, list) and not found and (untranslatable := translation_problem(query)):
        found = [untranslatable]
    return [f"conf/reports/{name}.sql: expected one SELECT that Redshift runs, got {problem}." for problem in found]


def run_report(warehouse: Warehouse, name: str, sql: str, as_of: datetime) -> Report:
    """The report as of an instant; one without a zone is UTC.

    Raises:
        ConfigError: the SQL cannot run.
        InputError: a table is not in the warehouse yet.
    """
    found = lint_report(name, sql)
    query = parse_report(sql)
    if found or isinstance(query, list):
        raise ConfigError("\n".join(found))
    translated = to_postgres(query, as_of) if warehouse.dialect == "postgres" else with_as_of(sql, as_of)
    try:
        return Report(*warehouse.read(f"Reporting {name!r}", translated))
    except WrongQueryError as error:
        missing = sorted(table for table in tables_of(query) if not warehouse.has_table(*table))
        if missing:
            pipelines = sorted({schema for schema, _ in missing})
            raise InputError(
                f"Reporting {name!r}: expected table {'.'.join(missing[0])!r} in the warehouse, got none. "
                f"Run {' and '.join(f'`tidemark run {pipeline}`' for pipeline in pipelines)} first."
            ) from error
        raise ConfigError(
            f"conf/reports/{name}.sql: expected SQL that runs, got {str(error)!r}. "
            "Correct the report; what is not an error in Redshift alone has to be written so that Postgres runs it, too."
        ) from error
