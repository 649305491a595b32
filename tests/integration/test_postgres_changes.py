"""Looking for changes by time, and the lower bound of the next reading: what counts as new, and what no bound may pass."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest

from jobs.batches import ChangedSince
from jobs.config.table import Table
from jobs.errors import SourceRightsError, SourceSchemaError
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.sources.postgres_changes import SeenChanges, pending_changes
from jobs.sources.postgres_horizon import next_bounds
from jobs.sources.postgres_rows import read_slice
from jobs.sources.postgres_session import exported_snapshot, source_session
from jobs.sources.postgres_slices import row_slices

_NUMBERS = count()
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def url(postgres_server: EmbeddedPostgres) -> str:
    """A database for this test alone, with an empty `public.users`."""
    url = postgres_server.url(f"changes_{next(_NUMBERS)}")
    run(url, "CREATE TABLE users (id bigint, updated_at timestamptz)")
    return url


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def users(**read: Any) -> Table:
    return Table.model_validate(
        {
            "from": "database",
            "read": {"table": "public.users", "cursor": "updated_at", **read},
            "key": ["id"],
            "columns": {"id": "bigint", "updated_at": {"type": "timestamp", "nullable": True}},
            "load": {"mode": "upsert", "newest_by": ["updated_at"]},
        }
    )


def look(url: str, bound: datetime | None = None, timezone: str = "UTC", **read: Any) -> SeenChanges:
    bounds = {"users": bound} if bound else {}
    with source_session(url, "shop") as session:
        return pending_changes(session, "shop", {"users": users(**read)}, bounds, timezone)["users"]


def bound_of(url: str, **read: Any) -> datetime | None:
    with source_session(url, "shop") as session:
        return next_bounds(session, {"users": users(**read)}).get("users")


def as_role(url: str, role: str) -> str:
    """Another login for the same database; the role is made if need be, with the right to read but not to see sessions."""
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
    return f"postgresql://{role}:{role}@{url.partition('@')[2]}"


# --- what is pending --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "is_pending"), [(None, True), (NOON - SECOND, True), (NOON, True), (NOON + SECOND, False)]
)
def test_a_row_at_its_bound_is_pending(url: str, bound: datetime | None, is_pending: bool) -> None:
    run(url, "INSERT INTO users VALUES (1, '2024-05-01 12:00Z')")
    assert look(url, bound) == SeenChanges(is_pending, null_cursors=0)


def test_an_empty_table_is_not_pending(url: str) -> None:
    assert look(url) == SeenChanges(is_pending=False, null_cursors=0)


def test_rows_without_a_cursor_make_nothing_pending_but_a_first_reading_of_them(url: str) -> None:
    run(url, "INSERT INTO users VALUES (1, NULL), (2, NULL)")
    seen = [look(url), look(url, NOON), look(url, null_cursors="ignore")]
    assert seen == [SeenChanges(True, 2), SeenChanges(False, 2), SeenChanges(False, 2)]


def test_rows_without_a_cursor_are_counted_and_refused_where_that_is_declared(url: str) -> None:
    run(url, "INSERT INTO users SELECT n, NULL FROM generate_series(1, 1234) AS n")
    expected = "expected a time in 'updated_at' of every row, got NULL in 1,234. Set it to now.*`null_cursors` of users"
    with pytest.raises(SourceSchemaError, match=expected):
        look(url, null_cursors="refuse")


def test_tables_without_a_time_are_left_to_others(url: str) -> None:
    by_id = users(cursor="id")
    with source_session(url, "shop") as session:
        assert pending_changes(session, "shop", {"users": by_id}, {}, "UTC") == {}
        assert next_bounds(session, {"users": by_id}) == {}


@pytest.mark.parametrize(
    ("column", "got"), [("modified timestamptz", "none"), ("updated_at date", "date"), ("updated_at text", "text")]
)
def test_a_cursor_that_is_no_timestamp_is_refused(url: str, column: str, got: str) -> None:
    run(url, "DROP TABLE users", f"CREATE TABLE users (id bigint, {column})")
    with pytest.raises(SourceSchemaError, match=f"expected a timestamp column 'updated_at', got {got}"):
        look(url)


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_the_index_on_the_cursor_is_used(url: str, kind: str) -> None:
    """Compared in the column's own type: with sequential scans forbidden, the plan still has none."""
    run(url, f"ALTER TABLE users ALTER updated_at TYPE {kind}", "CREATE INDEX ON users (updated_at)")
    run(url, "INSERT INTO users VALUES (1, '2024-05-02 12:00Z')")
    with source_session(url, "shop") as session, exported_snapshot(session):
        window = ChangedSince(since=NOON)
        (share,) = row_slices(session, "users", users(null_cursors="ignore"), window, {"id": "id"}, "Europe/Berlin")
        session.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(str(line) for (line,) in session.execute(b"EXPLAIN " + share.query.encode()).fetchall())
    assert "Index Cond: " in plan and "Seq Scan" not in plan


# --- local times ------------------------------------------------------------------------------------------------------


