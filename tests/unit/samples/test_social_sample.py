"""The app's objects, read back with the standard library's json alone."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.runtime.storage import Lake
from jobs.samples.generate import make_sample
from jobs.samples.report import SampleReport

ROWS = 300
UNDECODABLE = {"undecodable": True}
Event = dict[str, Any]


def no_source() -> str:
    raise AssertionError("social has no database")


def deliver(folder: Path, day: int, rows: int = ROWS) -> SampleReport:
    return make_sample("social", day, rows, Lake(str(folder)), no_source)


def objects(folder: Path) -> dict[str, bytes]:
    """By hour, `2024/03/01/00`, plain even where they are stored as gzip."""
    found = {}
    for file in sorted(folder.glob("raw/social/web-data/raw/2024/*/*/*/*")):
        content = file.read_bytes()
        found[str(file.parent)[-13:]] = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    assert found
    return found


def records(content: bytes) -> Iterator[Event]:
    """What ends in the middle or is not UTF-8 comes as UNDECODABLE."""
    text, place = content.decode("utf-8", "surrogateescape"), 0
    while place < len(text):
        try:
            found, place = json.JSONDecoder().raw_decode(text, place)
        except json.JSONDecodeError:
            yield UNDECODABLE
            return
        for event in found if isinstance(found, list) else [found]:
            is_utf8 = not any("\udc80" <= letter <= "\udcff" for letter in json.dumps(event, ensure_ascii=False))
            yield event if is_utf8 else UNDECODABLE
        while text[place : place + 1] == "\n":
            place += 1


def decoded(folder: Path) -> list[tuple[str, Event]]:
    """(hour, event), repeated and bad ones too, undecodable ones not."""
    return [
        (hour, event)
        for hour, content in objects(folder).items()
        for event in records(content)
        if event is not UNDECODABLE
    ]


def is_a(event: Event, kind: str) -> bool:
    return kind in (event["type"], event.get("event"))


def is_bad(event: Event) -> bool:
    return str(event["messageId"]).startswith("bad-")


def instant(text: str) -> datetime:
    assert len(text) == len("2024-03-01T00:00:00.000Z")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def test_the_same_days_give_the_same_bytes_whether_made_at_once_or_one_by_one(tmp_path: Path) -> None:
    deliver(tmp_path / "one", 2)
    for day in (1, 2):
        deliver(tmp_path / "two", day)
    files = [file for file in sorted((tmp_path / "one").rglob("*")) if file.is_file()]
    assert len(files) == 48
    for file in files:
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.parametrize("rows", [1, 7, ROWS])
def test_every_hour_has_one_object_and_one_line_reports_all_records_of_the_day(tmp_path: Path, rows: int) -> None:
    (line,) = deliver(tmp_path, 1, rows).tables
    assert line.where == "raw/social/web-data/raw/2024/03/01/ (24 objects)"
    assert line.rows == sum(len(list(records(content))) for content in objects(tmp_path).values())
    assert list(objects(tmp_path)) == [f"2024/03/01/{hour:02}" for hour in range(24)]


def test_has_the_asked_number_of_posts_and_fewer_of_all_else(tmp_path: Path) -> None:
    deliver(tmp_path, 1)
    events = {event["messageId"]: event for _, event in decoded(tmp_path) if not is_bad(event)}
    posts = [event for event in events.values() if is_a(event, "Post Created")]
    assert len(posts) == ROWS
    for kind in ("identify", "Follow User", "Unfollow User", "page", "Post Liked"):
        assert 0 < sum(is_a(event, kind) for event in events.values()) < ROWS, kind


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    assert all(table.is_new for table in deliver(tmp_path, 1).tables)
    before = objects(tmp_path)
    assert not any(table.is_new for table in deliver(tmp_path, 1, rows=50).tables)
    assert objects(tmp_path) == before


def test_a_later_day_brings_what_is_missing_of_the_days_before(tmp_path: Path) -> None:
    deliver(tmp_path, 1)
    next(tmp_path.glob("raw/social/web-data/raw/2024/03/01/07/*")).unlink()
    report = deliver(tmp_path, 2)
    assert "2024/03/01/07" in objects(tmp_path)
    folder = "raw/social/web-data/raw/2024/03"
    assert [(line.where, line.is_new) for line in report.tables] == [
        (f"{folder}/01/ (1 object)", True),
        (f"{folder}/02/ (24 objects)", True),
    ]


def test_what_is_new_of_a_day_and_what_was_there_are_reported_apart(tmp_path: Path) -> None:
    (whole,) = deliver(tmp_path, 1).tables
    lost = next(tmp_path.glob("raw/social/web-data/raw/2024/03/01/08/*"))
    in_lost = len(list(records(lost.read_bytes())))
    lost.unlink()
    folder = "raw/social/web-data/raw/2024/03/01/"
    assert [(line.where, line.rows, line.bad, line.is_new) for line in deliver(tmp_path, 1).tables] == [
        (f"{folder} (1 object)", in_lost, 1, True),
        (f"{folder} (23 objects)", whole.rows - in_lost, 3, False),
    ]


def test_objects_have_every_shape_that_firehose_gives_them(tmp_path: Path) -> None:
    deliver(tmp_path, 1)
    stored = [file.read_bytes() for file in tmp_path.rglob("web-data-1-*")]
    plain = list(objects(tmp_path).values())
    assert 0 < sum(content.startswith(b"\x1f\x8b") for content in stored) < 12
    assert not any(file.suffix == ".gz" for file in tmp_path.rglob("*"))
    assert sum(content.startswith(b"[") for content in plain) == 1
    assert sum(content.count(b"}\n{") > 2 for content in plain) == 1
    assert sum(b"\n" not in content for content in plain) > 12, "most are concatenated without delimiter"


def test_delivers_some_events_twice_in_the_same_object_the_next_one_and_the_next_day(tmp_path: Path) -> None:
    deliver(tmp_path, 2)
    places: dict[str, list[str]] = {}
    for hour, event in decoded(tmp_path):
        places.setdefault(event["messageId"], []).append(hour)
    repeated = [hours for hours in places.values() if len(hours) > 1]
    assert any(len(set(hours)) == 1 for hours in repeated)
    assert any(hours[0][:10] == hours[-1][:10] and hours[0] != hours[-1] for hours in repeated)
    assert sum(hours[0] == "2024/03/01/00" and hours[-1] == "2024/03/02/02" for hours in repeated) == 3
    contents = {(event["messageId"], json.dumps(event)) for _, event in decoded(tmp_path)}
    assert len(contents) == len(places), "the same message is the same event"


def test_some_events_are_hours_late_and_some_a_day_but_none_more_than_three(tmp_path: Path) -> None:
    deliver(tmp_path, 1)
    ages = [
        datetime.strptime(hour, "%Y/%m/%d/%H").replace(tzinfo=UTC) - instant(event["timestamp"])
        for hour, event in decoded(tmp_path)
    ]
    assert sum(timedelta(hours=1) < age < timedelta(hours=4) for age in ages) > 10
    assert sum(timedelta(hours=22) < age < timedelta(hours=26) for age in ages) > 3
    assert max(ages) < timedelta(days=3)


def test_holds_one_bad_record_of_each_kind_and_says_how_many(tmp_path: Path) -> None:
    report = deliver(tmp_path, 1)
    bad = [event for _, event in decoded(tmp_path) if is_bad(event)]
    assert sum("author" not in event["properties"] for event in bad) == 1
    assert sum(len(event["properties"]["text"].encode()) > 4000 for event in bad) == 1
    assert len(bad) == 2
    undecodable = {
        hour: sum(event is UNDECODABLE for event in records(content)) for hour, content in objects(tmp_path).items()
    }
    assert {hour: count for hour, count in undecodable.items() if count} == {"2024/03/01/10": 1, "2024/03/01/11": 1}
    assert objects(tmp_path)["2024/03/01/11"][-1:] != b"}"
    assert [line.bad for line in report.tables] == [4]


def test_a_small_sample_has_no_bad_records(tmp_path: Path) -> None:
    assert sum(table.bad for table in deliver(tmp_path, 1, rows=99).tables) == 0
    assert not any(event is UNDECODABLE for content in objects(tmp_path).values() for event in records(content))
    assert not any(is_bad(event) for _, event in decoded(tmp_path))


def test_every_other_record_fits_its_contract(tmp_path: Path) -> None:
    deliver(tmp_path, 2)
    good = [event for _, event in decoded(tmp_path) if not is_bad(event)]
    assert len(good) > ROWS
    for event in good:
        instant(event["timestamp"])
        assert event["userId"].isdecimal()
        if is_a(event, "Post Created"):
            post = event["properties"]
            assert str(post["id"]).isdecimal()
            assert str(post["author"]).isdecimal()
            assert len(post["text"].encode()) <= 4000
            instant(post["created_at"])
        if is_a(event, "Follow User") or is_a(event, "Unfollow User"):
            assert str(event["properties"]["user_id"]).isdecimal()
            assert str(event["properties"]["user_id"]) != event["userId"]


def test_holds_the_values_that_broke_the_first_pipeline(tmp_path: Path) -> None:
    deliver(tmp_path, 1)
    posts = [event["properties"] for _, event in decoded(tmp_path) if is_a(event, "Post Created") and not is_bad(event)]
    texts = {post["text"] for post in posts}
    assert {"}{", '{"a":1}{"b":2}', ""} <= texts
    for part in ('"', "\n", "👑", "\\"):
        assert any(part in text for text in texts), part
    assert {type(post["id"]) for post in posts} == {type(post["author"]) for post in posts} == {int, str}
    assert all(int(post["id"]) > 2**53 for post in posts)


def test_a_user_who_comes_back_repeats_only_some_traits(tmp_path: Path) -> None:
    deliver(tmp_path, 1)
    identifies = {event["messageId"]: event for _, event in decoded(tmp_path) if is_a(event, "identify")}
    traits = [event["traits"] for event in identifies.values()]
    assert sum("username" not in each for each in traits) > 3
    assert any(each.get("username", "") is None for each in traits)
    users = Counter(event["userId"] for event in identifies.values())
    whole = {event["userId"] for event in identifies.values() if "plan" in event["traits"]}
    assert max(users.values()) > 1
    assert whole == set(users), "everybody says all of it once"


def test_somebody_has_many_followers_and_some_of_them_leave_also_a_day_later(tmp_path: Path) -> None:
    deliver(tmp_path, 2)
    pairs: dict[str, dict[tuple[str, str], str]] = {"Follow User": {}, "Unfollow User": {}}
    for hour, event in decoded(tmp_path):
        for kind, found in pairs.items():
            if is_a(event, kind):
                found.setdefault((event["userId"], str(event["properties"]["user_id"])), hour[:10])
    assert max(Counter(followed for _, followed in pairs["Follow User"]).values()) > 10
    assert 0 < len(pairs["Unfollow User"]) < len(pairs["Follow User"])
    assert pairs["Unfollow User"].keys() <= pairs["Follow User"].keys()
    assert any(pairs["Follow User"][pair] < day for pair, day in pairs["Unfollow User"].items())
