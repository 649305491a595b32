"""Rules between a pipeline's feeds and their tables, beyond what each value says by itself."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.config.document import Document
from jobs.config.pipeline import CsvFeed, Pipeline, Table
from jobs.config.problems import Fault, did_you_mean, listed, shown
from jobs.config.text_rules import cron_fault, path_fault, timezone_fault

# Redshift: what one warehouse transaction may hold, and what a load puts into it.
STATEMENT_LIMIT = 40
STATEMENTS_PER_LOAD = 4
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
        yield from _fits_one_transaction(name, pipeline.tables_of(name))
    for name, table in pipeline.tables.items():
        if table.feed not in document.names("feeds"):
            known = document.names("feeds")
            hint = did_you_mean(table.feed, known)
            yield Fault(("tables", name, "from"), f"a feed ({listed(known)})", repr(table.feed), hint)


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
    """A batch of dated folders is the newest night for all tables; an older folder is consumed unread. Rows that it holds for any
    other mode than `replace` would vanish."""
    for name, table in tables.items():
        if table.load.mode != "replace":
            yield Fault(
                ("tables", name, "load", "mode"),
                "replace, for a table of dated folders",
                repr(table.load.mode),
                "Of several folders only the newest is read, so this table would lose rows.",
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