def read_local(url: str, window: ChangedSince) -> list[int]:
    fields = {"id": "id", "updated_at": "updated_at"}
    with source_session(url, "shop") as session, exported_snapshot(session) as snapshot:
        shares = row_slices(session, "users", users(), window, fields, "America/New_York")
        return sorted(
            number
            for share in shares
            for piece in read_slice(url, "shop", snapshot.name, share)
            for number in piece.fields["id"].to_pylist()
        )


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2024-07-01 15:59:59+00", [1, 2, 3]),  # 11:59:59 there
        ("2024-07-01 16:00:01+00", [2, 3]),
        ("2024-11-03 05:40:00+00", [2, 3]),  # 01:40 for the first time: 01:30 is yet to come, for the second
        ("2024-11-03 07:01:00+00", [3]),  # the hour has passed twice
    ],
)
def test_a_local_time_is_found_by_a_bound_in_utc(url: str, since: str, expected: list[int]) -> None:
    run(url, "ALTER TABLE users ALTER updated_at TYPE timestamp")
    run(url, "INSERT INTO users VALUES (1, '2024-07-01 12:00'), (2, '2024-11-03 01:30'), (3, '2024-11-05 00:00')")
    moment = datetime.fromisoformat(since)
    assert read_local(url, ChangedSince(since=moment)) == expected
    assert look(url, moment, "America/New_York").is_pending


def test_a_backfill_up_to_a_local_hour_that_comes_twice_leaves_none_of_it_out(url: str) -> None:
    run(url, "ALTER TABLE users ALTER updated_at TYPE timestamp")
    run(url, "INSERT INTO users VALUES (1, '2024-11-03 01:30'), (2, '2024-11-03 01:59'), (3, '2024-11-03 03:00')")
    before = datetime(2024, 11, 3, 6, 10, tzinfo=UTC)  # 01:10 for the second time: 01:30 was, for the first
    assert read_local(url, ChangedSince(since=datetime(2024, 11, 1, tzinfo=UTC), before=before)) == [1, 2]


# --- the horizon ------------------------------------------------------------------------------------------------------


def test_the_next_bound_lies_ten_seconds_back_when_nothing_is_open(url: str) -> None:
    before = datetime.now(UTC)
    bound = bound_of(url)
    assert bound and before <= bound + timedelta(seconds=10) <= datetime.now(UTC)


def test_no_bound_passes_the_start_of_an_open_transaction(url: str) -> None:
    """One that has written nothing so far: its now() is fixed already."""
    with psycopg.connect(url) as late:
        (started,) = late.execute("SELECT now()").fetchone() or (NOON,)
        time.sleep(0.1)
        assert bound_of(url) == started - timedelta(seconds=10)


def test_a_transaction_of_another_database_holds_no_bound_back(url: str, postgres_server: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres_server.url("another")) as other:
        (started,) = other.execute("SELECT now()").fetchone() or (None,)
        bound = bound_of(url)
    assert bound and started and bound > started - timedelta(seconds=10)


@pytest.mark.parametrize("read", [{}, {"lookback_minutes": 5}])
def test_a_prepared_transaction_leaves_the_bound_where_it_was(url: str, read: dict[str, Any]) -> None:
    name = url.rpartition("/")[2]
    run(url, "BEGIN", "INSERT INTO users VALUES (1, now())", f"PREPARE TRANSACTION '{name}'")
    try:
        held = bound_of(url, **read)
    finally:
        run(url, f"COMMIT PREPARED '{name}'")
    assert held is None and bound_of(url, **read) is not None


def test_the_horizon_is_never_taken_inside_another_transaction(url: str) -> None:
    with source_session(url, "shop") as session, exported_snapshot(session), pytest.raises(AssertionError):
        next_bounds(session, {"users": users()})


# --- the right to see -------------------------------------------------------------------------------------------------


def test_a_role_that_cannot_see_other_sessions_is_refused_with_both_remedies(url: str) -> None:
    expected = "role 'sightless' cannot see .* GRANT pg_read_all_stats TO \"sightless\".* `lookback_minutes` on users "
    with pytest.raises(SourceRightsError, match=expected) as seen:
        look(as_role(url, "sightless"))
    assert "sightless:sightless" not in str(seen.value)


def test_one_table_without_a_lookback_is_enough_to_refuse(url: str) -> None:
    tables = {"users": users(lookback_minutes=5), "others": users()}
    with (
        source_session(as_role(url, "sightless"), "shop") as session,
        pytest.raises(SourceRightsError, match="`lookback_minutes` on others to"),
    ):
        pending_changes(session, "shop", tables, {}, "UTC")


def test_a_lookback_takes_the_place_of_sight(url: str) -> None:
    sightless = as_role(url, "sightless")
    run(url, "INSERT INTO users VALUES (1, now())")
    with psycopg.connect(url) as unseen:
        unseen.execute("SELECT now()")
        assert look(sightless, lookback_minutes=5).is_pending
        bound = bound_of(sightless, lookback_minutes=5)
    assert bound and timedelta(minutes=5) <= datetime.now(UTC) - bound < timedelta(minutes=5, seconds=30)


def test_a_role_with_sight_needs_no_lookback_and_uses_none(url: str) -> None:
    bound = bound_of(url, lookback_minutes=5)
    assert bound and datetime.now(UTC) - bound < timedelta(minutes=1)


def test_a_session_that_hides_its_transactions_is_refused_by_name(url: str) -> None:
    with psycopg.connect(url) as hidden:
        hidden.execute("SET track_activities = off")
        hidden.execute("INSERT INTO users VALUES (1, now())")
        with pytest.raises(SourceRightsError, match="got one of role 'tidemark' with track_activities off"):
            look(url)
