"""Modes `upsert` and `history`: any permutation, replay and split of one set of rows into batches gives the same table.

Every key is a case of its own, hundreds of them in one frame. The expected tables come from plain Python over the set of facts.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.storage import Lake
from tests.unit.tables.memory_table import MemoryTable, Row, day, table_of

NAMES, SCORES = (None, "", "a", "B", "é"), (None, -0.0, 0.0, 1.5, float("nan"))
KEYS = range(300)


def random_rows(chance: random.Random) -> list[Row]:
    """Some rows per key, of few values: equal times, equal rows and NULLs are common."""
    return [
        {
            "id": key,
            "name": chance.choice(NAMES),
            "score": chance.choice(SCORES),
            "updated_at": day(chance.randint(1, 4)),
        }
        for key in KEYS
        for _ in range(chance.randint(1, 5))
    ]


def in_batches(chance: random.Random, rows: list[Row]) -> list[list[Row]]:
    """The rows split into three batches, some of them in several, each batch shuffled."""
    batches = [[row for row in rows if chance.random() < 0.4] for _ in range(2)]
    seen = [id(row) for batch in batches for row in batch]
    batches.append([row for row in rows if id(row) not in seen or chance.random() < 0.2])
    return [chance.sample(batch, len(batch)) for batch in batches]


def rank(row: Row) -> tuple[Any, ...]:
    """Time, then name by its bytes, then score: NULL smallest, -0.0 below 0.0, NaN greatest."""
    name, score = row["name"], row["score"]
    number = (0,) if score is None else (2,) if score != score else (1, score, repr(score) != "-0.0")
    return (row["updated_at"], (0,) if name is None else (1, name.encode()), number)


def content(row: Row) -> str:
    """The contract's columns as a text that tells -0.0 from 0.0 and equals itself for NaN."""
    return repr([row["id"], row["name"], row["score"], row["updated_at"]])


def versions_of(rows: list[Row]) -> dict[int, list[Row]]:
    """Per key the greatest row of each time, in order of time."""
    greatest: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=rank):
        greatest[row["id"], row["updated_at"]] = row
    return {key: [greatest[found] for found in sorted(greatest) if found[0] == key] for key in KEYS}


@pytest.mark.parametrize("seed", [1, 2])
def test_upsert_ends_with_the_greatest_row_of_each_key(spark: SparkSession, lake: Lake, seed: int) -> None:
    chance = random.Random(seed)
    rows = random_rows(chance)
    table = MemoryTable(spark, lake, table_of("upsert"))
    for batch in in_batches(chance, rows):
        table.take(batch)
    assert {row["id"]: content(row) for row in table.rows.values()} == {
        key: content(versions[-1]) for key, versions in versions_of(rows).items()
    }


@pytest.mark.parametrize("seed", [3, 4])
def test_history_ends_with_one_version_per_time_and_no_gap(spark: SparkSession, lake: Lake, seed: int) -> None:
    chance = random.Random(seed)
    rows = random_rows(chance)
    table = MemoryTable(spark, lake, table_of("history"))
    for batch in in_batches(chance, rows):
        table.take(batch)
    expected = {}
    for key, versions in versions_of(rows).items():
        ends = [*(row["updated_at"] for row in versions[1:]), None]
        expected |= {
            (key, row["updated_at"]): (content(row), end, end is None) for row, end in zip(versions, ends, strict=True)
        }
    assert {found: (content(row), row["valid_to"], row["is_current"]) for found, row in table.rows.items()} == expected


@pytest.mark.parametrize("mode", ["upsert", "history"])
def test_a_batch_that_was_there_before_changes_nothing(spark: SparkSession, lake: Lake, mode: str) -> None:
    rows = random_rows(random.Random(5))
    table = MemoryTable(spark, lake, table_of(mode))
    table.take(rows)
    assert table.take(rows[::-1]) == []


@pytest.mark.parametrize("seed", [6, 7])
def test_soft_deletes_mark_what_is_gone_and_only_a_later_snapshot_takes_a_mark_away(
    spark: SparkSession, lake: Lake, seed: int
) -> None:
    chance = random.Random(seed)
    table = MemoryTable(spark, lake, table_of("upsert", deletes={"reconcile": "soft"}))
    expected: dict[int, tuple[Row, Any]] = {}
    for snapshot in (day(10), day(11), None, day(12), day(13)):
        batch = [row for row in random_rows(chance) if chance.random() < 0.5]
        arrived = {row["id"] for row in batch}
        gone = [key for key in KEYS if snapshot and key not in arrived and chance.random() < 0.5]
        table.take(batch, deleted=gone, observed_at=snapshot)
        for row in sorted(
            batch, key=rank
        ):  # as one sees it row by row: the last one of a key in this batch is its greatest
            was, deleted_at = expected.get(row["id"], (None, None))
            is_greatest = rank(row) == max(rank(other) for other in batch if other["id"] == row["id"])
            if deleted_at and snapshot and is_greatest:
                expected[row["id"]] = (row, None)
            elif is_greatest and (snapshot or was is None or rank(row) > rank(was)):
                expected[row["id"]] = (row, deleted_at)
        for key in gone:
            if key in expected and expected[key][1] is None:
                expected[key] = (expected[key][0], snapshot)
    assert {row["id"]: (content(row), row["_deleted_at"]) for row in table.rows.values()} == {
        key: (content(row), at) for key, (row, at) in expected.items()
    }


@pytest.mark.parametrize("seed", [8, 9])
def test_a_deleted_key_has_the_same_history_whatever_version_arrives_late(
    spark: SparkSession, lake: Lake, seed: int
) -> None:
    chance = random.Random(seed)
    rows = random_rows(chance)
    late = [chance.random() < 0.5 for _ in rows]
    gone = {row["id"] for row, is_late in zip(rows, late, strict=True) if not is_late and chance.random() < 0.5}
    early = MemoryTable(spark, lake, table_of("history", deletes={"reconcile": "soft"}))
    early.take(rows, observed_at=day(1))
    early.take([], deleted=sorted(gone), observed_at=day(9))
    table = MemoryTable(spark, lake, table_of("history", deletes={"reconcile": "soft"}))
    table.take([row for row, is_late in zip(rows, late, strict=True) if not is_late], observed_at=day(1))
    table.take([], deleted=sorted(gone), observed_at=day(9))
    for batch in in_batches(chance, [row for row, is_late in zip(rows, late, strict=True) if is_late]):
        table.take(batch)
    without_batch = [{found: repr({**row, "_batch": 0}) for found, row in each.rows.items()} for each in (table, early)]
    assert without_batch[0] == without_batch[1]
