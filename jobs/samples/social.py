"""A web app's Segment events as Firehose stores them: one object for each hour, every hour in one of the shapes it can have.

At least once: some events stand twice in an object, in the next hour's too, or in one of the next day. How single events
look is in `social_events.py`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from random import Random
from uuid import UUID

from jobs.runtime.storage import Lake
from jobs.samples.report import BAD_FROM_ROWS, SampleReport, SampleTable, date_of
from jobs.samples.social_events import Event, events_of, post_with

_NEWLINE_DELIMITED, _ARRAY, _PRETTY = 3, 5, 16  # hours; all others are concatenated without delimiter
_ZIPPED = (1, 6, 14, 18)  # hours; nothing in the name says so
_REPEATED_NEXT_DAY = 2  # hour that delivers events of the day before once more
_TWICE_EVERY = 40
_BOUNDARY = 3  # so many events are delivered again in the next hour, or the next day
_TOO_LONG = "ß" * 2_001  # 4,002 bytes


def write_day(lake: Lake, rows: int, day: int) -> SampleReport:
    """24 objects below `raw/social/web-data/raw/` for `day` and for every earlier day that lacks some.

    `rows` posts on day 1, a tenth on each later day. The report has one line for the objects of a day that are new and
    one for those that were there; it counts records, repeated ones too.
    """
    tables = list[SampleTable]()
    for each in range(1, day + 1):
        if each < day and all(lake.head(_key(each, hour)) for hour in range(24)):
            continue
        objects = list(_delivered(lake, rows, each))
        new = [table for table in objects if table.is_new]
        known = [table for table in objects if not table.is_new and each == day]
        tables += [_in_one_line(each, alike) for alike in (new, known) if alike]
    return SampleReport("social", day, tuple(tables))


def _delivered(lake: Lake, rows: int, day: int) -> Iterator[SampleTable]:
    """One for each object."""
    for hour, records, content in _objects(rows, day):
        key, bad = _key(day, hour), len(_bad_records(rows, day, hour))
        yield SampleTable("events", key, records, bad, is_new=lake.create(key, content))


def _in_one_line(day: int, objects: Sequence[SampleTable]) -> SampleTable:
    """What was delivered for the day, all of it new or none: 24 lines a day are too many to read."""
    where = f"{_folder(day)} ({len(objects)} object{'s' * (len(objects) > 1)})"
    rows, bad = sum(table.rows for table in objects), sum(table.bad for table in objects)
    return SampleTable("events", where, rows, bad, objects[0].is_new)


def _key(day: int, hour: int) -> str:
    """As Firehose names objects; the same whatever they hold, so that what is there is found again."""
    random = Random(f"social/object/{day}/{hour}")
    name = f"web-data-1-{date_of(day)}-{hour:02}-{random.randrange(60):02}-00-{UUID(int=random.getrandbits(128), version=4)}"
    return f"{_folder(day)}{hour:02}/{name}"


def _folder(day: int) -> str:
    return f"raw/social/web-data/raw/{date_of(day):%Y/%m/%d}/"


def _objects(rows: int, day: int) -> Iterator[tuple[int, int, bytes]]:
    """(hour, number of records, content) in the order of the hours."""
    earlier = list(islice(events_of(rows, day - 1), _BOUNDARY)) if day > 1 else []
    boundary = list[Event]()
    for hour, arrived in groupby(events_of(rows, day), key=lambda event: event.arrived_at.hour):
        events = list(arrived)
        again = earlier if hour == _REPEATED_NEXT_DAY else []
        encode = _encoder(hour).encode
        records = [encode(event.document).encode() for event in _with_repetitions([*boundary, *events, *again])]
        records += _bad_records(rows, day, hour)
        boundary = events[-_BOUNDARY:]
        yield hour, len(records), _content(records, hour)


def _with_repetitions(events: Sequence[Event]) -> Iterator[Event]:
    """Every fortieth stands twice, the second time a few events after the first."""
    for place, event in enumerate(events):
        yield event
        if place % _TWICE_EVERY == 0:
            yield events[max(0, place - 2)]


def _encoder(hour: int) -> json.JSONEncoder:
    """Escaped to ASCII or not, on one line or on several: all of it is JSON."""
    return json.JSONEncoder(
        ensure_ascii=hour % 2 == 1,
        indent=2 if hour == _PRETTY else None,
        separators=None if hour % 3 == 0 else (",", ":"),
    )


def _content(records: Sequence[bytes], hour: int) -> bytes:
    if hour == _NEWLINE_DELIMITED:
        return b"\n".join(records) + b"\n"
    if hour == _ARRAY:
        return b"[" + b",\n".join(records) + b"]"
    content = b"".join(records)
    return gzip.compress(content, compresslevel=6, mtime=0) if hour in _ZIPPED else content


def _bad_records(rows: int, day: int, hour: int) -> list[bytes]:
    """At the end of their object: no author, a text that is too long, a byte that is not UTF-8, a record cut off."""
    if day != 1 or rows < BAD_FROM_ROWS:
        return []
    match hour:
        case 8:
            return [_dumped(post_with("bad-no-author", day, hour, {"author": None}))]
        case 9:
            return [_dumped(post_with("bad-too-long", day, hour, {"text": _TOO_LONG}))]
        case 10:
            return [
                _dumped(post_with("bad-not-utf8", day, hour, {"text": "Latin-1: café"})).replace(b"\xc3\xa9", b"\xe9")
            ]
        case 11:
            whole = _dumped(post_with("bad-cut-off", day, hour, {}))
            return [whole[: len(whole) * 3 // 4]]
    return []


def _dumped(document: dict[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
