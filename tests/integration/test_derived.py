"""Derived tables: only what changed is computed again, from pinned versions, and the result is as if all had been."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.errors import StorageError
from jobs.run import curate
from tests.integration.project_system import ProjectSystem, batches, the_error

pytestmark = pytest.mark.usefixtures("own_transforms")

TOTALS = """
feeds: {db: {type: postgres}}
tables:
  payments:
    from: db
    read: {table: public.payments, cursor: updated_at}
    key: [id]
    columns: {id: bigint, region: varchar(9), owner: varchar(9), amount: int, updated_at: timestamp}
    load: {mode: upsert, newest_by: [updated_at], deletes: {reconcile: soft, max_delete_percent: 100}}
  owners:
    from: [payments]
    key: [region, owner]
    transform: totals.of_owners
    columns: {region: varchar(9), owner: varchar(9), total: {type: bigint, maximum: 1000}}
"""
REGIONS = """
  regions:
    from: [owners]
    key: [region]
    transform: totals.of_regions
    columns: {region: varchar(9), owners: bigint, total: bigint}
"""
HISTORY = """
feeds: {events: {type: events, path: "{YYYY}/{MM}/{DD}/"}}
tables:
  identifies:
    from: events
    read: {match: {type: identify}}
    key: [message_id]
    columns:
      message_id: bigint
      user_id: varchar(9)
      username: {type: varchar(9), nullable: true}
      name: {type: varchar(9), nullable: true}
      email: {type: varchar(9), nullable: true}
      timestamp: timestamp
    load: {mode: insert}
  users:
    from: [identifies]
    key: [user_id]
    transform: social.fill_absent_traits
    columns:
      user_id: varchar(9)
      name: {type: varchar(9), nullable: true}
      timestamp: timestamp
    load: {mode: history, newest_by: [timestamp]}
"""


@pytest.fixture
def payments(depot: ProjectSystem) -> ProjectSystem:
    """Two payments of Ann's, one of Bob's, one of Cid's in another region, all in March."""
    depot.in_source(
        "CREATE TABLE payments (id bigint PRIMARY KEY, region text, owner text, amount int, updated_at timestamptz)",
        "INSERT INTO payments SELECT n, (ARRAY['n','n','n','s'])[n], (ARRAY['ann','ann','bob','cid'])[n], n, '2024-03-01Z' "
        "FROM generate_series(1, 4) AS n",
    )
    return depot


def pay(key: int, region: str, owner: str, amount: int) -> str:
    values = f"VALUES ({key}, '{region}', '{owner}', {amount}, now())"
    return (
        f"INSERT INTO payments {values} ON CONFLICT (id) DO UPDATE SET region = excluded.region, owner = excluded.owner, "
        "amount = excluded.amount, updated_at = excluded.updated_at"
    )


def test_only_what_changed_is_computed_again_and_a_key_without_rows_goes(payments: ProjectSystem) -> None:
    payments.configure(TOTALS + REGIONS)
    batches(payments.run())
    payments.in_source(pay(5, "n", "ann", 10), "DELETE FROM payments WHERE id = 4")

    batches(payments.run())

    assert payments.curated("owners", "owner", "total", "_batch") == [("ann", 13, 2), ("bob", 3, 1)]
    assert payments.published("owners", "owner", "total") == [("ann", 13), ("bob", 3)]
    assert payments.curated("regions", "region", "owners", "total", "_batch") == [("n", 2, 16, 2)]
    assert payments.published("regions", "region", "owners", "total") == [("n", 2, 16)]
    assert payments.curated("payments", "id", "_batch")[2:] == [(3, 1), (4, 2), (5, 2)]


def test_a_row_that_moves_to_another_key_leaves_the_old_one(payments: ProjectSystem) -> None:
    payments.configure(TOTALS)
    batches(payments.run())
    payments.in_source(pay(2, "n", "bob", 2))

    batches(payments.run())

    assert payments.curated("owners", "owner", "total") == [("ann", 1), ("bob", 5), ("cid", 4)]
    assert payments.published("owners", "owner", "total") == [("ann", 1), ("bob", 5), ("cid", 4)]


