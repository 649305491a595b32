"""Times as texts against datetime and zoneinfo: offsets, fractions, changes of clocks, the ends of the calendar."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.contracts.judging import FEW, REFUSED, differences, read_as
from tests.unit.contracts.test_casts import broken

WRITTEN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z| ?UTC| ?([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII
)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]


def instant_of(text: str, zone: ZoneInfo) -> Any:
    """The text as an instant of the years 1 to 9999, by Python's calendar."""
    match = WRITTEN.fullmatch(text)
    if not match or len((match[7] or "").rstrip("0")) > 6 or int(match[10] or 0) > 15 or int(match[11] or 0) > 59:
        return REFUSED
    try:
        year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
        micros = int((match[7] or "")[:6].ljust(6, "0"))
        local = datetime(year, month, day, hour, minute, second, micros)  # noqa: DTZ001
        if match[9]:
            east = timedelta(hours=int(match[10]), minutes=int(match[11] or 0)) * (1 if match[9] == "+" else -1)
            return (local - east).replace(tzinfo=UTC)
        if match[8]:
            return local.replace(tzinfo=UTC)
        instant = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
        return instant if instant.astimezone(zone).replace(tzinfo=None) == local else REFUSED
    except (ValueError, OverflowError):
        return REFUSED


def moments(zone: str) -> list[datetime]:
    """Every quarter of an hour around the changes of clocks of some years, and the ends of the calendar."""
    days = [datetime(year, 1, 1) + timedelta(day) for year in (1984, 2011, 2024) for day in range(366)]  # noqa: DTZ001
    place = ZoneInfo(zone)
    changes = [day for day in days if place.utcoffset(day) != place.utcoffset(day + timedelta(days=1))]
    around = [change + timedelta(minutes=15 * step) for change in changes for step in range(-8, 104)]
    edges = [datetime(1, 1, 1), datetime(1, 1, 2), datetime(9999, 12, 31, 23, 59, 59)]  # noqa: DTZ001
    return [*around, *edges, datetime(1970, 1, 1)]  # noqa: DTZ001


LOCAL = st.datetimes().map(lambda at: at.isoformat(" ")) | st.builds(
    "2024-0{}-{:02}{}{:02}:{:02}:{:02}{}".format,
    st.integers(1, 9),
    st.integers(27, 32),
    st.sampled_from(" T"),
    *[st.integers(0, 24), st.integers(0, 60), st.integers(0, 61)],
    st.sampled_from(["", ".5", ".123456", ".1234567", ".1234560", ".", ".000000000000", ".999999999"]),
)
OFFSETS = [
    "",
    "",
    "Z",
    " UTC",
    "UTC",
    "+02",
    "+0230",
    "+02:30",
    "-02:30",
    "-00:30",
    " +02",
    " -0230",
    "+15:59",
    "+16",
    "+02:60",
]
OFFSETS += [" ", " Z", "z", "+2", "+25", "+023", "+02:3", " CET", "+02:30:00", "-99:99"]
TEXTS = st.builds("{}{}".format, LOCAL, st.sampled_from(OFFSETS))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@given(st.lists(TEXTS | broken(TEXTS), min_size=50, max_size=80))
@FEW
def test_reads_an_instant_exactly_or_refuses_it(zone: str, texts: list[str]) -> None:
    expected = [instant_of(text, ZoneInfo(zone)) for text in texts]
    assert differences(texts, read_as("timestamp", texts, zone), expected) == {}


@pytest.mark.parametrize("zone", ZONES)
def test_reads_local_times_around_every_change_of_clocks(zone: str) -> None:
    texts = [moment.isoformat(" ") for moment in moments(zone)]
    expected = [instant_of(text, ZoneInfo(zone)) for text in texts]
    assert differences(texts, read_as("timestamp", texts, zone), expected) == {}


def test_refuses_the_hour_that_is_left_out_and_takes_the_later_of_a_repeated_one() -> None:
    texts = ["2024-03-31 01:59:59", "2024-03-31 02:30:00", "2024-03-31 03:00:00", "2024-10-27 02:30:00"]
    expected = [
        datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC),
        REFUSED,
        datetime(2024, 3, 31, 1, 0, tzinfo=UTC),
        datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
    ]
    assert read_as("timestamp", texts, "Europe/Berlin") == expected


REFUSALS = [
    "2024-01-01",
    "2024-01-01 24:00:00",
    "2024-01-01 23:59:60",
    "2024-01-01 23:59:59.1234567",
    "0000-01-01 00:00:00",
]
REFUSALS += [
    "infinity",
    "-infinity",
    "now",
    "epoch",
    "2024-01-01 00:00",
    "2024-01-01 00:00:00 ",
    " 2024-01-01 00:00:00",
]
REFUSALS += [
    "2024-01-01 00:00:00+25",
    "2024-01-01 00:00:00+02:60",
    "0001-01-01 00:00:00+02",
    "9999-12-31 23:00:00-02",
    "",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refuses(text: str) -> None:
    assert read_as("timestamp", [text]) == [REFUSED]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("arrow", [pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("us", "America/Lima")])
def test_takes_a_native_timestamp_as_the_utc_instant_that_it_is(arrow: pa.DataType, zone: str) -> None:
    at = datetime(2024, 7, 1, 12, 0, 0, 5, tzinfo=UTC)
    values = pa.array([at], pa.timestamp("us", "UTC")).cast(arrow)
    assert read_as("timestamp", values, zone) == [at]
