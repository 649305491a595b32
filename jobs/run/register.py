"""Register: curated tables that declare other readers, in the environment's catalogue. Where it fails, curation has not."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import TidemarkError
from jobs.run.context import RunContext
from jobs.tables.commits import curated_path
from jobs.tables.glue import register


def register_tables(context: RunContext, feeds: list[str]) -> Iterator[TidemarkError]:
    """Every time, not only after a batch: so a run whose catalogue was away is made good by the next. What failed is yielded."""
    if context.catalog is None:
        return
    for feed in feeds:
        for name, table in context.pipeline.tables_of(feed).items():
            path = curated_path(context.name, name)
            if table.readers and "_delta_log" in context.lake.folders(path):
                try:
                    register(context.catalog.glue(), context.catalog.database, name, table, context.lake.uri(path))
                except TidemarkError as error:
                    yield error
