"""Which dated folders are there, which are whole, and how little of the lake a later look has to list."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jobs.config.feed import CsvFeed
from jobs.runtime.storage import Lake, StoredObject
from jobs.sources.dated_folders import Folder, folders, keys_of

TABLES = ["users", "orders"]
FLAT = "{YYYY}-{MM}-{DD}/{table}.csv"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def feed(path: str = FLAT, timezone: str = "UTC", expect_within_minutes: int | None = None) -> CsvFeed:
    return CsvFeed(type="csv", path=path, timezone=timezone, expect_within_minutes=expect_within_minutes)


def deliver(lake: Lake, *paths: str) -> None:
    for path in paths:
        assert lake.create(f"raw/shop/{path}", path.encode())


def found(lake: Lake, of: CsvFeed, tables: list[str] = TABLES, since: datetime | None = None) -> dict[str, set[str]]:
    """Day (in UTC, with its time if it has one) → the tables that are there."""
    listed = folders(lake, "shop", of, tables, since=since)
    return {f"{each.as_of:%Y-%m-%d %H:%M}".removesuffix(" 00:00"): set(each.objects) for each in listed}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


# --- what a path names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "delivered"),
    [
        (FLAT, "2024-02-29/users.csv"),
        ("{YYYY}/{MM}/{DD}/{table}.csv", "2024/02/29/users.csv"),
        ("{YYYY}{MM}{DD}/x_{table}.csv.gz", "20240229/x_users.csv.gz"),
        ("daily/{YYYY}-{MM}-{DD}/{table}", "daily/2024-02-29/users"),
        ("{DD}.{MM}.{YYYY}/{table}.csv", "29.02.2024/users.csv"),
        ("a+b (1)/{YYYY}-{MM}-{DD}/{table}.csv", "a+b (1)/2024-02-29/users.csv"),
        ("{YYYY}-{MM}-{DD}/{YYYY}{MM}{DD}_{table}.csv", "2024-02-29/20240229_users.csv"),
    ],
)
def test_finds_the_file_of_a_day_where_the_path_puts_it(lake: Lake, path: str, delivered: str) -> None:
    deliver(lake, delivered)
    (folder,) = folders(lake, "shop", feed(path), ["users"])
    assert (folder.as_of, folder.missing) == (utc(2024, 2, 29), ())
    assert folder.objects["users"].key == f"raw/shop/{delivered}"
    assert keys_of(feed(path), "shop", folder.as_of, ["users"]) == [f"raw/shop/{delivered}"]


def test_hands_over_size_and_etag_of_each_object(lake: Lake) -> None:
    deliver(lake, "2024-01-01/users.csv")
    (folder,) = folders(lake, "shop", feed(), ["users"])
    stored = lake.head("raw/shop/2024-01-01/users.csv")
    seen = folder.objects["users"]
    assert StoredObject(seen.key, seen.size, seen.etag, seen.version_id) == stored


def test_ignores_what_is_no_declared_file_of_an_existing_day(lake: Lake) -> None:
    deliver(
        lake,
        *["2024-01-01/other.csv", "2024-01-01/users.csv.bak", "2024-01-01/sub/users.csv", "2024-01-01/Users.csv"],
        *["2024-1-1/users.csv", "users.csv", "x2024-01-01/users.csv", "2024-01-01x/users.csv", "_SUCCESS"],
        *["2023-02-29/users.csv", "2024-13-01/users.csv", "2024-00-10/users.csv", "2024-01-32/users.csv"],
        *["0000-01-01/users.csv", "20240-01-01/users.csv", "٢٠٢٤-01-01/users.csv", "2024-01-01/usersXcsv"],
    )
    assert found(lake, feed()) == {}


@pytest.mark.parametrize("timezone", ["Asia/Tokyo", "Europe/Berlin"])
def test_ignores_a_day_whose_midnight_is_before_all_years(lake: Lake, timezone: str) -> None:
    deliver(lake, "0001-01-01/users.csv", "2024-01-01/users.csv")
    assert [each.as_of.year for each in folders(lake, "shop", feed(timezone=timezone), ["users"])] == [2023]


def test_tells_tables_apart_whose_names_begin_alike(lake: Lake) -> None:
    tables = ["user", "users", "users_a", "a"]
    deliver(lake, *[f"2024-01-01/{name}_{name}.csv" for name in tables], "2024-01-02/user_users.csv")
    repeated = feed("{YYYY}-{MM}-{DD}/{table}_{table}.csv")
    assert found(lake, repeated, tables) == {"2024-01-01": set(tables)}
    deliver(lake, *[f"2024-01-03/{name}s.csv" for name in tables])
    plural = feed("{YYYY}-{MM}-{DD}/{table}s.csv")
    assert found(lake, plural, tables) == {"2024-01-03": set(tables)}


def test_a_repeated_date_must_be_the_same_one(lake: Lake) -> None:
    deliver(lake, "2024-01-01/20240102_users.csv", "2024-01-03/20240103_users.csv")
    assert found(lake, feed("{YYYY}-{MM}-{DD}/{YYYY}{MM}{DD}_{table}.csv")) == {"2024-01-03": {"users"}}


# --- whole, partial, overdue ------------------------------------------------------------------------------------------


def test_lists_folders_by_day_and_names_what_each_one_lacks(lake: Lake) -> None:
    deliver(lake, "2024-01-03/users.csv", "2024-01-01/users.csv", "2024-01-01/orders.csv", "2024-01-02/orders.csv")
    listed = folders(lake, "shop", feed(), TABLES)
    assert [(each.as_of.day, each.missing) for each in listed] == [
        (1, ()),
        (2, ("raw/shop/2024-01-02/users.csv",)),
        (3, ("raw/shop/2024-01-03/orders.csv",)),
    ]


MIDNIGHT = utc(2024, 1, 1)


@pytest.mark.parametrize(
    ("missing", "minutes", "now", "is_overdue"),
    [
        (("x",), 60, MIDNIGHT + timedelta(minutes=60), True),
        (("x",), 60, MIDNIGHT + timedelta(minutes=59, seconds=59), False),
        (("x",), 0, MIDNIGHT, True),
        (("x",), None, MIDNIGHT + timedelta(days=9), False),
        ((), 60, MIDNIGHT + timedelta(days=9), False),
    ],
)
def test_a_folder_is_overdue_once_files_were_expected_and_some_are_missing(
    missing: tuple[str, ...], minutes: int | None, now: datetime, is_overdue: bool
) -> None:
    assert Folder(MIDNIGHT, {}, missing).is_overdue(feed(expect_within_minutes=minutes), now) is is_overdue


# --- time zones -------------------------------------------------------------------------------------------------------


def test_a_day_begins_at_midnight_in_the_time_zone_of_the_feed(lake: Lake) -> None:
    deliver(lake, "2024-01-01/users.csv", "2024-07-01/users.csv")
    assert found(lake, feed(timezone="Europe/Berlin")) == {"2023-12-31 23:00": {"users"}, "2024-06-30 22:00": {"users"}}


@pytest.mark.parametrize(
    "timezone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Kiritimati"]
)
@given(days=st.lists(st.dates(date(1971, 1, 1), date(2037, 12, 31)), min_size=20, max_size=30, unique=True))
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_the_keys_of_a_day_are_those_under_which_it_is_found(
    timezone: str, days: list[date], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Sao Paulo's clocks used to change at midnight: some days began at one o'clock."""
    lake, of = Lake(str(tmp_path_factory.mktemp("lake"))), feed(timezone=timezone)
    delivered = {f"raw/shop/{day}/users.csv" for day in days}
    deliver(lake, *[key.removeprefix("raw/shop/") for key in delivered])
    listed = folders(lake, "shop", of, ["users"])
    assert {keys_of(of, "shop", folder.as_of, ["users"])[0] for folder in listed} == delivered
    assert all(folder.objects["users"].key in delivered and not folder.missing for folder in listed)


