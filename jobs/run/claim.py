"""Claim: what the next batch of a feed or a derived table is. Decided under its lease only, from the ledger as it is then. No Spark."""

from __future__ import annotations

from jobs.batches import Plan
from jobs.config.feed import CsvFeed, EventsFeed, PostgresFeed
from jobs.ledger.feed_state import FeedState
from jobs.run.claim_derived import next_recomputation
from jobs.run.claim_files import next_deliveries, next_events, next_night
from jobs.run.claim_postgres import next_rows, preview_rows
from jobs.run.claimable import Nothing
from jobs.run.context import RunContext


def next_plan(context: RunContext, feed: str, state: FeedState) -> Plan | Nothing:
    """The plan of batch `state.last + 1`, not yet put."""
    definition = context.pipeline.feeds.get(feed)
    match definition:
        case None:
            return next_recomputation(context, feed, state)
        case CsvFeed() if _is_nightly(context, feed):
            return next_night(context, feed, definition, state)
        case CsvFeed():
            return next_deliveries(context, feed, definition, state)
        case EventsFeed():
            return next_events(context, feed, definition, state)
        case PostgresFeed():
            return next_rows(context, feed, definition, state)


def next_new(context: RunContext, feed: str, state: FeedState, is_rerun: bool) -> Plan | Nothing:
    """What is new, if the run has not taken it already: a run id that ran before claims no more."""
    return Nothing(is_limited=True) if is_rerun else next_plan(context, feed, state)


def preview(context: RunContext, feed: str, state: FeedState) -> str | Nothing:
    """What a claim would take, in words; decides nothing and waits for nobody."""
    if isinstance(context.pipeline.feeds.get(feed), PostgresFeed):
        return preview_rows(context, feed, state)
    found = next_plan(context, feed, state)
    return found.reason if isinstance(found, Plan) else found


def _is_nightly(context: RunContext, feed: str) -> bool:
    """Each folder is the whole of every table; config lets no feed be so for some of its tables only."""
    return any(table.load.mode == "replace" for table in context.pipeline.tables_of(feed).values())
