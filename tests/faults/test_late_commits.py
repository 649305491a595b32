"""Writers commit late, in part, not at all and in two phases; every row that was committed is read, and a read shows one instant.

Each test has a control beside it, a reading as people write it first. Where the control loses nothing, nobody committed late and the
run shows nothing: then it fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from jobs.batches import ChangedSince, WholeTable
from jobs.config.table import Table
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.sources import postgres_slices
from jobs.sources.postgres_changes import pending_changes
from jobs.sources.postgres_horizon import next_bounds
from jobs.sources.postgres_ids import FIRST_BOUND, HeldBack, claimable_ranges
from jobs.sources.postgres_rows import read_slice
from jobs.sources.postgres_session import Session, Snapshot, exported_snapshot, source_session
from jobs.sources.postgres_slices import Slice, id_slices, row_slices

SECONDS = 32
LONG = 13  # seconds: more than the margin of the horizon
PREPARED_AT = 17
WRITERS = 8
Connection = psycopg.Connection[Any]


def contract(source: str, cursor: str | None, **columns: str) -> Table:
    read = {"table": f"public.{source}"} | ({"cursor": cursor} if cursor else {})
    load = {"mode": "upsert", "newest_by": ["updated_at"]} if cursor == "updated_at" else {"mode": "insert"}
    return Table.model_validate({"from": "db", "read": read, "key": ["id"], "columns": columns, "load": load})


def fields_of(table: Table) -> dict[str, str]:
    return {name: name for name in table.columns}


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def writing(count: int, write: Callable[[int, Event], None]) -> Iterator[Event]:
    """`count` writers, each told its number; after the block they stop, and have ended when it is left."""
    stop = Event()
    writers = [Thread(target=write, args=(number, stop)) for number in range(count)]
    for writer in writers:
        writer.start()
    try:
        yield stop
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def rows_of(url: str, snapshot: Snapshot, share: Slice) -> list[dict[str, Any]]:
    rows = [row for piece in read_slice(url, "late", snapshot.name, share) for row in piece.fields.to_pylist()]
    assert len(rows) == share.records
    return rows


def end(connection: Connection, random: Random, name: str) -> None:
    """Mostly commits; else rolls back, or prepares the transaction first."""
    match random.choice((*["commit"] * 15, *["roll back"] * 4, "prepare")):
        case "commit":
            connection.execute("COMMIT")
        case "roll back":
            connection.execute("ROLLBACK")
        case _:
            prepare_and_commit(connection, name, 0.2)


def prepare_and_commit(connection: Connection, name: str, seconds: float) -> None:
    connection.execute(f"PREPARE TRANSACTION '{name}'".encode())
    time.sleep(seconds)
    connection.execute(f"COMMIT PREPARED '{name}'".encode())


def a_while(random: Random) -> float:
    """Seconds, mostly none, seldom a whole one."""
    return random.choice((*[0] * 24, *[0.05] * 6, *[0.3] * 3, 1))


# --- by time ----------------------------------------------------------------------------------------------------------

ITEMS = contract("items", "updated_at", id="bigint", version="int", updated_at="timestamp")


def change_items(url: str, writer: int, stop: Event) -> None:
    """Inserts rows and updates its own ones. One writer stays open for longer than any margin; then all are in haste, so that the
    horizon is near; then one is prepared for longer than any margin."""
    random, started, number = Random(writer), time.monotonic(), 0
    with psycopg.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            number += 1
            is_in_haste = LONG < time.monotonic() - started < PREPARED_AT
            connection.execute("BEGIN")
            _insert(connection, random, writer, 2 if is_in_haste else 20)
            if not is_in_haste:
                time.sleep(LONG if (writer, number) == (0, 1) else a_while(random))
                connection.execute("SAVEPOINT part")
                _update(connection, random, writer)
                connection.execute(random.choice((b"ROLLBACK TO part", b"RELEASE part")))
            if (writer, number) == (0, 1) or is_in_haste:
                connection.execute("COMMIT")
            elif writer == 1 and time.monotonic() - started > PREPARED_AT:
                prepare_and_commit(connection, "long", LONG)
                started = time.monotonic()
            else:
                end(connection, random, f"items {writer} {number}")


def _insert(connection: Connection, random: Random, writer: int, rows: int) -> None:
    clock = random.choice(("now()", "clock_timestamp()"))
    query = (
        f"INSERT INTO items (writer, version, updated_at) SELECT {writer}, 1, {clock} FROM generate_series(1, {rows})"
    )
    connection.execute(query.encode())


def _update(connection: Connection, random: Random, writer: int) -> None:
    clock, rest = random.choice(("now()", "clock_timestamp()")), random.randrange(97)
    changed = f"version = version + 1, updated_at = {clock}"
    connection.execute(f"UPDATE items SET {changed} WHERE writer = {writer} AND id % 97 = {rest}".encode())


@dataclass
class Curated:
    """The newest version of each row that was read, as `upsert` keeps it."""

    rows: dict[int, tuple[datetime, int]] = field(default_factory=dict)

    def fold(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            number, version = row["id"], (row["updated_at"], row["version"])
            if number not in self.rows or version[0] >= self.rows[number][0]:
                self.rows[number] = version

    def lost(self, truth: dict[int, int]) -> int:
        """Rows that are missing, or kept in a version that is no longer there."""
        return sum(number not in self.rows or self.rows[number][1] != version for number, version in truth.items())


def extract_changes(url: str, bounds: dict[str, datetime], curated: Curated) -> None:
    """One batch, in the steps of a run: look, claim, horizon, snapshot, slices, rows."""
    with source_session(url, "late") as session:
        seen = pending_changes(session, "late", {"items": ITEMS}, bounds, "UTC")["items"]
        if not seen.is_pending:
            return
        window = ChangedSince(since=bounds.get("items"), null_cursors=seen.null_cursors)
        moved = next_bounds(session, {"items": ITEMS})
        with exported_snapshot(session) as snapshot:
            for share in row_slices(session, "items", ITEMS, window, fields_of(ITEMS), "UTC"):
                curated.fold(rows_of(url, snapshot, share))
    bounds |= moved


def extract_naively(control: Connection, curated: Curated) -> None:
    above = max((moment for moment, _ in curated.rows.values()), default=datetime(2000, 1, 1))  # noqa: DTZ001
    rows = control.execute(
        "SELECT id, version, updated_at AT TIME ZONE 'UTC' FROM items WHERE updated_at AT TIME ZONE 'UTC' > %s", [above]
    )
    curated.fold([{"id": row[0], "version": row[1], "updated_at": row[2]} for row in rows.fetchall()])


def test_no_change_that_commits_late_is_lost(
    postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(postgres_slices, "ROWS_PER_READER", 5_000)
    url = postgres_server.url("late_changes")
    columns = "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int, version int, updated_at timestamptz"
    run(url, f"CREATE TABLE items ({columns})", "CREATE INDEX ON items (updated_at)", "CREATE INDEX ON items (writer)")
    curated, naive, bounds = Curated(), Curated(), dict[str, datetime]()
    moves: set[datetime] = set()
    with psycopg.connect(url, autocommit=True) as control:
        with writing(WRITERS, lambda writer, stop: change_items(url, writer, stop)):
            started = time.monotonic()
            while time.monotonic() - started < SECONDS:
                extract_naively(control, naive)
                extract_changes(url, bounds, curated)
                moves |= set(bounds.values())
                time.sleep(0.5)
        extract_naively(control, naive)
        extract_changes(url, bounds, curated)
        truth = {row[0]: row[1] for row in control.execute("SELECT id, version FROM items").fetchall()}
        (versions,) = control.execute("SELECT sum(version) FROM items").fetchone() or (0,)
    for name, figure in {"versions": versions, "control": naive.lost(truth), "lost": curated.lost(truth)}.items():
        record_property(name, figure)
    assert naive.lost(truth) > 0, "the control `updated_at > max` lost nothing: nobody committed late"
    assert len(moves) > 3, "the bound hardly ever moved: reading everything again and again shows nothing"
    assert max(moves) - min(moves) > timedelta(seconds=LONG / 2), "the bound stayed where it was"
    assert curated.lost(truth) == 0


# --- by id ------------------------------------------------------------------------------------------------------------

POSTS = contract("posts", "id", id="bigint", body="text")


def insert_posts(url: str, writer: int, stop: Event) -> None:
    random, number = Random(writer), 0
    with psycopg.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            number += 1
            connection.execute("BEGIN")
            connection.execute("INSERT INTO posts (body) SELECT 'kept' FROM generate_series(1, 5)")
            time.sleep(a_while(random))
            connection.execute("SAVEPOINT part")
            connection.execute("INSERT INTO posts (body) VALUES ('perhaps')")
            connection.execute(random.choice((b"ROLLBACK TO part", b"RELEASE part")))
            if writer == 0 and number % 20 == 0:
                prepare_and_commit(connection, "seconds", 3)
            else:
                end(connection, random, f"posts {writer} {number}")


def extract_ids(url: str, bound: int, read: list[int]) -> int:
    """One batch, or nothing while it is held back; the next bound."""
    assert POSTS.read is not None
    with source_session(url, "late") as session:
        reads: Any = {"posts": POSTS.read}
        claimed = claimable_ranges(session, "late", reads, {"posts": bound}, 5, lambda _: None)
        if isinstance(claimed, HeldBack):
            return bound
        with exported_snapshot(session) as snapshot:
            shares, following = id_slices(session, "posts", POSTS, claimed["posts"], fields_of(POSTS), "UTC")
            read += [row["id"] for share in shares for row in rows_of(url, snapshot, share)]
    return following


def above(control: Connection, bound: int) -> list[int]:
    return [number for (number,) in control.execute("SELECT id FROM posts WHERE id > %s ORDER BY id", [bound])]


def test_no_id_that_commits_late_is_lost_or_read_twice(
    postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(postgres_slices, "ROWS_PER_READER", 500)
    url = postgres_server.url("late_ids")
    run(url, "CREATE TABLE posts (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY, body text)")
    read, naive, bounds = list[int](), list[int](), [FIRST_BOUND]
    with psycopg.connect(url, autocommit=True) as control:
        with writing(WRITERS, lambda writer, stop: insert_posts(url, writer, stop)):
            started = time.monotonic()
            while time.monotonic() - started < SECONDS:
                naive += above(control, max(naive, default=FIRST_BOUND))
                bounds.append(extract_ids(url, bounds[-1], read))
                time.sleep(0.5)
        naive += above(control, max(naive))
        extract_ids(url, bounds[-1], read)
        committed = above(control, FIRST_BOUND)
    lost = set(committed) - set(read)
    for name, figure in {
        "rows": len(committed),
        "control": len(set(committed) - set(naive)),
        "lost": len(lost),
    }.items():
        record_property(name, figure)
    assert set(naive) < set(committed), "the control `id > max` lost nothing: nobody committed late"
    assert len(set(bounds)) > 3, "the bound hardly ever moved: one reading of everything shows nothing"
    assert sorted(read) == committed


# --- one instant ------------------------------------------------------------------------------------------------------

PARENTS = contract("parents", None, id="bigint", amount="bigint")
CHILDREN = contract("children", None, id="bigint", parent_id="bigint", amount="bigint")


def move_amounts(url: str, writer: int, stop: Event) -> None:
    """Families come and go as a whole and pass amounts on inside: after every commit each sums to 0, and no child is alone."""
    random = Random(writer)
    with psycopg.connect(url) as connection:
        while not stop.is_set():
            family = random.randrange(1000) * 10 + writer
            match random.randrange(3):
                case 0:
                    connection.execute("DELETE FROM children WHERE parent_id = %s", [family])
                    connection.execute("DELETE FROM parents WHERE id = %s", [family])
                case 1:
                    new = "INSERT INTO parents SELECT %s, 7 WHERE NOT EXISTS (SELECT FROM parents WHERE id = %s) RETURNING id"
                    if connection.execute(new, [family, family]).fetchone():
                        connection.execute("INSERT INTO children VALUES (%s, %s, -7)", [family, family])
                case 2:
                    connection.execute("UPDATE children SET amount = amount - 5 WHERE parent_id = %s", [family])
                    connection.execute("UPDATE parents SET amount = amount + 5 WHERE id = %s", [family])
            connection.commit()
            time.sleep(0.001)  # leaves the interpreter to the readers


def breaks(parents: list[dict[str, Any]], children: list[dict[str, Any]]) -> bool:
    """Whether this cannot be one instant."""
    is_unbalanced = sum(row["amount"] for row in (*parents, *children)) != 0
    return is_unbalanced or not {row["parent_id"] for row in children} <= {row["id"] for row in parents}


def slices_of(session: Session) -> tuple[list[Slice], list[Slice]]:
    found = [
        row_slices(session, name, table, WholeTable(), fields_of(table), "UTC")
        for name, table in (("parents", PARENTS), ("children", CHILDREN))
    ]
    assert all(len(shares) > 3 for shares in found)
    return found[0], found[1]


def rows_without_a_snapshot(url: str, shares: list[Slice]) -> list[dict[str, Any]]:
    rows = []
    for share in shares:
        with psycopg.connect(url) as connection:
            rows += [dict(zip(share.names, row, strict=True)) for row in connection.execute(share.query.encode())]
    return rows


def test_all_slices_of_all_tables_show_one_instant(
    postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(postgres_slices, "ROWS_PER_READER", 2_000)
    url = postgres_server.url("one_instant")
    run(url, "CREATE TABLE parents (id bigint PRIMARY KEY, amount bigint)")
    run(url, "CREATE TABLE children (id bigint PRIMARY KEY, parent_id bigint, amount bigint)")
    run(
        url,
        "CREATE INDEX ON children (parent_id)",
        "INSERT INTO parents SELECT n, 9 FROM generate_series(1, 10000) AS n",
    )
    run(url, "INSERT INTO children SELECT n, n, -9 FROM generate_series(1, 10000) AS n")
    broken, control = [], []
    with writing(3, lambda writer, stop: move_amounts(url, writer, stop)), ThreadPoolExecutor(2) as readers:
        for _ in range(20):
            with source_session(url, "late") as session, exported_snapshot(session) as snapshot:
                parents, children = slices_of(session)
                found = [
                    [row for rows in readers.map(lambda share: rows_of(url, snapshot, share), shares) for row in rows]
                    for shares in (parents, children)
                ]
            broken.append(breaks(*found))
            control.append(breaks(rows_without_a_snapshot(url, parents), rows_without_a_snapshot(url, children)))
    record_property("control", sum(control))
    record_property("broken", sum(broken))
    assert any(control), "reading without a snapshot showed one instant too: nobody wrote"
    assert not any(broken)
