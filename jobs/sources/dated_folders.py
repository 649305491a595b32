"""Look and claim for dated folders of files: what has been delivered, and which nights are whole.

A folder is one day's delivery, or one hour's. Nothing is decided by a clock but what is overdue; what is new is decided by the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from jobs.batches import SourceObject
from jobs.config.feed import CsvFeed, EventsFeed
from jobs.runtime.storage import Lake

_DATE = {"{YYYY}": "[0-9]{4}", "{MM}": "[0-9]{2}", "{DD}": "[0-9]{2}", "{HH}": "[0-9]{2}"}  # from the largest unit down
_NAMES = {"{YYYY}": "year", "{MM}": "month", "{DD}": "day", "{HH}": "hour", "{table}": "table"}
_FORMATS = {"{YYYY}": "%Y", "{MM}": "%m", "{DD}": "%d", "{HH}": "%H"}


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

    `since` (`late_by_days` before the newest one that was taken) limits the listing to folders of its day, in the feed's time zone,
    and later; None lists all.
    """
    found: dict[datetime, dict[str, SourceObject]] = {}
    for day, source in _delivered(lake, pipeline, feed, _one_of(tables), since):
        found.setdefault(day, {})[str(source.table)] = source
    return [
        Folder(day, objects, tuple(keys_of(feed, pipeline, day, set(tables) - set(objects))))
        for day, objects in sorted(found.items())
    ]


def dated_objects(
    lake: Lake, pipeline: str, feed: EventsFeed, *, since: datetime | None = None
) -> list[tuple[datetime, SourceObject]]:
    """Every object below the dated folders, with the instant (UTC) that its folder's path names, oldest first, then by key."""
    found = _delivered(lake, pipeline, feed, "", since)
    return sorted(found, key=lambda each: (each[0], each[1].key))


def keys_of(feed: CsvFeed, pipeline: str, as_of: datetime, tables: Collection[str]) -> list[str]:
    """The keys that the files of these tables have on that day."""
    dated = _dated(feed.path, as_of.astimezone(ZoneInfo(feed.timezone)))
    return sorted(f"raw/{pipeline}/" + dated.replace("{table}", table) for table in tables)


def _delivered(
    lake: Lake, pipeline: str, feed: CsvFeed | EventsFeed, tables: str, since: datetime | None
) -> Iterator[tuple[datetime, SourceObject]]:
    root, zone = f"raw/{pipeline}/", ZoneInfo(feed.timezone)
    oldest = since.astimezone(zone) if since else None
    is_folder = feed.path.endswith("/")
    pattern = re.compile(_regex(feed.path, tables) + (".+" if is_folder else ""), re.DOTALL)
    for prefix in _prefixes(lake, root, feed.path, oldest):
        for stored in lake.objects(prefix):
            match = pattern.fullmatch(stored.key.removeprefix(root))
            instant = _instant(match, zone) if match else None
            if match and instant and (oldest is None or instant >= _start(oldest, feed.path)):
                table = None if is_folder else match["table"]
                yield (
                    instant,
                    SourceObject(
                        key=stored.key, size=stored.size, etag=stored.etag, version_id=stored.version_id, table=table
                    ),
                )


def _one_of(tables: Sequence[str]) -> str:
    return "|".join(re.escape(table) for table in sorted(tables, key=len, reverse=True))


def _regex(path: str, tables: str) -> str:
    """Each placeholder is a group of its name where it stands first, and must repeat the same text afterwards."""
    pieces, seen = [], set()
    for part in re.split(r"(\{[A-Za-z]+\})", path):
        name = _NAMES.get(part)
        if name in seen:
            pieces.append(f"(?P={name})")
        elif name:
            seen.add(name)
            pieces.append(f"(?P<{name}>{_DATE.get(part, tables)})")
        else:
            pieces.append(re.escape(part))
    return "".join(pieces)


def _prefixes(lake: Lake, root: str, path: str, oldest: datetime | None) -> list[str]:
    """Folders to list: at first the one that holds all, later only those dated folders that are not before `oldest`.

    Level by level while names sort like dates: a year's folder, the months in it. A level with another order ends the descent.
    """
    found, above, named = [root], root, ""
    for part in path.split("/")[:-1]:
        placeholders = re.findall(r"\{\w+\}", part)
        named += "".join(placeholders)
        if not placeholders:
            found = [f"{prefix}{part}/" for prefix in found]
        elif oldest is None or not "".join(_DATE).startswith(named) or not part.startswith("{"):
            break
        else:  # in the oldest folder of the level above names count from the oldest on, in later ones all do
            first, oldest_above = _dated(part, oldest), _dated(above, oldest)
            found = [
                f"{prefix}{name}/"
                for prefix in found
                for name in lake.folders(prefix.rstrip("/"))
                if prefix != oldest_above or name >= first
            ]
        above += f"{part}/"
    return found


def _dated(path: str, local: datetime) -> str:
    for placeholder, code in _FORMATS.items():
        path = path.replace(placeholder, local.strftime(code).zfill(4 if code == "%Y" else 2))
    return path


def _start(local: datetime, path: str) -> datetime:
    """The beginning of the day, or of the hour, whose folder an instant belongs to."""
    hour = local.hour if "{HH}" in path else 0
    return local.replace(hour=hour, minute=0, second=0, microsecond=0).astimezone(UTC)


def _instant(match: re.Match[str], zone: ZoneInfo) -> datetime | None:
    """The beginning (UTC) of the day or hour that a path names; None if there is no such day."""
    parts = match.groupdict()
    try:
        day = (int(parts["year"]), int(parts["month"]), int(parts["day"]))
        return datetime(*day, int(parts.get("hour") or 0), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
