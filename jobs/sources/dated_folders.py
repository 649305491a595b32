"""Look and claim for dated folders of files: which folders are whole, which objects the ledger has not consumed.

A folder is one day's delivery. Nothing is decided by a clock but what is overdue; what is new is decided by the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from jobs.batches import SourceObject
from jobs.config.pipeline import CsvFeed
from jobs.runtime.storage import Lake

_PARTS = {
    "{YYYY}": r"(?P<year>[0-9]{4})",
    "{MM}": r"(?P<month>[0-9]{2})",
    "{DD}": r"(?P<day>[0-9]{2})",
    "{table}": "(?P<table>{table})",
}


@dataclass(frozen=True)
class Folder:
    """One day's delivery: the objects that are there per table, and the midnight (UTC instant) that its path names."""

    as_of: datetime
    objects: Mapping[str, SourceObject]
    missing: tuple[str, ...]

    def is_overdue(self, feed: CsvFeed, now: datetime) -> bool:
        """Whether files are missing after the time by which all were expected."""
        if not self.missing or feed.expect_within_minutes is None:
            return False
        return now >= self.as_of + timedelta(minutes=feed.expect_within_minutes)


def folders(
    lake: Lake, pipeline: str, feed: CsvFeed, tables: Sequence[str], *, since: datetime | None = None
) -> list[Folder]:
    """Every dated folder with at least one declared file, oldest first.

    `since` (`late_by_days` before the newest one that was applied) limits the listing to folders of its day, in the feed's time zone,
    and later; None lists all.
    """
    root = f"raw/{pipeline}/"
    first = since and _midnight(since.astimezone(ZoneInfo(feed.timezone)), feed)
    found: dict[datetime, dict[str, SourceObject]] = {}
    pattern = re.compile(_regex(feed.path, tables))
    for day_prefix in _prefixes(lake, root, feed, since):
        for stored in lake.objects(day_prefix):
            match = pattern.fullmatch(stored.key.removeprefix(root))
            day = _day(match, feed) if match else None
            if match and day and (first is None or day >= first):
                stored_as = SourceObject(
                    key=stored.key, size=stored.size, etag=stored.etag, version_id=stored.version_id
                )
                found.setdefault(day, {})[match["table"]] = stored_as
    return [
        Folder(day, objects, tuple(keys_of(feed, pipeline, day, set(tables) - set(objects))))
        for day, objects in sorted(found.items())
    ]


def keys_of(feed: CsvFeed, pipeline: str, as_of: datetime, tables: Sequence[str] | set[str]) -> list[str]:
    """The keys that the files of these tables have on that day."""
    local = as_of.astimezone(ZoneInfo(feed.timezone))
    dated = feed.path.replace("{YYYY}", f"{local:%Y}").replace("{MM}", f"{local:%m}").replace("{DD}", f"{local:%d}")
    return sorted(f"raw/{pipeline}/" + dated.replace("{table}", table) for table in tables)


def _regex(path: str, tables: Sequence[str]) -> str:
    """Each placeholder captures where it stands first and must repeat the same text afterwards."""
    names, seen = "|".join(re.escape(table) for table in sorted(tables, key=len, reverse=True)), set()
    pieces = []
    for part in re.split(r"(\{[A-Za-z]+\})", path):
        if part in seen:
            pieces.append(
                {"{YYYY}": "(?P=year)", "{MM}": "(?P=month)", "{DD}": "(?P=day)", "{table}": "(?P=table)"}[part]
            )
        elif part in _PARTS:
            seen.add(part)
            pieces.append(_PARTS[part].replace("{table}", names) if part == "{table}" else _PARTS[part])
        else:
            pieces.append(re.escape(part))
    return "".join(pieces)


def _prefixes(lake: Lake, root: str, feed: CsvFeed, since: datetime | None) -> list[str]:
    """Folders to list: all of them at first, later only those whose name is not below the day of `since`."""
    head = feed.path.split("/", 1)[0]
    named = re.findall(r"\{\w+\}", head)
    if since is None or not head.startswith("{YYYY}") or named != list(_PARTS)[: len(named)]:
        return [root]  # names whose order is not that of the days
    local = since.astimezone(ZoneInfo(feed.timezone))
    oldest = head.replace("{YYYY}", f"{local:%Y}").replace("{MM}", f"{local:%m}").replace("{DD}", f"{local:%d}")
    return [f"{root}{name}/" for name in lake.folders(root.rstrip("/")) if name >= oldest]


def _day(match: re.Match[str], feed: CsvFeed) -> datetime | None:
    """The midnight that a path names; None if there is no such day."""
    try:
        return _midnight(date(int(match["year"]), int(match["month"]), int(match["day"])), feed)
    except (ValueError, OverflowError):
        return None


def _midnight(day: date, feed: CsvFeed) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(feed.timezone)).astimezone(UTC)
