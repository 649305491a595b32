"""Load → published: every committed batch that the warehouse does not have, in ascending order. No Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.batches import Outcome, Published
from jobs.errors import LedgerConflictError, TidemarkError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.run.context import RunContext
from jobs.warehouse.load import Loaded, publish_feed
from jobs.warehouse.postgres import PostgresWarehouse, open_warehouse


@dataclass(frozen=True)
class PublishedFeed:
    """The batches of a feed that the warehouse got in this run; `error`: why it got no further."""

    feed: str
    loads: tuple[Loaded, ...]
    error: TidemarkError | None = None


def publish(context: RunContext, feeds: list[str]) -> list[PublishedFeed]:
    """Feed by feed; a dead warehouse is one error, curation is not undone by it."""
    ledgers = {feed: FeedLedger(context.lake, context.name, feed) for feed in feeds}
    committed = {feed: ledger.state().committed for feed, ledger in ledgers.items()}
    if not any(committed.values()):
        return []
    results = []
    try:
        with open_warehouse(context.warehouse_url()) as warehouse:
            for feed, ledger in ledgers.items():
                missing = set(committed[feed]) - warehouse.published_numbers(context.name, feed)
                if missing:
                    results.append(_publish_feed(context, warehouse, ledger, committed[feed]))
    except TidemarkError as error:
        results.append(PublishedFeed(", ".join(feeds), (), error))
    return results


def _publish_feed(
    context: RunContext, warehouse: PostgresWarehouse, ledger: FeedLedger, committed: tuple[int, ...]
) -> PublishedFeed:
    loads: list[Loaded] = []
    outcomes = {number: _outcome(ledger, number) for number in committed}
    try:
        with context.progress.steps(f"{context.name}/{ledger.feed} load", len(committed), "loading") as steps:
            for loaded in publish_feed(warehouse, context.lake, context.name, ledger.feed, outcomes):
                memo = Published(load_id=loaded.load_id, published_at=datetime.now(UTC), rows=loaded.rows)
                ledger.put_published(loaded.number, memo)
                loads.append(loaded)
                steps.done(f"published batch {loaded.number}")
    except TidemarkError as error:
        return PublishedFeed(ledger.feed, tuple(loads), error)
    return PublishedFeed(ledger.feed, tuple(loads))


def _outcome(ledger: FeedLedger, number: int) -> Outcome:
    outcome = ledger.outcome(number)
    if outcome is None:
        raise LedgerConflictError(
            f"Loading batch {number} of {ledger.pipeline}/{ledger.feed}: expected its outcome, got none. Was the file removed by hand?"
        )
    return outcome
