"""Claim for Postgres: one window per table of the feed. By id a batch is bounded; by time, or whole, one batch reads all there is."""

from __future__ import annotations

from jobs.batches import Bound, ChangedSince, IdRange, Plan, WholeTable, Window
from jobs.config.feed import PostgresFeed
from jobs.config.table import Deletes, PostgresRead, Table
from jobs.errors import UsageError
from jobs.ledger.feed_state import FeedState
from jobs.run.claimable import Nothing, is_full_read, next_batch
from jobs.run.context import RunContext
from jobs.sources.postgres_changes import SeenChanges, pending_changes
from jobs.sources.postgres_horizon import is_read_by_time
from jobs.sources.postgres_ids import FIRST_BOUND, HeldBack, claimable_ranges, pending_tables
from jobs.sources.postgres_session import Session, source_session


def next_rows(context: RunContext, feed: str, definition: PostgresFeed, state: FeedState) -> Plan | Nothing:
    """By id, as long as there are rows; what is read by time or whole, only with the first batch of a run: it would be read again."""
    tables = context.pipeline.tables_of(feed)
    bounds = {} if is_full_read(context, state) else state.bounds
    if is_full_read(context, state) and state.committed:
        _require_none_appended(context, feed, tables)
    is_first = context.run_id not in state.runs
    with source_session(context.source_url(), context.name) as session:
        changes = pending_changes(session, context.name, tables, bounds, definition.timezone)
        ids = pending_tables(session, _reads_by_id(tables), _id_bounds(bounds))
        if not ids and not (
            is_first and (_is_always_read(tables) or any(seen.is_pending for seen in changes.values()))
        ):
            return Nothing()
        wait = definition.wait_for_open_transactions_seconds
        ranges = _ranges(context, session, tables, bounds, wait)
    if isinstance(ranges, HeldBack):
        return Nothing(held_back=ranges.open_transactions)
    windows = {name: _window(name, table, bounds, ranges, changes) for name, table in tables.items()}
    return next_batch(context, feed, state, _reason(windows)).model_copy(update={"windows": windows})


def _require_none_appended(context: RunContext, feed: str, tables: dict[str, Table]) -> None:
    """Raises UsageError for a table to which the rows that were read before would be added again."""
    for name, table in tables.items():
        if table.load.mode == "append":
            raise UsageError(
                f"Reading all of {context.name}/{feed}: expected modes that take a row twice, got append for {name}, of which rows were "
                "read before. Leave out --full, or change the table's mode to insert."
            )


def preview_rows(context: RunContext, feed: str, state: FeedState) -> str | Nothing:
    """What a claim would take, in words; it waits for no open transaction."""
    definition, tables = context.pipeline.feeds[feed], context.pipeline.tables_of(feed)
    if is_full_read(context, state):
        return f"all rows of {', '.join(tables)}"
    with source_session(context.source_url(), context.name) as session:
        changes = pending_changes(session, context.name, tables, state.bounds, definition.timezone)
        ids = pending_tables(session, _reads_by_id(tables), _id_bounds(state.bounds))
    pending = [*ids, *(name for name, seen in changes.items() if seen.is_pending)]
    whole = [name for name, table in tables.items() if _is_read_always(table) and name not in pending]
    found = [f"new rows of {', '.join(pending)}"] if pending else []
    found += [f"what has gone or changed in {', '.join(whole)}"] if whole else []
    return " and ".join(found) if found else Nothing()


def _ranges(
    context: RunContext, session: Session, tables: dict[str, Table], bounds: dict[str, Bound], wait: int
) -> dict[str, IdRange] | HeldBack:
    reads = _reads_by_id(tables)
    return (
        claimable_ranges(session, context.name, reads, _id_bounds(bounds), wait, context.progress.say) if reads else {}
    )


def _window(
    name: str, table: Table, bounds: dict[str, Bound], ranges: dict[str, IdRange], changes: dict[str, SeenChanges]
) -> Window:
    if name in ranges:
        return ranges[name]
    if is_read_by_time(table):
        bound = bounds.get(name)
        return ChangedSince(since=None if isinstance(bound, int) else bound, null_cursors=changes[name].null_cursors)
    return WholeTable()


def _reads_by_id(tables: dict[str, Table]) -> dict[str, PostgresRead]:
    return {
        name: table.read
        for name, table in tables.items()
        if isinstance(table.read, PostgresRead) and table.cursor_type and not is_read_by_time(table)
    }


def _id_bounds(bounds: dict[str, Bound]) -> dict[str, int]:
    return {name: bound for name, bound in bounds.items() if isinstance(bound, int)}


def _is_always_read(tables: dict[str, Table]) -> bool:
    return any(map(_is_read_always, tables.values()))


def _is_read_always(table: Table) -> bool:
    """Whether only reading tells if there is something: no cursor, or deletions to be found by comparing keys."""
    return table.cursor_type is None or isinstance(table.load.deletes, Deletes)


def _reason(windows: dict[str, Window]) -> str:
    return "; ".join(f"{name}: {_in_words(window)}" for name, window in windows.items())


def _in_words(window: Window) -> str:
    match window:
        case IdRange():
            after = "from the beginning" if window.after == FIRST_BOUND else f"after {window.after}"
            return f"ids {after} up to {window.ceiling}"
        case ChangedSince():
            since = f"changed since {window.since:%Y-%m-%d %H:%M:%S}" if window.since else "all rows"
            return f"{since}, {window.null_cursors} without a cursor" if window.null_cursors else since
        case WholeTable():
            return "all rows"
