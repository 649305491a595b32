"""Claim: what the next batch of a feed is. Decided under the feed's lease only, from the ledger as it is then. No Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.batches import Plan, SourceObject
from jobs.config.pipeline import CsvFeed, PostgresFeed, Read
from jobs.errors import InputMissingError
from jobs.ledger.feed_state import FeedState
from jobs.run.context import RunContext
from jobs.sources.dated_folders import Folder, folders
from jobs.sources.postgres_ids import FIRST_BOUND, HeldBack, claimable_ranges, pending_tables
from jobs.sources.postgres_session import source_session


@dataclass(frozen=True)
class Nothing:
    """Nothing to claim. `held_back`: transactions in the source that rows are waiting for; `overdue`: what is missing."""

    held_back: tuple[str, ...] = ()
    overdue: InputMissingError | None = None
    waiting_for: tuple[str, ...] = ()


def next_plan(context: RunContext, feed: str, state: FeedState) -> Plan | Nothing:
    """The plan of batch `state.last + 1`, not yet put."""
    definition = context.pipeline.feeds[feed]
    if isinstance(definition, CsvFeed):
        return _next_folder(context, feed, definition, state)
    return _next_ids(context, feed, definition, state)


def preview(context: RunContext, feed: str, state: FeedState) -> str | Nothing:
    """What a claim would take, in words; decides nothing and waits for nobody."""
    definition = context.pipeline.feeds[feed]
    if isinstance(definition, CsvFeed):
        found = _next_folder(context, feed, definition, state)
        return found.reason if isinstance(found, Plan) else found
    with source_session(context.source_url(), context.name) as session:
        tables = pending_tables(session, _reads(context, feed), state.bounds)
    return f"new rows of {', '.join(tables)}" if tables else Nothing()


def _plan(context: RunContext, feed: str, state: FeedState, reason: str, as_of: datetime) -> Plan:
    return Plan(
        pipeline=context.name,
        feed=feed,
        number=state.last + 1,
        run_id=context.run_id,
        reason=reason,
        as_of=as_of,
        accept_shrink=context.accept_shrink,
    )


def _next_folder(context: RunContext, feed: str, definition: CsvFeed, state: FeedState) -> Plan | Nothing:
    """Mode replace: of all pending folders the newest is applied, unless a newer one was already; the others are superseded."""
    tables = list(context.pipeline.tables_of(feed))
    since = None if state.as_of is None or context.list_all else state.as_of - timedelta(days=definition.late_by_days)
    found = folders(context.lake, context.name, definition, tables, since=since)
    fresh = [folder for folder in found if _new_objects(folder, state)]
    whole = [folder for folder in fresh if not folder.missing]
    newest = whole[-1] if whole and (state.as_of is None or whole[-1].as_of >= state.as_of) else None
    applied = newest.as_of if newest else state.as_of
    stale = [folder for folder in fresh if folder is not newest and applied and folder.as_of < applied]
    if not newest and not stale:
        return _nothing(context, feed, definition, fresh)
    superseded = [each for folder in stale for each in _new_objects(folder, state)]
    if newest is None:
        plan = _plan(context, feed, state, "delivered late: a newer night was applied already", context.as_of)
        return plan.model_copy(update={"superseded": tuple(superseded)})
    again = any(source.key in state.consumed for source in newest.objects.values())
    reason = f"{'redelivered' if again else 'new'} folder of {newest.as_of:%Y-%m-%d}"
    plan = _plan(context, feed, state, reason, newest.as_of)
    objects = {name: newest.objects[name] for name in tables}
    return plan.model_copy(update={"objects": objects, "superseded": tuple(superseded)})


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


def _new_objects(folder: Folder, state: FeedState) -> list[SourceObject]:
    return [source for source in folder.objects.values() if state.consumed.get(source.key) != source.etag]


def _next_ids(context: RunContext, feed: str, definition: PostgresFeed, state: FeedState) -> Plan | Nothing:
    reads = _reads(context, feed)
    with source_session(context.source_url(), context.name) as session:
        if not pending_tables(session, reads, state.bounds):
            return Nothing()
        wait = definition.wait_for_open_transactions_seconds
        ranges = claimable_ranges(session, context.name, reads, state.bounds, wait, context.progress.say)
    if isinstance(ranges, HeldBack):
        return Nothing(held_back=ranges.open_transactions)
    shown = ", ".join(
        f"{name} {'from the beginning' if ids.after == FIRST_BOUND else f'after {ids.after}'} up to {ids.ceiling}"
        for name, ids in ranges.items()
    )
    return _plan(context, feed, state, f"ids of {shown}", context.as_of).model_copy(update={"ranges": ranges})


def _reads(context: RunContext, feed: str) -> dict[str, Read]:
    return {name: table.read for name, table in context.pipeline.tables_of(feed).items() if table.read}
