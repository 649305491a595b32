"""Publishing committed batches to a real Postgres: in order, once, whole, whoever else loads, reads or dies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
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
from jobs.errors import ConfigError, CredentialsError, LedgerConflictError, LoadRefusedError, WarehouseUnavailableError
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.storage import Lake
from jobs.warehouse.load import Loaded, publish_feed
from jobs.warehouse.postgres import PostgresWarehouse, open_warehouse
from jobs.warehouse.statements import load_transaction

Rows = list[tuple[Any, ...]]
DATABASES = count(1)
USERS = Table.model_validate(
    {
        "from": "snapshot",
        "key": ["id"],
        "columns": {"id": "bigint", "name": {"type": "varchar(40)", "nullable": True}},
        "load": {"mode": "replace", "min_rows": 0},
    }
)
POSTS = USERS.model_copy(update={"load": USERS.load.model_copy(update={"mode": "insert"})})
ARROW = pa.schema([("id", pa.int64()), ("name", pa.string())])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def warehouse_url(postgres_server: EmbeddedPostgres) -> str:
    """An empty database of this test's own."""
    return postgres_server.url(f"load_{next(DATABASES)}")


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[PostgresWarehouse]:
    with open_warehouse(warehouse_url) as opened:
        yield opened


@pytest.fixture
def query(warehouse_url: str) -> Iterator[Callable[[str], Rows]]:
    """Reads with a session of its own, so that it sees what anybody sees; fails where it would wait for a lock."""
    with psycopg.connect(warehouse_url, autocommit=True, options="-c lock_timeout=10s") as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def committed(
    lake: Lake, number: int, tables: Mapping[str, tuple[Table, pa.Table]], counted: int | None = None
) -> Outcome:
    """A batch as curation leaves it: one Parquet file per table, with `_batch`, and the manifest."""
    exported = {}
    for name, (contract, rows) in tables.items():
        path = f"export/shop/snapshot/batch={number}/{name}/part-0.parquet"
        sink = pa.BufferOutputStream()
        pq.write_table(rows.append_column("_batch", pa.array([number] * len(rows), pa.int64())), sink)
        assert lake.create(path, sink.getvalue().to_pybytes())
        exported[name] = ExportedTable(contract=contract, files=(path,), rows=len(rows) if counted is None else counted)
    manifest = f"export/shop/snapshot/batch={number}/manifest.json"
    assert lake.create(manifest, ExportManifest(attempt=f"attempt-{number}", tables=exported).to_json())
    return outcome(number, manifest)


def outcome(number: int, export: str | None) -> Outcome:
    finished = datetime(2024, 5, number, tzinfo=UTC)
    return Outcome(status="committed", reason="", attempt=f"attempt-{number}", export=export, finished_at=finished)


def users(*rows: tuple[int, str | None]) -> dict[str, tuple[Table, pa.Table]]:
    return {"users": (USERS, arrow(rows))}


def posts(*rows: tuple[int, str | None]) -> dict[str, tuple[Table, pa.Table]]:
    return {"posts": (POSTS, arrow(rows))}


def arrow(rows: Sequence[tuple[int, str | None]]) -> pa.Table:
    return pa.Table.from_pylist([{"id": number, "name": name} for number, name in rows], ARROW)


def publish(warehouse: PostgresWarehouse, lake: Lake, batches: Mapping[int, Outcome]) -> list[Loaded]:
    return list(publish_feed(warehouse, lake, "shop", "snapshot", batches))


def changed_transaction(monkeypatch: pytest.MonkeyPatch, change: Callable[[list[str]], Any]) -> None:
    """Makes the next loads run what `change` returns for the statements of their transaction."""
    monkeypatch.setattr(load_module, "load_transaction", lambda *given: change(load_transaction(*given)))


# --- what is loaded ---------------------------------------------------------------------------------------------------


