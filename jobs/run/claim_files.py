"""Claim for files: which delivered objects the next batch reads. What is new is decided by the ledger alone: key and ETag."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from jobs.batches import Plan, SourceObject
from jobs.config.feed import CsvFeed, EventsFeed
from jobs.errors import InputMissingError, UsageError
from jobs.ledger.feed_state import FeedState
from jobs.run.claimable import Nothing, is_full_read, next_batch
from jobs.run.context import RunContext
from jobs.sources.dated_folders import Folder, dated_objects, folders

# One batch's worth: what lands in minutes, so that a first run over years of objects shows progress and can be stopped.
_MOST_OBJECTS = 20_000
_MOST_BYTES = 8 << 30

Dated = tuple[datetime, SourceObject]


def next_night(context: RunContext, feed: str, definition: CsvFeed, state: FeedState) -> Plan | Nothing:
    """Mode replace: of all pending folders the newest is applied, unless a newer one was already; the others are superseded."""
    tables = list(context.pipeline.tables_of(feed))
    found = folders(context.lake, context.name, definition, tables, since=_since(context, definition, state))
    fresh = [folder for folder in found if _fresh(context, state, folder.objects.values())]
    whole = [folder for folder in fresh if not folder.missing]
    applied = state.newest_folder
    newest = whole[-1] if whole and (applied is None or whole[-1].as_of >= applied) else None
    applied = newest.as_of if newest else applied
    stale = [folder for folder in fresh if folder is not newest and applied and folder.as_of < applied]
    if not newest and not stale:
        return _nothing(context, feed, definition, fresh)
    superseded = tuple(each for folder in stale for each in _fresh(context, state, folder.objects.values()))
    if newest is None:
        plan = next_batch(context, feed, state, "delivered late: a newer night was applied already")
        return plan.model_copy(update={"superseded": superseded})
    again = any(source.key in state.consumed for source in newest.objects.values())
    reason = f"{'redelivered' if again else 'new'} folder of {newest.as_of:%Y-%m-%d}"
    objects = tuple(newest.objects[name] for name in tables)
    plan = next_batch(context, feed, state, reason, newest.as_of)
    return plan.model_copy(update={"objects": objects, "superseded": superseded, "newest_folder": newest.as_of})


def next_deliveries(context: RunContext, feed: str, definition: CsvFeed, state: FeedState) -> Plan | Nothing:
    """Every other mode: the new objects of all whole folders, oldest first."""
    tables = list(context.pipeline.tables_of(feed))
    found = folders(context.lake, context.name, definition, tables, since=_since(context, definition, state))
    fresh = [folder for folder in found if _fresh(context, state, folder.objects.values())]
    whole = [folder for folder in fresh if not folder.missing]
    objects = [(folder.as_of, each) for folder in whole for each in _fresh(context, state, folder.objects.values())]
    return _plan(context, feed, state, objects) or _nothing(context, feed, definition, fresh)


def next_events(context: RunContext, feed: str, definition: EventsFeed, state: FeedState) -> Plan | Nothing:
    """The new objects below the dated folders, oldest first."""
    found = dated_objects(context.lake, context.name, definition, since=_since(context, definition, state))
    objects = [each for each in found if _fresh(context, state, [each[1]])]
    return _plan(context, feed, state, objects) or Nothing()


def _plan(context: RunContext, feed: str, state: FeedState, objects: list[Dated]) -> Plan | None:
    """One batch's worth of the objects; None where there is none. Redeliveries for mode `append` are set aside."""
    taken = objects if is_full_read(context, state) else _bounded(objects)
    if not taken:
        return None
    aside = [each for _, each in taken if each.key in state.consumed and _is_appended(context, feed, each)]
    if aside and is_full_read(context, state):
        raise UsageError(
            f"Reading all of {context.name}/{feed}: expected modes that take a row twice, got append for {aside[0].key}, which was "
            "read before. Leave out --full, or change the table's mode to insert."
        )
    read = tuple(each for _, each in taken if each not in aside)
    again = sum(each.key in state.consumed for each in read)
    reason = f"{len(read)} object{'' if len(read) == 1 else 's'}" + (f", {again} of them redelivered" if again else "")
    reason += f"; set aside {', '.join(each.key for each in aside[:5])}: redelivered to mode append" if aside else ""
    plan = next_batch(context, feed, state, reason)
    newest = max(instant for instant, _ in taken)
    return plan.model_copy(update={"objects": read, "set_aside": tuple(aside), "newest_folder": newest})


def _bounded(objects: list[Dated]) -> list[Dated]:
    """The first of them; those of one folder stay together unless it is the first and too large by itself."""
    taken: list[Dated] = []
    size = 0
    for instant, source in objects:
        is_full = len(taken) >= _MOST_OBJECTS or size + source.size > _MOST_BYTES
        if taken and is_full and (instant != taken[-1][0] or instant == taken[0][0]):
            break
        taken.append((instant, source))
        size += source.size
    return taken


def _is_appended(context: RunContext, feed: str, source: SourceObject) -> bool:
    tables = context.pipeline.tables_of(feed)
    concerned = tables.values() if source.table is None else [tables[source.table]]
    return any(table.load.mode == "append" for table in concerned)


def _since(context: RunContext, definition: CsvFeed | EventsFeed, state: FeedState) -> datetime | None:
    if state.newest_folder is None or context.list_all or is_full_read(context, state):
        return None
    return state.newest_folder - timedelta(days=definition.late_by_days)


def _fresh(context: RunContext, state: FeedState, objects: Iterable[SourceObject]) -> list[SourceObject]:
    """Those that the ledger does not hold under this ETag; for the first batch of a `--full` run all of them."""
    everything = is_full_read(context, state)
    return [source for source in objects if everything or state.consumed.get(source.key) != source.etag]


def _nothing(context: RunContext, feed: str, definition: CsvFeed, fresh: list[Folder]) -> Nothing:
    overdue = [folder for folder in fresh if folder.is_overdue(definition, context.as_of)]
    missing = tuple(key for folder in fresh for key in folder.missing)
    if not overdue:
        return Nothing(waiting_for=missing)
    late = [key for folder in overdue for key in folder.missing]
    shown = ", ".join(late[:5]) + (f" and {len(late) - 5} more" if len(late) > 5 else "")
    return Nothing(
        overdue=InputMissingError(
            f"Waiting for {context.name}/{feed}: expected every file within {definition.expect_within_minutes} minutes of "
            f"{overdue[0].as_of:%Y-%m-%d %H:%M} UTC, got none for {shown}. Deliver what is missing, then run the same command again; "
            "the table keeps what it has."
        )
    )
