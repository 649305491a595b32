"""What a report may say: whatever Redshift would refuse or answer differently is refused before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.warehouse.reports import lint_report

SHIPPED = sorted((Path(__file__).parents[3] / "conf" / "reports").glob("*.sql"))


def test_all_shipped_reports_can_run() -> None:
    assert len(SHIPPED) >= 5
    assert [lint_report(file.stem, file.read_text()) for file in SHIPPED] == [[] for _ in SHIPPED]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT 1; SELECT 2", "2 statements. Write exactly one."),
        ("-- nothing yet", "0 statements. Write exactly one."),
        ("DELETE FROM s.t", "a statement of kind DELETE. Write a SELECT."),
        ("WITH x AS (DELETE FROM s.t RETURNING a) SELECT a FROM x", "writes or locks"),
        ("SELECT a INTO s.copy FROM s.t", "writes or locks"),
        ("SELECT a FROM s.t FOR UPDATE", "writes or locks"),
        ("SELECT COUNT(*) FILTER (WHERE a > 1) FROM s.t", "FILTER, which Redshift lacks. Write SUM(CASE WHEN"),
        ("SELECT DISTINCT ON (a) a, b FROM s.t", "DISTINCT ON, which Redshift lacks. Write ROW_NUMBER()"),
        ("SELECT STRING_AGG(a, ',') FROM s.t", "Write LISTAGG(x, ', ') WITHIN GROUP (ORDER BY …)."),
        ("SELECT LISTAGG(a, ',') FROM s.t", "LISTAGG in no order. Write LISTAGG(x, ', ') WITHIN GROUP"),
        ("SELECT ARRAY_AGG(a) FROM s.t", "ARRAY_AGG. Write LISTAGG"),
        ("SELECT x FROM GENERATE_SERIES(1, 3) AS g(x)", "GENERATE_SERIES. Write a query over a table"),
        ("SELECT timestamp FROM s.t", 'timestamp as a name, which Redshift reserves. Write "timestamp".'),
        ("SELECT a AS tag FROM s.t", 'tag as a name, which Redshift reserves. Write "tag".'),
        ("SELECT AVG(a) FROM s.t", "Write AVG(CAST(x AS DOUBLE PRECISION))."),
        ("SELECT AVG(CAST(a AS NUMERIC(10, 2))) FROM s.t", "Write AVG(CAST(x AS DOUBLE PRECISION))."),
        (
            "SELECT DATEDIFF(week, a, b) FROM s.t",
            "DATEDIFF in week. Write one of second, minute, hour, day, month, year.",
        ),
        ("SELECT GETDATE() FROM s.t", "the clock. Write :as_of"),
        ("SELECT CURRENT_DATE FROM s.t", "the clock. Write :as_of"),
        ("SELECT a FROM s.t WHERE b < :since", "the parameter 'since'. Write :as_of, the only one."),
        ("SELECT a FROM t", "table t without its schema. Write <pipeline>.t."),
        ("SELECT a FROM s.t WHERE (b", "at line 1. Correct the SQL."),
    ],
)
def test_says_what_is_wrong_and_what_to_write(sql: str, problem: str) -> None:
    found = lint_report("reigns", sql)

    assert len(found) == 1
    assert found[0].startswith("conf/reports/reigns.sql: expected one SELECT that Redshift runs, got ")
    assert problem in found[0]


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "timestamp" FROM s.t;\n-- the end\n',
        "WITH t AS (SELECT a FROM s.u) SELECT a FROM t UNION ALL SELECT a FROM s.v",
        "SELECT AVG(a::float), AVG(DISTINCT CAST(a AS DOUBLE PRECISION)) FROM s.t",
        "SELECT a FROM s.t WHERE created_at < :as_of AND a LIKE '100%'",
    ],
)
def test_leaves_alone_what_both_run_alike(sql: str) -> None:
    assert lint_report("reigns", sql) == []


def test_all_problems_are_named_at_once() -> None:
    assert len(lint_report("x", "SELECT AVG(a), COUNT(*) FILTER (WHERE b) FROM t")) == 3
