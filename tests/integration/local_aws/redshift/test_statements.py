"""Statements of Redshift that the project relies on really run: reports, changes, procedures, the views that a loader reads."""

from __future__ import annotations

import re
from pathlib import Path
from secrets import token_hex

import pytest

from infra.local.redshift_translation import translate
from tests.integration.local_aws.redshift.data_api import DATABASE, Redshift

ROOT = Path(__file__).parents[4]
REPORTS = sorted((ROOT / "conf" / "reports").glob("*.sql"))


def test_changes_of_rows(redshift: Redshift) -> None:
    """ "DELETE", "UPDATE", "MERGE", "INSERT": USING, FROM, both clauses, a query."""
    redshift.run(
        [
            "CREATE TABLE {s}.t (id INT ENCODE az64, v VARCHAR(9) ENCODE zstd) DISTSTYLE KEY DISTKEY (id) COMPOUND SORTKEY (id, v)",
            "CREATE TABLE {s}.u (LIKE {s}.t INCLUDING DEFAULTS)",
            "INSERT INTO {s}.t VALUES (1, 'old'), (2, 'old'), (3, 'old')",
            "INSERT INTO {s}.u (v, id) SELECT 'changed', id FROM {s}.t WHERE id > 1 UNION ALL SELECT 'made', 4",
            "DELETE FROM {s}.t USING {s}.u WHERE t.id = u.id AND u.id = 3",
            "UPDATE {s}.t SET v = u.v FROM {s}.u WHERE t.id = u.id",
            "MERGE INTO {s}.t USING {s}.u ON t.id = u.id WHEN MATCHED THEN UPDATE SET v = 'merged' "
            "WHEN NOT MATCHED THEN INSERT (id, v) VALUES (u.id, u.v)",
        ]
    )
    assert redshift.rows("SELECT * FROM {s}.t ORDER BY id") == [(1, "old"), (2, "merged"), (3, "changed"), (4, "made")]


def test_the_administrator_gives_the_loader_its_role_again_and_again(redshift: Redshift) -> None:
    """ "CREATE PROCEDURE", "SVV_ROLES", "GRANT … TO ROLE": the text is that of the Terraform module."""
    loader = (ROOT / "infra" / "terraform" / "modules" / "warehouse" / "loader.tf").read_text()
    found = re.search(r"<<-SQL\n(.*?)\n\s*SQL\n", loader, flags=re.DOTALL)
    assert found
    role = f"loader_{token_hex(4)}"
    sql = found[1].replace("${local.loader_db_role}", role).replace("${var.database}", DATABASE)
    redshift.run(sql)
    for _ in range(2):
        redshift.run("CALL public.tidemark_grant_loader()")
    assert redshift.rows(f"SELECT COUNT(*) FROM svv_roles WHERE role_name = '{role}'") == [(1,)]
    assert redshift.rows(f"SELECT has_database_privilege('{role}', '{DATABASE}', 'CREATE')") == [(True,)]


@pytest.mark.parametrize("report", REPORTS, ids=[path.stem for path in REPORTS])
def test_every_report_is_translated(report: Path) -> None:
    """What reports are allowed to use, the embedded Redshift runs; their tables are not here."""
    (text,) = translate(report.read_text(), {"as_of": "2026-01-01 00:00:00"}, in_batch=False).statements
    assert text


def test_there_are_reports() -> None:
    assert REPORTS


def test_a_report_with_all_that_is_rewritten(redshift: Redshift) -> None:
    """ "DATEDIFF function": counts boundaries; "LISTAGG function": skips nulls; the result is in the order of the query."""
    redshift.run(
        ["CREATE TABLE {s}.t (id INT, at TIMESTAMP)", "INSERT INTO {s}.t VALUES (2, '2026-01-01 10:59:59'), (1, NULL)"]
    )
    told = redshift.rows(
        "SELECT LISTAGG(id, ', ') WITHIN GROUP (ORDER BY id), MAX(DATEDIFF(hour, at, CAST(:as_of AS TIMESTAMP))) FROM {s}.t",
        Parameters=[{"name": "as_of", "value": "2026-01-01 11:00:00"}],
    )
    assert told == [("1, 2", 1)]


def test_the_query_history_tells_how_statements_ended(redshift: Redshift) -> None:
    """ "SYS_QUERY_HISTORY": one row for each query, with its type, status and error message."""
    good, bad = redshift.run("CREATE TABLE {s}.t (id INT)"), redshift.try_("SELECT * FROM {s}.nowhere")
    rows = redshift.rows(
        "SELECT status, error_message FROM sys_query_history "
        f"WHERE query_id IN ({good['RedshiftQueryId']}, {bad['RedshiftQueryId']}) ORDER BY query_id"
    )
    assert rows[0] == ("success", "")
    assert rows[1][0] == "failed"
    assert rows[1][1] == bad["Error"]
