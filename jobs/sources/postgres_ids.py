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
from jobs.config.pipeline import Read
from jobs.errors import SourceSchemaError
from jobs.sources.postgres_session import Session, require_sight_of_all_sessions, source_columns, table_name

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


def pending_tables(session: Session, reads: Mapping[str, Read], bounds: Mapping[str, int]) -> list[str]:
    """Tables with a visible row above their bound; decides nothing."""
    return [
        name
        for name, read in reads.items()
        if (_highest_id(session, read) or FIRST_BOUND) > bounds.get(name, FIRST_BOUND)
    ]


def claimable_ranges(
    session: Session,
    pipeline: str,
    reads: Mapping[str, Read],
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
        ranges[name] = IdRange(after=after, ceiling=max(after, _highest_id(session, read) or after))
    still_open = _wait_for_the_end(session, wait_seconds, say)
    return HeldBack(still_open) if still_open else ranges


def _highest_id(session: Session, read: Read) -> int | None:
    query = sql.SQL("SELECT max({id}) FROM {table}").format(id=sql.Identifier(read.cursor), table=table_name(read))
    (highest,) = session.execute(query).fetchone() or (None,)
    return highest if isinstance(highest, int) else None


def _wait_for_the_end(session: Session, wait_seconds: int, say: Callable[[str], None]) -> tuple[str, ...]:
    """Waits for the transactions that are open now, not for later ones; what is still open in the end."""
    waiting = {key: shown for shown, key in session.execute(_OPEN_TRANSACTIONS).fetchall()}
    deadline = time.monotonic() + wait_seconds
    if waiting:
        say(f"waiting up to {wait_seconds} s for {len(waiting)} open transaction(s) that may still add lower ids")
    while waiting and time.monotonic() < deadline:
        time.sleep(0.1)
        now_open = {key for _, key in session.execute(_OPEN_TRANSACTIONS).fetchall()}
        waiting = {key: shown for key, shown in waiting.items() if key in now_open}
    return tuple(str(shown) for shown in waiting.values())


def _require_lookback(session: Session, read: Read) -> None:
    """Ids from a sequence with CACHE > 1, or from the application, can commit below others with nothing open in between."""
    if read.lookback_ids is not None:
        return
    source_columns(session, read)
    (cache,) = session.execute(
        """
        SELECT s.seqcache FROM pg_depend AS d JOIN pg_sequence AS s ON s.seqrelid = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.refobjid = to_regclass(%s) AND d.deptype IN ('a', 'i')
            AND d.refobjsubid = (SELECT attnum FROM pg_attribute WHERE attrelid = d.refobjid AND attname = %s)
        """,
        [table_name(read).as_string(session), read.cursor],
    ).fetchone() or (None,)
    if cache != 1:
        got = "ids that no sequence of its own gives" if cache is None else f"a sequence with CACHE {cache}"
        raise SourceSchemaError(
            f"Planning {read.table}: expected ids from a sequence with CACHE 1, got {got}: a lower id may appear after a higher one. "
            "Set `lookback_ids` to how far back such an id can lie."
        )
