"""The bot's files, read back with Python's csv module: the generator's own counts are not trusted."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.errors import UsageError
from jobs.runtime.storage import Lake
from jobs.samples.generate import make_sample
from jobs.samples.report import SampleReport

ROWS = 400


def no_source() -> str:
    raise AssertionError("coupbot has no database")


def deliver(folder: Path, day: int, rows: int = ROWS) -> SampleReport:
    return make_sample("coupbot", day, rows, Lake(str(folder)), no_source)


def read(folder: Path, night: str, table: str) -> list[list[str]]:
    content = (folder / "raw" / "coupbot" / night / f"coupbot_{table}.csv").read_bytes()
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    deliver(tmp_path / "one", 2)
    deliver(tmp_path / "two", 2)
    files = sorted((tmp_path / "one").rglob("*.csv"))
    assert len(files) == 6
    for file in files:
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


def test_reports_as_many_records_as_are_in_each_file(tmp_path: Path) -> None:
    report = deliver(tmp_path, 1)
    counts = {table.name: len(read(tmp_path, "2024-03-01", table.name)) - 1 for table in report.tables}
    assert {table.name: table.rows for table in report.tables} == counts
    assert counts["message_logs"] == ROWS == max(counts.values())
    assert min(counts.values()) > 0


def test_each_night_begins_with_the_records_of_the_night_before(tmp_path: Path) -> None:
    tables = [table.name for table in deliver(tmp_path, 1).tables]
    deliver(tmp_path, 3)
    for table in tables:
        first, third = read(tmp_path, "2024-03-01", table), read(tmp_path, "2024-03-03", table)
        assert third[: len(first)] == first
    assert len(read(tmp_path, "2024-03-03", "message_logs")) - 1 == ROWS + 2 * ROWS // 10


def test_a_night_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    assert all(table.is_new for table in deliver(tmp_path, 1).tables)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.csv")}
    assert not any(table.is_new for table in deliver(tmp_path, 1, rows=50).tables)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.csv")} == before


def test_holds_one_bad_record_of_each_kind(tmp_path: Path) -> None:
    report = deliver(tmp_path, 1)
    channels = {row[1] for row in read(tmp_path, "2024-03-01", "channels")}
    messages = read(tmp_path, "2024-03-01", "message_logs")[1:]
    names = [row[0] for row in read(tmp_path, "2024-03-01", "roster")[1:]]
    assert sum(len(row) != 5 for row in messages) == 1
    assert sum(not row[0].isdecimal() for row in messages) == 1
    assert sum(row[2] not in channels for row in messages) == 1
    assert sum(row[4].startswith("2024-02-30") for row in messages) == 1
    assert sum(len(name.encode()) > 40 for name in names) == 1
    assert {table.name: table.bad for table in report.tables if table.bad} == {"roster": 1, "message_logs": 4}


def test_every_other_record_fits_its_contract(tmp_path: Path) -> None:
    deliver(tmp_path, 2)
    members = {row[1]: row[0] for row in read(tmp_path, "2024-03-02", "roster")[1:]}
    too_long = {member for member, name in members.items() if len(name.encode()) > 40}
    good = [
        row for row in read(tmp_path, "2024-03-02", "message_logs")[1:] if row[0].isdecimal() and "02-30" not in row[4]
    ]
    midnight = datetime(2024, 3, 2, tzinfo=UTC)
    assert all(row[1] in members.keys() - too_long for row in good)
    assert all(instant(row[4]) < midnight for row in good)
    assert len({row[0] for row in good}) == len(good)
    assert all(int(row[0]) > 2**53 for row in good)


def test_a_small_sample_has_no_bad_records(tmp_path: Path) -> None:
    report = deliver(tmp_path, 1, rows=60)
    assert sum(table.bad for table in report.tables) == 0
    assert all(row[0].isdecimal() and len(row) == 5 for row in read(tmp_path, "2024-03-01", "message_logs")[1:])


def test_a_crowned_caller_is_the_king_of_the_next_attempt(tmp_path: Path) -> None:
    deliver(tmp_path, 9, rows=4000)
    attempts = read(tmp_path, "2024-03-09", "coup_attempts")[1:]
    crownings = read(tmp_path, "2024-03-09", "successful_coups")[1:]
    changes = [earlier[2] for earlier, later in pairwise(attempts) if earlier[0] != later[0]]
    crowned = [king for king, _ in crownings]
    assert len(crowned) > 3
    assert crowned[: len(changes)] == changes
    assert len(crowned) - len(changes) in (0, 1), "the last attempt may have crowned too"
    assert all(king != caller for king, _, caller in attempts)


@pytest.mark.parametrize(
    ("table", "start"),
    [
        ("roster", b"\xef\xbb\xbfmember_name,member_id\n"),
        ("channels", b'"name","id","type"\r\n"'),
        ("message_logs", b'"message_id","author_id","channel_id","message_content","message_created_at"\n"'),
        ("ban_logs", b"banned_person_id,banned_by_id,banned_at,reason\n"),
        ("coup_attempts", b'\xef\xbb\xbf"current_king","called_on","called_by"\r\n"'),
        ("successful_coups", b"new_king,crowned_on\n"),
    ],
)
def test_each_file_keeps_its_own_dialect(tmp_path: Path, table: str, start: bytes) -> None:
    deliver(tmp_path, 1)
    content = (tmp_path / "raw" / "coupbot" / "2024-03-01" / f"coupbot_{table}.csv").read_bytes()
    assert content.startswith(start)
    assert content.endswith(b"\r\n") == (table in ("channels", "message_logs", "coup_attempts"))


def test_holds_the_values_that_broke_the_first_pipeline(tmp_path: Path) -> None:
    deliver(tmp_path, 1)
    texts = [row[3] for row in read(tmp_path, "2024-03-01", "message_logs")[1:]]
    for part in (",", '"', "\n", "\r\n", "}{", "\\", "👑", "  "):
        assert any(part in text for text in texts), part
    assert "" in texts
    times = [row[4] for row in read(tmp_path, "2024-03-01", "message_logs")[1:]]
    for ending in ("+02:00", "-05:00", "+00:00", "Z"):
        assert any(time.endswith(ending) for time in times), ending
    assert "" in [row[3] for row in read(tmp_path, "2024-03-01", "ban_logs")[1:]]


def test_a_pipeline_without_a_sample_is_refused_by_naming_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="coupbot, shop, fflogs, social, stackoverflow"):
        make_sample("bakery", 1, 10, Lake(str(tmp_path)), no_source)


@pytest.mark.parametrize(("day", "rows"), [(0, 10), (1, 0)])
def test_a_day_or_size_below_one_is_refused(tmp_path: Path, day: int, rows: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        make_sample("coupbot", day, rows, Lake(str(tmp_path)), no_source)
