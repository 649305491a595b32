"""Look and claim for tables that are read by ascending id.

An id is final when no transaction that may still commit a lower one is open. The order decides (the model's `byid` cases): first
the highest visible id, then the open and the prepared transactions; when all of these have ended, every id up to that one is
final, and a snapshot taken from then on shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from psycopg import sql

from jobs.batches import IdRange
from jobs.config.table import PostgresRead
from jobs.errors import SourceSchemaError
from jobs.sources.postgres_horizon import require_sight_of_all_sessions
from jobs.sources.postgres_session import INTEGERS, Session, near, source_columns, table_name

FIRST_BOUND = -(2**63)  # below every bigint: the first batch of a table reads from its beginning

_OPEN_TRANSACTIONS = """
    SELECT format('session %s of %s since %s', pid, usename, xact_start), pid::text || ' ' || xact_start::text
    FROM pg_stat_activity
    WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()
        AND backend_type NOT LIKE 'autovacuum%'
    UNION ALL
    SELECT format('prepared transaction %s of %s since %s', gid, owner, prepared), 'prepared ' || transaction::text
    FROM pg_prepared_xacts WHERE database = current_database()
"""


@dataclass(frozen=True)
class HeldBack:
    """Rows are there, but these transactions may still commit lower ids."""

    open_transactions: tuple[str, ...]


def pending_tables(session: Session, reads: Mapping[str, PostgresRead], bounds: Mapping[str, int]) -> list[str]:
    """Tables with a visible row above their bound; decides nothing."""
    return [name for name, read in reads.items() if _ceiling(session, read, bounds.get(name, FIRST_BOUND)) is not None]


def claimable_ranges(
    session: Session,
    pipeline: str,
    reads: Mapping[str, PostgresRead],
    bounds: Mapping[str, int],
    wait_seconds: int,
    say: Callable[[str], None],
) -> dict[str, IdRange] | HeldBack:
    """Per table the range whose ids are all final now; HeldBack when open transactions outlast `wait_seconds`."""
    require_sight_of_all_sessions(session, pipeline)
    for read in reads.values():
        _require_lookback(session, read)
    ranges = {}
    for name, read in reads.items():
        after = bounds.get(name, FIRST_BOUND)
        ceiling = _ceiling(session, read, after)
        ranges[name] = IdRange(after=after, ceiling=after if ceiling is None else ceiling)
    still_open = _wait_for_the_end(session, wait_seconds, say)
    return HeldBack(still_open) if still_open else ranges


def _ceiling(session: Session, read: PostgresRead, after: int) -> int | None:
    """The highest visible id if it is above `after`. Raises SourceSchemaError where there is no such integer column."""
    columns, cursor = source_columns(session, read), read.cursor or ""
    found = columns[cursor].base_type if cursor in columns else f"none{near(cursor, columns)}"
    if found not in INTEGERS:
        raise SourceSchemaError(
            f"Looking at {read.table}: expected an integer column {read.cursor!r}, got {found}. "
            "Correct `read.cursor` to the name of an ascending id."
        )
    query = sql.SQL("SELECT max({id}) FROM {table}").format(id=sql.Identifier(cursor), table=table_name(read))
    (highest,) = session.execute(query).fetchone() or (None,)
    return highest if isinstance(highest, int) and highest > after else None


def _wait_for_the_end(session: Session, wait_seconds: int, say: Callable[[str], None]) -> tuple[str, ...]:
    """Waits for the transactions that are open now, not for later ones; what is still open in the end."""
    waiting = _open_transactions(session)
    deadline = time.monotonic() + wait_seconds
    if waiting:
        say(f"waiting up to {wait_seconds} s for {len(waiting)} open transaction(s) that may still add lower ids")
    while waiting and time.monotonic() < deadline:
        time.sleep(0.1)
        now_open = _open_transactions(session)
        remaining = {key: shown for key, shown in waiting.items() if key in now_open}
        if any(not _is_prepared(key) for key in waiting.keys() - remaining.keys()):
            # A session that left its transaction may have prepared it: its rows are still to come, under another name.
            remaining |= {key: shown for key, shown in now_open.items() if _is_prepared(key)}
        waiting = remaining
    return tuple(waiting.values())


def _open_transactions(session: Session) -> dict[str, str]:
    """Key → words for a person. Sessions are listed first: preparing shows the transaction before the session lets go of it."""
    return {str(key): str(shown) for shown, key in session.execute(_OPEN_TRANSACTIONS).fetchall()}


def _is_prepared(key: str) -> bool:
    return key.startswith("prepared ")


def _require_lookback(session: Session, read: PostgresRead) -> None:
    """Ids from a sequence with CACHE > 1, or from the application, can commit below others with nothing open in between."""
    if read.lookback_ids is not None:
        return
    (cache, descends) = session.execute(
        """
        SELECT max(s.seqcache), bool_or(s.seqincrement < 0 OR s.seqcycle) FROM pg_depend AS d JOIN pg_sequence AS s ON s.seqrelid = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.refobjid = to_regclass(%s) AND d.deptype IN ('a', 'i')
            AND d.refobjsubid = (SELECT attnum FROM pg_attribute WHERE attrelid = d.refobjid AND attname = %s)
        """,
        [table_name(read).as_string(session), read.cursor],
    ).fetchone() or (None, None)
    if cache != 1 or descends:
        got = "ids that no sequence of its own gives" if cache is None else f"a sequence with CACHE {cache}"
        got = "a sequence that descends or cycles" if descends else got
        raise SourceSchemaError(
            f"Planning {read.table}: expected ids from a sequence with CACHE 1, got {got}: a lower id may appear after a higher one. "
            "Set `lookback_ids` to how far back such an id can lie."
        )
