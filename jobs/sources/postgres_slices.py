"""A table's rows divided among readers, each slice counted by the database under the snapshot that all readers share.

Slices never overlap and miss no row that the snapshot shows. Rows are divided by value where an index finds them (ids, changes), else
by place: by the page that holds them, so that all readers together scan the table once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from jobs.batches import ChangedSince, IdRange, WholeTable
from jobs.config.table import Table
from jobs.errors import SourceSchemaError
from jobs.sources.postgres_changes import cursor_column, null_cursors, reads_null_cursors, with_cursor
from jobs.sources.postgres_query import TableQuery, table_query
from jobs.sources.postgres_session import Session

ROWS_PER_READER = 50_000
_MOST_PAGES_COUNTED_TOGETHER = 64
_BEYOND_ALL_PAGES = 2**32 - 1


@dataclass(frozen=True)
class Slice:
    """One reader's share: a complete query, the names of its columns, and how many rows the database counted in it."""

    query: str
    names: tuple[str, ...]
    records: int


def id_slices(
    session: Session, name: str, table: Table, ids: IdRange, fields: Mapping[str, str], timezone: str
) -> tuple[list[Slice], int]:
    """What to read of `ids`, bounded by `max_rows_per_batch`, and the next lower bound. Run inside the exported snapshot.

    `fields`: column → field of the source. Rows within `lookback_ids` below the range are read again and do not count for the bound.
    """
    query = table_query(session, name, table, ids, fields, timezone)
    read = query.read
    if read.cursor is None:
        raise SourceSchemaError(
            f"Reading {read.table} by id: expected `read.cursor`, got none. Add the name of an ascending id."
        )
    counted = sql.SQL(
        "SELECT count(*), max(id) FROM (SELECT {id} AS id FROM {table} WHERE {id} > {after} AND {id} <= {ceiling} ORDER BY 1 LIMIT {most}) AS rows"
    ).format(
        id=sql.Identifier(read.cursor),
        table=query.relation,
        after=ids.after,
        ceiling=ids.ceiling,
        most=read.max_rows_per_batch,
    )
    count, last = session.execute(counted).fetchone() or (0, None)
    upto = int(str(last)) if count == read.max_rows_per_batch else ids.ceiling
    start = max(ids.after - (read.lookback_ids or 0), -(2**63))
    condition = sql.SQL("{id} > {start} AND {id} <= {upto}").format(
        id=sql.Identifier(read.cursor), start=start, upto=upto
    )
    return list(_by_value(session, query, read.cursor, condition, int(str(count)))), upto


def row_slices(
    session: Session,
    name: str,
    table: Table,
    window: ChangedSince | WholeTable,
    fields: Mapping[str, str],
    timezone: str,
) -> list[Slice]:
    """What to read of a table by time, or whole. Run inside the exported snapshot."""
    query = table_query(session, name, table, window, fields, timezone)
    if isinstance(window, WholeTable):
        return _by_place(session, query, sql.SQL("TRUE"))
    column = cursor_column(query.read, query.columns)
    cursor, condition = sql.Identifier(column.name), with_cursor(column, window, timezone)
    with_nulls = reads_null_cursors(query.read, window) and not column.is_not_null
    if window.since is None or not _is_indexed(session, query, column.name):
        either = sql.SQL("({} OR {} IS NULL)").format(condition, cursor)
        return _by_place(session, query, either if with_nulls else condition)
    counted = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(query.relation, condition)
    (count,) = session.execute(counted).fetchone() or (0,)
    found = list(_by_value(session, query, column.name, condition, int(str(count))))
    if with_nulls and (nulls := null_cursors(session, query.read, column)):
        found.append(_slice(session, query, sql.SQL("{} IS NULL").format(cursor), nulls))
    return found


def key_slices(session: Session, name: str, table: Table, fields: Mapping[str, str], timezone: str) -> list[Slice]:
    """The key of every row, to find those that are gone. Run inside the exported snapshot."""
    keys = {column: fields[column] for column in table.key}
    return row_slices(session, name, table, WholeTable(), keys, timezone)


def _slice(session: Session, query: TableQuery, where: sql.Composable, records: int) -> Slice:
    return Slice(sql.SQL("{} WHERE {}").format(query.select, where).as_string(session), query.names, records)


# --- by value ---------------------------------------------------------------------------------------------------------


