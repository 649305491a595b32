"""Whole tables, changes and keys in slices: no row twice, none left out, whatever holds the rows and wherever it grew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
import pytest

from jobs.batches import ChangedSince, IdRange, WholeTable
from jobs.config.table import Table
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.sources import postgres_slices
from jobs.sources.postgres_rows import read_slice
from jobs.sources.postgres_session import exported_snapshot, source_session
from jobs.sources.postgres_slices import Slice, id_slices, key_slices, row_slices

_NUMBERS = count()
COLUMNS = "id bigint, body text, updated_at timestamptz"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ROWS = """
    INSERT INTO {} SELECT n, repeat('x', n % 400),
        CASE WHEN n % 10 > 0 THEN '2024-05-01 12:00Z'::timestamptz + n % 700 * interval '1 second' END
    FROM generate_series(1, 3000) AS n
"""
PLACES = {
    "a table": [f"CREATE TABLE items ({COLUMNS})", ROWS.format("items")],
    "an indexed table": [f"CREATE TABLE items ({COLUMNS})", "CREATE INDEX ON items (updated_at)", ROWS.format("items")],
    "a table with gaps": [
        f"CREATE TABLE items ({COLUMNS})",
        ROWS.format("items"),
        ROWS.format("items"),
        "DELETE FROM items WHERE ctid < '(30,0)' OR id % 3 = 0",
        "VACUUM items",
    ],
    "a partitioned table": [
        f"CREATE TABLE items ({COLUMNS}) PARTITION BY HASH (id)",
        "CREATE TABLE one PARTITION OF items FOR VALUES WITH (MODULUS 3, REMAINDER 0)",
        "CREATE TABLE two PARTITION OF items FOR VALUES WITH (MODULUS 3, REMAINDER 1) PARTITION BY LIST (id)",
        "CREATE TABLE rest PARTITION OF two DEFAULT",
        "CREATE TABLE three PARTITION OF items FOR VALUES WITH (MODULUS 3, REMAINDER 2)",
        ROWS.format("items"),
    ],
    "a table with heirs": [
        f"CREATE TABLE items ({COLUMNS})",
        "INSERT INTO items VALUES (-1, 'x', NULL), (-2, 'y', now())",
        "CREATE TABLE heir () INHERITS (items)",
        ROWS.format("heir"),
    ],
    "a view": [
        f"CREATE TABLE hidden ({COLUMNS})",
        ROWS.format("hidden"),
        "CREATE VIEW items AS SELECT * FROM hidden WHERE id > 5",
    ],
    "a materialized view": [
        f"CREATE TABLE hidden ({COLUMNS})",
        ROWS.format("hidden"),
        "CREATE MATERIALIZED VIEW items AS SELECT * FROM hidden",
    ],
    "an empty table": [f"CREATE TABLE items ({COLUMNS})"],
}


@pytest.fixture
def url(postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database for this test alone; a reader takes about 700 rows."""
    monkeypatch.setattr(postgres_slices, "ROWS_PER_READER", 700)
    return postgres_server.url(f"slices_{next(_NUMBERS)}")


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def oracle(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return [value for (value,) in connection.execute(query.encode()).fetchall()]


def contract(key: list[str] | None = None, columns: dict[str, Any] | None = None, **read: Any) -> Table:
    typed = {"id": "bigint", "body": "text", "updated_at": {"type": "timestamp", "nullable": True}}
    return Table.model_validate(
        {
            "from": "database",
            "read": {"table": "public.items", **read},
            "key": ["id"] if key is None else key,
            "columns": columns or typed,
            "load": {"mode": "upsert", "newest_by": ["updated_at"]} if key is None else {"mode": "replace"},
        }
    )


BY_TIME: Any = {"cursor": "updated_at"}


def read(url: str, table: Table, window: ChangedSince | WholeTable | None) -> list[list[dict[str, Any]]]:
    """The rows of each slice, each with as many as it announced; the keys where there is no window."""
    fields = {name: column.source or name for name, column in table.columns.items()}
    with source_session(url, "slices") as session, exported_snapshot(session) as snapshot:
        if window:
            shares = row_slices(session, "items", table, window, fields, "UTC")
        else:
            shares = key_slices(session, "items", table, fields, "UTC")
        found = [list(rows(url, snapshot.name, share)) for share in shares]
    assert [len(each) for each in found] == [share.records for share in shares]
    return found


def rows(url: str, snapshot: str, share: Slice) -> Iterator[dict[str, Any]]:
    for piece in read_slice(url, "slices", snapshot, share):
        yield from piece.fields.to_pylist()


def ids(found: list[list[dict[str, Any]]]) -> list[int]:
    return sorted(row["id"] for share in found for row in share)


@pytest.mark.parametrize("place", PLACES)
def test_every_row_is_in_one_slice(url: str, place: str) -> None:
    run(url, *PLACES[place])
    all_ids = oracle(url, "SELECT id FROM items ORDER BY id")
    whole, keys = read(url, contract(), WholeTable()), read(url, contract(), None)
    assert ids(whole) == ids(keys) == all_ids
    assert all(set(row) == {"id", "_record", "_offset"} for share in keys for row in share)
    assert len(whole) == {"a view": 1, "an empty table": 0}.get(place, len(whole))
    assert len(whole) > 3 or place in ("a view", "an empty table", "a table with gaps")


@pytest.mark.parametrize("place", PLACES)
def test_every_change_is_in_one_slice(url: str, place: str) -> None:
    run(url, *PLACES[place])
    since, late, before = (NOON.replace(minute=minute, second=9) for minute in (1, 11, 6))
    windows = {
        ChangedSince(since=None): "TRUE",
        ChangedSince(since=since): f"updated_at >= '{since}' OR updated_at IS NULL",
        ChangedSince(since=late): f"updated_at >= '{late}' OR updated_at IS NULL",
        ChangedSince(since=since, before=before): f"updated_at >= '{since}' AND updated_at < '{before}'",
        ChangedSince(since=None, before=before): f"updated_at < '{before}'",
    }
    expected = {
        window: oracle(url, f"SELECT id FROM items WHERE {rows} ORDER BY id") for window, rows in windows.items()
    }
    assert {window: ids(read(url, contract(**BY_TIME), window)) for window in windows} == expected


@pytest.mark.parametrize("place", ["a table", "an indexed table"])
@pytest.mark.parametrize("since", [None, NOON])
@pytest.mark.parametrize("policy", ["ignore", "refuse"])
def test_rows_without_a_cursor_are_left_out_unless_they_are_to_be_read(
    url: str, place: str, since: datetime | None, policy: str
) -> None:
    run(url, *PLACES[place])
    found = read(url, contract(**BY_TIME, null_cursors=policy), ChangedSince(since=since))
    assert ids(found) == oracle(url, "SELECT id FROM items WHERE updated_at IS NOT NULL ORDER BY id")


def test_what_changes_between_the_slices_and_their_reading_is_not_seen(url: str) -> None:
    run(url, *PLACES["a table"])
    fields = {"id": "id", "body": "body"}
    before = sorted(oracle(url, "SELECT ROW(id, body)::text FROM items"))
    with source_session(url, "slices") as session, exported_snapshot(session) as snapshot:
        shares = row_slices(session, "items", contract(), WholeTable(), fields, "UTC")
        run(url, "UPDATE items SET body = 'new', id = id + 9000", "DELETE FROM items WHERE id % 2 = 0")
        run(url, ROWS.format("items"), "VACUUM items")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            run(url, "SET lock_timeout = 100", "VACUUM FULL items")  # would move every row
        found = [row for share in shares for row in rows(url, snapshot.name, share)]
    assert sorted(f"({row['id']},{row['body']})" if row["body"] else f'({row["id"]},"")' for row in found) == before


def test_a_snapshot_is_no_older_than_what_it_shows(url: str) -> None:
    run(url, "CREATE TABLE items (updated_at timestamptz)")
    with source_session(url, "slices") as session:
        execute = session.execute

        def after_a_commit(query: Any, *arguments: Any) -> Any:
            if "pg_export_snapshot" in str(query):
                run(url, "INSERT INTO items VALUES (clock_timestamp())")
            return execute(query, *arguments)

        session.execute = after_a_commit  # type: ignore[method-assign, assignment]
        with exported_snapshot(session) as snapshot:
            (newest,) = execute("SELECT max(updated_at) FROM items").fetchone() or (None,)
    assert newest is not None and snapshot.taken_at >= newest  # type: ignore[operator]


# --- the record's number ----------------------------------------------------------------------------------------------


def numbers(url: str, table: Table) -> dict[str, int]:
    """Body → record number, read whole."""
    return {row["body"]: row["_record"] for share in read(url, table, WholeTable()) for row in share}


def test_a_record_is_numbered_by_its_one_integer_key(url: str) -> None:
    run(url, f"CREATE TABLE items ({COLUMNS})", "INSERT INTO items VALUES (7, 'a'), (-3, 'b'), (NULL, 'c')")
    found = numbers(url, contract())
    assert (found["a"], found["b"]) == (7, -3) and isinstance(found["c"], int)


@pytest.mark.parametrize("key", [["name"], ["id", "name"], []])
def test_an_unchanged_record_keeps_its_number_and_no_other_has_it(url: str, key: list[str]) -> None:
    rows = "(1, 'a', 'one'), (1, 'b', 'two'), (2, 'a,b', 'three'), (2, '', 'four'), (NULL, 'c', 'five')"
    run(url, "CREATE TABLE items (id int, name text, body text)", f"INSERT INTO items VALUES {rows}")
    table = contract(key, {"id": "bigint", "name": "text", "body": "text"})
    before = numbers(url, table)
    run(url, "UPDATE items SET body = 'changed' WHERE body = 'one'", "ALTER TABLE items ADD extra int DEFAULT 5")
    after = numbers(url, table)
    assert len(set(before.values())) == 5
    assert {body: after[body] for body in ("two", "three", "four", "five")} == {
        body: before[body] for body in ("two", "three", "four", "five")
    }
    assert (after["changed"] == before["one"]) is bool(key)


def test_identifiers_are_quoted(url: str) -> None:
    odd = 'x"; DROP TABLE %s {a}--'
    quoted = '"' + odd.replace('"', '""') + '"'
    run(url, f'CREATE TABLE {quoted} ({quoted} bigint PRIMARY KEY, {quoted[:-1]}2" timestamptz)')
    run(url, f"INSERT INTO {quoted} SELECT n, now() FROM generate_series(1, 900) AS n")
    table = Table.model_validate(
        {
            "from": "database",
            "read": {"table": f"public.{odd.replace(' ', '')}", "cursor": f"{odd}2"},
            "key": ["id"],
            "columns": {"id": {"type": "bigint", "from": odd}, "at": {"type": "timestamp", "from": f"{odd}2"}},
            "load": {"mode": "insert"},
        }
    )
    run(url, f"ALTER TABLE {quoted} RENAME TO {quoted.replace(' ', '')}")
    for window in (WholeTable(), ChangedSince(since=NOON), None):
        assert sorted(row[odd] for share in read(url, table, window) for row in share) == list(range(1, 901))
    fields = {"id": odd}
    by_id = table.model_copy(update={"read": table.read.model_copy(update={"cursor": odd})})  # type: ignore[union-attr]
    with source_session(url, "slices") as session, exported_snapshot(session) as snapshot:
        shares, _ = id_slices(session, "items", by_id, IdRange(after=0, ceiling=900), fields, "UTC")
        assert sum(len(list(rows(url, snapshot.name, share))) for share in shares) == 900
