"""Backfill: a stretch of a feed's past is read again, part by part, without moving any lower bound. A part is a batch like any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from jobs.batches import BackfillPart, ChangedSince, IdRange, Plan, SourceObject, Window
from jobs.config.feed import CsvFeed, EventsFeed, PostgresFeed
from jobs.config.table import PostgresRead
from jobs.errors import UsageError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.run.claimable import Nothing, next_batch
from jobs.run.context import RunContext
from jobs.sources.dated_folders import dated_objects, folders

_MOST_PARTS = 10_000  # each is a batch and takes seconds

Fill = Callable[[Plan], Plan]
"""What a part reads, put into its plan."""


@dataclass(frozen=True)
class Stretch:
    """Both ends are part of it: days for files and tables that are read by time, ids for tables that are read by id."""

    start: date | int
    end: date | int
    days_per_part: int = 1

    def __post_init__(self) -> None:
        """Raises UsageError for a stretch that is none."""
        if isinstance(self.start, int) != isinstance(self.end, int):
            got = f"{self.start} and {self.end}"
            raise UsageError(f"Backfilling: expected two days or two ids, got {got}. Give both ends alike.")
        if self.end < self.start:  # type: ignore[operator]  # of one kind by now
            got = f"from {self.start} to {self.end}"
            raise UsageError(f"Backfilling: expected an end that is not before the start, got {got}. Swap them.")

    @classmethod
    def between(cls, start: str | None, end: str | None, days_per_part: int = 1) -> Stretch:
        """As --from and --to give it. Raises UsageError for what is neither days nor ids."""
        return cls(_end_of_stretch(start, "--from"), _end_of_stretch(end, "--to"), days_per_part)

    def name(self, ids_per_part: int) -> str:
        """Names the parts too: with others, those that are done would say nothing of those that are left."""
        size = f"{ids_per_part} ids" if isinstance(self.start, int) else f"{self.days_per_part} days"
        return f"{self.start}..{self.end} by {size}"


class BackfillClaims:
    """The claims of one backfill: part after part, from where an earlier one of the same stretch stopped."""

    def __init__(self, context: RunContext, feed: str, stretch: Stretch) -> None:
        """Raises UsageError where the feed cannot be read in parts of this kind."""
        self._name = stretch.name(_ids_per_part(context, feed))
        self._parts = list(islice(_parts(context, feed, stretch), _MOST_PARTS + 1))
        if len(self._parts) > _MOST_PARTS:
            remedy = "Give a shorter stretch, larger parts (--chunk-days), or a larger max_rows_per_batch."
            raise _refused(context, feed, f"at most {_MOST_PARTS:,} parts", "more", remedy)
        open_plan = FeedLedger(context.lake, context.name, feed).state().open_plan
        self._last = open_plan.number if open_plan and self._is_last(open_plan) else None

    def __call__(self, context: RunContext, feed: str, state: FeedState, is_rerun: bool) -> Plan | Nothing:
        if self._last in state.committed or (is_rerun and self._name not in state.backfills):
            return Nothing()
        number = state.backfills.get(self._name, 0) + 1
        words, fill = self._parts[number - 1]
        part = BackfillPart(name=self._name, number=number, of=len(self._parts))
        plan = next_batch(context, feed, state, f"backfill, part {number} of {part.of}: {words}")
        plan = plan.model_copy(update={"purpose": "backfill", "backfill": part})
        if self._is_last(plan):
            self._last = plan.number
        return fill(plan)

    def _is_last(self, plan: Plan) -> bool:
        """Whether with this batch the backfill ends; with the batch as void it does not."""
        part = plan.backfill
        return part is not None and part.name == self._name and part.number == part.of


def _end_of_stretch(text: str | None, option: str) -> date | int:
    if text and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        got = repr(text) if text else "nothing"
        raise UsageError(
            f"Reading {option}: expected a day such as 2024-03-01, or an id, got {got}. Correct it."
        ) from None


def _parts(context: RunContext, feed: str, stretch: Stretch) -> Iterator[tuple[str, Fill]]:
    definition = context.pipeline.feeds.get(feed)
    if definition is None:
        raise _refused(context, feed, "a feed", "a derived table", f"Run `tidemark run {context.name} {feed} --full`.")
    if isinstance(definition, PostgresFeed):
        yield from _windows(context, feed, stretch, ZoneInfo(definition.timezone))
    else:
        yield from _deliveries(context, feed, definition, stretch)


def _windows(context: RunContext, feed: str, stretch: Stretch, zone: ZoneInfo) -> Iterator[tuple[str, Fill]]:
    tables = context.pipeline.tables_of(feed)
    kinds = {table.cursor_type.kind if table.cursor_type else "no cursor" for table in tables.values()}
    _require_no_mode(context, feed, "append")
    if isinstance(stretch.start, int) and isinstance(stretch.end, int):
        if "timestamp" in kinds or "no cursor" in kinds:
            raise _refused(context, feed, "days, as in 2024-03-01", "ids", "Only tables that are read by id take ids.")
        size = _ids_per_part(context, feed)
        for first in range(stretch.start, stretch.end + 1, size):
            last = min(first + size - 1, stretch.end)
            yield f"ids {first} to {last}", _reading(tables, IdRange(after=first - 1, ceiling=last))
        return
    if kinds != {"timestamp"}:
        remedy = f"Run `tidemark run {context.name} {feed} --full`, or give ids where tables are read by id."
        raise _refused(context, feed, "tables that are read by time", " and ".join(sorted(kinds)), remedy)
    for day, last_day in _days(stretch):
        window = ChangedSince(since=_midnight(day, zone), before=_midnight(last_day + timedelta(days=1), zone))
        yield _in_words(day, last_day), _reading(tables, window)


def _reading(tables: Mapping[str, object], window: Window) -> Fill:
    return lambda plan: plan.model_copy(update={"windows": dict.fromkeys(tables, window)})


def _deliveries(
    context: RunContext, feed: str, definition: CsvFeed | EventsFeed, stretch: Stretch
) -> Iterator[tuple[str, Fill]]:
    _require_no_mode(context, feed, "replace", "append")
    zone = ZoneInfo(definition.timezone)
    delivered = _delivered(context, definition, list(context.pipeline.tables_of(feed)))
    for first, last in _days(stretch):
        start, end = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
        objects = tuple(source for instant, source in delivered if start <= instant < end)
        yield _in_words(first, last), _taking(objects)


def _require_no_mode(context: RunContext, feed: str, *modes: str) -> None:
    for name, table in context.pipeline.tables_of(feed).items():
        if table.load.mode in modes:
            got, remedy = (
                f"{table.load.mode} for {name}",
                "Change the table's mode to insert, or deliver what is missing as new.",
            )
            raise _refused(context, feed, "modes that take a row twice", got, remedy)


def _ids_per_part(context: RunContext, feed: str) -> int:
    """As many as the smallest batch of the feed's tables; 0 for a feed of files."""
    reads = [table.read for table in context.pipeline.tables_of(feed).values()]
    return min((read.max_rows_per_batch for read in reads if isinstance(read, PostgresRead)), default=0)


def _taking(objects: tuple[SourceObject, ...]) -> Fill:
    return lambda plan: plan.model_copy(update={"objects": objects})


def _delivered(
    context: RunContext, definition: CsvFeed | EventsFeed, tables: list[str]
) -> list[tuple[datetime, SourceObject]]:
    if isinstance(definition, EventsFeed):
        return dated_objects(context.lake, context.name, definition)
    whole = [each for each in folders(context.lake, context.name, definition, tables) if not each.missing]
    return [(folder.as_of, source) for folder in whole for source in folder.objects.values()]


def _days(stretch: Stretch) -> Iterator[tuple[date, date]]:
    """First and last day of each part."""
    if isinstance(stretch.start, int) or isinstance(stretch.end, int):
        raise UsageError("Backfilling: expected days for this feed, as in 2024-03-01, got ids. Give days.")
    first = stretch.start
    while first <= stretch.end:
        last = min(first + timedelta(days=stretch.days_per_part - 1), stretch.end)
        yield first, last
        first = last + timedelta(days=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _in_words(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _refused(context: RunContext, feed: str, expected: str, got: str, remedy: str) -> UsageError:
    return UsageError(f"Backfilling {context.name}/{feed}: expected {expected}, got {got}. {remedy}")
