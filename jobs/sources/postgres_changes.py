"""Tables that are read by the time of their last change: which have something new, and the condition that finds it.

The cursor is compared in its own type, so that an index on it is used. The next lower bound is the horizon's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from psycopg import sql

from jobs.batches import Bound, ChangedSince
from jobs.config.table import PostgresRead, Table
from jobs.errors import SourceSchemaError
from jobs.sources.postgres_horizon import is_read_by_time, require_sight_of_all_sessions
from jobs.sources.postgres_session import Session, SourceColumn, near, postgres_read, source_columns, table_name

_A_DAY = timedelta(days=1)  # clocks change by less, and not twice in it


@dataclass(frozen=True)
class SeenChanges:
    """What a look at one table found. `null_cursors`: rows that no bound finds, whatever their policy."""

    is_pending: bool
    null_cursors: int


def pending_changes(
    session: Session, pipeline: str, tables: Mapping[str, Table], bounds: Mapping[str, Bound], timezone: str
) -> dict[str, SeenChanges]:
    """Each table that is read by time, and whether it has a visible row at or above its bound; decides nothing.

    Rows without a cursor make a table pending only where it was never read and they would be.

    Raises SourceRightsError where open transactions cannot be seen and not every table has its `lookback_minutes`, SourceSchemaError
    for a cursor that is missing or no time, and for NULL in one where that is to be refused.
    """
    by_time = {name: postgres_read(table) for name, table in tables.items() if is_read_by_time(table)}
    without = [name for name, read in by_time.items() if read.lookback_minutes is None]
    if without:
        alternative = f" Or set `lookback_minutes` on {', '.join(without)} to accept a fixed overlap instead."
        require_sight_of_all_sessions(session, pipeline, alternative)
    return {name: _seen(session, name, read, bounds.get(name), timezone) for name, read in by_time.items()}


def _seen(session: Session, name: str, read: PostgresRead, bound: Bound | None, timezone: str) -> SeenChanges:
    column = cursor_column(read, source_columns(session, read))
    nulls = null_cursors(session, read, column)
    if nulls and read.null_cursors == "refuse":
        raise SourceSchemaError(
            f"Planning {read.table}: expected a time in {column.name!r} of every row, got NULL in {nulls:,}. "
            f"Set it to now() in the source, or let `null_cursors` of {name} be `read` or `ignore`."
        )
    window = ChangedSince(since=bound if isinstance(bound, datetime) else None)
    exists = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(
        table_name(read), with_cursor(column, window, timezone)
    )
    (is_pending,) = session.execute(exists).fetchone() or (False,)
    is_first_reading = bound is None and nulls > 0 and read.null_cursors == "read"
    return SeenChanges(bool(is_pending) or is_first_reading, nulls)


def cursor_column(read: PostgresRead, columns: Mapping[str, SourceColumn]) -> SourceColumn:
    """The column that `read.cursor` names. Raises SourceSchemaError where it is missing or no timestamp."""
    column = columns.get(read.cursor or "")
    if column is None or column.base_type not in ("timestamp", "timestamptz"):
        got = column.base_type if column else f"none{near(read.cursor or '', columns)}"
        raise SourceSchemaError(
            f"Looking at {read.table}: expected a timestamp column {read.cursor!r}, got {got}. "
            "Correct `read.cursor` to the name of the column that holds the time of the last change."
        )
    return column


def null_cursors(session: Session, read: PostgresRead, column: SourceColumn) -> int:
    """How many visible rows have no cursor; where the column cannot be NULL, nothing is read to know it."""
    if column.is_not_null:
        return 0
    query = sql.SQL("SELECT count(*) FROM {} WHERE {} IS NULL").format(table_name(read), sql.Identifier(column.name))
    (count,) = session.execute(query).fetchone() or (0,)
    return int(str(count))


def with_cursor(column: SourceColumn, window: ChangedSince, timezone: str) -> sql.Composable:
    """The rows of the window that have a cursor."""
    cursor = sql.Identifier(column.name)
    ends = []
    if window.since is not None:
        ends.append(sql.SQL("{} >= {}").format(cursor, _in_type_of(column, window.since, timezone, min, _A_DAY)))
    if window.before is not None:
        ends.append(sql.SQL("{} < {}").format(cursor, _in_type_of(column, window.before, timezone, max, -_A_DAY)))
    return sql.SQL(" AND ").join(ends) if ends else sql.SQL("{} IS NOT NULL").format(cursor)


def reads_null_cursors(read: PostgresRead, window: ChangedSince) -> bool:
    """A backfill is a stretch of time: what has none is not in it."""
    return read.null_cursors == "read" and window.before is None


def _in_type_of(
    column: SourceColumn,
    moment: datetime,
    timezone: str,
    outermost: Callable[[Iterable[timedelta]], timedelta],
    beside: timedelta,
) -> sql.Literal:
    """The moment as the column would hold it. Local times run twice through an hour when clocks are set back: the bound is then the
    outermost that a row within it can have, so that none is passed over."""
    if column.base_type == "timestamptz":
        return sql.Literal(moment)
    zone = ZoneInfo(timezone)
    offset = outermost(each.astimezone(zone).utcoffset() or timedelta() for each in (moment, moment + beside))
    return sql.Literal(moment.replace(tzinfo=None) + offset)
