"""What is where: per table the batches, rows, rejects, last run and lag, from the ledger alone. No Spark, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.config.pipeline import Pipeline
from jobs.config.schedule import overdue_since
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.ledger.lease import current_holder
from jobs.runtime.storage import Lake


@dataclass(frozen=True)
class TableStatus:
    """One table. `quarantined` counts the whole feed's rejects; `published` is the last batch with a memo of its load.

    `looked_at`: when a run last left nothing undone of the feed. `lag_seconds`: since when, by the pipeline's schedule, one should have;
    0 while none was due, None without a schedule.
    """

    pipeline: str
    feed: str
    table: str
    committed: int
    void: int
    rows: int
    quarantined: int
    published: int | None
    open_batch: int | None
    running: str | None
    last_finished_at: datetime | None
    looked_at: datetime | None
    lag_seconds: int | None


def pipeline_status(lake: Lake, pipeline: Pipeline, now: datetime) -> list[TableStatus]:
    """One entry per table, feeds' tables first, in file order."""
    return [entry for feed in pipeline.batched for entry in _feed_status(lake, pipeline, feed, now)]


def _feed_status(lake: Lake, pipeline: Pipeline, feed: str, now: datetime) -> list[TableStatus]:
    ledger = FeedLedger(lake, pipeline.pipeline, feed)
    state, looked = ledger.state(), ledger.looked()
    _, holder = current_holder(lake, pipeline.pipeline, feed)
    return [
        TableStatus(
            pipeline=pipeline.pipeline,
            feed=feed,
            table=table,
            committed=len(state.committed),
            void=len(state.void),
            rows=state.rows.get(table, 0),
            quarantined=state.quarantined,
            published=_last_published(ledger, state),
            open_batch=state.open_plan.number if state.open_plan else None,
            running=holder.run_id if holder else None,
            last_finished_at=state.last_finished_at,
            looked_at=looked.at if looked else None,
            lag_seconds=_lag(pipeline, looked.at if looked else None, now),
        )
        for table in pipeline.tables_of(feed)
    ]


def _lag(pipeline: Pipeline, looked_at: datetime | None, now: datetime) -> int | None:
    if pipeline.schedule is None:
        return None
    due = overdue_since(pipeline.schedule, looked_at, now)
    return int((now - due).total_seconds()) if due else 0


def _last_published(ledger: FeedLedger, state: FeedState) -> int | None:
    return next((number for number in reversed(state.committed) if ledger.published(number)), None)
