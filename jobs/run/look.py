"""Look: what a run would do, from the ledger and a listing. Writes nothing, decides nothing, starts no Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.config.feed import CsvFeed, PostgresFeed
from jobs.config.pipeline import Pipeline
from jobs.errors import TidemarkError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.run.claim import preview
from jobs.run.claimable import Nothing
from jobs.run.context import RunContext
from jobs.runtime.storage import Lake
from jobs.sources.dated_folders import keys_of


@dataclass(frozen=True)
class FeedLook:
    """What was seen of one feed. `pending`: what a claim would take; `error`: why its source could not be looked at."""

    feed: str
    state: FeedState
    pending: str | None
    stopped: Nothing
    error: TidemarkError | None = None

    @property
    def has_work(self) -> bool:
        """Something to resume or to claim."""
        return self.state.open_plan is not None or self.pending is not None


def look(context: RunContext, feed: str, *, sees_databases: bool = True) -> FeedLook:
    """One feed: the batch to resume, or what there is to claim. A run id that has ended batches claims no more.

    `sees_databases`: whether whoever looks may connect to sources (Airflow's role may not read their secrets); where not, a database
    counts as changed.
    """
    state = FeedLedger(context.lake, context.name, feed).state()
    if context.run_id in state.runs:
        return FeedLook(feed, state, None, Nothing(is_limited=True))
    if not sees_databases and isinstance(context.pipeline.feeds.get(feed), PostgresFeed):
        return FeedLook(feed, state, "what has changed in the database", Nothing())
    try:
        seen = preview(context, feed, state)
    except TidemarkError as error:
        return FeedLook(feed, state, None, Nothing(), error)
    if isinstance(seen, Nothing):
        return FeedLook(feed, state, None, seen)
    return FeedLook(feed, state, seen, Nothing())


def expected_files(pipeline: Pipeline, feed: str, night: datetime) -> list[str]:
    """The keys of all files that a CSV feed declares for the day that an instant belongs to, in the feed's time zone."""
    definition = pipeline.feeds[feed]
    assert isinstance(definition, CsvFeed), "only files are declared one by one"
    return keys_of(definition, pipeline.pipeline, night, list(pipeline.tables_of(feed)))


def missing_files(lake: Lake, pipeline: Pipeline, feed: str, night: datetime) -> list[str]:
    """Those of `expected_files` that are not there."""
    expected = expected_files(pipeline, feed, night)
    there = {each.key for folder in {key.rpartition("/")[0] for key in expected} for each in lake.objects(folder)}
    return [key for key in expected if key not in there]
