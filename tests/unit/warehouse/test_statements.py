"""The text of a load transaction."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from jobs.config.pipeline import Table
from jobs.errors import ConfigError
from jobs.warehouse.statements import BatchLoad, FailedGuard, StagedTable, failed_guard, load_transaction

AT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)


def staged(name: str, mode: str = "replace", rows: int = 3) -> StagedTable:
    contract = Table.model_validate(
        {"from": "snapshot", "key": ["id"], "columns": {"id": "bigint", "order": "text"}, "load": {"mode": mode}}
    )
    return StagedTable(name, f"tidemark_staging_{name}", contract, rows)


def load(*tables: StagedTable) -> BatchLoad:
    return BatchLoad("shop", "snapshot", 7, "a1", "00ff00ff00ff", 5, tables)


def test_twelve_tables_fit_into_one_data_api_batch() -> None:
    statements = load_transaction(load(*(staged(f"t{i}") for i in range(12))), AT, "redshift")

    assert len(statements) == 29
    assert max(len(statement.encode()) for statement in statements) < 100_000


def test_more_than_forty_statements_are_refused_with_the_number_of_tables() -> None:
    with pytest.raises(ConfigError, match="at most 40 statements .* got 41.*Spread its 18 tables over several feeds"):
        load_transaction(load(*(staged(f"t{i}") for i in range(18))), AT, "redshift")


def test_the_lock_comes_first_and_the_record_last() -> None:
    statements = load_transaction(load(staged("users")), AT, "redshift")

    assert statements[0] == 'LOCK "shop"."tidemark_loads"'
    assert statements[-1] == (
        'INSERT INTO "shop"."tidemark_loads" (feed, n, attempt, load_id, loaded_at, "rows") VALUES '
        "('snapshot', 7, 'a1', '00ff00ff00ff', CAST('2024-05-01 12:30:00' AS TIMESTAMP), '{\"users\": 3}')"
    )


def test_only_the_lock_differs_between_postgres_and_redshift() -> None:
    postgres = load_transaction(load(staged("users"), staged("posts", "insert")), AT, "postgres")
    redshift = load_transaction(load(staged("users"), staged("posts", "insert")), AT, "redshift")

    assert postgres[0] == 'LOCK TABLE "shop"."tidemark_loads" IN SHARE ROW EXCLUSIVE MODE'
    assert postgres[1:] == redshift[1:]


def test_nothing_that_commits_blocks_readers_or_needs_postgres_is_in_the_transaction() -> None:
    text = " ".join(load_transaction(load(staged("users"), staged("posts", "insert")), AT, "redshift"))

    assert not re.search(r"\b(TRUNCATE|DROP|ALTER|IF|ON CONFLICT|RETURNING)\b|::", text, re.IGNORECASE)


def test_replace_empties_the_table_before_it_fills_it() -> None:
    assert load_transaction(load(staged("users")), AT, "redshift")[4:6] == [
        'DELETE FROM "shop"."users"',
        'INSERT INTO "shop"."users" ("id", "order", "_batch") '
        'SELECT "id", "order", 7 FROM "shop"."tidemark_staging_users" AS new',
    ]


def test_insert_keeps_what_is_there() -> None:
    assert load_transaction(load(staged("posts", "insert")), AT, "redshift")[4:-1] == [
        'INSERT INTO "shop"."posts" ("id", "order", "_batch") '
        'SELECT "id", "order", 7 FROM "shop"."tidemark_staging_posts" AS new '
        'WHERE NOT EXISTS (SELECT 1 FROM "shop"."posts" AS old WHERE old."id" = new."id")'
    ]


def test_a_batch_that_wrote_nothing_is_only_recorded() -> None:
    statements = load_transaction(load(), AT, "redshift")

    assert [statement.split()[0] for statement in statements] == ["LOCK", "SELECT", "SELECT", "INSERT"]


@pytest.mark.parametrize(
    ("error", "guard"),
    [
        ('invalid input syntax for type integer: "tidemark guard: loaded"', FailedGuard("loaded")),
        ('ERROR: "tidemark guard: order 5 4"\nCONTEXT: x', FailedGuard("order", expected=5, got=4)),
        ('"tidemark guard: counts coup_attempts 12 11"', FailedGuard("counts", "coup_attempts", 12, 11)),
        ('invalid input syntax for type integer: "7a"', None),
    ],
)
def test_the_error_of_the_database_tells_which_guard_failed(error: str, guard: FailedGuard | None) -> None:
    assert failed_guard(error) == guard
