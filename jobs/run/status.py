"""What is where: per table the batches, rows, rejects and last run, from the ledger alone. No Spark, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.config.pipeline import Pipeline
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.ledger.lease import current_holder
from jobs.runtime.storage import Lake


@dataclass(frozen=True)
class TableStatus:
    """One table. `quarantined` counts the whole feed's rejects; `published` is the last batch with a memo of its load."""

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


def pipeline_status(lake: Lake, pipeline: Pipeline) -> list[TableStatus]:
    """One entry per table, in file order."""
    found = []
    for feed in pipeline.feeds:
        ledger = FeedLedger(lake, pipeline.pipeline, feed)
        state = ledger.state()
        _, holder = current_holder(lake, pipeline.pipeline, feed)
        published = _last_published(ledger, state)
        found += [
            TableStatus(
                pipeline=pipeline.pipeline,
                feed=feed,
                table=table,
                committed=len(state.committed),
                void=len(state.void),
                rows=state.rows.get(table, 0),
                quarantined=state.quarantined,
                published=published,
                open_batch=state.open_plan.number if state.open_plan else None,
                running=holder.run_id if holder else None,
                last_finished_at=state.last_finished_at,
            )
            for table in pipeline.tables_of(feed)
        ]
    return found


def _last_published(ledger: FeedLedger, state: FeedState) -> int | None:
    return next((number for number in reversed(state.committed) if ledger.published(number)), None)
