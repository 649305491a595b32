"""The Discord bot's nightly snapshot: six CSV files, each in its own dialect.

A night holds everything up to it: with the same `rows`, a file begins with the records of the night before.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from random import Random
from typing import Literal

from jobs.runtime.storage import Lake
from jobs.samples.report import BAD_FROM_ROWS, SampleReport, SampleTable, date_of
from jobs.samples.words import UGLY_TEXTS, sentences

Row = list[object]
_DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_HISTORY = timedelta(days=90)  # before the first night
_UGLY_EVERY = 7
_FIRST_BAD = 50  # index of the first spoilt message
_BAD_MESSAGES = 4
_BERLIN, _NEW_YORK = timezone(timedelta(hours=2)), timezone(timedelta(hours=-5))
_LONG_NAME = "é" * 25  # 25 characters, 50 bytes
_NAMES = (
    "Ada",
    "O'Neil",
    "Smith, J.",
    'the "boss"',
    "👑 King",
    "007",
    "NaN",
    "null",
    " spaced ",
    "Zoë",
    "",
    "Łukasz",
    "李",
)
_CHANNELS = ("general", "coups, and votes", "général-ü", "🎉", 'the "pit"', "off-topic")
_TYPES = ("text", "voice", "stage", "announcement")
_REASONS = ("", "spam", "plotting, again", 'called me "sire"', "first\nsecond", " ", "\\N", "NULL", "🤷")


@dataclass(frozen=True)
class _Dialect:
    """How one file is written. `header_end` may differ from `line_end`: one of the bot's files has that."""

    header: str
    quoting: Literal[0, 1] = csv.QUOTE_MINIMAL
    bom: bool = False
    header_end: str = "\n"
    line_end: str = "\n"


_DIALECTS = {
    "roster": _Dialect("member_name,member_id", bom=True),
    "channels": _Dialect("name,id,type", csv.QUOTE_ALL, header_end="\r\n", line_end="\r\n"),
    "message_logs": _Dialect(
        "message_id,author_id,channel_id,message_content,message_created_at", csv.QUOTE_ALL, line_end="\r\n"
    ),
    "ban_logs": _Dialect("banned_person_id,banned_by_id,banned_at,reason"),
    "coup_attempts": _Dialect(
        "current_king,called_on,called_by", csv.QUOTE_ALL, bom=True, header_end="\r\n", line_end="\r\n"
    ),
    "successful_coups": _Dialect("new_king,crowned_on"),
}


@dataclass(frozen=True)
class _Span:
    """The hours that one night added: 90 days before the first, one day each after it."""

    day: int
    start: datetime
    end: datetime

    def moments(self, random: Random, count: int) -> Iterator[datetime]:
        """`count` ascending instants, whole microseconds."""
        step = (self.end - self.start) / max(count, 1)
        for place in range(count):
            yield self.start + (place + random.random()) * step


class _Server:
    """Sizes of the Discord server: how much there is on a day when the first night has `rows` messages."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.has_bad_records = rows >= BAD_FROM_ROWS

    def messages(self, day: int) -> int:
        return self.rows if day == 1 else max(1, self.rows // 10)

    def bans(self, day: int) -> int:
        return max(3, self.rows // 100) if day == 1 else max(1, self.rows // 1000)

    def attempts(self, day: int) -> int:
        return max(6, min(2000, self.rows // 500)) if day == 1 else 2

    def members(self, day: int) -> int:
        """All up to that day. The first one writes nothing: its name may be the one that is too long."""
        return max(6, self.rows // 200) + 2 * (day - 1)

    def channels(self) -> int:
        return max(3, min(200, self.rows // 2000))


def write_night(lake: Lake, day: int, rows: int) -> SampleReport:
    """Six files below `raw/coupbot/<date>/`; `rows` messages on day 1, a tenth more with every night.

    Files that are there already stay as they are. Same arguments, same bytes.
    """
    server = _Server(rows)
    coups = list(_coups(server, day))
    attempts: list[Row] = [[king, _plain(called_on), caller] for king, called_on, caller, _ in coups]
    crownings: list[Row] = [[caller, _plain(crowned)] for _, _, caller, crowned in coups if crowned is not None]
    contents: dict[str, tuple[Iterator[Row], int]] = {
        "roster": (_roster(server, day), int(server.has_bad_records)),
        "channels": (_channels(server), 0),
        "message_logs": (_messages(server, day), _BAD_MESSAGES * server.has_bad_records),
        "ban_logs": (_bans(server, day), 0),
        "coup_attempts": (iter(attempts), 0),
        "successful_coups": (iter(crownings), 0),
    }
    tables = []
    for table, (records, bad) in contents.items():
        content, count = _csv(_DIALECTS[table], records)
        key = f"raw/coupbot/{date_of(day)}/coupbot_{table}.csv"
        tables.append(SampleTable(table, key, count, bad, is_new=lake.create(key, content)))
    return SampleReport("coupbot", day, tuple(tables))


def _csv(dialect: _Dialect, records: Iterator[Row]) -> tuple[bytes, int]:
    """The file and its number of records."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=dialect.quoting, lineterminator=dialect.header_end).writerow(dialect.header.split(","))
    writer = csv.writer(text, quoting=dialect.quoting, lineterminator=dialect.line_end)
    count = 0
    for count, record in enumerate(records, start=1):  # noqa: B007 - the last count is the result
        writer.writerow(record)
    return text.getvalue().encode("utf-8-sig" if dialect.bom else "utf-8"), count


