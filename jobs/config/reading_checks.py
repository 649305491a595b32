"""Rules between a feed's kind, how a table is read from it, and its load mode: what would lose or double rows is refused."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.config.feed import CsvFeed, EventsFeed, Feed, PostgresFeed
from jobs.config.problems import Fault, Path, did_you_mean, listed
from jobs.config.table import Deletes, EventsRead, PostgresRead, Table

INTEGERS = ("smallint", "int", "bigint")
_BY_ID_ONLY = ("max_rows_per_batch", "lookback_ids")
_BY_TIME_ONLY = ("lookback_minutes", "null_cursors")


def reading_faults(path: Path, table: Table, feed: Feed | None, columns: tuple[str, ...]) -> Iterator[Fault]:
    """Everything that is wrong between a table and its feed; nothing for a derived table or an unknown feed."""
    if table.load.mode == "recompute" and isinstance(table.origin, str):
        hint = "Its rows come from a feed, not from a transform."
        yield Fault((*path, "load", "mode"), "another mode than recompute", "'recompute'", hint)
    if isinstance(table.load.deletes, Deletes) and feed is not None and not isinstance(feed, PostgresFeed):
        hint = "Only a database can be asked which keys it still has."
        yield Fault((*path, "load", "deletes"), "it in a table of a postgres feed", f"a feed of type {feed.type}", hint)
    match feed:
        case CsvFeed() if table.read is not None:
            yield Fault((*path, "read"), "no `read` in a table of a csv feed", "one", "The feed's `path` says it all.")
        case EventsFeed():
            yield from _events(path, table)
        case PostgresFeed():
            yield from _postgres(path, table, columns)


def _events(path: Path, table: Table) -> Iterator[Fault]:
    if not isinstance(table.read, EventsRead):
        hint = "Add `read: {match: {type: …}}`."
        yield Fault((*path, "read"), "`match` in a table of an events feed", "none", hint)
    if table.load.mode == "replace":
        hint = "An object of events is never the whole table: use insert."
        yield Fault((*path, "load", "mode"), "another mode than replace, for events", "'replace'", hint)


def _postgres(path: Path, table: Table, columns: tuple[str, ...]) -> Iterator[Fault]:
    if not isinstance(table.read, PostgresRead):
        hint = "Add `read: {table: schema.table, cursor: …}`."
        yield Fault((*path, "read"), "this key with `table` in a table of a postgres feed", "nothing", hint)
        return
    if table.read.cursor is None:
        yield from _whole(path, table, table.read)
        return
    sources = {name: column.source or name for name, column in table.columns.items()}
    name = next((name for name, source in sources.items() if source == table.read.cursor), None)
    kind = table.cursor_type
    if name is None or kind is None:
        if len(columns) == len(table.columns):  # a broken column may be the one
            hint = did_you_mean(table.read.cursor, sources.values()) or f"Its columns: {listed(sources.values())}."
            yield Fault((*path, "read", "cursor"), "the source's name of a column", repr(table.read.cursor), hint)
    elif kind.kind in INTEGERS:
        yield from _by_id(path, table, table.read, name)
    elif kind.kind == "timestamp":
        yield from _by_time(path, table, table.read)
    else:
        expected = f"a column of type {listed((*INTEGERS, 'timestamp'))}"
        hint = "Read by an ascending id or by the time of the last change."
        yield Fault((*path, "read", "cursor"), expected, f"{name} {kind}", hint)


def _whole(path: Path, table: Table, read: PostgresRead) -> Iterator[Fault]:
    yield from _only(path, read, (*_BY_ID_ONLY, *_BY_TIME_ONLY), "with a cursor only")
    if table.load.mode == "append":
        hint = "Every run would add all rows again: use replace, insert or upsert."
        yield Fault((*path, "load", "mode"), "another mode than append, without a cursor", "'append'", hint)


def _by_time(path: Path, table: Table, read: PostgresRead) -> Iterator[Fault]:
    yield from _only(path, read, _BY_ID_ONLY, "by an integer id only")
    if table.load.mode in ("append", "replace"):
        hint = "Rows near the bound are read again, and a batch is never the whole table: use upsert."
        yield Fault((*path, "load", "mode"), "upsert, history or insert, by time", repr(table.load.mode), hint)


def _by_id(path: Path, table: Table, read: PostgresRead, name: str) -> Iterator[Fault]:
    yield from _only(path, read, _BY_TIME_ONLY, "by time only")
    if table.columns[name].nullable:
        hint = "A row without an id is above no bound and would never be read."
        yield Fault((*path, "columns", name, "nullable"), "false, as the column is the cursor", "true", hint)
    if table.load.mode == "replace":
        hint = "A bounded reading is never the whole table: use insert."
        yield Fault((*path, "load", "mode"), "insert, for a table read by id", "'replace'", hint)
    if table.load.mode == "append" and read.lookback_ids:
        hint = "What is read again would be added again: use insert."
        yield Fault((*path, "read", "lookback_ids"), "none with mode append", str(read.lookback_ids), hint)


def _only(path: Path, read: PostgresRead, names: tuple[str, ...], when: str) -> Iterator[Fault]:
    for name in names:
        if name in read.model_fields_set:
            yield Fault((*path, "read", name), f"it {when}", "it here", "Remove it.")
