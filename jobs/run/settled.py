"""Whether a run that went on elsewhere has done its work, by the ledger's word: a process that exited with 0 proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from jobs.ledger.feed_ledger import FeedLedger
from jobs.runtime.storage import Lake


def unfinished_work(lake: Lake, pipeline: str, feeds: Iterable[str], run_id: str, since: datetime) -> list[str]:
    """What the run has left, in words, feed by feed; empty if all is done.

    A feed is done if no batch of the run is open, and the run has committed one, or since its beginning a run has found nothing more
    to do there.
    """
    return [left for feed in feeds for left in _left(lake, pipeline, feed, run_id, since)]


def has_committed(lake: Lake, pipeline: str, feeds: Iterable[str], run_id: str) -> bool:
    """Whether the run has committed a batch of any of these."""
    return any(run_id in FeedLedger(lake, pipeline, feed).state().runs for feed in feeds)


def _left(lake: Lake, pipeline: str, feed: str, run_id: str, since: datetime) -> Iterator[str]:
    ledger = FeedLedger(lake, pipeline, feed)
    state = ledger.state()
    if state.open_plan and state.open_plan.run_id == run_id:
        yield f"{feed}: batch {state.last} without an outcome"
        return
    looked = ledger.looked()
    if run_id not in state.runs and (looked is None or looked.at < since):
        yield f"{feed}: no trace of the run"
