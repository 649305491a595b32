"""One run of one pipeline, as a page: look, curate what is there (the only part that needs Spark), then load.

Feeds first, then the derived tables, each after its inputs. What fails does not stop the others, nor the load of what is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.batches import Looked
from jobs.errors import InputError, TidemarkError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.run.claimable import Claim, Nothing
from jobs.run.context import RunContext
from jobs.run.look import FeedLook, look
from jobs.run.publish import PublishedFeed, publish

if TYPE_CHECKING:
    from jobs.run.curate import CuratedFeed


@dataclass(frozen=True)
class RunReport:
    """What a run saw and did, feed by feed and derived table by derived table."""

    pipeline: str
    run_id: str
    looks: tuple[FeedLook, ...]
    curated: tuple[CuratedFeed, ...]
    published: tuple[PublishedFeed, ...]
    unregistered: tuple[TidemarkError, ...] = ()

    @property
    def errors(self) -> list[TidemarkError]:
        """Everything that failed, in the order of the story."""
        found = [*(seen.error for seen in self.looks), *(feed.error for feed in self.curated)]
        found += [nothing.overdue for nothing in self.idle.values()]
        found += [*self.unregistered, *(feed.error for feed in self.published)]
        return [error for error in found if error]

    @property
    def idle(self) -> dict[str, Nothing]:
        """Why there was nothing (more) to claim, per feed."""
        return {seen.feed: seen.stopped for seen in self.looks} | {feed.feed: feed.stopped for feed in self.curated}

    @property
    def exit_code(self) -> int:
        """0 without errors; 2 if all that failed was input or configuration; else 1."""
        if not self.errors:
            return 0
        return 2 if all(isinstance(error, InputError) for error in self.errors) else 1


def run_pipeline(context: RunContext, feeds: list[str], claims: Mapping[str, Claim] = {}) -> RunReport:
    """Drains the feeds and derived tables and publishes what is committed. Tidemark errors are in the report, not raised.

    `feeds`: names of `Pipeline.batched`, in its order. `claims`: what decides the batches of some of them instead of what is new there
    (a backfill, a replay). In a step on a cluster nothing is published: whoever submitted it does that.
    """
    looks: list[FeedLook] = []
    curated: list[CuratedFeed] = []
    for feed in feeds:
        if feed in claims:
            curated.append(_curate(context, feed, claims[feed]))
            continue
        seen = look(context, feed)
        looks.append(seen)
        ended = _curate(context, feed) if seen.has_work else None
        curated += [ended] if ended else []
        stopped = (ended or seen).stopped
        if not (seen.error or (ended and ended.error) or stopped.overdue or stopped.is_limited):
            memo = Looked(at=datetime.now(UTC), run_id=context.run_id)
            FeedLedger(context.lake, context.name, feed).put_looked(memo)
    unregistered = _register(context, feeds) if context.catalog else ()
    published = publish(context, feeds) if context.publishes else []
    return RunReport(context.name, context.run_id, tuple(looks), tuple(curated), tuple(published), unregistered)


def load_pipeline(context: RunContext, feeds: list[str]) -> RunReport:
    """Publishes what is committed and curates nothing: the end of a run whose step was elsewhere."""
    return RunReport(context.name, context.run_id, (), (), tuple(publish(context, feeds)))


def _curate(context: RunContext, feed: str, claim: Claim | None = None) -> CuratedFeed:
    from jobs.run.curate import curate  # pyspark takes longer to import than a run with nothing new may take

    return curate(context, feed, claim) if claim else curate(context, feed)


def _register(context: RunContext, feeds: list[str]) -> tuple[TidemarkError, ...]:
    from jobs.run.register import register_tables  # boto3 takes a third of a second to import

    return tuple(register_tables(context, feeds))
