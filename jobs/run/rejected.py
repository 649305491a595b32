"""The rejected records of a feed, and which of them are open: those that no committed replay lists. No Spark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.batches import BATCH, RecordId
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.runtime.parquet import parquet_columns
from jobs.runtime.storage import Lake
from jobs.tables.commits import data_files, quarantine_path


@dataclass(frozen=True)
class Rejected:
    """One row of a feed's quarantine. `table` None: no table is known for it."""

    batch: int
    table: str | None
    object: str
    record: int
    offset: int | None
    raw: str
    reasons: tuple[str, ...]

    @property
    def id(self) -> RecordId:
        return RecordId(batch=self.batch, table=self.table, object=self.object, record=self.record)


def replayed_records(ledger: FeedLedger, state: FeedState) -> set[RecordId]:
    """The records that committed replays list: they are closed."""
    return {record for number in state.replays for record in ledger.plan(number).replays}


def open_records(lake: Lake, ledger: FeedLedger, state: FeedState) -> list[Rejected]:
    """The open records of a feed's committed batches, by batch, object and record."""
    closed, committed = replayed_records(ledger, state), set(state.committed)
    found = _rows(lake, quarantine_path(ledger.pipeline, ledger.feed))
    rejected = [each for each in found if each.batch in committed and each.id not in closed]
    return sorted(rejected, key=lambda each: (each.batch, each.object, each.record))


def _rows(lake: Lake, path: str) -> Iterator[Rejected]:
    for file in data_files(lake, path):
        names = (BATCH, "table", "object", "record", "offset", "raw", "reasons")
        for batch, table, source, record, offset, raw, reasons in parquet_columns(lake, f"{path}/{file}", *names):
            yield Rejected(batch, table, source, record, offset, raw, tuple(reasons))
