"""What each load mode does to a warehouse table: rows before, a batch, rows after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import jobs.warehouse.load as load_module
from jobs.batches import ExportedTable, ExportManifest, Outcome
from jobs.config.table import Table
from jobs.errors import LoadRefusedError
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.storage import Lake
from jobs.warehouse.load import Loaded, publish_feed
from jobs.warehouse.postgres import PostgresWarehouse, open_warehouse
from jobs.warehouse.statements import load_transaction

Rows = list[tuple[Any, ...]]
DATABASES = count(1)
INSTANT = pa.timestamp("us", "UTC")
TYPES = {"id": pa.int64(), "name": pa.string(), "valid_from": INSTANT, "valid_to": INSTANT, "is_current": pa.bool_(),
         "_deleted_at": INSTANT}  # fmt: skip


def contract(mode: str, **load: Any) -> Table:
    """A table of ids and names."""
    columns = {"id": "bigint", "name": {"type": "varchar(40)", "nullable": True}}
    return Table.model_validate(
        {"from": "feed", "key": ["id"], "columns": columns, "load": {"mode": mode, "newest_by": ["name"], **load}}
    )


APPEND, INSERT, UPSERT, HISTORY = (contract(mode) for mode in ("append", "insert", "upsert", "history"))
REPLACE, RECOMPUTE = contract("replace", min_rows=0), contract("recompute")
SOFT = contract("upsert", deletes={"reconcile": "soft"})


@dataclass(frozen=True)
class Part:
    """What a batch does to a table: rows in the order of the published columns, identities of rows that went."""

    contract: Table
    rows: Sequence[tuple[Any, ...]]
    gone: Sequence[tuple[Any, ...]] = ()
    counted_gone: int | None = None


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def warehouse_url(postgres_server: EmbeddedPostgres) -> str:
    """An empty database of this test's own."""
    return postgres_server.url(f"modes_{next(DATABASES)}")


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[PostgresWarehouse]:
    with open_warehouse(warehouse_url) as opened:
        yield opened


@pytest.fixture
def query(warehouse_url: str) -> Iterator[Callable[[str], Rows]]:
    """Reads with a session of its own, so that it sees what anybody sees; fails where it would wait for a lock."""
    with psycopg.connect(warehouse_url, autocommit=True, options="-c lock_timeout=10s") as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def day(number: int) -> datetime:
    return datetime(2024, 5, number)  # noqa: DTZ001  (as the warehouse shows it)


def committed(lake: Lake, number: int, parts: Mapping[str, Part]) -> Outcome:
    """A batch as curation leaves it: Parquet of the rows with `_batch`, Parquet of the identities that went, a manifest."""
    place = f"export/batch={number}"
    tables = {}
    for name, part in parts.items():
        columns = [*part.contract.columns, *part.contract.added_columns]
        rows = f"{place}/{name}/part-0.parquet"
        put(lake, rows, [*columns, "_batch"], [(*row, number) for row in part.rows])
        gone = [f"{place}/{name}/deleted-0.parquet"] if part.gone else []
        for path in gone:
            put(lake, path, list(part.contract.identity), part.gone)
        counted = len(part.gone) if part.counted_gone is None else part.counted_gone
        tables[name] = ExportedTable(
            contract=part.contract, files=(rows,), rows=len(part.rows), deleted_files=tuple(gone), deleted=counted
        )
    manifest = f"{place}/manifest.json"
    assert lake.create(manifest, ExportManifest(attempt=f"attempt-{number}", tables=tables).to_json())
    finished = datetime(2024, 5, number, tzinfo=UTC)
    return Outcome(status="committed", reason="", attempt=f"attempt-{number}", export=manifest, finished_at=finished)


