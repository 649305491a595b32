"""What other sessions of the source are doing: the right to see it, and the commit-safe lower bound of a next reading by time.

A row that is not visible yet was written by a transaction that is still open, and `updated_at` is no older than that transaction's
start. Nothing here reads a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from psycopg import pq, sql

from jobs.config.table import Table
from jobs.errors import SourceRightsError
from jobs.sources.postgres_session import Session, postgres_read

_MARGIN = timedelta(seconds=10)
"""A session takes its transaction's time before it shows it: without a margin 2 of 225,443 rows were lost (FACTS)."""

_OLDEST_TRANSACTION = """
    SELECT min(xact_start) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type NOT LIKE 'autovacuum%'
"""
_PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"


def is_read_by_time(table: Table) -> bool:
    return table.cursor_type is not None and table.cursor_type.kind == "timestamp"


def next_bounds(session: Session, tables: Mapping[str, Table]) -> dict[str, datetime]:
    """The next lower bound (UTC) of each table that is read by time; a table that is missing keeps the bound it has.

    Call it before the transaction of the batch's snapshot begins: what has ended when sessions and then prepared transactions are
    listed is in a snapshot that is taken afterwards. The order of the statements decides: `now()` is fixed first, and a transaction
    that is prepared between the two listings is in one of them.

    Nothing moves while a transaction is prepared: `pg_prepared_xacts` tells when it was prepared, not when it began.
    """
    assert session.info.transaction_status == pq.TransactionStatus.IDLE, "the horizon needs a transaction of its own"
    by_time = {name: postgres_read(table) for name, table in tables.items() if is_read_by_time(table)}
    sees_all = not _hindrance(session)
    with session.transaction():
        now = _moment(session, "SELECT now()")
        oldest = _moment(session, _OLDEST_TRANSACTION)
        (prepared,) = session.execute(_PREPARED).fetchone() or (0,)
    if prepared or now is None:
        return {}
    if sees_all:
        return dict.fromkeys(by_time, min(now, oldest or now) - _MARGIN)
    lookbacks = {name: read.lookback_minutes for name, read in by_time.items()}
    return {name: now - timedelta(minutes=minutes) for name, minutes in lookbacks.items() if minutes is not None}


def _moment(session: Session, query: str) -> datetime | None:
    (found,) = session.execute(query).fetchone() or (None,)
    return found if isinstance(found, datetime) else None


def require_sight_of_all_sessions(session: Session, pipeline: str, alternative: str = "") -> None:
    """Raises SourceRightsError with the remedy and the `alternative`, if any: other sessions would look as if nothing were open."""
    hindrance = _hindrance(session)
    if hindrance:
        raise SourceRightsError(f"Planning {pipeline}: {hindrance}{alternative}")


def _hindrance(session: Session) -> str:
    """Why open transactions cannot be seen (FACTS: their xact_start is NULL then), and the remedy; '' where they can."""
    role, is_standby, sees_all, silent = session.execute(
        """
        SELECT current_user, pg_is_in_recovery(), pg_has_role('pg_read_all_stats', 'USAGE'),
            (SELECT min(usename::text) FROM pg_stat_activity WHERE state = 'disabled' AND datname = current_database())
        """
    ).fetchone() or ("", False, False, None)
    if is_standby:
        return (
            "expected a primary, got a standby, where the primary's open transactions cannot be seen, so no row is known to be "
            "the last below a bound. Point the connection to the primary."
        )
    if not sees_all:
        grant = sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(str(role))).as_string(session)
        return (
            f"role {role!r} cannot see other sessions' transactions, so no row is known to be the last below a bound. "
            f"Run on the source: {grant}."
        )
    if silent is not None:
        reset = sql.SQL("ALTER ROLE {} RESET track_activities").format(sql.Identifier(str(silent))).as_string(session)
        return (
            f"expected sessions that show their transactions, got one of role {silent!r} with track_activities off. "
            f"Run on the source: {reset}, or switch it on for the server; then end the role's sessions."
        )
    return ""
