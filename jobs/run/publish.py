"""Load → published: every committed batch that the warehouse does not have, in ascending order. No Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.batches import Published
from jobs.errors import TidemarkError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.run.context import RunContext
from jobs.warehouse.load import Loaded, publish_feed
from jobs.warehouse.warehouse import Warehouse


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
        with context.warehouse() as warehouse:
            for feed, ledger in ledgers.items():
                results.append(_publish_feed(context, warehouse, ledger, committed[feed]))
    except TidemarkError as error:
        results.append(PublishedFeed(", ".join(feeds), (), error))
    return [result for result in results if result.loads or result.error]


def unpublished(context: RunContext, feeds: list[str]) -> dict[str, list[int]]:
    """The committed batches that the warehouse lacks, by its own ledger. Writes nothing. Raises what a session of the warehouse raises."""
    committed = {feed: set(FeedLedger(context.lake, context.name, feed).state().committed) for feed in feeds}
    if not any(committed.values()):
        return {feed: [] for feed in feeds}
    with context.warehouse() as warehouse:
        return {
            feed: sorted(numbers - set(warehouse.published_attempts(context.name, feed))) if numbers else []
            for feed, numbers in committed.items()
        }


def _publish_feed(
    context: RunContext, warehouse: Warehouse, ledger: FeedLedger, committed: tuple[int, ...]
) -> PublishedFeed:
    loads: list[Loaded] = []
    title = f"{context.name}/{ledger.feed} load"
    try:
        for loaded in publish_feed(warehouse, context.lake, context.name, ledger.feed, ledger.outcomes(committed)):
            _put_memo(ledger, loaded.number, loaded.load_id, loaded.rows)
            loads.append(loaded)
            context.progress.say(f"{title}: published batch {loaded.number}")
        if committed and not loads and ledger.published(committed[-1]) is None:  # a loader died before it put its memo
            _put_memo(ledger, committed[-1], *warehouse.published_load(context.name, ledger.feed, committed[-1]))
    except TidemarkError as error:
        return PublishedFeed(ledger.feed, tuple(loads), error)
    return PublishedFeed(ledger.feed, tuple(loads))


def _put_memo(ledger: FeedLedger, number: int, load_id: str, rows: dict[str, int]) -> None:
    ledger.put_published(number, Published(load_id=load_id, published_at=datetime.now(UTC), rows=rows))
