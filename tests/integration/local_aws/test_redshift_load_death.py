"""Loaders that die before and after each call, meet, or lose an answer: every batch is whole in Redshift, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import psycopg
import pytest

import jobs.warehouse.load as load_module
from jobs.batches import Outcome
from jobs.runtime.storage import Lake
from jobs.warehouse.load import Loaded, publish_feed
from jobs.warehouse.statements import load_transaction
from tests.integration.local_aws.doomed_loader import DoomedClient, DoomedLake, Fate, KilledError
from tests.integration.local_aws.emr_account import EmrAccount, wait_until
from tests.integration.local_aws.redshift_loading import LoadedRedshift, Rows, loadable_redshift, new_pipeline
from tests.integration.test_warehouse_modes import APPEND, HISTORY, REPLACE, UPSERT, Part, committed, day

FIRST = {
    "replaced": Part(REPLACE, [(1, "a"), (2, "b")]),
    "appended": Part(APPEND, [(1, "a"), (2, "b")]),
    "upserted": Part(UPSERT, [(1, "a"), (2, "b")]),
    "historic": Part(HISTORY, [(1, "a", day(1), None, True)]),
}
SECOND = {
    "replaced": Part(REPLACE, [(3, "c")]),
    "appended": Part(APPEND, [(3, "c")]),
    "upserted": Part(UPSERT, [(1, "A"), (3, "c")], gone=[(2,)]),
    "historic": Part(HISTORY, [(1, "a", day(1), day(2), False), (1, "A", day(2), None, True)]),
}
TABLES: dict[str, Rows] = {
    "replaced": [(3, "c", 2)],
    "appended": [(1, "a", 1), (2, "b", 1), (3, "c", 2)],
    "upserted": [(1, "A", 2), (3, "c", 2)],
    "historic": [(1, "A", day(2), None, True, 2), (1, "a", day(1), day(2), False, 2)],
}
BY_FIRST = {name: sorted(((*row, 1) for row in part.rows), key=repr) for name, part in FIRST.items()}
EFFECTS = 36
"""Of a load of both batches."""


@pytest.fixture(scope="module")
def redshift(account: EmrAccount) -> Iterator[LoadedRedshift]:
    with loadable_redshift(account) as running:
        yield running


@pytest.fixture
def lake(redshift: LoadedRedshift) -> Lake:
    return redshift.new_lake()


@pytest.fixture
def batches(lake: Lake) -> dict[int, Outcome]:
    return {1: committed(lake, 1, FIRST), 2: committed(lake, 2, SECOND)}


def load(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, batches: dict[int, Outcome], fate: Fate | None = None
) -> list[Loaded]:
    """As a process of its own; with a fate it may die."""
    session: Any = DoomedClient(redshift.session, fate) if fate else None
    with redshift.opened(session) as warehouse:
        doomed = DoomedLake(lake, fate) if fate else lake
        return list(publish_feed(warehouse, doomed, pipeline, "feed", batches))


def seen(redshift: LoadedRedshift, pipeline: str) -> dict[str, Rows]:
    """The tables as one reader sees them at one moment, their rows in an order of their own."""
    with psycopg.connect(redshift.engine) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        there = reader.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [pipeline]).fetchall()
        return {
            name: sorted(reader.execute(f'SELECT * FROM "{pipeline}"."{name}"').fetchall(), key=repr)  # type: ignore[call-overload]
            for (name,) in there
            if name in TABLES
        }


def changed_transaction(monkeypatch: pytest.MonkeyPatch, change: Callable[[list[str]], Any]) -> None:
    """Makes the next loads run what `change` returns for the statements of their transaction."""
    monkeypatch.setattr(load_module, "load_transaction", lambda *given: change(load_transaction(*given)))


# --- death ------------------------------------------------------------------------------------------------------------


def test_the_effects_are_as_many_as_are_tried(
    redshift: LoadedRedshift, lake: Lake, batches: dict[int, Outcome]
) -> None:
    fate = Fate()

    load(redshift, lake, new_pipeline(), batches, fate)

    assert fate.effects == EFFECTS
    assert 2 * EFFECTS >= 60


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, EFFECTS + 1))
def test_a_loader_that_dies_leaves_nothing_half_and_the_next_one_finishes(
    redshift: LoadedRedshift, lake: Lake, batches: dict[int, Outcome], number: int, when: Literal["before", "after"]
) -> None:
    pipeline, fate = new_pipeline(), Fate(number, when)
    with pytest.raises(KilledError):
        load(redshift, lake, pipeline, batches, fate)
    assert seen(redshift, pipeline) in ({}, {table: [] for table in TABLES}, BY_FIRST, TABLES)

    load(redshift, lake, pipeline, batches)

    assert seen(redshift, pipeline) == TABLES
    assert redshift.rows(f"SELECT n FROM {pipeline}.tidemark_loads ORDER BY n") == [(1,), (2,)]


def test_the_next_load_drops_what_dead_loaders_left(
    redshift: LoadedRedshift, lake: Lake, batches: dict[int, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = new_pipeline()
    first = {1: batches[1]}
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        changed_transaction(patch, raise_killed)
        patch.setattr("jobs.warehouse.redshift.DataApiWarehouse._drop_staging", lambda *_: None)
        load(redshift, lake, pipeline, first)
    (left, *_) = sorted(redshift.staging(pipeline))
    load_id = left.split("_")[-2]
    an_old_one, a_young_one = left.replace("_1_", "_7_").replace(load_id, "00000000abcd"), left.replace("_1_", "_8_")
    another_feeds = left.replace("staging_feed_", "staging_food_")
    with redshift.opened() as warehouse:
        for name in (an_old_one, a_young_one, another_feeds):
            warehouse._api.run("Leaving staging behind", f'CREATE TABLE {pipeline}."{name}" (id INT)')

    load(redshift, lake, pipeline, first)

    assert sorted(redshift.staging(pipeline)) == sorted([a_young_one, another_feeds])


def raise_killed(_: list[str]) -> list[str]:
    raise KilledError


# --- others at the same time ------------------------------------------------------------------------------------------


def test_two_loaders_at_once_load_a_batch_once(
    redshift: LoadedRedshift, lake: Lake, batches: dict[int, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, both_staged = new_pipeline(), threading.Barrier(2, timeout=60)

    def meet_before_the_first(statements: list[str]) -> list[str]:
        if "n = 1" in statements[1]:
            both_staged.wait()
        return statements

    changed_transaction(monkeypatch, meet_before_the_first)
    with ThreadPoolExecutor(2) as loaders:
        one, other = loaders.map(lambda _: load(redshift, lake, pipeline, batches), range(2))

    first_batches = [loaded for loaded in [*one, *other] if loaded.number == 1]
    assert sorted(loaded.adopted for loaded in first_batches) == [False, True]
    assert len({loaded.load_id for loaded in first_batches}) == 1
    assert seen(redshift, pipeline) == TABLES
    assert redshift.staging(pipeline) == []


def test_no_reader_sees_a_table_empty_or_half_way(redshift: LoadedRedshift, lake: Lake) -> None:
    rows = [(number, "x") for number in range(50)]
    changing = {"replaced": Part(REPLACE, rows), "again": Part(REPLACE, rows), "upserted": Part(UPSERT, rows)}
    batches = {number: committed(lake, number, changing) for number in range(1, 9)}
    pipeline, ended, samples = new_pipeline(), threading.Event(), list[Rows]()
    load(redshift, lake, pipeline, {1: batches[1]})
    one_look = " UNION ALL ".join(
        f"SELECT COUNT(*), MIN(_batch), MAX(_batch) FROM {pipeline}.{table}" for table in changing
    )

    def read() -> None:
        with psycopg.connect(redshift.engine, autocommit=True, options="-c lock_timeout=1s") as reader:
            while not ended.is_set():
                samples.append(reader.execute(one_look).fetchall())  # type: ignore[call-overload]

    with ThreadPoolExecutor(1) as readers:
        reading = readers.submit(read)
        try:
            load(redshift, lake, pipeline, batches)
        finally:
            ended.set()
        reading.result()

    assert {sample[0] for sample in samples} == {(50, number, number) for number in batches}
    assert all(len(set(sample)) == 1 for sample in samples)


def test_a_transaction_that_met_another_is_tried_again(
    redshift: LoadedRedshift, lake: Lake, batches: dict[int, Outcome]
) -> None:
    """Serialization failures end with 1023, and only the whole transaction can be repeated."""
    pipeline = new_pipeline()
    load(redshift, lake, pipeline, {1: batches[1]})
    waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
    with psycopg.connect(redshift.engine) as other, ThreadPoolExecutor(1) as loaders:
        other.execute(f"UPDATE {pipeline}.upserted SET name = name")  # type: ignore[call-overload]
        loading = loaders.submit(load, redshift, lake, pipeline, batches)
        with psycopg.connect(redshift.engine, autocommit=True) as looker:
            wait_until(lambda: looker.execute(waiting, [f"%{pipeline}%"]).fetchone() != (0,))
        other.commit()
        loaded = loading.result()

    assert [(batch.number, batch.adopted) for batch in loaded] == [(2, False)]
    assert seen(redshift, pipeline) == TABLES
    assert redshift.administrator.rows(
        f"SELECT COUNT(*) FROM sys_query_history WHERE status = 'failed' AND error_message LIKE '%1023%' AND query_text LIKE '%{pipeline}%'"
    ) == [(1,)]


def test_a_request_whose_answer_was_lost_is_no_second_load(
    redshift: LoadedRedshift, lake: Lake, batches: dict[int, Outcome]
) -> None:
    """boto3 then asks again with the same ClientToken."""
    pipeline = new_pipeline()

    class Forgetful(DoomedClient):
        def client(self, *given: Any, **named: Any) -> Forgetful:
            return Forgetful(self._real.client(*given, **named), self._fate)

        def batch_execute_statement(self, **named: Any) -> Any:
            lost = self._real.batch_execute_statement(**named)
            answer = self._real.batch_execute_statement(**named)
            assert answer["Id"] == lost["Id"] or "ClientToken" not in named
            return answer

    with redshift.opened(Forgetful(redshift.session, Fate())) as warehouse:
        loaded = list(publish_feed(warehouse, lake, pipeline, "feed", batches))

    assert [(batch.number, batch.adopted) for batch in loaded] == [(1, False), (2, False)]
    assert seen(redshift, pipeline) == TABLES
