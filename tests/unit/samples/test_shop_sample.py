"""The shop's tables in a real Postgres, read back with SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest

from jobs.errors import UsageError
from jobs.runtime.storage import Lake
from jobs.samples import shop
from jobs.samples.generate import make_sample
from jobs.samples.report import SampleReport

ROWS = 1000


def deliver(lake: Lake, url: str, day: int, rows: int = ROWS) -> SampleReport:
    return make_sample("shop", day, rows, lake, lambda: url)


def rows_of(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def everything(url: str) -> list[tuple[Any, ...]]:
    return rows_of(
        url, "SELECT users::text FROM users UNION ALL SELECT transactions::text FROM transactions ORDER BY 1"
    )


def everything_but_updated_at(url: str) -> list[tuple[Any, ...]]:
    each = "SELECT '{0}' AS name, (to_jsonb({0}) - 'updated_at')::text FROM {0}"
    return rows_of(url, f"{each.format('users')} UNION ALL {each.format('transactions')} ORDER BY 1, 2")


def moments(url: str) -> dict[tuple[str, int], datetime]:
    """`updated_at` by table and id."""
    rows = rows_of(
        url,
        "SELECT 'users', id, updated_at FROM users UNION ALL SELECT 'transactions', id, updated_at FROM transactions",
    )
    return {(table, key): moment for table, key, moment in rows}


def watch_commits(url: str) -> None:
    """From now on `seen` tells of each written row which `updated_at` was the highest in its table when it was committed."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE seen (name text, id bigint, updated_at timestamp, highest timestamp)")
        connection.execute(r"""
            CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                EXECUTE format('INSERT INTO seen SELECT %L, $1, $2, max(updated_at) FROM %I', TG_TABLE_NAME, TG_TABLE_NAME)
                USING NEW.id, NEW.updated_at;
                RETURN NULL;
            END $$
        """)
        for table in ("users", "transactions"):
            connection.execute(
                f"CREATE CONSTRAINT TRIGGER see AFTER INSERT OR UPDATE ON {table} "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see()".encode()
            )


def sizes(report: SampleReport) -> list[tuple[str, int, int, bool]]:
    return [(table.where, table.rows, table.bad, table.is_new) for table in report.tables]


def test_the_same_days_give_the_same_rows_whether_made_at_once_or_one_by_one(
    lake: Lake, url: str, other_url: str
) -> None:
    deliver(lake, url, 3)
    for day in (1, 2, 3):
        deliver(lake, other_url, day)
    assert len(everything_but_updated_at(url)) > ROWS
    assert everything_but_updated_at(url) == everything_but_updated_at(other_url)


def test_day_one_is_the_same_each_time_up_to_the_moments_of_its_changes(lake: Lake, url: str, other_url: str) -> None:
    deliver(lake, url, 1)
    deliver(lake, other_url, 1)
    assert everything(url) == everything(other_url)
    assert str(max(moments(url).values())) == "2024-03-01 23:50:00"


def test_day_one_has_the_asked_number_of_transactions_and_a_tenth_of_users(lake: Lake, url: str) -> None:
    assert sizes(deliver(lake, url, 1)) == [
        ("public.users of 2024-03-01", 100, 3, True),
        ("public.transactions of 2024-03-01", 1000, 4, True),
    ]
    assert rows_of(url, "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM transactions)") == [(100, 1000)]


