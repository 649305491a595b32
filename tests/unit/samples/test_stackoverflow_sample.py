"""The table of posts in a real Postgres, read back with SQL."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from jobs.errors import UsageError
from jobs.runtime.storage import Lake
from jobs.samples.generate import make_sample
from jobs.samples.report import SampleReport

ROWS = 300


def deliver(lake: Lake, url: str, day: int, rows: int = ROWS) -> SampleReport:
    return make_sample("stackoverflow", day, rows, lake, lambda: url)


def rows_of(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def all_posts(url: str) -> list[tuple[Any, ...]]:
    return rows_of(url, "SELECT posts::text FROM posts ORDER BY id")


def test_the_same_days_give_the_same_posts(lake: Lake, url: str, other_url: str) -> None:
    for day in (1, 2):
        deliver(lake, url, day)
        deliver(lake, other_url, day)
    assert len(all_posts(url)) == 2 * ROWS
    assert all_posts(url) == all_posts(other_url)


def test_a_second_call_for_the_same_day_adds_nothing(lake: Lake, url: str) -> None:
    assert [table.is_new for table in deliver(lake, url, 1).tables] == [True]
    before = all_posts(url)
    assert [table.is_new for table in deliver(lake, url, 1).tables] == [False]
    assert all_posts(url) == before


def test_a_later_day_brings_the_missing_ones_first_and_its_ids_follow_on(lake: Lake, url: str) -> None:
    assert [table.rows for table in deliver(lake, url, 3).tables] == [ROWS] * 3
    days = rows_of(
        url,
        "SELECT last_activity_date::date::text, min(id), max(id), count(*) FROM posts GROUP BY 1 ORDER BY 1",
    )
    assert [(day, count) for day, _, _, count in days] == [(f"2024-03-0{n}", ROWS) for n in (1, 2, 3)]
    assert days[0][2] < days[1][1]
    assert days[1][2] < days[2][1]


def test_ids_have_gaps_and_answers_belong_to_an_earlier_question(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    assert rows_of(url, "SELECT max(id) > count(*), count(*) FILTER (WHERE post_type_id = 2) > 0 FROM posts") == [
        (True, True)
    ]
    orphans = """
        SELECT count(*) FROM posts a LEFT JOIN posts q ON q.id = a.parent_id AND q.post_type_id = 1 AND q.id < a.id
        WHERE a.post_type_id = 2 AND q.id IS NULL
    """
    assert rows_of(url, orphans) == [(0,)]
    assert rows_of(url, "SELECT count(*) FROM posts WHERE post_type_id = 2 AND title IS NOT NULL") == [(0,)]


def test_holds_one_bad_record_of_each_kind(lake: Lake, url: str) -> None:
    report = deliver(lake, url, 1)
    bad = """
        SELECT count(*) FILTER (WHERE body IS NULL), count(*) FILTER (WHERE octet_length(body) > 65535),
               count(*) FILTER (WHERE creation_date = 'infinity') FROM posts
    """
    assert rows_of(url, bad) == [(1, 1, 1)]
    assert [table.bad for table in report.tables] == [3]


def test_a_small_sample_has_no_bad_records(lake: Lake, url: str) -> None:
    assert [table.bad for table in deliver(lake, url, 1, rows=60).tables] == [0]
    bad = "SELECT count(*) FROM posts WHERE body IS NULL OR octet_length(body) > 65535 OR creation_date = 'infinity'"
    assert rows_of(url, bad) == [(0,)]


def test_holds_the_values_that_broke_the_first_pipeline(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    titles = {title for (title,) in rows_of(url, "SELECT DISTINCT title FROM posts")}
    assert {"007", "NaN", "", None} <= titles
    bodies = [body for (body,) in rows_of(url, "SELECT body FROM posts WHERE body IS NOT NULL")]
    assert {"", "   ", "\n\r\n\t", "\u00a0\u00a0"} <= set(bodies)
    for part in ('"', "\\N", "\t", "\r\n", "👑"):
        assert any(part in body for body in bodies), part
    assert any(50_000 < len(body.encode()) <= 65_535 for body in bodies)
    assert rows_of(url, "SELECT count(*) > 0 FROM posts WHERE owner_user_id IS NULL") == [(True,)]


def test_never_adds_to_a_table_that_it_has_not_made(lake: Lake, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE posts (id bigint PRIMARY KEY, title text)")
    with pytest.raises(UsageError, match="looks like real data"):
        deliver(lake, url, 1)
    assert rows_of(url, "SELECT count(*) FROM posts") == [(0,)]
