"""`tidemark report` as it is typed: what goes to the terminal, into a page and to a script."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from jobs.errors import UsageError
from jobs.runtime.embedded_postgres import EmbeddedPostgres

DATABASES = count(1)
PROJECT = Path(__file__).parents[2]
MONTHS = 50
POSTS = f"""
CREATE SCHEMA stackoverflow;
CREATE TABLE stackoverflow.posts (id bigint, post_type_id smallint, score int, owner_user_id bigint, creation_date timestamp);
INSERT INTO stackoverflow.posts
    SELECT number, 1, number, NULL, timestamp '2020-01-01' + number * interval '1 month' FROM generate_series(1, {MONTHS}) number;
"""


@pytest.fixture(autouse=True)
def warehouse(tmp_path: Path, postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warehouse with one post a month, for commands in the project's folder."""
    url = postgres_server.url(f"report_command_{next(DATABASES)}")
    with psycopg.connect(url) as connection:
        connection.execute(POSTS)
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEMARK_WAREHOUSE_URL", url)


def report(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", *arguments])


def months_in(text: str) -> int:
    return sum(f"{year}-{month:02}-01" in text for year in range(2020, 2025) for month in range(1, 13))


@pytest.mark.parametrize(
    ("options", "shown", "told"),
    [((), 40, True), (("--rows", "3"), 3, True), (("--rows", "0"), MONTHS, False), (("--rows", "50"), MONTHS, False)],
)
def test_a_terminal_gets_the_first_rows_and_is_told_of_the_others(
    options: tuple[str, ...], shown: int, told: bool
) -> None:
    done = report("posts_by_month", *options)
    assert (done.exit_code, months_in(done.stdout)) == (0, shown)
    assert (f"50 rows, of which {shown} are shown: --rows 0 prints all" in done.stdout) == told


def test_a_script_gets_every_row_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = report("posts_by_month", "--json", "--rows", "3", "--html", str(page))
    document = json.loads(done.stdout)
    assert (document["report"], len(document["rows"])) == ("posts_by_month", MONTHS)
    assert document["rows"][0] == ["2020-02-01", 1, 0, 1]


def test_a_page_has_every_row_and_a_chart_and_needs_no_other_file(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = report("posts_by_month", "--rows", "3", "--html", str(page))
    assert done.exit_code == 0 and f"page: {page}" in done.stdout
    text = page.read_text()
    assert text.count("<tr") == MONTHS + 1 and "<svg" in text
    assert "http://" not in text.replace("http://www.w3.org/", "") and "src=" not in text


def test_an_unknown_report_is_told_with_those_that_there_are() -> None:
    done = report("posts_by_moth")
    assert isinstance(done.exception, UsageError)
    assert "posts_by_month" in str(done.exception)