def test_a_later_day_adds_five_users_and_fifty_transactions_and_deletes_some(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    before = rows_of(url, "SELECT (SELECT max(id) FROM users), (SELECT max(id) FROM transactions)")[0]
    known = {key for (key,) in rows_of(url, "SELECT id FROM transactions")}
    customers = {key for (key,) in rows_of(url, "SELECT id FROM users")}
    assert [size[1:] for size in sizes(deliver(lake, url, 2))] == [(5, 0, True), (50, 0, True)]
    assert rows_of(url, "SELECT (SELECT max(id) FROM users), (SELECT max(id) FROM transactions)") == [
        (before[0] + 5, before[1] + 50)
    ]
    deleted = known - {key for (key,) in rows_of(url, "SELECT id FROM transactions")}
    assert 10 <= len(deleted) < 0.05 * ROWS, "a brake at 5 percent must let the day pass"
    assert len(customers - {key for (key,) in rows_of(url, "SELECT id FROM users")}) == 1


def test_a_later_day_stamps_all_that_it_writes_with_the_clock_of_the_source_in_utc(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    with psycopg.connect(url) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET TimeZone = 'Pacific/Auckland'".encode())
    before = moments(url)
    clock = "SELECT clock_timestamp() AT TIME ZONE 'UTC'"
    ((start,),) = rows_of(url, clock)
    deliver(lake, url, 2)
    ((end,),) = rows_of(url, clock)
    written = {row: moment for row, moment in moments(url).items() if before.get(row) != moment}
    assert len(written.keys() & before.keys()) > 20
    assert len(written.keys() - before.keys()) == 55
    assert all(start <= moment <= end for moment in written.values())


def test_rows_are_created_on_their_day_of_2024_whatever_the_clock_says(lake: Lake, url: str) -> None:
    deliver(lake, url, 3)
    for table, each_day in (("users", 5), ("transactions", 50)):
        by_day = f"SELECT created_at::date::text, count(*) FROM {table} WHERE created_at BETWEEN '2024-03-02' AND '2025-01-01'"
        assert rows_of(url, f"{by_day} GROUP BY 1 ORDER BY 1") == [("2024-03-02", each_day), ("2024-03-03", each_day)]


def test_rows_have_the_updated_at_of_their_transaction_and_the_late_one_began_first(lake: Lake, url: str) -> None:
    deliver(lake, url, 2)
    of_day_2 = "SELECT count(*), count(*) FILTER (WHERE id = 1050) FROM transactions WHERE updated_at > '2025-01-01'"
    late, sold, changed = (3, 1), (49, 0), (20, 0)
    assert rows_of(url, f"{of_day_2} GROUP BY updated_at ORDER BY updated_at") == [late, sold, changed]


def test_one_commit_of_a_day_brings_rows_below_those_that_were_there_before(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    watch_commits(url)
    deliver(lake, url, 2)
    seen = "SELECT name, count(*), count(*) FILTER (WHERE id > {}) FROM seen WHERE updated_at {} highest GROUP BY name ORDER BY name"
    assert rows_of(url, seen.format(1000, "<")) == [("transactions", 3, 1), ("users", 1, 0)]
    assert rows_of(url, seen.format(1000, "=")) == [("transactions", 49 + 20, 49), ("users", 4 + 3, 0)]


@pytest.mark.parametrize("rows", [15, 40])
def test_no_row_is_stamped_below_what_it_had(lake: Lake, url: str, rows: int) -> None:
    """In small shops, where the late session and the others nearly run out of different rows to change."""
    deliver(lake, url, 1, rows)
    watch_commits(url)
    deliver(lake, url, 9, rows)
    back = (
        "SELECT * FROM (SELECT *, lag(updated_at) OVER (PARTITION BY name, id ORDER BY ctid) AS was FROM seen) AS rows"
    )
    assert rows_of(url, f"{back} WHERE was IS NOT NULL LIMIT 1"), "some rows are written more than once"
    assert rows_of(url, f"{back} WHERE updated_at < was") == []


def test_a_second_call_for_the_same_day_or_an_earlier_one_changes_nothing(lake: Lake, url: str) -> None:
    deliver(lake, url, 2)
    before = everything(url)
    assert [size[3] for size in sizes(deliver(lake, url, 2))] == [False, False]
    assert [size[3] for size in sizes(deliver(lake, url, 1, rows=60))] == [False, False]
    assert everything(url) == before


@pytest.mark.parametrize(
    ("day", "commit"),
    [(1, "_change_in_bulk"), (2, "_sell"), (2, "_change_in_bulk"), (2, "_write_late"), (2, "_delete")],
)
def test_a_day_that_was_broken_off_between_two_commits_is_continued(
    lake: Lake, url: str, other_url: str, monkeypatch: pytest.MonkeyPatch, day: int, commit: str
) -> None:
    deliver(lake, url, 3)
    with monkeypatch.context() as broken:
        broken.setattr(shop, commit, None)
        with pytest.raises(TypeError):
            deliver(lake, other_url, day)
    assert len(everything(other_url)) >= ROWS
    deliver(lake, other_url, 3)
    assert everything_but_updated_at(other_url) == everything_but_updated_at(url)


def test_holds_one_bad_record_of_each_kind_and_all_others_fit_the_contract(lake: Lake, url: str) -> None:
    deliver(lake, url, 3)
    users = r"""
        SELECT count(*) FILTER (WHERE name IS NULL), count(*) FILTER (WHERE email !~ '^[^@\s]+@[^@\s]+$'),
               count(*) FILTER (WHERE octet_length(address) > 1000 AND length(address) <= 1000),
               count(*) FILTER (WHERE name IS NULL OR email !~ '^[^@\s]+@[^@\s]+$' OR octet_length(address) > 1000
                                      OR octet_length(lower(name)) > 200 OR octet_length(email) > 320
                                      OR address IS NULL OR email IS NULL)
        FROM users
    """
    transactions = """
        SELECT count(*) FILTER (WHERE amount IS NULL), count(*) FILTER (WHERE amount = 'NaN'),
               count(*) FILTER (WHERE created_at = 'infinity'),
               count(*) FILTER (WHERE transaction_type NOT IN ('purchase', 'refund', 'transfer', 'payment'))
        FROM transactions
    """
    assert rows_of(url, users) == [(1, 1, 1, 3)]
    assert rows_of(url, transactions) == [(1, 1, 1, 1)]
    assert rows_of(url, "SELECT count(*) FROM transactions WHERE user_id IN (1, 2, 3)") == [(0,)]


def test_a_small_sample_has_no_bad_records(lake: Lake, url: str) -> None:
    assert [size[2] for size in sizes(deliver(lake, url, 1, rows=60))] == [0, 0]
    assert rows_of(url, "SELECT count(*) FROM users WHERE name IS NULL OR strpos(email, '@') = 0") == [(0,)]
    assert rows_of(url, "SELECT count(*) FROM transactions WHERE amount IS NULL OR amount = 'NaN'") == [(0,)]


def test_the_smallest_shop_grows_too(lake: Lake, url: str) -> None:
    assert [size[1] for size in sizes(deliver(lake, url, 2, rows=1))] == [1, 1, 2, 2]


def test_holds_the_values_that_broke_the_first_pipeline(lake: Lake, url: str) -> None:
    deliver(lake, url, 1)
    addresses = {address for (address,) in rows_of(url, "SELECT address FROM users")}
    assert "" in addresses
    assert any("\r\n" in address for address in addresses)
    assert rows_of(url, "SELECT count(*) > 0 FROM users WHERE name <> lower(name) AND email <> lower(email)") == [
        (True,)
    ]
    assert rows_of(url, "SELECT max(amount)::text FROM transactions WHERE amount < 'NaN'") == [("99999999.99",)]
    same_moment = (
        "SELECT count(*) > 100 FROM (SELECT FROM transactions GROUP BY updated_at HAVING count(*) > 1) AS same"
    )
    assert rows_of(url, same_moment) == [(True,)]


@pytest.mark.parametrize("table", ["users", "transactions"])
def test_never_writes_to_a_table_that_it_has_not_made(lake: Lake, url: str, table: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY)".encode())
    with pytest.raises(UsageError, match=f"{table}.*looks like real data"):
        deliver(lake, url, 1)
    assert rows_of(url, f"SELECT count(*) FROM {table}") == [(0,)]
    assert rows_of(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]
