"""`tidemark status`: what it says of batches, of the last look, and of the lag behind the schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jobs.run.status import TableStatus, pipeline_status
from tests.integration.project_system import ProjectSystem, batches, the_error

HOURLY = """
schedule: "0 * * * *"
feeds: {files: {type: csv, path: "{YYYY}-{MM}-{DD}/{table}.csv", expect_within_minutes: 0}}
tables:
  items: {from: files, key: [id], columns: {id: bigint}, load: {mode: insert}}
  others: {from: files, key: [id], columns: {id: bigint}, load: {mode: insert}}
"""


def status(depot: ProjectSystem, now: datetime) -> TableStatus:
    context = depot.context()
    found, _ = pipeline_status(context.lake, context.pipeline, now)
    return found


def test_the_lag_begins_with_the_first_hour_after_the_last_run_that_left_nothing_undone(depot: ProjectSystem) -> None:
    depot.configure(HOURLY)
    before = status(depot, datetime(2024, 3, 1, 10, 20, tzinfo=UTC))
    depot.run()

    now = datetime.now(UTC)
    next_hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)

    assert (before.looked_at, before.lag_seconds) == (None, 20 * 60)
    assert status(depot, now).lag_seconds == 0
    assert status(depot, next_hour + timedelta(minutes=5)).lag_seconds == 5 * 60
    assert status(depot, next_hour + timedelta(hours=7)).lag_seconds == 7 * 60 * 60


def test_a_run_that_may_take_no_more_or_misses_a_file_has_not_seen_the_end(depot: ProjectSystem) -> None:
    depot.configure(HOURLY)
    for table in ("items", "others"):
        depot.deliver(f"2024-03-01/{table}.csv", "id\n1\n")

    batches(depot.run(max_batches=1, run_id="first"))
    batches(depot.run(run_id="first"))
    limited = status(depot, datetime.now(UTC))
    depot.deliver("2024-03-02/items.csv", "id\n2\n")
    missing = the_error(depot.run())
    incomplete = status(depot, datetime.now(UTC))
    depot.deliver("2024-03-02/others.csv", "id\n2\n")
    batches(depot.run())
    done = status(depot, datetime.now(UTC))

    assert (limited.committed, limited.rows, limited.published, limited.looked_at) == (1, 1, 1, None)
    assert "got none for raw/depot/2024-03-02/others.csv" in missing and incomplete.looked_at is None
    assert (done.committed, done.rows, done.published, done.lag_seconds) == (2, 2, 2, 0)