def test_missing_batches_are_loaded_in_ascending_order_and_only_once(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    batches = {
        3: committed(lake, 3, posts((1, "again"), (3, "c"))),
        1: committed(lake, 1, posts((1, "a"), (2, None))),
        2: outcome(2, None),
    }

    first = publish(warehouse, lake, batches)

    assert [(loaded.number, loaded.rows, loaded.adopted) for loaded in first] == [
        (1, {"posts": 2}, False),
        (2, {}, False),
        (3, {"posts": 2}, False),
    ]
    assert query("SELECT id, name, _batch FROM shop.posts ORDER BY id") == [(1, "a", 1), (2, None, 1), (3, "c", 3)]
    assert query('SELECT n, load_id, "rows" FROM shop.tidemark_loads ORDER BY n') == [
        (1, first[0].load_id, '{"posts": 2}'),
        (2, first[1].load_id, "{}"),
        (3, first[2].load_id, '{"posts": 2}'),
    ]
    assert publish(warehouse, lake, batches) == []
    assert set(warehouse.published_attempts("shop", "snapshot")) == {1, 2, 3}


def test_the_number_of_a_void_batch_is_no_gap(warehouse: PostgresWarehouse, lake: Lake) -> None:
    assert [loaded.number for loaded in publish(warehouse, lake, {1: outcome(1, None), 3: outcome(3, None)})] == [1, 3]


def test_a_pipeline_that_was_never_loaded_has_published_nothing(warehouse: PostgresWarehouse) -> None:
    assert set(warehouse.published_attempts("shop", "snapshot")) == set()


def test_feeds_of_a_pipeline_have_their_own_numbers(warehouse: PostgresWarehouse, lake: Lake) -> None:
    publish(warehouse, lake, {1: outcome(1, None)})

    assert set(warehouse.published_attempts("shop", "snapshot")) == {1}
    assert set(warehouse.published_attempts("shop", "events")) == set()


def test_replace_leaves_exactly_the_rows_of_the_batch(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    publish(warehouse, lake, {1: committed(lake, 1, users((1, "a"), (2, "b")))})
    publish(warehouse, lake, {1: outcome(1, None), 2: committed(lake, 2, users((2, "B"), (3, "c")))})

    assert query("SELECT id, name, _batch FROM shop.users ORDER BY id") == [(2, "B", 2), (3, "c", 2)]


def test_an_empty_batch_empties_a_replaced_table(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    publish(warehouse, lake, {1: committed(lake, 1, users((1, "a"))), 2: committed(lake, 2, users())})

    assert query("SELECT id FROM shop.users") == []


def test_an_unpublished_table_stays_out(warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]) -> None:
    hidden = USERS.model_copy(update={"publish": False})
    batch = committed(lake, 1, {"hidden": (hidden, arrow([(1, "a")])), **users((1, "a"))})

    assert publish(warehouse, lake, {1: batch})[0].rows == {"users": 1}
    assert query("SELECT to_regclass('shop.hidden')") == [(None,)]


def test_every_value_arrives_exactly(warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]) -> None:
    columns = {
        "key": "bigint",
        "order": "text",
        "small": "smallint",
        "whole": "int",
        "amount": "numeric(38,10)",
        "ratio": "double",
        "day": "date",
        "at": "timestamp",
        "yes": "boolean",
    }
    contract = Table.model_validate(
        {
            "from": "snapshot",
            "columns": {n: {"type": t, "nullable": True} for n, t in columns.items()},
            "load": {"mode": "replace"},
        }
    )
    texts = [
        "",
        "\\",
        "\\N",
        "\\.",
        "a\tb",
        "line\nbreak\r\n",
        "\n\\.\n",
        '"',
        "'",
        "%s 100%",
        "🎉 é",
        "\x01\x7f",
        "$$",
        None,
    ]
    last_instant = datetime.fromisoformat("9999-12-31T23:59:59.999999")
    values: Rows = [
        (9_007_199_254_740_993, -32768, -(2**31), Decimal("-" + "9" * 28 + ".0000000001"), 0.1, date(1, 1, 1),
         last_instant, True),
        (-(2**63), 32767, 2**31 - 1, Decimal("10000.0000000000"), 5e-324, date(9999, 12, 31), datetime.fromisoformat("0001-01-01"), False),
        (None, None, None, None, None, None, None, None),
    ]  # fmt: skip
    rows: Rows = [(values[i % 3][0], text, *values[i % 3][1:]) for i, text in enumerate(texts)]
    types = [pa.int64(), pa.string(), pa.int16(), pa.int32(), pa.decimal128(38, 10), pa.float64(), pa.date32(),
             pa.timestamp("us", "UTC"), pa.bool_()]  # fmt: skip
    table = pa.table(
        [pa.array(column, type_) for column, type_ in zip(zip(*rows, strict=True), types, strict=True)],
        names=list(columns),
    )

    publish(warehouse, lake, {1: committed(lake, 1, {"odd": (contract, table)})})

    stored = query("SELECT key, convert_to(\"order\", 'UTF8'), small, whole, amount, ratio, day, at, yes FROM shop.odd")
    expected = [(row[0], None if row[1] is None else row[1].encode(), *row[2:]) for row in rows]
    assert sorted(stored, key=repr) == sorted(expected, key=repr)


def test_int96_timestamps_beyond_2262_arrive_exactly(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    contract = Table.model_validate({"from": "f", "columns": {"at": "timestamp"}, "load": {"mode": "replace"}})
    last_instant = datetime.fromisoformat("9999-12-31T23:59:59.999999")
    far = pa.table({"at": pa.array([last_instant], pa.timestamp("us"))})
    sink = pa.BufferOutputStream()
    pq.write_table(far, sink, use_deprecated_int96_timestamps=True)
    lake.create("export/far.parquet", sink.getvalue().to_pybytes())
    exported = ExportedTable(contract=contract, files=("export/far.parquet",), rows=1)
    lake.create("export/far.json", ExportManifest(attempt="attempt-1", tables={"far": exported}).to_json())

    publish(warehouse, lake, {1: outcome(1, "export/far.json")})

    assert query("SELECT at FROM shop.far") == [(last_instant,)]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_gap_is_refused(warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]) -> None:
    batches = {1: committed(lake, 1, users((1, "a"))), 2: committed(lake, 2, users((2, "b")))}
    publish(warehouse, lake, batches)
    three = committed(lake, 3, users((3, "c")))
    warehouse._execute("DELETE FROM shop.tidemark_loads WHERE n = 1")

    with pytest.raises(
        LoadRefusedError, match="batch 3 of shop.snapshot: expected 2 earlier batches in the warehouse, got 1"
    ):
        load_module._load_batch(warehouse, lake, "shop", "snapshot", 3, three, earlier=2)

    assert query("SELECT id FROM shop.users") == [(2,)]


@pytest.mark.parametrize("counted", [1, 3])
def test_a_count_that_differs_from_the_manifest_is_refused_and_nothing_changes(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows], counted: int
) -> None:
    batches = {1: committed(lake, 1, users((1, "a"))), 2: committed(lake, 2, users((2, "b"), (3, "c")), counted)}

    with pytest.raises(LoadRefusedError, match=f"expected {counted} rows in staging for 'users' .* got 2"):
        publish(warehouse, lake, batches)

    assert query("SELECT id, _batch FROM shop.users") == [(1, 1)]
    assert query("SELECT n FROM shop.tidemark_loads") == [(1,)]
    assert staging_tables(query) == []


