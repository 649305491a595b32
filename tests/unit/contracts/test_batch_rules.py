"""Rules over a whole batch: what fails a key or a reference, what becomes of it, and what is kept of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.config.column import OnFailure
from jobs.config.table import Table
from jobs.contracts.batch_rules import merged, missing_parents, references, repeated_keys, without
from jobs.contracts.contract import REJECTED

PLACED = "_object string, _record long, _offset long"
FAILED = "table string, object string, record long, offset long, raw string, reasons array<string>, fate string"


def orders(on_failure: OnFailure = "quarantine") -> Table:
    columns = {
        "id": "bigint",
        "buyer": {"type": "varchar(9)", "references": "users", "nullable": True, "on_failure": on_failure},
    }
    return Table.model_validate({"from": "feed", "key": ["id"], "columns": columns, "load": {"mode": "replace"}})


@pytest.fixture(scope="module")
def landed(spark: SparkSession) -> DataFrame:
    """Of order 1 three records, the first by object and record not the first in the frame; buyer `zoe` is no user."""
    rows = [
        (1, "ann", "b.csv", 1, 0),
        (1, "zoe", "a.csv", 7, 70),
        (2, None, "a.csv", 8, 80),
        (3, "ann", "a.csv", 9, 90),
        (1, "ann", "a.csv", 10, 99),
    ]
    return spark.createDataFrame(rows, f"id long, buyer string, {PLACED}").repartition(3)


@pytest.fixture(scope="module")
def users(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([("ann",), ("bob",), ("ann",)], "name string")


def rows_of(frame: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in frame.select(*columns).collect())


def test_of_a_repeated_key_the_first_record_of_the_first_object_stays(landed: DataFrame) -> None:
    failed = repeated_keys(landed, "orders", orders("refuse"))
    assert rows_of(failed, "table", "object", "record", "offset", "reasons", "fate") == [
        ("orders", "a.csv", 10, 99, ["id: expected each key once, got 1 as in record 7"], "quarantine"),
        ("orders", "b.csv", 1, 0, ["id: expected each key once, got 1 as in record 7"], "quarantine"),
    ]


@pytest.mark.parametrize("on_failure", ["quarantine", "warn", "filter", "refuse"])
def test_a_reference_without_a_parent_fails_as_its_column_says_and_null_refers_to_nothing(
    landed: DataFrame, users: DataFrame, on_failure: OnFailure
) -> None:
    failed = missing_parents(landed, "orders", orders(on_failure), "buyer", users)
    assert rows_of(failed, "object", "record", "reasons", "fate") == [
        ("a.csv", 7, ["buyer: expected a key of users, got zoe"], on_failure)
    ]


def test_a_record_that_is_only_warned_of_stays_in_its_table(landed: DataFrame, users: DataFrame) -> None:
    left = {
        fate: rows_of(without(landed, missing_parents(landed, "orders", orders(fate), "buyer", users)), "_record")
        for fate in ("warn", "filter")
    }
    assert left == {"warn": [(1,), (7,), (8,), (9,), (10,)], "filter": [(1,), (8,), (9,), (10,)]}


def test_failed_records_have_the_columns_of_the_rejected_and_their_fate(landed: DataFrame, users: DataFrame) -> None:
    failed = repeated_keys(landed, "orders", orders())
    assert [*failed.columns] == [*REJECTED.names, "fate"]
    assert merged(failed.unionByName(missing_parents(landed, "orders", orders(), "buyer", users))).count() == 3


def test_a_record_that_fails_several_rules_is_one_with_all_reasons_and_the_first_fate(spark: SparkSession) -> None:
    """Filter goes before refuse, that before quarantine, that before a warning: as for the checks of a row."""
    fates = ["warn", "quarantine", "refuse", "filter"]
    rows = [
        ("orders", "a.csv", number, 0, "{}", [f"{fate}: x"], fate)
        for number in range(1, 5)
        for fate in reversed(fates[:number])
    ]
    found = rows_of(merged(spark.createDataFrame(rows, FAILED)), "record", "fate", "reasons")
    assert found == [(number, fates[number - 1], sorted(f"{f}: x" for f in fates[:number])) for number in range(1, 5)]


def test_records_of_two_tables_at_one_place_stay_two(spark: SparkSession) -> None:
    rows = [(table, "a.json", 1, 0, "{}", ["x"], "quarantine") for table in ("follows", "posts")]
    assert rows_of(merged(spark.createDataFrame(rows, FAILED)), "table") == [("follows",), ("posts",)]


def test_keeps_every_value_of_a_failed_record_exactly_under_the_names_of_its_source(spark: SparkSession) -> None:
    columns = {
        "id": {"type": "bigint", "from": "Id"},
        "mail": {"type": "text", "from": "Mail", "transform": ["lower"]},
        "mail_as_written": {"type": "text", "from": "Mail"},
        "number": {"type": "int", "from": "Zip"},
        "zip": {"type": "varchar(9)", "from": "Zip"},
        "paid": "numeric(38,18)",
        "at": "timestamp",
        "note": {"type": "text", "nullable": True},
    }
    table = Table.model_validate({"from": "f", "key": ["id"], "columns": columns, "load": {"mode": "replace"}})
    row = (
        f"SELECT {2**63 - 1} AS id, 'ann@x.de' AS mail, 'Ann@X.de' AS mail_as_written, 7 AS number, '007' AS zip, "
        "CAST('12345678901234567890.000000000000000001' AS DECIMAL(38,18)) AS paid, "
        "TIMESTAMP '2024-02-29 23:59:59.123456' AS at, CAST(NULL AS STRING) AS note, 'a.csv' AS _object, 0L AS _offset"
    )
    rows = spark.sql(f"SELECT *, 1L AS _record FROM ({row}) UNION ALL SELECT *, 2L FROM ({row})")
    ((raw,),) = rows_of(repeated_keys(rows, "t", table), "raw")
    assert json.loads(raw, parse_int=str, parse_float=str, object_pairs_hook=list) == [
        ("Id", "9223372036854775807"),
        ("Mail", "Ann@X.de"),
        ("Zip", "007"),
        ("paid", "12345678901234567890.000000000000000001"),
        ("at", "2024-02-29T23:59:59.123456Z"),
        ("note", None),
    ]


def contract(**parents: str | None) -> dict[str, Table]:
    """Tables by name, each with one column that refers to the given one."""
    return {
        name: Table.model_validate(
            {"from": "f", "columns": {"up": {"type": "int", "references": parent}}, "load": {"mode": "replace"}}
        )
        for name, parent in parents.items()
    }


@pytest.mark.parametrize(
    ("tables", "order"),
    [
        (contract(child="parent", parent="root", root=None), ["parent", "child"]),
        (contract(a="elsewhere", b="a"), ["a", "b"]),
        (contract(tree="tree", leaf="tree"), ["tree", "leaf"]),
        (contract(a="b", b="a", c="a"), ["a", "b", "c"]),
    ],
    ids=["grandparents first", "a parent of another feed", "a table that refers to itself", "a circle"],
)
def test_parents_are_judged_before_their_children(tables: dict[str, Table], order: list[str]) -> None:
    assert [(name, column) for name, column, _ in references(tables)] == [(name, "up") for name in order]


def test_a_tables_references_to_itself_are_judged_after_its_others() -> None:
    columns = {"up": {"type": "int", "references": "tree"}, "owner": {"type": "int", "references": "people"}}
    tree = Table.model_validate({"from": "f", "columns": columns, "load": {"mode": "replace"}})
    tables = {"tree": tree, **contract(people="elsewhere")}
    assert [column for name, column, _ in references(tables) if name == "tree"] == ["owner", "up"]
