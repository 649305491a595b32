"""Rows that are gone from a Postgres table: marked or deleted, never by mistake, and there again when they come back."""

from __future__ import annotations

import pytest

from tests.integration.project_system import ProjectSystem, batches, the_error

SOURCE = "CREATE TABLE items (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL)"
ITEMS = """
feeds: {{db: {{type: postgres}}}}
tables:
  items:
    from: db
    read: {{table: public.items, cursor: updated_at}}
    key: [id]
    columns: {{id: bigint, name: {{type: varchar(9), pattern: '^[a-z]+$'}}, updated_at: timestamp}}
    load: {load}
"""
SOFT = "{mode: upsert, newest_by: [updated_at], deletes: {reconcile: soft, max_delete_percent: 50}}"
HARD = SOFT.replace("soft", "hard")
HISTORY = SOFT.replace("upsert", "history")


@pytest.fixture
def items(depot: ProjectSystem) -> ProjectSystem:
    """Three items in the source, nothing read yet."""
    depot.in_source(SOURCE, "INSERT INTO items SELECT n, 'abc', '2024-03-01Z' FROM generate_series(1, 3) AS n")
    return depot


def test_a_soft_delete_marks_the_row_and_a_row_that_comes_back_is_there_again(items: ProjectSystem) -> None:
    items.configure(ITEMS.format(load=SOFT))
    batches(items.run())
    items.in_source("DELETE FROM items WHERE id = 2")
    batches(items.run())
    marked = [(key, deleted is not None) for key, deleted in items.curated("items", "id", "_deleted_at")]
    published = items.published("items", "id", "_deleted_at IS NOT NULL")
    items.in_source("INSERT INTO items VALUES (2, 'again', now())")

    batches(items.run())

    assert marked == published == [(1, False), (2, True), (3, False)]
    assert items.curated("items", "id", "name", "_deleted_at") == [
        (1, "abc", None),
        (2, "again", None),
        (3, "abc", None),
    ]
    assert items.published("items", "name", "_deleted_at") == [("abc", None), ("abc", None), ("again", None)]


def test_a_hard_delete_removes_the_row_but_not_one_that_the_contract_rejects(items: ProjectSystem) -> None:
    items.configure(ITEMS.format(load=HARD))
    batches(items.run())
    items.in_source(
        "DELETE FROM items WHERE id = 2", "UPDATE items SET name = 'NOT SO', updated_at = now() WHERE id = 3"
    )

    ((_, outcome),) = batches(items.run())

    assert (outcome.checked["items"].deleted, outcome.written["items"].rows, outcome.quarantined) == (1, 2, 1)
    assert items.curated("items", "id", "name") == items.published("items", "id", "name") == [(1, "abc"), (3, "abc")]


@pytest.mark.parametrize("emptied_by", ["DELETE FROM items", "TRUNCATE items"])
def test_more_deletions_than_the_brake_lets_pass_void_the_batch_until_they_are_accepted(
    items: ProjectSystem, emptied_by: str
) -> None:
    items.configure(ITEMS.format(load=HARD))
    batches(items.run())
    items.in_source(emptied_by)

    refused = the_error(items.run())
    kept = items.curated("items", "id")
    batches(items.run(accept_shrink=True))

    assert "at most 50 % of the 3 rows of items to be gone" in refused and "--accept-shrink" in refused
    assert kept == [(1,), (2,), (3,)]
    assert items.curated("items", "id") == items.published("items", "id") == []
    assert [outcome["status"] for outcome in items.outcomes("db")] == ["committed", "void", "committed"]


def test_in_a_history_a_deletion_ends_the_current_version_and_a_return_begins_another(items: ProjectSystem) -> None:
    items.configure(ITEMS.format(load=HISTORY))
    batches(items.run())
    items.in_source("DELETE FROM items WHERE id = 2")
    batches(items.run())
    ended = items.curated("items", "id", "is_current")
    items.in_source("INSERT INTO items VALUES (2, 'again', now())")

    batches(items.run())

    assert ended == [(1, True), (2, False), (3, True)]
    names = [(1, "abc", True), (2, "abc", False), (2, "again", True), (3, "abc", True)]
    assert (
        items.curated("items", "id", "name", "is_current")
        == items.published("items", "id", "name", "is_current")
        == names
    )