def put(lake: Lake, path: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    schema = pa.schema([(name, TYPES.get(name, pa.int64())) for name in columns])
    table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    assert lake.create(path, sink.getvalue().to_pybytes())


def publish(warehouse: PostgresWarehouse, lake: Lake, *batches: Mapping[str, Part]) -> dict[int, Outcome]:
    """Loads the batches 1, 2, …"""
    outcomes = {number: committed(lake, number, parts) for number, parts in enumerate(batches, start=1)}
    assert [loaded.number for loaded in load(warehouse, lake, outcomes)] == list(outcomes)
    return outcomes


def load(warehouse: PostgresWarehouse, lake: Lake, batches: Mapping[int, Outcome]) -> list[Loaded]:
    return list(publish_feed(warehouse, lake, "shop", "feed", batches))


# --- one mode after the other -----------------------------------------------------------------------------------------


def test_append_adds_rows_even_equal_ones(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    publish(warehouse, lake, {"t": Part(APPEND, [(1, "a")])}, {"t": Part(APPEND, [(1, "a"), (2, "b")])})

    assert query("SELECT id, name, _batch FROM shop.t ORDER BY _batch, id") == [(1, "a", 1), (1, "a", 2), (2, "b", 2)]


def test_insert_adds_rows_with_a_new_key_only(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    publish(warehouse, lake, {"t": Part(INSERT, [(1, "a")])}, {"t": Part(INSERT, [(1, "changed"), (2, "b")])})

    assert query("SELECT id, name, _batch FROM shop.t ORDER BY id") == [(1, "a", 1), (2, "b", 2)]


def test_upsert_changes_adds_and_keeps(warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]) -> None:
    before = Part(UPSERT, [(1, "a"), (2, "b"), (3, None)])

    publish(warehouse, lake, {"t": before}, {"t": Part(UPSERT, [(2, None), (4, "d")])})

    rows = query("SELECT id, name, _batch FROM shop.t ORDER BY id")
    assert rows == [(1, "a", 1), (2, None, 2), (3, None, 1), (4, "d", 2)]


def test_rows_that_went_leave_the_table(warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]) -> None:
    before = Part(UPSERT, [(1, "a"), (2, "b"), (3, "c")])

    publish(warehouse, lake, {"t": before}, {"t": Part(UPSERT, [(2, "B")], gone=[(1,), (99,)])})

    assert query("SELECT id, name, _batch FROM shop.t ORDER BY id") == [(2, "B", 2), (3, "c", 1)]


def test_a_batch_that_only_deletes_is_loaded(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    publish(warehouse, lake, {"t": Part(UPSERT, [(1, "a"), (2, "b")])}, {"t": Part(UPSERT, [], gone=[(1,)])})

    assert query("SELECT id FROM shop.t") == [(2,)]


def test_a_soft_deleted_row_stays_with_the_time_of_its_deletion(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    before = Part(SOFT, [(1, "a", None), (2, "b", None)])

    publish(warehouse, lake, {"t": before}, {"t": Part(SOFT, [(1, "a", day(2))])})

    rows = query("SELECT id, name, _deleted_at, _batch FROM shop.t ORDER BY id")
    assert rows == [(1, "a", day(2), 2), (2, "b", None, 1)]


def test_a_history_closes_the_last_version_beside_the_new_one_and_keeps_the_older_ones(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    before = Part(
        HISTORY, [(1, "a", day(1), day(2), False), (1, "b", day(2), None, True), (2, "x", day(2), None, True)]
    )
    changed = Part(HISTORY, [(1, "b", day(2), day(3), False), (1, "c", day(3), None, True)])

    publish(warehouse, lake, {"t": before}, {"t": changed})

    assert query("SELECT id, name, valid_from, valid_to, is_current, _batch FROM shop.t ORDER BY id, valid_from") == [
        (1, "a", day(1), day(2), False, 1),
        (1, "b", day(2), day(3), False, 2),
        (1, "c", day(3), None, True, 2),
        (2, "x", day(2), None, True, 1),
    ]


def test_a_version_that_went_takes_no_other_version_along(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    """It begins earlier than was known: the version of day 4 is the one of day 3 now."""
    before = Part(
        HISTORY,
        [(1, "a", day(1), day(2), False), (1, "b", day(2), day(4), False), (1, "c", day(4), None, True)],
    )
    earlier = Part(HISTORY, [(1, "b", day(2), day(3), False), (1, "c", day(3), None, True)], gone=[(1, day(4))])

    publish(warehouse, lake, {"t": before}, {"t": earlier})

    assert query("SELECT name, valid_from, valid_to, _batch FROM shop.t ORDER BY valid_from") == [
        ("a", day(1), day(2), 1),
        ("b", day(2), day(3), 2),
        ("c", day(3), None, 2),
    ]


def test_recomputed_keys_become_what_was_computed_and_others_stay(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    before = Part(RECOMPUTE, [(1, "a"), (2, "b"), (3, "c")])

    publish(warehouse, lake, {"t": before}, {"t": Part(RECOMPUTE, [(1, "A"), (4, "d")], gone=[(2,)])})

    assert query("SELECT id, name, _batch FROM shop.t ORDER BY id") == [(1, "A", 2), (3, "c", 1), (4, "d", 2)]


# --- every mode at once -----------------------------------------------------------------------------------------------

BEFORE = {
    "replaced": Part(REPLACE, [(1, "a"), (2, "b")]),
    "appended": Part(APPEND, [(1, "a"), (2, "b")]),
    "inserted": Part(INSERT, [(1, "a"), (2, "b")]),
    "upserted": Part(UPSERT, [(1, "a"), (2, "b")]),
    "historic": Part(HISTORY, [(1, "a", day(1), None, True), (2, "b", day(1), None, True)]),
    "computed": Part(RECOMPUTE, [(1, "a"), (2, "b")]),
}
CHANGE = {
    "replaced": Part(REPLACE, [(3, "c")]),
    "appended": Part(APPEND, [(3, "c")]),
    "inserted": Part(INSERT, [(3, "c")]),
    "upserted": Part(UPSERT, [(1, "A"), (3, "c")], gone=[(2,)]),
    "historic": Part(HISTORY, [(1, "a", day(1), day(2), False), (1, "A", day(2), None, True)]),
    "computed": Part(RECOMPUTE, [(1, "A"), (3, "c")], gone=[(2,)]),
}
ALL_TABLES = " UNION ALL ".join(f"SELECT '{table}', id, name, _batch, xmin::text FROM shop.{table}" for table in BEFORE)


def test_loading_again_touches_no_row(warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]) -> None:
    batches = publish(warehouse, lake, BEFORE, CHANGE)
    loaded = sorted(query(ALL_TABLES), key=repr)

    assert load(warehouse, lake, batches) == []

    assert sorted(query(ALL_TABLES), key=repr) == loaded
    assert len(loaded) == 1 + 3 + 3 + 2 + 3 + 2


def test_no_reader_sees_a_table_empty_or_half_way(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = publish(warehouse, lake, BEFORE)
    before, seen = query(ALL_TABLES), []

    def looked_at_after_each(*given: Any) -> Iterator[str]:
        for statement in load_transaction(*given):
            yield statement
            seen.append(query(ALL_TABLES))

    monkeypatch.setattr(load_module, "load_transaction", looked_at_after_each)
    load(warehouse, lake, {**batches, 2: committed(lake, 2, CHANGE)})

    assert len(seen) == 5 + (2 + 1 + 1 + 3 + 2 + 3)
    assert all(rows == before for rows in seen)
    assert {row[3] for row in query(ALL_TABLES)} == {1, 2}


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gone", "counted"), [([(1,)], 2), ([(1,), (2,)], 1), ([], 1), ([(1,)], 0)])
def test_deletes_that_are_not_as_many_as_the_manifest_says_are_refused(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows], gone: Rows, counted: int
) -> None:
    batches = publish(warehouse, lake, {"t": Part(UPSERT, [(1, "a"), (2, "b")])})
    wrong = {**batches, 2: committed(lake, 2, {"t": Part(UPSERT, [(1, "A")], gone, counted)})}

    with pytest.raises(LoadRefusedError, match=f"{counted} deleted keys in staging for 't' .* got {len(gone)}"):
        load(warehouse, lake, wrong)

    assert query("SELECT id, name FROM shop.t ORDER BY id") == [(1, "a"), (2, "b")]


def test_a_row_that_a_batch_holds_twice_is_refused(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    batches = publish(warehouse, lake, {"t": Part(UPSERT, [(1, "a")])})
    twice = {**batches, 2: committed(lake, 2, {"t": Part(UPSERT, [(2, "b"), (2, "B")])})}

    with pytest.raises(LoadRefusedError, match="duplicate key value violates unique constraint"):
        load(warehouse, lake, twice)

    assert query("SELECT id FROM shop.t") == [(1,)]


def test_a_table_with_doubled_rows_cannot_take_a_mode_that_finds_rows_by_key(
    warehouse: PostgresWarehouse, lake: Lake
) -> None:
    batches = publish(warehouse, lake, {"t": Part(APPEND, [(7, "a"), (7, "a")])})
    by_key = {**batches, 2: committed(lake, 2, {"t": Part(UPSERT, [(1, "b")])})}

    with pytest.raises(
        LoadRefusedError, match=r"Preparing shop\.t: expected one row for each id .* \(id\)=\(7\) is dup"
    ):
        load(warehouse, lake, by_key)


# --- tables that change -----------------------------------------------------------------------------------------------


def test_a_table_that_changes_its_mode_gains_the_columns(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    version = (2, "b", day(2), None, True)

    publish(warehouse, lake, {"t": Part(UPSERT, [(1, "a")])}, {"t": Part(SOFT, [(3, "c", day(1))])},
            {"t": Part(HISTORY, [version])})  # fmt: skip

    rows = query("SELECT id, name, valid_from, valid_to, is_current, _deleted_at, _batch FROM shop.t ORDER BY _batch")
    assert rows == [
        (1, "a", None, None, None, None, 1),
        (3, "c", None, None, None, day(1), 2),
        (*version, None, 3),
    ]


def test_a_table_that_stops_being_a_history_needs_no_versions(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    publish(warehouse, lake, {"t": Part(HISTORY, [(1, "a", day(1), None, True)])}, {"t": Part(UPSERT, [(2, "b")])})

    assert query("SELECT id, valid_from FROM shop.t ORDER BY id") == [(1, day(1)), (2, None)]


def test_a_table_without_the_index_on_its_identity_gets_it(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    batches = publish(warehouse, lake, {"t": Part(HISTORY, [(1, "a", day(1), None, True)])})
    warehouse._execute("DROP INDEX shop." + index_of(query)[0][0])

    load(warehouse, lake, {**batches, 2: committed(lake, 2, {"t": Part(HISTORY, [])})})

    assert [definition.partition(" USING ")[2] for _, definition in index_of(query)] == ["btree (id, valid_from)"]


def index_of(query: Callable[[str], Rows]) -> Rows:
    return query("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'shop' AND tablename = 't'")


def test_names_may_be_as_long_as_a_name_can_be(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    pipeline, feed, one, other = "p" * 63, "f" * 63, "t" * 62 + "a", "t" * 62 + "b"
    first = {name: Part(UPSERT, [(1, "a"), (2, "b")]) for name in (one, other)}
    second = {one: Part(UPSERT, [(3, "c")], gone=[(1,)]), other: Part(UPSERT, [(4, "d")], gone=[(2,)])}
    batches = {1: committed(lake, 1, first), 9_999_999_999_999: committed(lake, 2, second)}

    assert len(list(publish_feed(warehouse, lake, pipeline, feed, batches))) == 2

    assert query(f"SELECT id FROM {pipeline}.{one} ORDER BY id") == [(2,), (3,)]
    assert query(f"SELECT id FROM {pipeline}.{other} ORDER BY id") == [(1,), (4,)]
