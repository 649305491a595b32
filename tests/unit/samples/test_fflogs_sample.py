"""The parses in a real Postgres and the parties in CSV files, read back with SQL and Python's csv module."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest

from jobs.errors import UsageError
from jobs.runtime.storage import Lake
from jobs.samples.generate import make_sample
from jobs.samples.report import SampleReport

ROWS = 400
ENCODED = re.compile(r"[A-Za-z0-9._~%-]+")


def deliver(lake: Lake, url: str, day: int, rows: int = ROWS) -> SampleReport:
    return make_sample("fflogs", day, rows, lake, lambda: url)


def rows_of(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def parses(url: str) -> list[tuple[Any, ...]]:
    return rows_of(url, "SELECT user_parse::text FROM user_parse ORDER BY 1")


def file_of(lake: Lake, day: int) -> bytes:
    content = lake.read(f"raw/fflogs/2024-03-{day:02}/party_review.csv")
    assert content is not None
    return content


def reviews(lake: Lake, day: int) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file_of(lake, day).decode(), newline="")))[1:]


def is_good(review: list[str]) -> bool:
    return (
        len(review) == 7
        and ENCODED.fullmatch(review[2]) is not None
        and review[4] in ("Tanks", "Healers", "DPS")
        and 1 <= int(review[5]) <= 8
    )


def full_parties(lake: Lake, day: int) -> dict[str, set[str]]:
    """Report id: its characters, where the good records fill all eight spots once."""
    spots, characters = defaultdict[str, list[str]](list), defaultdict[str, set[str]](set)
    for review in filter(is_good, reviews(lake, day)):
        spots[review[0]].append(review[5])
        characters[review[0]].add(review[2])
    return {report: characters[report] for report, taken in spots.items() if sorted(taken) == list("12345678")}


def test_the_same_days_give_the_same_rows_and_bytes(lake: Lake, url: str, other_url: str) -> None:
    other = Lake(f"{lake.uri('')}/../other")
    deliver(lake, url, 2)
    for day in (1, 2):
        deliver(other, other_url, day)
    assert len(parses(url)) > ROWS
    assert parses(url) == parses(other_url)
    assert [file_of(lake, day) for day in (1, 2)] == [file_of(other, day) for day in (1, 2)]


def test_reports_as_many_rows_as_there_are(lake: Lake, url: str) -> None:
    report = deliver(lake, url, 1)
    assert len(reviews(lake, 1)) == ROWS
    assert {table.name: (table.rows, table.bad) for table in report.tables} == {
        "user_parse": (len(parses(url)), 4),
        "party_review": (ROWS, 4),
    }
    assert len(parses(url)) <= ROWS


def test_a_later_day_brings_the_missing_ones_first_and_has_reports_of_its_own(lake: Lake, url: str) -> None:
    report = deliver(lake, url, 3)
    assert [(table.name, table.is_new) for table in report.tables] == [("user_parse", True), ("party_review", True)] * 3
    ids = [{review[0] for review in reviews(lake, day)} for day in (1, 2, 3)]
    assert all(ids)
    assert not (ids[0] & ids[1] or ids[1] & ids[2] or ids[0] & ids[2])
    assert {review[6] for review in reviews(lake, 3)} == {"2024-03-03"}


def test_a_day_that_is_there_already_is_left_alone(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    before = (parses(url), file_of(lake, 1))
    assert not any(table.is_new for table in deliver(lake, url, 1, rows=50).tables)
    assert (parses(url), file_of(lake, 1)) == before


def test_the_header_is_the_originals(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    header = b"ReportID,EncounterStatus,CharacterID,ClassID,ClassRole,PartySpot,QueryDate\r\n"
    assert file_of(lake, 1).startswith(header)


def test_holds_one_bad_record_of_each_kind(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    records = reviews(lake, 1)
    whole = [record for record in records if len(record) == 7]
    assert len(records) - len(whole) == 1
    assert sum(record[4] == "Tank" for record in whole) == 1
    assert sum(record[5] == "9" for record in whole) == 1
    assert sum(ENCODED.fullmatch(record[2]) is None for record in whole) == 1
    assert sum(not is_good(record) for record in records) == 4
    bad = r"""
        SELECT count(*) FILTER (WHERE parse IS NULL), count(*) FILTER (WHERE dps = 'NaN'),
               count(*) FILTER (WHERE characterid !~ '^[A-Za-z0-9._~%-]+$'),
               count(*) FILTER (WHERE octet_length(server) > 20)
        FROM user_parse
    """
    assert rows_of(url, bad) == [(1, 1, 1, 1)]


def test_a_small_sample_has_no_bad_records(lake: Lake, url: str) -> None:
    assert sum(table.bad for table in deliver(lake, url, 1, rows=60).tables) == 0
    assert all(is_good(record) for record in reviews(lake, 1))
    assert rows_of(url, "SELECT count(*) FROM user_parse WHERE parse IS NULL OR dps = 'NaN'") == [(0,)]


def test_keys_are_unique(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    keys = Counter((review[0], review[2]) for review in reviews(lake, 1))
    assert set(keys.values()) == {1}
    twice = "SELECT uniqueid FROM user_parse GROUP BY uniqueid, bossencounter, characterid HAVING count(*) > 1"
    assert rows_of(url, twice) == []


@pytest.mark.parametrize("rows", [10, 100, 400])
def test_the_report_on_scores_has_something_to_show_and_something_to_leave_out(lake: Lake, url: str, rows: int) -> None:
    deliver(lake, url, 1, rows=rows)
    parses_of: dict[str, Counter[str]] = defaultdict(Counter)
    for report, character in rows_of(
        url, "SELECT uniqueid, characterid FROM user_parse WHERE parse IS NOT NULL AND dps <> 'NaN' AND server !~ 'öö'"
    ):
        parses_of[report][character] += 1
    full = full_parties(lake, 1)
    shown = [report for report, party in full.items() if parses_of[report] == dict.fromkeys(party, 1)]
    assert shown
    if rows >= 100:
        left_out = [sum(parses_of[report].values()) for report in full if report not in shown]
        assert {7, 9} <= set(left_out), "a full party with a parse too few, and one with a parse too many"


def test_holds_parties_of_seven_and_parties_with_a_spot_taken_twice(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    spots = defaultdict[str, list[str]](list)
    for review in reviews(lake, 1):
        if is_good(review):
            spots[review[0]].append(review[5])
    assert any(sorted(taken) == list("1234567") for taken in spots.values())
    assert any(sorted(taken) == list("12335678") for taken in spots.values())


def test_holds_the_values_that_broke_the_first_pipeline(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    assert b',"RedMage, BlueMage",' in file_of(lake, 1)
    characters = [review[2] for review in reviews(lake, 1)]
    for part in ("%20", "%27", "%25", "%C3%AB"):
        assert any(part in character for character in characters), part
    assert any("'" in unquote(character) for character in characters)
    assert all(len(character) <= 50 for character in characters)


def test_never_writes_to_a_table_that_it_has_not_made(lake: Lake, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE user_parse (characterid text)")
    with pytest.raises(UsageError, match="looks like real data"):
        deliver(lake, url, 1)
    assert rows_of(url, "SELECT count(*) FROM user_parse") == [(0,)]
