"""What each load mode changes in a table, case by case."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from pyspark.sql import SparkSession

from jobs.config.table import DELETED_AT
from jobs.runtime.storage import Lake
from tests.unit.tables.memory_table import MemoryTable, Row, day, table_of


def row(key: int, name: str | None = "a", at: int = 1, score: float | None = None) -> Row:
    return {"id": key, "name": name, "score": score, "updated_at": day(at)}


def named(rows: list[Row]) -> list[tuple[str, int, str | None]]:
    """(op, key, name) of changes, in order."""
    return sorted((change["_op"], change["id"], change["name"]) for change in rows)


def held(table: MemoryTable, *names: str) -> list[tuple[object, ...]]:
    return sorted(tuple(each[name] for name in names) for each in table.rows.values())


def spans(table: MemoryTable) -> list[tuple[object, ...]]:
    """(name, first day, last day, is_current) of each version, in order."""
    versions = sorted(table.rows.values(), key=lambda each: (each["id"], each["valid_from"]))
    return [(v["name"], v["valid_from"].day, v["valid_to"] and v["valid_to"].day, v["is_current"]) for v in versions]


# --- insert, append -----------------------------------------------------------------------------------------------------


def test_insert_takes_the_first_record_of_a_new_key_and_keeps_what_is_there(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("insert"))
    table.take([row(1, "there")])
    assert named(table.take([row(1, "late"), row(2, "second"), row(2, "a third")])) == [("insert", 2, "second")]


def test_append_inserts_every_row(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("append"))
    table.table = table.table.model_copy(update={"key": ("id", "name")})
    assert named(table.take([row(1, "a"), row(1, "b")])) == [("insert", 1, "a"), ("insert", 1, "b")]


# --- upsert -------------------------------------------------------------------------------------------------------------


def test_upsert_updates_by_a_newer_row_only(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("upsert"))
    table.take([row(1, "kept", at=5), row(2, "old", at=5)])
    changes = table.take([row(1, "older", at=4), row(2, "new", at=6), row(3, "first")])
    assert named(changes) == [("insert", 3, "first"), ("update", 2, "new")]


def test_upsert_breaks_ties_by_value_with_null_smallest(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("upsert"))
    table.take([row(1, None, score=9.0), row(2, "b"), row(3, "same", score=-0.0)])
    changes = table.take([row(1, "", score=None), row(2, None), row(3, "same", score=0.0)])
    assert named(changes) == [("update", 1, ""), ("update", 3, "same")]


@pytest.mark.parametrize("mode", ["upsert", "history"])
@pytest.mark.parametrize(("observed_at", "names"), [(None, ["b", "c"]), (day(9), ["a", "c"])])
def test_of_one_order_the_greater_row_wins_unless_a_later_snapshot_holds_the_other(
    spark: SparkSession, lake: Lake, mode: str, observed_at: datetime | None, names: list[str]
) -> None:
    table = MemoryTable(spark, lake, table_of(mode))
    table.take([row(1, "b"), row(2, "b")])
    table.take([row(1, "a"), row(2, "c")], observed_at=observed_at)
    assert sorted(each["name"] for each in table.rows.values()) == names


def test_a_soft_deleted_row_keeps_its_content_and_gets_the_snapshots_time(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("upsert", deletes={"reconcile": "soft"}))
    table.take([row(1, "gone"), row(2, "stays")], observed_at=day(5))
    table.take([], deleted=[1], observed_at=day(6))
    assert held(table, "name", DELETED_AT, "_batch") == [("gone", day(6), 2), ("stays", None, 1)]


def test_a_row_seen_in_a_later_snapshot_is_there_again_whatever_its_order(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("upsert", deletes={"reconcile": "soft"}))
    table.take([row(1, "was", at=4), row(2, "same", at=4)], observed_at=day(5))
    table.take([], deleted=[1, 2], observed_at=day(6))
    table.take([row(1, "restored", at=2), row(2, "same", at=4)], observed_at=day(7))
    assert held(table, "name", DELETED_AT) == [("restored", None), ("same", None)]


def test_a_replayed_row_may_be_newer_but_does_not_bring_a_deleted_one_back(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("upsert", deletes={"reconcile": "soft"}))
    table.take([row(1, "was", at=2), row(2, "was", at=2)], observed_at=day(5))
    table.take([], deleted=[1, 2], observed_at=day(6))
    table.take([row(1, "newer", at=3), row(2, "older", at=1)])
    assert held(table, "name", DELETED_AT) == [("newer", day(6)), ("was", day(6))]


def test_a_hard_deleted_row_goes(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("upsert", deletes={"reconcile": "hard"}))
    table.take([row(1), row(2)], observed_at=day(5))
    assert named(table.take([], deleted=[1, 9], observed_at=day(6))) == [("delete", 1, None)]


# --- history --------------------------------------------------------------------------------------------------------------


def test_history_cuts_the_version_into_which_a_late_one_falls(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("history"))
    table.take([row(1, "c", at=9), row(1, "a", at=3)])
    changes = table.take([row(1, "b", at=6)])
    assert named(changes) == [("close", 1, None), ("insert", 1, "b")]
    assert spans(table) == [("a", 3, 6, False), ("b", 6, 9, False), ("c", 9, None, True)]


def test_history_keeps_equal_consecutive_states_apart(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("history"))
    table.take([row(1, "a", at=3), row(1, "a", at=6)])
    assert spans(table) == [("a", 3, 6, False), ("a", 6, None, True)]


def test_a_deletion_closes_the_version_that_held_then_even_if_that_one_arrives_later(
    spark: SparkSession, lake: Lake
) -> None:
    table = MemoryTable(spark, lake, table_of("history", deletes={"reconcile": "soft"}))
    table.take([row(1, "a", at=3)], observed_at=day(4))
    table.take([], deleted=[1], observed_at=day(8))
    table.take([row(1, "b", at=5)])
    assert spans(table) == [("a", 3, 5, False), ("b", 5, 8, False)]


def test_a_row_that_comes_back_leaves_the_gap_of_its_absence(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("history", deletes={"reconcile": "soft"}))
    table.take([row(1, "a", at=3)], observed_at=day(4))
    table.take([], deleted=[1], observed_at=day(8))
    table.take([row(1, "b", at=9)], observed_at=day(10))
    assert spans(table) == [("a", 3, 8, False), ("b", 9, None, True)]


@pytest.mark.parametrize(("observed_at", "end"), [(day(9), None), (None, 8)])
def test_only_a_later_snapshot_takes_a_deletion_back(
    spark: SparkSession, lake: Lake, observed_at: object, end: int | None
) -> None:
    table = MemoryTable(spark, lake, table_of("history", deletes={"reconcile": "soft"}))
    table.take([row(1, "a", at=3)], observed_at=day(4))
    table.take([], deleted=[1], observed_at=day(8))
    table.take([row(1, "late commit", at=7)], observed_at=observed_at)
    assert spans(table) == [("a", 3, 7, False), ("late commit", 7, end, end is None)]


def test_a_version_from_the_future_is_closed_where_it_begins(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("history", deletes={"reconcile": "soft"}))
    table.take([row(1, "ahead", at=20)], observed_at=day(4))
    table.take([], deleted=[1], observed_at=day(8))
    table.take([row(1, "a", at=3)])
    assert spans(table) == [("a", 3, 20, False), ("ahead", 20, 20, False)]


# --- derived tables ---------------------------------------------------------------------------------------------------------


def made(on: int, *rows: Row) -> list[Row]:
    return [each | {"made_on": date(2024, 1, on)} for each in rows]


def test_recompute_makes_the_affected_keys_what_the_transform_returned(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("recompute", derived=True))
    table.take(made(1, row(1), row(2), row(3), row(4)), affected=[1, 2, 3, 4])
    changes = table.take(made(2, row(1), row(2, None), row(5, "new")), affected=[1, 2, 3, 5])
    assert named(changes) == [("delete", 3, None), ("insert", 5, "new"), ("update", 2, None)]


def test_the_plans_time_alone_makes_no_change_but_goes_along_with_one(spark: SparkSession, lake: Lake) -> None:
    table = MemoryTable(spark, lake, table_of("recompute", derived=True))
    table.take(made(1, row(1), row(2)), affected=[1, 2])
    table.take(made(2, row(1), row(2, "other")), affected=[1, 2])
    assert held(table, "id", "made_on") == [(1, date(2024, 1, 1)), (2, date(2024, 1, 2))]


def test_a_derived_upsert_takes_what_came_last_even_if_it_is_older_and_deletes_nothing(
    spark: SparkSession, lake: Lake
) -> None:
    table = MemoryTable(spark, lake, table_of("upsert", derived=True))
    table.take(made(1, row(1, "was", at=5), row(2), row(3)), affected=[1, 2, 3])
    changes = table.take(made(2, row(1, "is", at=4), row(1, "before", at=3), row(2)), affected=[1, 2, 3])
    assert named(changes) == [("update", 1, "is")]


def test_a_derived_history_has_exactly_the_versions_that_the_transform_returned(
    spark: SparkSession, lake: Lake
) -> None:
    table = MemoryTable(spark, lake, table_of("history", derived=True))
    table.take(made(1, row(1, "a", at=3), row(1, "b", at=6), row(1, "c", at=9), row(2, "z")), affected=[1, 2])
    changes = table.take(made(2, row(1, "a", at=3), row(1, "C", at=9)), affected=[1])
    assert named(changes) == [("close", 1, None), ("delete", 1, None), ("update", 1, "C")]
    assert spans(table) == [("a", 3, 9, False), ("C", 9, None, True), ("z", 1, None, True)]
