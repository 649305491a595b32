"""The text of a load transaction."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jobs.config.table import Table
from jobs.errors import ConfigError
from jobs.warehouse.statements import BatchLoad, FailedGuard, StagedTable, failed_guard, load_transaction

AT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)


def staged(name: str, mode: str = "replace", rows: int = 3, deleted: int = 0) -> StagedTable:
    contract = Table.model_validate(
        {"from": "snapshot", "key": ["id"], "columns": {"id": "bigint", "order": "text"}, "load": {"mode": mode}}
    )
    return StagedTable(name, f"staging_{name}", contract, rows, f"deleted_{name}" if deleted else None, deleted)


EVERY_MODE = (
    *[staged("users"), staged("logs", "append"), staged("posts", "insert"), staged("orders", "upsert", deleted=2)],
    *[staged("prices", "history"), staged("totals", "recompute", deleted=1)],
)


def load(*tables: StagedTable) -> BatchLoad:
    return BatchLoad("shop", "snapshot", 7, "a1", "00ff00ff00ff", 5, tables)


def test_twelve_tables_fit_into_one_data_api_batch() -> None:
    statements = load_transaction(load(*(staged(f"t{i}") for i in range(12))), AT, "redshift")

    assert len(statements) == 29
    assert max(len(statement.encode()) for statement in statements) < 100_000


def test_eleven_tables_of_any_mode_fit_into_one_data_api_batch() -> None:
    statements = load_transaction(load(*(staged(f"t{i}", "recompute", deleted=1) for i in range(11))), AT, "redshift")

    assert len(statements) == 38


def test_more_than_forty_statements_are_refused_with_the_number_of_tables() -> None:
    with pytest.raises(ConfigError, match="at most 40 statements .* got 41.*Spread its 12 tables over several feeds"):
        load_transaction(load(*(staged(f"t{i}", "upsert", deleted=1) for i in range(12))), AT, "redshift")


def test_the_lock_comes_first_and_the_record_last() -> None:
    statements = load_transaction(load(staged("users")), AT, "redshift")

    assert statements[0] == 'LOCK "shop"."tidemark_loads"'
    assert statements[-1] == (
        'INSERT INTO "shop"."tidemark_loads" (feed, n, attempt, load_id, loaded_at, "rows") VALUES '
        "('snapshot', 7, 'a1', '00ff00ff00ff', CAST('2024-05-01 12:30:00' AS TIMESTAMP), '{\"users\": 3}')"
    )


def test_only_the_lock_and_the_guard_of_the_keys_differ_between_postgres_and_redshift() -> None:
    postgres = load_transaction(load(*EVERY_MODE), AT, "postgres")
    redshift = load_transaction(load(*EVERY_MODE), AT, "redshift")

    assert postgres[0] == 'LOCK TABLE "shop"."tidemark_loads" IN SHARE ROW EXCLUSIVE MODE'
    assert redshift[0] == 'LOCK "shop"."tidemark_loads"'
    assert postgres[1:3] == redshift[1:3]
    assert "doubled" not in postgres[3]
    assert postgres[4:] == redshift[4:]


def test_the_guard_counts_keys_that_stand_in_staging_twice_where_no_unique_index_does() -> None:
    guard = load_transaction(load(staged("users"), staged("prices", "history")), AT, "redshift")[3]

    assert re.findall(
        r"'doubled (\w+)' .*? 0 AS expected, COUNT\(\*\) AS staged FROM (\(.*?\) > 1\)) AS doubled", guard
    ) == [
        (
            "prices",
            '(SELECT "id", "valid_from" FROM "shop"."staging_prices" GROUP BY "id", "valid_from" HAVING COUNT(*) > 1)',
        )
    ]


def test_a_statement_that_the_data_api_would_not_take_is_refused() -> None:
    wide = staged("users")
    columns = {f"{number:04d}_{'c' * 58}": wide.contract.columns["id"] for number in range(900)}
    wide = replace(wide, contract=wide.contract.model_copy(update={"columns": columns}))

    with pytest.raises(ConfigError, match="expected statements of at most 100000 bytes, got one of 1"):
        load_transaction(load(wide), AT, "redshift")


def test_nothing_that_commits_blocks_readers_or_needs_postgres_is_in_the_transaction() -> None:
    text = " ".join(load_transaction(load(*EVERY_MODE), AT, "redshift"))

    assert not re.search(r"\b(TRUNCATE|DROP|ALTER|MERGE|IF|ON CONFLICT|RETURNING)\b|::", text, re.IGNORECASE)


def test_replace_empties_the_table_before_it_fills_it() -> None:
    assert load_transaction(load(staged("users")), AT, "redshift")[4:6] == [
        'DELETE FROM "shop"."users"',
        'INSERT INTO "shop"."users" ("id", "order", "_batch") '
        'SELECT "id", "order", 7 FROM "shop"."staging_users" AS staged',
    ]


def test_insert_keeps_what_is_there() -> None:
    assert load_transaction(load(staged("posts", "insert")), AT, "redshift")[4:-1] == [
        'INSERT INTO "shop"."posts" ("id", "order", "_batch") '
        'SELECT "id", "order", 7 FROM "shop"."staging_posts" AS staged '
        'WHERE NOT EXISTS (SELECT 1 FROM "shop"."posts" AS held WHERE held."id" = staged."id")'
    ]


def test_append_only_adds() -> None:
    assert load_transaction(load(staged("logs", "append")), AT, "redshift")[4:-1] == [
        'INSERT INTO "shop"."logs" ("id", "order", "_batch") SELECT "id", "order", 7 FROM "shop"."staging_logs" AS staged'
    ]


def test_upsert_deletes_what_went_and_what_comes_again_before_it_inserts() -> None:
    assert load_transaction(load(staged("users", "upsert", deleted=2)), AT, "redshift")[4:-1] == [
        'DELETE FROM "shop"."users" USING "shop"."deleted_users" WHERE "users"."id" = "deleted_users"."id"',
        'DELETE FROM "shop"."users" USING "shop"."staging_users" WHERE "users"."id" = "staging_users"."id"',
        'INSERT INTO "shop"."users" ("id", "order", "_batch") '
        'SELECT "id", "order", 7 FROM "shop"."staging_users" AS staged',
    ]


def test_a_version_of_a_history_is_identified_by_key_and_beginning() -> None:
    delete, insert = load_transaction(load(staged("prices", "history")), AT, "redshift")[4:-1]

    assert delete.endswith(
        'WHERE "prices"."id" = "staging_prices"."id" AND "prices"."valid_from" = "staging_prices"."valid_from"'
    )
    assert insert.startswith(
        'INSERT INTO "shop"."prices" ("id", "order", "valid_from", "valid_to", "is_current", "_batch") '
    )


def test_one_guard_counts_all_rows_and_all_deletes() -> None:
    guard = load_transaction(load(staged("users", rows=3), staged("orders", "upsert", 5, deleted=2)), AT, "redshift")[3]

    assert re.findall(
        r"SELECT CAST\('((?:rows|deletes) \w+)' AS VARCHAR\(80\)\) AS name, (\d+) AS expected, .*? FROM \"shop\"\.\"(\w+)\"",
        guard,
    ) == [
        ("rows users", "3", "staging_users"),
        ("rows orders", "5", "staging_orders"),
        ("deletes orders", "2", "deleted_orders"),
    ]


def test_a_batch_that_wrote_nothing_is_only_recorded() -> None:
    statements = load_transaction(load(), AT, "redshift")

    assert [statement.split()[0] for statement in statements] == ["LOCK", "SELECT", "SELECT", "INSERT"]


@pytest.mark.parametrize(
    ("error", "guard"),
    [
        ('invalid input syntax for type integer: "tidemark guard: loaded"', FailedGuard("loaded")),
        ('ERROR: "tidemark guard: order 5 4"\nCONTEXT: x', FailedGuard("order", expected=5, got=4)),
        ('"tidemark guard: rows coup_attempts 12 11"', FailedGuard("rows", "coup_attempts", 12, 11)),
        ('"tidemark guard: deletes orders 2 0"', FailedGuard("deletes", "orders", 2, 0)),
        ("context:   tidemark guard: doubled orders 0 3\n  query: 7", FailedGuard("doubled", "orders", 0, 3)),
        ('invalid input syntax for type integer: "7a"', None),
    ],
)
def test_the_error_of_the_database_tells_which_guard_failed(error: str, guard: FailedGuard | None) -> None:
    assert failed_guard(error) == guard