# --- listing less -----------------------------------------------------------------------------------------------------


PATHS = [FLAT, "{YYYY}/{MM}/{DD}/{table}.csv", "{YYYY}{MM}{DD}/{table}.csv", "{YYYY}-{DD}-{MM}/{table}.csv"]
PATHS += ["{YYYY}-{DD}/{MM}/{table}.csv", "{DD}-{MM}-{YYYY}/{table}.csv", "d/{YYYY}/{MM}-{DD}/{table}.csv"]
PATHS += ["{YYYY}-w{MM}/{DD}/{table}.csv", "x{YYYY}-{MM}-{DD}/{table}.csv"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
def test_a_limited_listing_has_every_folder_from_that_day_on(lake: Lake, path: str, timezone: str) -> None:
    of = feed(path, timezone)
    days = [date(2024, 1, 1) + timedelta(days=5 * number) for number in range(90)]
    deliver(lake, *[f"{day:{_strftime(path)}}".replace("{table}", "users") for day in days])
    everything = [each.as_of for each in folders(lake, "shop", of, ["users"])]
    assert len(everything) == len(days)
    for since in [as_of - timedelta(late_by_days) for as_of in everything[::9] for late_by_days in (0, 5, 30)]:
        listed = [each.as_of for each in folders(lake, "shop", of, ["users"], since=since)]
        assert [day for day in listed if day >= since] == [day for day in everything if day >= since]
        assert all(day > since - timedelta(days=1) for day in listed)


def _strftime(path: str) -> str:
    return path.replace("{YYYY}", "%Y").replace("{MM}", "%m").replace("{DD}", "%d")


def test_a_limited_listing_looks_into_no_older_folder(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(lake, *[f"2024-01-{day:02}/users.csv" for day in range(1, 31)])
    listed: list[str] = []
    real = lake.objects

    def objects(folder: str) -> list[StoredObject]:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(lake, "objects", objects)
    assert set(found(lake, feed(), since=utc(2024, 1, 29))) == {"2024-01-29", "2024-01-30"}
    assert listed == ["raw/shop/2024-01-29/", "raw/shop/2024-01-30/"]


@pytest.mark.parametrize("as_of", [utc(2024, 4, 2), utc(2024, 11, 2)])
def test_the_last_day_of_late_by_days_is_listed_whatever_the_clocks_did(lake: Lake, as_of: datetime) -> None:
    berlin = feed(timezone="Europe/Berlin")
    days = [as_of.date() - timedelta(days=back) for back in range(10)]
    deliver(lake, *[f"{day}/users.csv" for day in days])
    newest = folders(lake, "shop", berlin, ["users"])[-1].as_of
    listed = folders(lake, "shop", berlin, ["users"], since=newest - timedelta(days=7))
    assert {f"raw/shop/{day}/users.csv" for day in days[:8]} <= {each.objects["users"].key for each in listed}


def test_a_pipeline_without_any_delivery_has_no_folders(lake: Lake) -> None:
    assert folders(lake, "shop", feed(), TABLES) == []
    assert folders(lake, "shop", feed(), TABLES, since=utc(2024, 1, 1)) == []
