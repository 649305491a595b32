"""Raids of parties of eight: what each player did (Postgres), and who played what (a CSV file each day).

Every ten reports hold one of each party that is no full one: seven players, a spot taken twice; and two full ones that
the report on scores leaves out: a player without a parse, a player with two. Field names and headers are the original's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from random import Random
from urllib.parse import quote

from psycopg import sql

from jobs.runtime.storage import Lake
from jobs.samples.report import BAD_FROM_ROWS, SampleReport, SampleTable, date_of
from jobs.samples.source_database import Source, number, sample_source

_CREATE = """
CREATE TABLE public.user_parse (
    zone varchar(10),
    bossencounter varchar(20),
    characterid varchar(50),
    parse int,
    date timestamp,
    dps numeric(8,3),
    uniqueid varchar(30),
    server varchar(20)
)
"""
_HEADER = ("ReportID", "EncounterStatus", "CharacterID", "ClassID", "ClassRole", "PartySpot", "QueryDate")
_ROLES = ("Tanks", "Tanks", "Healers", "Healers", "DPS", "DPS", "DPS", "DPS")
_CLASSES = {
    "Tanks": ("Gunbreaker", "DarkKnight", "Paladin", "Warrior"),
    "Healers": ("Scholar", "Astrologian", "WhiteMage", "Sage"),
    "DPS": ("Samurai", "Ninja", "BlackMage", "Dancer", "Bard", "RedMage, BlueMage"),  # changed job during the fight
}
_SERVERS = ("Zalera", "Brynhildr", "Goblin", "Malboro", "Zurvan", "Ragnarök")
_FIRST_NAMES = "faker eksu jackal noya ashelia apollo reach aria zoë y'shtola g'raha x'rhun 李 007 null".split()
_LAST_NAMES = "genji plosion ka'tui ki dalmascah van-waddleb betwanhe aoki o'neil tia 100% ~star~ a_b m.n nan".split()
_ID_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_SEVEN, _SPOT_TWICE, _NO_PARSE, _TWO_PARSES = 3, 5, 7, 9  # place of the report in its ten
_BAD_REPORTS = (1, 2, 4, 6)  # of day 1: one bad record of each source in each of them
_BAD_PLAYER = 2


@dataclass(frozen=True)
class _Player:
    """Who one player of one report was, what they played, where they stood and how well they did."""

    report: str
    place: int  # of the report within the day
    index: int  # within the party, from 0
    character: str
    role: str
    job: str
    spot: int
    score: int
    dps: Decimal
    server: str

    @property
    def is_spoilt(self) -> bool:
        """Where the sample has bad records, both of this player are."""
        return self.place in _BAD_REPORTS and self.index == _BAD_PLAYER


def write_day(lake: Lake, url: str, rows: int, day: int) -> SampleReport:
    """The reports of `day` and of every earlier day that has none: about an eighth of `rows` on day 1, then a tenth of that.

    `party_review` has exactly `rows` records on day 1, so that its last party may be cut short. What is there already stays.

    Raises:
        UsageError: `public.user_parse` is there and was not made by this function.
        SourceUnavailableError: the database cannot be reached or written.
    """
    tables = list[SampleTable]()
    with sample_source("fflogs", url, {"user_parse": _CREATE}) as source:
        for each in range(1, day + 1):
            players = list(islice(_players(each), rows if each == 1 else min(rows, max(8, rows // 10))))
            has_bad_records = each == 1 and rows >= BAD_FROM_ROWS
            parses = _deliver_parses(source, players, each, has_bad_records)
            reviews = _deliver_reviews(lake, players, each, has_bad_records)
            tables += [table for table in (parses, reviews) if table.is_new or each == day]
    return SampleReport("fflogs", day, tuple(tables))


def _deliver_parses(source: Source, players: list[_Player], day: int, has_bad_records: bool) -> SampleTable:
    parses = list(_parses(players, day, has_bad_records))
    start = datetime.combine(date_of(day), time())
    query = sql.SQL("SELECT CAST(EXISTS (SELECT FROM public.user_parse WHERE date >= %s AND date < %s) AS int)")
    is_new = number(source, query, start, start + timedelta(days=1)) == 0
    if is_new:
        with source.cursor().copy("COPY public.user_parse FROM STDIN") as copy:
            for parse in parses:
                copy.write_row(parse)
        source.commit()
    bad = len(_BAD_REPORTS) * has_bad_records
    return SampleTable("user_parse", f"public.user_parse of {date_of(day)}", len(parses), bad, is_new)


def _deliver_reviews(lake: Lake, players: list[_Player], day: int, has_bad_records: bool) -> SampleTable:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEADER)
    writer.writerows(_reviews(players, day, has_bad_records))
    key = f"raw/fflogs/{date_of(day)}/party_review.csv"
    bad = len(_BAD_REPORTS) * has_bad_records
    return SampleTable("party_review", key, len(players), bad, is_new=lake.create(key, text.getvalue().encode()))


def _players(day: int) -> Iterator[_Player]:
    """Report after report, without end; the same ones whatever is taken of them."""
    random = Random(f"fflogs/{day}")
    characters = [quote(f"{first} {last}", safe="") for first in _FIRST_NAMES for last in _LAST_NAMES]
    place = 0
    while True:
        report = "".join(random.choices(_ID_LETTERS, k=16))
        party = random.sample(characters, 8)
        for index, (role, character) in enumerate(zip(_ROLES, party, strict=True)):
            if place % 10 == _SEVEN and index == 7:
                continue
            job, server = random.choice(_CLASSES[role]), random.choice(_SERVERS)
            spot = 3 if place % 10 == _SPOT_TWICE and index == 3 else index + 1
            dps = Decimal(random.randrange(9_000_000, 30_000_000)).scaleb(-3)
            yield _Player(report, place, index, character, role, job, spot, random.randrange(40, 101), dps, server)
        place += 1


def _parses(players: list[_Player], day: int, has_bad_records: bool) -> Iterator[list[object]]:
    """In the order of the columns; one for each player, but for the reports that lack one or have one too many."""
    for player in players:
        kind = player.place % 10
        if kind == _NO_PARSE and player.index == 4:
            continue
        fought = datetime.combine(date_of(day), time(1)) + timedelta(seconds=player.place * 97 % 80_000)
        did = (player.score, fought, player.dps, player.report, player.server)
        parse: list[object] = ["201", "77", player.character, *did]
        if has_bad_records and player.is_spoilt:
            _spoil_parse(parse, _BAD_REPORTS.index(player.place))
        yield parse
        if kind == _TWO_PARSES and player.index == 0:
            yield ["201", "78", *parse[2:]]


def _spoil_parse(parse: list[object], kind: int) -> None:
    """No parse, a DPS that is no number, a character that is not encoded, a server too long in bytes, not in characters."""
    if kind == 0:
        parse[3] = None
    elif kind == 1:
        parse[5] = Decimal("NaN")
    elif kind == 2:
        parse[2] = "not encoded"
    else:
        parse[7] = "ö" * 20


def _reviews(players: list[_Player], day: int, has_bad_records: bool) -> Iterator[list[object]]:
    """In file order: damage dealers first, as the original has it, so that a spot is not the line it stands on."""
    ordered = sorted(players, key=lambda player: (player.place, (player.index + 4) % 8))
    for player in ordered:
        status = int(player.place % 4 != 0)
        played = (player.job, player.role, player.spot)
        review = [player.report, status, player.character, *played, date_of(day)]
        if has_bad_records and player.is_spoilt:
            _spoil_review(review, _BAD_REPORTS.index(player.place))
        yield review


def _spoil_review(review: list[object], kind: int) -> None:
    """An unknown role, a ninth spot, a character that is not encoded, a field too many as from a comma without quotes."""
    if kind == 0:
        review[4] = "Tank"
    elif kind == 1:
        review[5] = 9
    elif kind == 2:
        review[2] = "not encoded"
    else:
        review[3:4] = ["White", "Mage"]