def test_a_text_with_nul_is_refused_and_nothing_changes(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    with pytest.raises(LoadRefusedError, match="0x00"):
        publish(warehouse, lake, {1: committed(lake, 1, users((1, "a\0b")))})

    assert query("SELECT id FROM shop.users") == []
    assert staging_tables(query) == []


def test_an_exported_file_that_is_gone_is_named(warehouse: PostgresWarehouse, lake: Lake, tmp_path: Path) -> None:
    batch = committed(lake, 1, users((1, "a")))
    (tmp_path / "lake/export/shop/snapshot/batch=1/users/part-0.parquet").unlink()

    with pytest.raises(
        LoadRefusedError, match="users from export/.*part-0.parquet: expected the exported file to be there"
    ):
        publish(warehouse, lake, {1: batch})


def test_a_warehouse_that_another_lake_filled_is_refused(warehouse: PostgresWarehouse, lake: Lake) -> None:
    publish(warehouse, lake, {1: committed(lake, 1, users((1, "a")))})
    new_lake = outcome(1, None).model_copy(update={"attempt": "of-a-new-lake"})

    with pytest.raises(
        LedgerConflictError, match=r"expected the warehouse to hold the batches of this lake.*batch 1\."
    ):
        publish(warehouse, lake, {1: new_lake})


# --- contracts that change --------------------------------------------------------------------------------------------


def test_a_new_column_is_added_before_its_first_batch(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    wider = Table.model_validate(
        {"from": "snapshot", "key": ["id"], "columns": {"id": "bigint", "score": "int"}, "load": {"mode": "insert"}}
    )
    new = pa.table({"id": pa.array([2], pa.int64()), "score": pa.array([7], pa.int32())})

    publish(warehouse, lake, {1: committed(lake, 1, posts((1, "a"))), 2: committed(lake, 2, {"posts": (wider, new)})})

    assert query("SELECT id, name, score, _batch FROM shop.posts ORDER BY id") == [(1, "a", None, 1), (2, None, 7, 2)]


def test_a_changed_type_is_refused_until_the_table_is_changed(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows]
) -> None:
    one = committed(lake, 1, users((1, "a")))
    publish(warehouse, lake, {1: one})
    longer = Table.model_validate(
        {**USERS.model_dump(by_alias=True), "columns": {"id": "bigint", "name": "varchar(80)"}}
    )
    two = committed(lake, 2, {"users": (longer, arrow([(2, "b")]))})

    with pytest.raises(
        LoadRefusedError, match="'name' to be character varying.80.*got character varying.40"
    ) as refused:
        publish(warehouse, lake, {1: one, 2: two})
    warehouse._execute(str(refused.value).split("`")[1])

    assert [loaded.number for loaded in publish(warehouse, lake, {1: one, 2: two})] == [2]


# --- others at the same time ------------------------------------------------------------------------------------------


def test_two_loaders_at_once_load_a_batch_once(
    warehouse_url: str, lake: Lake, query: Callable[[str], Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = {1: committed(lake, 1, posts(*((i, "x") for i in range(500)))), 2: committed(lake, 2, posts((1000, "y")))}
    both_staged = threading.Barrier(2, timeout=60)

    def meet_before_the_first(statements: list[str]) -> list[str]:
        if "n = 1" in statements[1]:
            both_staged.wait()
        return statements

    def run(_: int) -> list[Loaded]:
        with open_warehouse(warehouse_url) as own:
            return publish(own, lake, batches)

    changed_transaction(monkeypatch, meet_before_the_first)
    with ThreadPoolExecutor(2) as loaders:
        one, other = loaders.map(run, range(2))

    first_batches = [loaded for loaded in [*one, *other] if loaded.number == 1]
    assert sorted(loaded.adopted for loaded in first_batches) == [False, True]
    assert len({loaded.load_id for loaded in first_batches}) == 1
    assert query("SELECT count(*), count(DISTINCT id) FROM shop.posts") == [(501, 501)]
    assert query("SELECT n FROM shop.tidemark_loads ORDER BY n") == [(1,), (2,)]
    assert staging_tables(query) == []


def test_readers_see_the_old_rows_of_all_tables_until_the_commit(
    warehouse: PostgresWarehouse, lake: Lake, query: Callable[[str], Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Rows] = []

    def looked_at_between(statements: list[str]) -> Iterator[str]:
        for statement in statements:
            yield statement
            seen.append(query("SELECT id FROM shop.users UNION ALL SELECT id FROM shop.posts ORDER BY id"))

    publish(warehouse, lake, {1: committed(lake, 1, {**users((1, "a")), **posts((10, "p"))})})
    changed_transaction(monkeypatch, looked_at_between)
    publish(warehouse, lake, {1: outcome(1, None), 2: committed(lake, 2, {**users((2, "b")), **posts((20, "q"))})})

    assert len(seen) == 8
    assert all(rows == [(1,), (10,)] for rows in seen)
    assert query("SELECT id FROM shop.users UNION ALL SELECT id FROM shop.posts ORDER BY id") == [(2,), (10,), (20,)]


def test_a_reader_with_an_open_transaction_does_not_hold_up_a_replace(
    warehouse: PostgresWarehouse, warehouse_url: str, lake: Lake
) -> None:
    publish(warehouse, lake, {1: committed(lake, 1, users((1, "a")))})
    with psycopg.connect(warehouse_url, options="-c idle_in_transaction_session_timeout=10s") as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert reader.execute("SELECT id FROM shop.users").fetchall() == [(1,)]

        publish(warehouse, lake, {1: outcome(1, None), 2: committed(lake, 2, users((2, "b")))})

        assert reader.execute("SELECT id FROM shop.users").fetchall() == [(1,)]


def test_a_loader_that_falls_silent_is_ended_by_the_server(
    warehouse: PostgresWarehouse, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = "SELECT 1 / (current_setting('idle_in_transaction_session_timeout') = '1min')::int"
    changed_transaction(monkeypatch, lambda statements: [limited, *statements])

    assert [loaded.number for loaded in publish(warehouse, lake, {1: outcome(1, None)})] == [1]


# --- death ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("survived", range(8))
def test_a_loader_killed_in_its_transaction_leaves_nothing_and_the_next_one_finishes(
    warehouse_url: str, lake: Lake, query: Callable[[str], Rows], monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    one, two = committed(lake, 1, users((1, "a"))), committed(lake, 2, {**users((2, "b")), **posts((20, "q"))})
    with open_warehouse(warehouse_url) as first:
        publish(first, lake, {1: one})
    kill = "SELECT pg_terminate_backend(pg_backend_pid())"
    with monkeypatch.context() as patch, open_warehouse(warehouse_url) as dying:
        changed_transaction(patch, lambda statements: [*statements[: survived + 1], kill])
        with pytest.raises(WarehouseUnavailableError, match="Run the same command again"):
            publish(dying, lake, {1: one, 2: two})
    assert query("SELECT id FROM shop.users") == [(1,)]
    assert query("SELECT id FROM shop.posts") == []
    assert len(staging_tables(query)) == 2

    with open_warehouse(warehouse_url) as next_one:
        loaded = publish(next_one, lake, {1: one, 2: two})

    assert [(batch.number, batch.adopted) for batch in loaded] == [(2, False)]
    assert query("SELECT id FROM shop.users UNION ALL SELECT id FROM shop.posts ORDER BY id") == [(2,), (20,)]
    assert staging_tables(query) == []


def test_the_staging_of_a_loader_that_lives_is_left_alone(
    warehouse: PostgresWarehouse, warehouse_url: str, lake: Lake, query: Callable[[str], Rows]
) -> None:
    warehouse.prepare("shop", {})
    nothing = {"users": ExportedTable(contract=USERS, files=(), rows=0)}
    with open_warehouse(warehouse_url) as other, other.staging("shop", "snapshot", 9, nothing) as staging:
        publish(warehouse, lake, {1: committed(lake, 1, users((1, "a")))})

        assert staging_tables(query) == [staging.names["users"]]


def test_a_wrong_password_is_named_without_being_shown(postgres_server: EmbeddedPostgres) -> None:
    wrong = f"postgresql://tidemark:opensesame@127.0.0.1:{postgres_server.port}/postgres"

    with pytest.raises(CredentialsError, match="let user 'tidemark' in") as refused, open_warehouse(wrong):
        pass

    assert "opensesame" not in f"{refused.value} {refused.value.__cause__}"


def test_a_dead_server_is_named() -> None:
    dead = "postgresql://tidemark:opensesame@127.0.0.1:1/warehouse"

    with (
        pytest.raises(WarehouseUnavailableError, match=r"127\.0\.0\.1:1/warehouse to answer") as down,
        open_warehouse(dead),
    ):
        pass

    assert "opensesame" not in f"{down.value} {down.value.__cause__}"


def test_a_url_that_cannot_be_read_is_not_shown() -> None:
    unreadable = "postgres:/tidemark:opensesame@127.0.0.1/warehouse"

    with pytest.raises(ConfigError, match="TIDEMARK_WAREHOUSE_URL") as refused, open_warehouse(unreadable):
        pass

    assert "opensesame" not in str(refused.value)
    assert refused.value.__cause__ is None


def staging_tables(query: Callable[[str], Rows]) -> list[str]:
    return [name for (name,) in query("SELECT relname FROM pg_class WHERE relname LIKE 'tidemark\\_staging%'")]