def test_an_input_that_loses_rows_is_computed_anew_and_full_repairs(payments: ProjectSystem) -> None:
    payments.configure(TOTALS.replace("reconcile: soft", "reconcile: hard"))
    batches(payments.run())
    payments.in_source("DELETE FROM payments WHERE id IN (2, 3)")

    batches(payments.run())
    again = {plan.feed: outcome for plan, outcome in batches(payments.run("owners", full=True))}

    expected = [("ann", 1), ("cid", 4)]
    assert payments.curated("owners", "owner", "total") == payments.published("owners", "owner", "total") == expected
    assert (again["owners"].written["owners"].written, again["owners"].written["owners"].unchanged) == (0, 2)


def test_an_input_that_moves_on_after_the_claim_does_not_leak_in(
    payments: ProjectSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_owners(context: Any, plan: Any, *arguments: Any) -> Any:
        if plan.feed == "owners":
            raise StorageError("Landing: expected room, got none. Free space.")
        return land(context, plan, *arguments)

    payments.configure(TOTALS)
    land = curate.land
    with monkeypatch.context() as broken:
        broken.setattr(curate, "land", fail_for_owners)
        assert payments.run().exit_code == 1
    payments.in_source(pay(5, "n", "ann", 10))
    batches(payments.run("db"))

    first = batches(payments.run("owners", max_batches=1))
    from_pinned = payments.curated("owners", "owner", "total")
    rest = batches(payments.run("owners"))

    assert [[plan.inputs["payments"].batch for plan, _ in each] for each in (first, rest)] == [[1], [2]]
    assert from_pinned == [("ann", 3), ("bob", 3), ("cid", 4)]
    assert payments.curated("owners", "owner", "total") == [("ann", 13), ("bob", 3), ("cid", 4)]


def test_a_failing_check_voids_the_derived_batch_and_leaves_the_feeds_committed(payments: ProjectSystem) -> None:
    payments.configure(TOTALS)
    batches(payments.run())
    payments.in_source(pay(5, "n", "ann", 1000))

    refused = the_error(payments.run())
    kept = payments.curated("owners", "owner", "total")
    payments.in_source(pay(5, "n", "ann", 10))
    batches(payments.run())

    assert "total: expected at most 1000, got '1003'" in refused and "the transform or its inputs" in refused
    assert kept == [("ann", 3), ("bob", 3), ("cid", 4)]
    assert [outcome["status"] for outcome in payments.outcomes("db")] == ["committed"] * 3
    assert [outcome["status"] for outcome in payments.outcomes("owners")] == ["committed", "void", "committed"]
    assert payments.published("owners", "owner", "total") == [("ann", 13), ("bob", 3), ("cid", 4)]


def test_an_event_that_comes_late_rewrites_the_versions_of_its_user(depot: ProjectSystem) -> None:
    def identify(key: int, user: str, day: int, name: str) -> str:
        return f'{{"type": "identify", "message_id": {key}, "user_id": "{user}", "name": "{name}", "timestamp": "2024-03-0{day}T00:00:00Z"}}'

    depot.configure(HISTORY)
    depot.deliver("2024/03/05/web", identify(1, "u", 1, "a") + identify(2, "u", 5, "c") + identify(3, "v", 1, "x"))
    batches(depot.run())
    depot.deliver("2024/03/06/late", identify(4, "u", 3, "b"))

    batches(depot.run())

    columns = ("user_id", "name", "extract(day FROM valid_from)::int", "extract(day FROM valid_to)::int", "is_current")
    versions = [("u", "a", 1, 3, False), ("u", "b", 3, 5, False), ("u", "c", 5, None, True), ("v", "x", 1, None, True)]
    assert depot.published("users", *columns) == versions
    curated = depot.curated("users", "user_id", "name", "valid_from", "valid_to", "is_current", "_batch")
    days = [(user, name, start.day, end and end.day, now) for user, name, start, end, now, _ in curated]
    assert days == versions
    assert [batch for *_, batch in curated] == [2, 2, 1, 1]
