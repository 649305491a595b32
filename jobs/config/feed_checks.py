"""Rules between a pipeline's feeds and their tables, beyond what each value says by itself."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.config.document import Document
from jobs.config.feed import CsvFeed, EventsFeed
from jobs.config.pipeline import Pipeline
from jobs.config.problems import Fault, did_you_mean, listed, shown
from jobs.config.table import EventsRead, Table
from jobs.config.text_rules import cron_fault, events_path_fault, path_fault, timezone_fault

# Redshift: what one warehouse transaction may hold, and what a load puts into it.
STATEMENT_LIMIT = 40
STATEMENTS_PER_LOAD = 5
STATEMENTS_PER_TABLE = 3
TABLES_PER_FEED = (STATEMENT_LIMIT - STATEMENTS_PER_LOAD) // STATEMENTS_PER_TABLE


def feed_faults(pipeline: Pipeline, document: Document) -> Iterator[Fault]:
    """Everything that is wrong with the pipeline's own keys and its feeds."""
    yield from _names(pipeline, document)
    if pipeline.schedule is not None and (fault := cron_fault(pipeline.schedule)):
        yield Fault(("schedule",), *fault)
    named = {str(document.at("tables", table, "from")) for table in document.names("tables")}
    for name in document.names("feeds"):
        if name not in named:
            hint = "Remove it, or name it in `from`."
            yield Fault(("feeds", name), "a table that is read with this feed", "none", hint)
    for name, feed in pipeline.feeds.items():
        if fault := timezone_fault(feed.timezone):
            yield Fault(("feeds", name, "timezone"), *fault)
        if isinstance(feed, CsvFeed) and (fault := path_fault(feed.path)):
            yield Fault(("feeds", name, "path"), *fault)
        if isinstance(feed, CsvFeed):
            yield from _whole_nights(pipeline.tables_of(name))
        if isinstance(feed, EventsFeed) and (fault := events_path_fault(feed.path)):
            yield Fault(("feeds", name, "path"), *fault)
        if isinstance(feed, EventsFeed):
            yield from _one_table_per_event(pipeline.tables_of(name))
        yield from _fits_one_transaction(name, pipeline.tables_of(name))
    yield from _unknown_feeds(document)


def _unknown_feeds(document: Document) -> Iterator[Fault]:
    """By the document: a table that means to be derived, and says so without a list, is not valid in other ways too."""
    known, tables = document.names("feeds"), document.names("tables")
    for name in tables:
        given = document.at("tables", name, "from")
        if isinstance(given, str) and given not in known and given.isidentifier():
            hint = did_you_mean(given, known)
            if given in tables:
                hint = f"A list makes a derived table: [{given}]."
            yield Fault(("tables", name, "from"), f"a feed ({listed(known)})", repr(given), hint)


def _names(pipeline: Pipeline, document: Document) -> Iterator[Fault]:
    stem = document.file.rpartition("/")[2].removesuffix(".yaml")
    if pipeline.pipeline is not None and pipeline.pipeline != stem:
        got = shown(pipeline.pipeline)
        yield Fault(("pipeline",), f"{stem!r}, the file's name", got, "Rename the one or the other.")
    if stem == "information_schema" or stem.startswith("pg_"):
        yield Fault(("pipeline",), "a name that can be a schema", repr(stem), "Postgres keeps that name for itself.")
    for name in document.names("tables"):
        if name.startswith("tidemark_"):
            yield Fault(("tables", name), "a name without tidemark_", repr(name), "Such tables are Tidemark's own.")


def _whole_nights(tables: dict[str, Table]) -> Iterator[Fault]:
    """With mode `replace` a batch is the newest night for all tables of the feed, and an older folder is consumed unread: rows that
    it holds for any other mode would vanish."""
    nightly = [name for name, table in tables.items() if table.load.mode == "replace"]
    for name, table in tables.items():
        if nightly and table.load.mode != "replace":
            yield Fault(
                ("tables", name, "load", "mode"),
                f"replace, as for {listed(nightly)} of the same feed",
                repr(table.load.mode),
                "Of several folders only the newest is read, so this table would lose rows. Give it a feed of its own.",
            )


def _one_table_per_event(tables: dict[str, Table]) -> Iterator[Fault]:
    """Two matches that no path tells apart could both fit one record."""
    matches = [(name, table.read.match) for name, table in tables.items() if isinstance(table.read, EventsRead)]
    for index, (name, match) in enumerate(matches):
        for other, earlier in matches[:index]:
            if all(earlier.get(path, text) == text for path, text in match.items()):
                yield Fault(
                    ("tables", name, "read", "match"),
                    f"a value in which it differs from the match of {other}",
                    "a record that fits both",
                    "A record goes to exactly one table: name a path that tells them apart.",
                )


def _fits_one_transaction(feed: str, tables: dict[str, Table]) -> Iterator[Fault]:
    published = [name for name, table in tables.items() if table.publish is not False]
    if len(published) > TABLES_PER_FEED:
        yield Fault(
            ("feeds", feed),
            f"at most {TABLES_PER_FEED} published tables",
            str(len(published)),
            f"One load is one transaction of at most {STATEMENT_LIMIT} statements, {STATEMENTS_PER_TABLE} per table and "
            f"{STATEMENTS_PER_LOAD} more: split the feed, or set `publish: false`.",
        )
