"""A source's Postgres, and the tables in it that samples may write: only those they have made themselves.

A comment on the table says who made it. What the tables hold is each pipeline's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from jobs.errors import SourceUnavailableError, UsageError

Source = psycopg.Connection[tuple[object, ...]]
MADE_BY = "Sample data of Tidemark"
_LOCK = 20_240_302


@contextmanager
def sample_source(pipeline: str, url: str, definitions: Mapping[str, str]) -> Iterator[Source]:
    """The source with the tables of `definitions` (name in `public`: CREATE TABLE) in it; one sample at a time writes.

    The caller commits; a transaction that is open at the end is committed.

    Raises:
        UsageError: a table is there and was not made here.
        SourceUnavailableError: the database cannot be reached or written.
    """
    try:
        with psycopg.connect(url, connect_timeout=10) as source:
            source.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # the session's: it outlives each commit
            _create_tables(pipeline, source, definitions)
            source.commit()
            yield source
    except psycopg.Error as error:
        raise SourceUnavailableError(
            f"Making the sample of {pipeline}: expected its Postgres to take new rows, got {str(error).strip()!r}. "
            f"Check TIDEMARK_CONN_{pipeline.upper()}_URL if it is set, then run the same command again."
        ) from error


def comment_of(source: Source, table: str) -> str | None:
    """None too if there is no such table."""
    found = source.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", [f"public.{table}"]).fetchone()
    return str(found[0]) if found and found[0] is not None else None


def set_comment(source: Source, table: str, comment: str) -> None:
    source.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(sql.Identifier("public", table), sql.Literal(comment)))


def number(source: Source, query: sql.SQL, *parameters: object) -> int:
    """The one whole number that the query gives."""
    found = source.execute(query, parameters).fetchone()
    assert found is not None
    return int(str(found[0]))


def _create_tables(pipeline: str, source: Source, definitions: Mapping[str, str]) -> None:
    there = {table for table in definitions if _is_there(source, table)}
    for table in sorted(there):
        comment = comment_of(source, table)
        if comment is None or not comment.startswith(MADE_BY):
            raise UsageError(
                f"Making the sample of {pipeline}: expected table public.{table} to be absent or commented {MADE_BY!r}, "
                f"got comment {comment!r}. It looks like real data. "
                f"Unset TIDEMARK_CONN_{pipeline.upper()}_URL to use the embedded Postgres."
            )
    for table, definition in definitions.items():
        if table not in there:
            source.execute(definition.encode())
            set_comment(source, table, MADE_BY)


def _is_there(source: Source, table: str) -> bool:
    found = source.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{table}"]).fetchone()
    return found == (True,)
