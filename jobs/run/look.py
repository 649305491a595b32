"""Look: what a run would do, from the ledger and a listing. Writes nothing, decides nothing, starts no Spark."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.errors import TidemarkError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.run.claim import preview
from jobs.run.claimable import Nothing
from jobs.run.context import RunContext


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


def look(context: RunContext, feed: str) -> FeedLook:
    """One feed: the batch to resume, or what there is to claim. A run id that has ended batches claims no more."""
    state = FeedLedger(context.lake, context.name, feed).state()
    if context.run_id in state.runs:
        return FeedLook(feed, state, None, Nothing(is_limited=True))
    try:
        seen = preview(context, feed, state)
    except TidemarkError as error:
        return FeedLook(feed, state, None, Nothing(), error)
    if isinstance(seen, Nothing):
        return FeedLook(feed, state, None, seen)
    return FeedLook(feed, state, seen, Nothing())
