"""Reports on Redshift, through the Data API: every shipped one as it is written, with the rows and values of the local warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from jobs.errors import ConfigError, CredentialsError, InputError
from jobs.warehouse.reports import Report, run_report
from jobs.warehouse.warehouse import Warehouse
from tests.integration.local_aws.emr_account import EmrAccount
from tests.integration.local_aws.redshift_loading import LoadedRedshift, loadable_redshift
from tests.integration.test_warehouse_reports import (
    AS_OF,
    COUPBOT,
    FFLOGS,
    REPORTS,
    SHIPPED,
    SHOP,
    SOCIAL,
    STACKOVERFLOW,
)


@pytest.fixture(scope="module")
def redshift(account: EmrAccount) -> Iterator[LoadedRedshift]:
    """The tables are made in the engine itself: how they get there is another test's."""
    with loadable_redshift(account) as running:
        with psycopg.connect(running.engine, autocommit=True) as engine:
            for tables in (COUPBOT, STACKOVERFLOW, SHOP, SOCIAL, FFLOGS):
                engine.execute(tables)  # type: ignore[call-overload]
            for schema in ("coupbot", "stackoverflow", "shop", "social", "fflogs"):
                engine.execute(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC")  # type: ignore[call-overload]
                engine.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO PUBLIC")  # type: ignore[call-overload]
        yield running


@pytest.fixture
def warehouse(redshift: LoadedRedshift) -> Iterator[Warehouse]:
    with redshift.opened() as opened:
        yield opened


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_report_gives_the_rows_of_the_local_warehouse(warehouse: Warehouse, name: str) -> None:
    report = run_report(warehouse, name, (REPORTS / f"{name}.sql").read_text(), AS_OF)

    assert report == SHIPPED[name]
    assert [[type(value) for value in row] for row in report.rows] == [
        [type(value) for value in row] for row in SHIPPED[name].rows
    ]


def test_values_have_their_exact_types(warehouse: Warehouse) -> None:
    values: dict[str, Any] = {
        "CAST(9007199254740993 AS BIGINT)": 9_007_199_254_740_993,
        "CAST('-9999999999999999999999999999.0000000001' AS DECIMAL(38, 10))": Decimal("-9999999999999999999999999999.0000000001"),
        "CAST('0.10' AS DECIMAL(10, 2))": Decimal("0.10"),
        "CAST(0.1 AS DOUBLE PRECISION)": 0.1,
        "CAST('2024-02-29 23:59:59.999999' AS TIMESTAMP)": datetime.fromisoformat("2024-02-29T23:59:59.999999"),
        "CAST('2024-02-29' AS DATE)": date(2024, 2, 29),
        "CAST('10' AS VARCHAR(2))": "10",
        "member_name = 'Ada'": True,
        "CAST(NULL AS DECIMAL(10, 2))": None,
        ":as_of": AS_OF.replace(tzinfo=None),
    }  # fmt: skip
    columns = ", ".join(f"{expression} AS c{number}" for number, expression in enumerate(values))

    report = run_report(warehouse, "adhoc", f"SELECT {columns} FROM coupbot.roster WHERE member_id = 1", AS_OF)

    (row,) = report.rows
    assert [str(value) for value in row] == [str(value) for value in values.values()]
    assert row == tuple(values.values())
    assert report.columns[:2] == ("c0", "c1")


def test_a_report_of_many_pages_is_whole_and_in_order(redshift: LoadedRedshift, warehouse: Warehouse) -> None:
    with psycopg.connect(redshift.engine, autocommit=True) as engine:
        engine.execute(
            "CREATE TABLE coupbot.long AS SELECT i AS id, repeat('x', 1000) AS t FROM generate_series(1, 3000) i"
        )
        engine.execute("GRANT SELECT ON coupbot.long TO PUBLIC")

    report = run_report(warehouse, "adhoc", "SELECT id, t FROM coupbot.long ORDER BY id DESC", AS_OF)

    assert report.rows == [(number, "x" * 1000) for number in range(3000, 0, -1)]


def test_a_report_without_rows_has_its_columns(warehouse: Warehouse) -> None:
    report = run_report(
        warehouse, "adhoc", "SELECT member_id FROM coupbot.roster WHERE member_id < 0", datetime(2024, 1, 1, tzinfo=UTC)
    )

    assert report == Report(("member_id",), [])


def test_a_table_that_is_not_there_yet_is_named(warehouse: Warehouse) -> None:
    with pytest.raises(
        InputError, match="expected table 'beer.pubs' in the warehouse, got none. Run `tidemark run beer`"
    ):
        run_report(warehouse, "adhoc", "SELECT id FROM beer.pubs", AS_OF)


def test_a_column_that_is_not_there_is_the_reports_fault(warehouse: Warehouse) -> None:
    with pytest.raises(
        ConfigError, match=r"conf/reports/adhoc.sql: expected SQL that runs, got 'column \"nothing\" does not"
    ):
        run_report(warehouse, "adhoc", "SELECT nothing FROM coupbot.roster", AS_OF)


def test_a_table_that_the_caller_may_not_read_is_no_fault_of_the_report(
    redshift: LoadedRedshift, warehouse: Warehouse
) -> None:
    with psycopg.connect(redshift.engine, autocommit=True) as engine:
        engine.execute("CREATE TABLE coupbot.secret (id INT)")

    with pytest.raises(
        CredentialsError, match="Reporting 'adhoc': expected the right .*permission denied for table secret"
    ):
        run_report(warehouse, "adhoc", "SELECT id FROM coupbot.secret", AS_OF)