def _by_value(
    session: Session, query: TableQuery, cursor: str, condition: sql.Composable, rows: int
) -> Iterator[Slice]:
    """Ranges of about as many rows, in the cursor's order; equal values stay together. `rows`: about how many there are."""
    counted = sql.SQL(
        "SELECT max(value)::text, count(*) FROM (SELECT value, max(part) OVER (PARTITION BY value) AS part FROM ("
        "SELECT {cursor} AS value, ntile({parts}) OVER (ORDER BY {cursor}) AS part FROM {table} WHERE {condition}"
        ") AS rows) AS rows GROUP BY part ORDER BY max(value)"
    ).format(
        cursor=sql.Identifier(cursor),
        parts=max(1, -(-rows // ROWS_PER_READER)),
        table=query.relation,
        condition=condition,
    )
    # As text and back: a timestamp can be one that Python does not have.
    identifier, kind = sql.Identifier(cursor), sql.Identifier("pg_catalog", query.columns[cursor].base_type)
    first = condition
    for highest, records in session.execute(counted).fetchall():
        end = sql.SQL("{}::{}").format(sql.Literal(str(highest)), kind)
        where = sql.SQL("{} AND {} <= {} ORDER BY {}").format(first, identifier, end, identifier)
        yield _slice(session, query, where, int(str(records)))
        first = sql.SQL("{} AND {} > {}").format(condition, identifier, end)


def _is_indexed(session: Session, query: TableQuery, column: str) -> bool:
    """Whether ranges of the column can be found without scanning the table for each."""
    (is_indexed,) = session.execute(
        """
        SELECT EXISTS (
            SELECT FROM pg_index AS i
            JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            JOIN pg_class AS c ON c.oid = i.indexrelid
            JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
            WHERE i.indrelid = to_regclass(%s) AND a.attname = %s AND i.indisvalid AND i.indpred IS NULL
        )
        """,
        [query.relation.as_string(session), column],
    ).fetchone() or (False,)
    return bool(is_indexed)


# --- by place ---------------------------------------------------------------------------------------------------------


def _by_place(session: Session, query: TableQuery, condition: sql.Composable) -> list[Slice]:
    """Ranges of pages, cut where a reader has its rows; one slice for what has no pages of its own.

    A row that the snapshot shows stays in its place: an update writes a new version elsewhere, and no command can rewrite the table
    while the exporting session, which has read from it, holds its lock. The last range is open, so that the ranges leave nothing out.
    """
    session.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(query.relation))  # takes that lock
    pages = _pages(session, query)
    if pages is None:
        counted = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(query.relation, condition)
        (count,) = session.execute(counted).fetchone() or (0,)
        return [_slice(session, query, condition, int(str(count)))] if count else []
    step = max(1, min(_MOST_PAGES_COUNTED_TOGETHER, pages // 1000))
    places = _cut(_counts_by_place(session, query, condition, pages, step))
    if len(places) == 1:
        return [_slice(session, query, condition, places[0][1])]
    found, first = [], 0
    for last, records in places:
        end = _BEYOND_ALL_PAGES if last == places[-1][0] else (last + 1) * step
        within = sql.SQL("ctid >= {}::tid AND ctid < {}::tid").format(f"({first},0)", f"({end},0)")
        found.append(_slice(session, query, sql.SQL("{} AND {}").format(within, condition), records))
        first = end
    return found


def _pages(session: Session, query: TableQuery) -> int | None:
    """None where rows have no pages to go by: views, foreign tables, and servers that cannot scan a range of pages.

    Of a partitioned table the largest partition's: it is cut across, one range of pages of every partition.
    """
    pages, is_stored = session.execute(
        """
        WITH RECURSIVE tree AS (
            SELECT to_regclass(%s)::oid AS oid
            UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = tree.oid
        )
        SELECT max(pg_relation_size(oid)) / current_setting('block_size')::int, bool_and(relkind IN ('r', 'm', 'p'))
        FROM pg_class JOIN tree USING (oid)
        """,
        [query.relation.as_string(session)],
    ).fetchone() or (0, False)
    return int(str(pages)) if is_stored and session.info.server_version >= 140_000 else None


def _counts_by_place(
    session: Session, query: TableQuery, condition: sql.Composable, pages: int, step: int
) -> list[int]:
    """The rows in each `step` pages; the last count has whatever lies beyond."""
    counted = sql.SQL(
        "SELECT (SELECT count(*) FROM {table} WHERE ctid >= format('(%s,0)', first)::tid AND ctid < format('(%s,0)', "
        "CASE WHEN first + {step} > {pages} THEN {beyond} ELSE first + {step} END)::tid AND {condition}) "
        "FROM generate_series(0, {pages}, {step}) AS first ORDER BY first"
    ).format(table=query.relation, step=step, pages=pages, beyond=_BEYOND_ALL_PAGES, condition=condition)
    return [int(str(count)) for (count,) in session.execute(counted).fetchall()]


def _cut(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of neighbours with about as many rows as a reader has, as the last index of each and its rows; none without rows."""
    found: list[tuple[int, int]] = []
    rows = 0
    for index, count in enumerate(counts):
        rows += count
        following = counts[index + 1] if index + 1 < len(counts) else 0
        if rows and rows + following > ROWS_PER_READER:
            found.append((index, rows))
            rows = 0
    return found + [(len(counts) - 1, rows)] if rows else found
