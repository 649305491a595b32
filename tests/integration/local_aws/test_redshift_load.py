"""Publishing exported batches to Redshift through the Data API: the same tables as in Postgres, once, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from jobs.batches import Outcome
from jobs.config.table import Table
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.storage import Lake
from jobs.warehouse.load import Loaded, publish_feed
from jobs.warehouse.postgres import open_warehouse
from jobs.warehouse.warehouse import Warehouse
from tests.integration import test_warehouse_load as of_types
from tests.integration.local_aws.emr_account import EmrAccount
from tests.integration.local_aws.redshift_loading import LoadedRedshift, Rows, loadable_redshift, new_pipeline
from tests.integration.test_warehouse_modes import (
    APPEND,
    BEFORE,
    CHANGE,
    HISTORY,
    INSERT,
    RECOMPUTE,
    REPLACE,
    SOFT,
    UPSERT,
    Part,
    committed,
    contract,
    day,
)

DATABASES = count(1)


@pytest.fixture(scope="module")
def redshift(account: EmrAccount) -> Iterator[LoadedRedshift]:
    with loadable_redshift(account) as running:
        yield running


@pytest.fixture
def lake(redshift: LoadedRedshift) -> Lake:
    return redshift.new_lake()


def load(warehouse: Warehouse, lake: Lake, pipeline: str, batches: Mapping[int, Outcome]) -> list[Loaded]:
    return list(publish_feed(warehouse, lake, pipeline, "feed", batches))


def publish(redshift: LoadedRedshift, lake: Lake, *batches: Mapping[str, Part]) -> tuple[str, dict[int, Outcome]]:
    """Loads the batches 1, 2, … of a new pipeline."""
    outcomes = {number: committed(lake, number, parts) for number, parts in enumerate(batches, start=1)}
    pipeline = new_pipeline()
    with redshift.opened() as warehouse:
        assert [loaded.number for loaded in load(warehouse, lake, pipeline, outcomes)] == list(outcomes)
    return pipeline, outcomes


# --- the same as in Postgres ------------------------------------------------------------------------------------------

CASES: dict[str, list[dict[str, Part]]] = {
    "append": [{"t": Part(APPEND, [(1, "a")])}, {"t": Part(APPEND, [(1, "a"), (2, None)])}],
    "insert": [{"t": Part(INSERT, [(1, "a")])}, {"t": Part(INSERT, [(1, "changed"), (2, "b")])}],
    "upsert": [{"t": Part(UPSERT, [(1, "a"), (2, "b"), (3, None)])}, {"t": Part(UPSERT, [(2, None), (4, "d")])}],
    "upsert and deletes": [
        {"t": Part(UPSERT, [(1, "a"), (2, "b"), (3, "c")])},
        {"t": Part(UPSERT, [(2, "B")], gone=[(1,), (99,)])},
    ],
    "only deletes": [{"t": Part(UPSERT, [(1, "a"), (2, "b")])}, {"t": Part(UPSERT, [], gone=[(1,)])}],
    "soft deletes": [
        {"t": Part(SOFT, [(1, "a", None), (2, "b", None)])},
        {"t": Part(SOFT, [(1, "a", day(2))])},
    ],
    "replace": [{"t": Part(REPLACE, [(1, "a"), (2, "b")])}, {"t": Part(REPLACE, [(2, "B"), (3, None)])}],
    "replace by nothing": [{"t": Part(REPLACE, [(1, "a")])}, {"t": Part(REPLACE, [])}],
    "history": [
        {"t": Part(HISTORY, [(1, "a", day(1), day(2), False), (1, "b", day(2), None, True), (2, "x", day(2), None, True)])},
        {"t": Part(HISTORY, [(1, "b", day(2), day(3), False), (1, "c", day(3), None, True)])},
    ],
    "history of which a version went": [
        {"t": Part(HISTORY, [(1, "a", day(1), day(2), False), (1, "b", day(2), day(4), False), (1, "c", day(4), None, True)])},
        {"t": Part(HISTORY, [(1, "b", day(2), day(3), False), (1, "c", day(3), None, True)], gone=[(1, day(4))])},
    ],
    "recompute": [
        {"t": Part(RECOMPUTE, [(1, "a"), (2, "b"), (3, "c")])},
        {"t": Part(RECOMPUTE, [(1, "A"), (4, "d")], gone=[(2,)])},
    ],
    "changing modes": [
        {"t": Part(UPSERT, [(1, "a")])},
        {"t": Part(SOFT, [(3, "c", day(1))])},
        {"t": Part(HISTORY, [(2, "b", day(2), None, True)])},
        {"t": Part(UPSERT, [(4, "d")])},
    ],
    "every mode at once": [BEFORE, CHANGE],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_tables_are_those_of_postgres(
    redshift: LoadedRedshift, lake: Lake, postgres_server: EmbeddedPostgres, case: str
) -> None:
    pipeline, batches = publish(redshift, lake, *CASES[case])
    url = postgres_server.url(f"twin_{next(DATABASES)}")
    with open_warehouse(url) as twin:
        load(twin, lake, pipeline, batches)

    for table in CASES[case][0]:
        with psycopg.connect(url) as connection:
            expected = sorted(connection.execute(f"SELECT * FROM {pipeline}.{table}").fetchall(), key=repr)
        assert redshift.table(pipeline, table) == expected


def test_every_value_arrives_exactly(redshift: LoadedRedshift, lake: Lake) -> None:
    last_instant = datetime.fromisoformat("9999-12-31T23:59:59.999999")
    columns: dict[str, tuple[str, pa.DataType, list[Any]]] = {
        "key": ("bigint", pa.int64(), [9_007_199_254_740_993, -(2**63), None]),
        "order": ("text", pa.string(), ["🎉 é \\N\t\r\n'\"%s :as_of", "", None]),
        "name": ("varchar(4)", pa.string(), ["éé", "abcd", None]),
        "small": ("smallint", pa.int16(), [-32768, 32767, None]),
        "whole": ("int", pa.int32(), [-(2**31), 2**31 - 1, None]),
        "amount": ("numeric(38,10)", pa.decimal128(38, 10), [Decimal("-" + "9" * 28 + ".0000000001"), Decimal("1E+4"), None]),
        "ratio": ("double", pa.float64(), [0.1, 5e-324, None]),
        "day": ("date", pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None]),
        "at": ("timestamp", pa.timestamp("us", "UTC"), [last_instant, datetime.fromisoformat("0001-01-01"), None]),
        "yes": ("boolean", pa.bool_(), [True, False, None]),
    }  # fmt: skip
    table = Table.model_validate(
        {
            "from": "feed",
            "columns": {name: {"type": type_, "nullable": True} for name, (type_, _, _) in columns.items()},
            "load": {"mode": "append"},
        }
    )
    rows = pa.table({name: pa.array(values, type_) for name, (_, type_, values) in columns.items()})
    batch = of_types.committed(lake, 1, {"odd": (table, rows)})
    pipeline = new_pipeline()

    with redshift.opened() as warehouse:
        load(warehouse, lake, pipeline, {1: batch})
        _, read = warehouse.read("Reading", f'SELECT * FROM "{pipeline}"."odd" WHERE key IS NULL OR key < 0 OR key > 0')

    expected = [(*row, 1) for row in zip(*(values for _, _, values in columns.values()), strict=True)]
    assert sorted(redshift.table(pipeline, "odd"), key=repr) == sorted(expected, key=repr)
    assert sorted(read, key=repr) == sorted(expected, key=repr)


# --- once, and in order -----------------------------------------------------------------------------------------------


def test_missing_batches_are_loaded_in_ascending_order_and_only_once(redshift: LoadedRedshift, lake: Lake) -> None:
    empty = Outcome(status="committed", reason="", attempt="attempt-2", finished_at=datetime(2024, 5, 2, tzinfo=UTC))
    batches = {
        3: committed(lake, 3, {"t": Part(INSERT, [(1, "again"), (3, "c")])}),
        1: committed(lake, 1, {"t": Part(INSERT, [(1, "a"), (2, None)])}),
        2: empty,
    }
    pipeline = new_pipeline()

    with redshift.opened() as warehouse:
        first = load(warehouse, lake, pipeline, batches)
        again = load(warehouse, lake, pipeline, batches)

    assert [(loaded.number, loaded.rows, loaded.adopted) for loaded in first] == [
        (1, {"t": 2}, False),
        (2, {}, False),
        (3, {"t": 2}, False),
    ]
    assert again == []
    assert redshift.table(pipeline, "t") == [(1, "a", 1), (2, None, 1), (3, "c", 3)]
    assert redshift.rows(f'SELECT n, attempt, load_id, "rows" FROM {pipeline}.tidemark_loads ORDER BY n') == [
        (loaded.number, f"attempt-{loaded.number}", loaded.load_id, rows)
        for loaded, rows in zip(first, ['{"t": 2}', "{}", '{"t": 2}'], strict=True)
    ]
    assert redshift.staging(pipeline) == []


def test_a_second_load_of_a_batch_touches_no_row(redshift: LoadedRedshift, lake: Lake) -> None:
    pipeline, batches = publish(redshift, lake, BEFORE, CHANGE)
    versions = " UNION ALL ".join(f"SELECT '{table}', id, xmin::text FROM {pipeline}.{table}" for table in BEFORE)
    loaded = redshift.rows(versions)

    with redshift.opened() as warehouse:
        assert load(warehouse, lake, pipeline, batches) == []

    assert redshift.rows(versions) == loaded
    assert len(loaded) == 1 + 3 + 3 + 2 + 3 + 2


def test_feeds_of_a_pipeline_have_their_own_numbers(redshift: LoadedRedshift, lake: Lake) -> None:
    pipeline, _ = publish(redshift, lake, {"t": Part(INSERT, [(1, "a")])})

    with redshift.opened() as warehouse:
        assert set(warehouse.published_attempts(pipeline, "feed")) == {1}
        assert set(warehouse.published_attempts(pipeline, "other")) == set()


def test_names_may_be_as_long_as_a_name_can_be(redshift: LoadedRedshift, lake: Lake) -> None:
    pipeline, feed, one, other = new_pipeline().ljust(63, "p"), "f" * 63, "t" * 62 + "a", "t" * 62 + "b"
    first = {name: Part(UPSERT, [(1, "a"), (2, "b")]) for name in (one, other)}
    second = {one: Part(UPSERT, [(3, "c")], gone=[(1,)]), other: Part(UPSERT, [(4, "d")], gone=[(2,)])}
    batches = {1: committed(lake, 1, first), 9_999_999_999_999: committed(lake, 2, second)}

    with redshift.opened() as warehouse:
        assert len(list(publish_feed(warehouse, lake, pipeline, feed, batches))) == 2

    assert redshift.rows(f"SELECT id FROM {pipeline}.{one} ORDER BY id") == [(2,), (3,)]
    assert redshift.rows(f"SELECT id FROM {pipeline}.{other} ORDER BY id") == [(1,), (4,)]
    assert redshift.staging(pipeline) == []


# --- tables by contract -----------------------------------------------------------------------------------------------


def shape(redshift: LoadedRedshift, pipeline: str, table: str) -> Rows:
    return redshift.rows(
        "SELECT column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns "
        f"WHERE table_schema = '{pipeline}' AND table_name = '{table}' ORDER BY ordinal_position"
    )


def test_a_table_has_the_contracts_columns_in_bytes(redshift: LoadedRedshift, lake: Lake) -> None:
    pipeline, _ = publish(redshift, lake, {"t": Part(UPSERT, [(1, "a")])})

    assert shape(redshift, pipeline, "t") == [
        ("id", "bigint", None, "YES"),
        ("name", "character varying", 40, "YES"),
        ("_batch", "bigint", None, "NO"),
    ]


def test_a_text_that_grows_is_widened_and_a_new_column_is_added(redshift: LoadedRedshift, lake: Lake) -> None:
    wider = contract("upsert")
    longer = {"id": "bigint", "name": {"type": "varchar(80)", "nullable": True}, "score": "bigint"}
    wider = Table.model_validate({**wider.model_dump(by_alias=True), "columns": longer})

    pipeline, _ = publish(
        redshift, lake, {"t": Part(UPSERT, [(1, "a")])}, {"t": Part(wider, [(2, "é" * 40, 7)])}, {"t": Part(UPSERT, [(3, "c")])}
    )  # fmt: skip

    assert redshift.rows(f"SELECT id, name, score, _batch FROM {pipeline}.t ORDER BY id") == [
        (1, "a", None, 1),
        (2, "é" * 40, 7, 2),
        (3, "c", None, 3),
    ]
    assert shape(redshift, pipeline, "t")[1] == ("name", "character varying", 80, "YES")


def test_columns_are_found_by_name_whatever_their_order(redshift: LoadedRedshift, lake: Lake) -> None:
    """Neither the order of the contract nor that of the table: COPY goes by position."""
    pipeline, batches = publish(redshift, lake, {"t": Part(UPSERT, [(1, "a")])})
    turned = pa.table({"name": ["b"], "id": pa.array([2], pa.int64())})
    two = of_types.committed(lake, 2, {"t": (UPSERT, turned)})

    with redshift.opened() as warehouse:
        load(warehouse, lake, pipeline, {**batches, 2: two})

    assert redshift.table(pipeline, "t") == [(1, "a", 1), (2, "b", 2)]


def test_rows_lie_as_the_contract_says(redshift: LoadedRedshift, lake: Lake) -> None:
    layout = {"distkey": "id", "diststyle": "key", "sortkey": ["name", "id"]}
    spread = Table.model_validate({**UPSERT.model_dump(by_alias=True), "publish": layout})

    pipeline, _ = publish(redshift, lake, {"t": Part(spread, [(1, "a")])})

    ((created,),) = redshift.rows(
        f'SELECT query_text FROM sys_query_history WHERE query_text LIKE \'CREATE TABLE "{pipeline}"."t"%\''
    )
    assert created.endswith(' DISTSTYLE KEY DISTKEY ("id") COMPOUND SORTKEY ("name", "id")')