def _spans(day: int) -> Iterator[_Span]:
    for each in range(1, day + 1):
        end = datetime.combine(date_of(each), time(), UTC)
        yield _Span(each, end - (_HISTORY if each == 1 else timedelta(days=1)), end)


def _snowflake(moment: datetime, sequence: int) -> int:
    """A Discord id: milliseconds since 2015 and a sequence; about 1.2e18, far above what a float holds exactly."""
    return ((moment - _DISCORD_EPOCH) // timedelta(milliseconds=1) << 22) + sequence


def _member(place: int) -> int:
    return _snowflake(_DISCORD_EPOCH + timedelta(days=800, minutes=place), place)


def _channel(place: int) -> int:
    return _snowflake(_DISCORD_EPOCH + timedelta(days=700, minutes=place), place)


def _roster(server: _Server, day: int) -> Iterator[Row]:
    for place in range(server.members(day)):
        name = _NAMES[place % len(_NAMES)] + (str(place) if place >= len(_NAMES) else "")
        yield [_LONG_NAME if place == 0 and server.has_bad_records else name, _member(place)]


def _channels(server: _Server) -> Iterator[Row]:
    for place in range(server.channels()):
        name = _CHANNELS[place % len(_CHANNELS)]
        yield [f"{name} {place}" if place >= len(_CHANNELS) else name, _channel(place), _TYPES[place % len(_TYPES)]]


def _messages(server: _Server, day: int) -> Iterator[Row]:
    channels = [_channel(place) for place in range(server.channels())]
    for span in _spans(day):
        random = Random(f"coupbot/message_logs/{span.day}")
        members = [_member(place) for place in range(1, server.members(span.day))]
        stock = sentences(random, 2000)
        for place, moment in enumerate(span.moments(random, server.messages(span.day))):
            is_ugly = place % _UGLY_EVERY == 0
            text = UGLY_TEXTS[place // _UGLY_EVERY % len(UGLY_TEXTS)] if is_ugly else random.choice(stock)
            author, channel = random.choice(members), random.choice(channels)
            row: Row = [_snowflake(moment, place % 4096), author, channel, text, _mixed(moment, place)]
            if span.day == 1 and server.has_bad_records and _FIRST_BAD <= place < _FIRST_BAD + _BAD_MESSAGES:
                _spoil(row, place - _FIRST_BAD)
            yield row


def _spoil(row: Row, kind: int) -> None:
    """The four bad messages: an unknown channel, an id that is no number, a day that never was, a field too many."""
    if kind == 0:
        row[2] = _channel(999_999)
    elif kind == 1:
        row[0] = "not-a-number"
    elif kind == 2:
        row[4] = "2024-02-30 12:00:00"
    else:
        row.append("one field too many")


def _bans(server: _Server, day: int) -> Iterator[Row]:
    for span in _spans(day):
        random = Random(f"coupbot/ban_logs/{span.day}")
        members = server.members(span.day)
        for place, moment in enumerate(span.moments(random, server.bans(span.day))):
            banned, by = random.randrange(1, members), random.randrange(1, members)
            yield [_member(banned), _member(by), moment.isoformat(" "), _REASONS[place % len(_REASONS)]]


def _coups(server: _Server, day: int) -> Iterator[tuple[int, datetime, int, datetime | None]]:
    """(king, called on, caller, crowned on or None). The first attempt succeeds, then about one in three."""
    king = 1
    for span in _spans(day):
        random = Random(f"coupbot/coups/{span.day}")
        for place, called_on in enumerate(span.moments(random, server.attempts(span.day))):
            caller = 1 + (king + random.randrange(server.members(span.day) - 2)) % (server.members(span.day) - 1)
            wins = random.random() < 1 / 3 or (span.day, place) == (1, 0)
            crowned_on = min(called_on + timedelta(minutes=5), span.end - timedelta(microseconds=1))
            yield _member(king), called_on, _member(caller), crowned_on if wins else None
            king = caller if wins else king


def _plain(moment: datetime) -> str:
    """UTC without saying so, whole seconds."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _mixed(moment: datetime, place: int) -> str:
    """The same instant in the ways that the bot's versions wrote it."""
    match place % 8:
        case 1:
            return moment.isoformat(" ", "seconds")
        case 2:
            return moment.astimezone(_BERLIN).isoformat(" ")
        case 3:
            return moment.replace(tzinfo=None).isoformat("T", "milliseconds") + "Z"
        case 4:
            return moment.astimezone(_NEW_YORK).isoformat("T", "milliseconds")
        case 5:
            return moment.replace(tzinfo=None).isoformat(" ", "seconds")
        case _:
            return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
