"""Reports on a real Postgres, against rows worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from jobs.errors import ConfigError, InputError
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.warehouse.postgres import PostgresWarehouse, open_warehouse
from jobs.warehouse.reports import Report, run_report

DATABASES = count(1)
AS_OF = datetime(2024, 3, 1, tzinfo=UTC)
REPORTS = Path(__file__).parents[2] / "conf" / "reports"

COUPBOT = """
CREATE SCHEMA coupbot;
CREATE TABLE coupbot.roster (member_id bigint, member_name varchar(40));
CREATE TABLE coupbot.channels (channel_id bigint, channel_name varchar(40), channel_type varchar(15));
CREATE TABLE coupbot.message_logs (message_id bigint, author_id bigint, channel_id bigint, message_content text,
    message_created_at timestamp);
CREATE TABLE coupbot.coup_attempts (current_king_id bigint, called_by_id bigint, called_on timestamp);
CREATE TABLE coupbot.successful_coups (new_king_id bigint, crowned_on timestamp);
INSERT INTO coupbot.roster VALUES (1, 'Ada'), (2, 'Bo, the 2nd'), (3, 'Cy');
INSERT INTO coupbot.channels VALUES (10, 'general', 'text'), (11, 'loud', 'voice');
INSERT INTO coupbot.message_logs VALUES
    (100, 1, 10, 'a', '2024-02-01 23:59:59.999'), (101, 1, 10, 'b', '2024-02-01 00:00:00'),
    (102, 2, 10, '', '2024-02-02 00:00:00'), (103, 3, 11, 'c', '2024-02-01 12:00:00');
INSERT INTO coupbot.successful_coups VALUES (1, '2024-02-01 00:00:00.9'), (2, '2024-02-03 00:00:00.1');
INSERT INTO coupbot.coup_attempts VALUES
    (1, 3, '2024-02-02 00:00:00'), (1, 2, '2024-02-01 10:00:00'), (1, 9, '2024-02-02 12:00:00'),
    (2, 3, '2024-02-20 00:00:00'), (2, 1, '2024-01-31 00:00:00');
"""
STACKOVERFLOW = """
CREATE SCHEMA stackoverflow;
CREATE TABLE stackoverflow.posts (id bigint, post_type_id smallint, score int, owner_user_id bigint, creation_date timestamp);
INSERT INTO stackoverflow.posts VALUES
    (1, 1, 5, 7, '2024-01-31 23:59:59'), (2, 2, -1, 8, '2024-02-01 00:00:00'), (3, 2, 4, 7, '2024-02-29 10:00:00'),
    (4, 4, 99, 7, '2024-02-10 00:00:00'), (5, 1, 2, NULL, '2024-02-10 00:00:00');
"""
SHOP = """
CREATE SCHEMA shop;
CREATE TABLE shop.users (id bigint, name varchar(200), _deleted_at timestamp);
CREATE TABLE shop.transactions (id bigint, user_id bigint, amount numeric(10,2), transaction_type varchar(10),
    created_at timestamp, _deleted_at timestamp);
INSERT INTO shop.users VALUES (1, 'ada', NULL), (2, 'bo', NULL), (3, 'cy', '2024-02-01'), (4, 'di', NULL);
INSERT INTO shop.transactions VALUES
    (10, 1, 10.10, 'purchase', '2024-02-01 00:00:00', NULL), (11, 1, 0.20, 'payment', '2024-02-01 23:59:59', NULL),
    (12, 1, 4.00, 'refund', '2024-02-02 00:00:00', NULL), (13, 1, 500.00, 'transfer', '2024-02-02 01:00:00', NULL),
    (14, 2, 99.00, 'purchase', '2024-02-02 02:00:00', '2024-02-03'), (15, 3, 7.00, 'purchase', '2024-02-01 05:00:00', NULL);
"""
SOCIAL = """
CREATE SCHEMA social;
CREATE TABLE social.users (user_id varchar(64), username varchar(100));
CREATE TABLE social.posts (message_id varchar(100), published_at timestamp);
CREATE TABLE social.follows (user_id varchar(64), user_id_recipient varchar(64), "timestamp" timestamp);
CREATE TABLE social.current_follows (user_id varchar(64), user_id_recipient varchar(64), followed_at timestamp);
INSERT INTO social.users VALUES ('u1', 'ada'), ('u2', NULL);
INSERT INTO social.posts VALUES ('m1', '2024-02-01 23:59:59.999'), ('m2', '2024-02-02'), ('m3', '2024-02-02');
INSERT INTO social.follows VALUES ('u1', 'u2', '2024-02-02 01:00:00'), ('u1', 'u2', '2024-02-02 02:00:00'),
    ('u3', 'u2', '2024-02-02'), ('u1', 'u9', '2024-02-03');
INSERT INTO social.current_follows VALUES ('u1', 'u2', '2024-02-02'), ('u3', 'u2', '2024-02-02'), ('u1', 'u9', '2024-02-03');
"""
_PLAYERS = range(1, 9)
FFLOGS = f"""
CREATE SCHEMA fflogs;
CREATE TABLE fflogs.party (reportid varchar(30), {", ".join(f"spot_{n} varchar(20)" for n in _PLAYERS)}, insertdate date);
CREATE TABLE fflogs.party_review (reportid varchar(30), characterid varchar(50));
CREATE TABLE fflogs.user_parse (uniqueid varchar(30), characterid varchar(50), parse int, dps numeric(8,3));
INSERT INTO fflogs.party SELECT report, {", ".join(f"'job {n}'" for n in _PLAYERS)}, '2024-02-01'
    FROM unnest(ARRAY['whole', 'seven', 'twice']) AS report;
INSERT INTO fflogs.party_review SELECT report, 'p' || n
    FROM unnest(ARRAY['whole', 'seven', 'twice']) AS report, generate_series(1, 8) AS n;
INSERT INTO fflogs.user_parse SELECT 'whole', 'p' || n, n, n + 0.125 FROM generate_series(1, 8) AS n;
INSERT INTO fflogs.user_parse SELECT 'seven', 'p' || n, n, n FROM generate_series(1, 7) AS n;
INSERT INTO fflogs.user_parse SELECT 'twice', 'p' || n, n, n FROM generate_series(1, 7) AS n UNION ALL SELECT 'twice', 'p1', 1, 1;
"""


def at(text: str) -> datetime:
    """Without a zone, as the warehouse stores UTC."""
    return datetime.fromisoformat(text)


@pytest.fixture
def warehouse(postgres_server: EmbeddedPostgres) -> Iterator[PostgresWarehouse]:
    url = postgres_server.url(f"reports_{next(DATABASES)}")
    with psycopg.connect(url, autocommit=True) as connection:
        for tables in (COUPBOT, STACKOVERFLOW, SHOP, SOCIAL, FFLOGS):
            connection.execute(tables)
    with open_warehouse(url) as opened:
        yield opened


def value(warehouse: PostgresWarehouse, expression: str, as_of: datetime = AS_OF) -> Any:
    """What an expression in Redshift's words gives, over the one row of Ada."""
    sql = f"SELECT {expression} AS answer FROM coupbot.roster WHERE member_id = 1"
    return run_report(warehouse, "adhoc", sql, as_of).rows[0][0]


SHIPPED: dict[str, Report] = {
    "messages_per_channel_per_day": Report(
        ("channel_name", "day", "messages", "authors"),
        [("general", date(2024, 2, 1), 2, 1), ("loud", date(2024, 2, 1), 1, 1), ("general", date(2024, 2, 2), 1, 1)],
    ),
    "reigns": Report(
        ("leader_id", "leader_name", "crowned_on", "ended_on", "reigned_seconds", "votes_called", "callers"),
        [
            (1, "Ada", at("2024-02-01T00:00:00.900000"), at("2024-02-03T00:00:00.100000"), 2 * 86400, 3,
             "Bo, the 2nd, Cy"),
            (2, "Bo, the 2nd", at("2024-02-03T00:00:00.100000"), None, 27 * 86400, 1, "Cy"),
        ],
    ),
    "votes_called": Report(
        ("called_by_id", "member_name", "votes_called", "kings_challenged", "last_called_on"),
        [
            (3, "Cy", 2, 2, at("2024-02-20T00:00:00")),
            (1, "Ada", 1, 1, at("2024-01-31T00:00:00")),
            (2, "Bo, the 2nd", 1, 1, at("2024-02-01T10:00:00")),
            (9, None, 1, 1, at("2024-02-02T12:00:00")),
        ],
    ),
    "posts_by_month": Report(
        ("month", "questions", "answers", "score"), [(date(2024, 1, 1), 1, 0, 5), (date(2024, 2, 1), 1, 2, 5)]
    ),
    "revenue_by_day": Report(
        ("day", "transaction_type", "transactions", "amount"),
        [
            (date(2024, 2, 1), "payment", 1, Decimal("0.20")),
            (date(2024, 2, 1), "purchase", 2, Decimal("17.10")),
            (date(2024, 2, 2), "refund", 1, Decimal("4.00")),
            (date(2024, 2, 2), "transfer", 1, Decimal("500.00")),
        ],
    ),
    "customers_by_value": Report(
        ("user_id", "name", "value", "transactions", "last_transaction_at"),
        [
            (1, "ada", Decimal("6.30"), 4, at("2024-02-02T01:00:00")),
            (2, "bo", Decimal("0"), 0, None),
            (4, "di", Decimal("0"), 0, None),
        ],
    ),
    "posts_and_new_followers_per_day": Report(
        ("day", "posts", "new_followers"),
        [(date(2024, 2, 1), 1, 0), (date(2024, 2, 2), 2, 2), (date(2024, 2, 3), 0, 1)],
    ),
    "most_followed": Report(("user_id", "username", "followers"), [("u2", None, 2), ("u9", None, 1)]),
    "party_scores": Report(
        ("reportid", "partydps", "partyscore", *(f"spot_{n}" for n in _PLAYERS), "insertdate"),
        [("whole", Decimal("37.000"), 36, *(f"job {n}" for n in _PLAYERS), date(2024, 2, 1))],
    ),
    "top_owners": Report(("owner_user_id", "questions", "answers", "score"), [(7, 1, 1, 9), (8, 0, 1, -1)]),
}  # fmt: skip


def test_every_shipped_report_has_rows_worked_out_by_hand() -> None:
    assert {file.stem for file in REPORTS.glob("*.sql")} == SHIPPED.keys()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_report_gives_the_rows_worked_out_by_hand(warehouse: PostgresWarehouse, name: str) -> None:
    assert run_report(warehouse, name, (REPORTS / f"{name}.sql").read_text(), AS_OF) == SHIPPED[name]


@pytest.mark.parametrize(
    ("unit", "start", "end", "crossed"),
    [
        ("second", "2024-01-01 10:00:00.999", "2024-01-01 10:00:01.000", 1),
        ("second", "2024-01-01 10:00:00.001", "2024-01-01 10:00:00.999", 0),
        ("minute", "2024-01-01 10:59:59", "2024-01-01 11:00:00", 1),
        ("hour", "2024-01-01 10:59:00", "2024-01-01 11:01:00", 1),
        ("hour", "2024-01-01 10:01:00", "2024-01-01 10:59:00", 0),
        ("hour", "2024-01-01 11:01:00", "2024-01-01 10:59:00", -1),
        ("day", "2024-02-28 23:59:59", "2024-03-01 00:00:00", 2),
        ("month", "2023-12-31 23:59:59", "2024-01-01 00:00:00", 1),
        ("month", "2024-01-01", "2023-11-30", -2),
        ("year", "2023-12-31 23:59:59", "2024-01-01 00:00:00", 1),
        ("year", "2024-01-01", "2024-12-31", 0),
    ],
)
def test_datediff_counts_the_boundaries_crossed(
    warehouse: PostgresWarehouse, unit: str, start: str, end: str, crossed: int
) -> None:
    answer = value(warehouse, f"DATEDIFF({unit}, '{start}', CAST('{end}' AS TIMESTAMP))")

    assert answer == crossed
    assert isinstance(answer, int)


def test_as_of_is_the_given_instant_in_utc_wherever_it_stands(warehouse: PostgresWarehouse) -> None:
    in_paris = datetime(2024, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=1)))

    assert value(warehouse, ":as_of", in_paris) == at("2024-03-01T00:30:00")
    assert value(warehouse, "DATEDIFF(day, '2024-02-28', :as_of)", in_paris) == 2
    assert value(warehouse, "DATE_TRUNC('month', DATEADD(day, -1, :as_of))", in_paris) == at("2024-02-01T00:00:00")


def test_a_percent_sign_is_only_a_percent_sign(warehouse: PostgresWarehouse) -> None:
    assert (
        value(warehouse, "'100%' || CAST(7 % 4 AS VARCHAR(5)) || CASE WHEN member_name LIKE 'A%a' THEN '%s' END")
        == "100%3%s"
    )


def test_listagg_skips_nulls_is_ordered_takes_numbers_and_makes_null_of_nothing(warehouse: PostgresWarehouse) -> None:
    sql = """
        SELECT
            LISTAGG(owner_user_id, '/') WITHIN GROUP (ORDER BY id DESC),
            LISTAGG(owner_user_id) WITHIN GROUP (ORDER BY id),
            LISTAGG(CASE WHEN id > 99 THEN 'x' END, ',') WITHIN GROUP (ORDER BY id)
        FROM stackoverflow.posts
    """

    assert run_report(warehouse, "adhoc", sql, AS_OF).rows == [("7/7/8/7", "7877", None)]


def test_listagg_of_distinct_values(warehouse: PostgresWarehouse) -> None:
    sql = "SELECT LISTAGG(DISTINCT channel_type, '+') WITHIN GROUP (ORDER BY channel_type DESC) FROM coupbot.channels"

    assert run_report(warehouse, "adhoc", sql, AS_OF).rows == [("voice+text",)]


def test_sizes_that_a_cast_leaves_out_are_redshifts(warehouse: PostgresWarehouse) -> None:
    assert value(warehouse, "LEN(CAST(REPEAT('x', 300) AS VARCHAR))") == 256
    assert value(warehouse, "LEN(REPEAT('x', 300)::TEXT)") == 256
    assert value(warehouse, "LEN(REPEAT('x', 300)::VARCHAR(MAX))") == 300
    assert value(warehouse, "CAST(1.5 AS DECIMAL)") == Decimal(2)


def test_concat_with_null_is_null(warehouse: PostgresWarehouse) -> None:
    assert value(warehouse, "CONCAT(member_name, NULL)") is None
    assert value(warehouse, "CONCAT(member_name, '!')") == "Ada!"


def test_truncating_a_date_gives_a_time_without_zone(warehouse: PostgresWarehouse) -> None:
    assert value(warehouse, "DATE_TRUNC('month', CAST('2024-02-10' AS DATE))") == at("2024-02-01T00:00:00")


def test_a_refused_report_names_the_file_and_every_problem(warehouse: PostgresWarehouse) -> None:
    with pytest.raises(ConfigError) as refused:
        run_report(
            warehouse, "owners", "SELECT AVG(score), COUNT(*) FILTER (WHERE id > 1) FROM stackoverflow.posts", AS_OF
        )

    assert str(refused.value).count("conf/reports/owners.sql: expected one SELECT that Redshift runs, got ") == 2


def test_a_pipeline_that_was_never_loaded_is_named(warehouse: PostgresWarehouse) -> None:
    with pytest.raises(
        InputError, match="expected table 'crm.users' in the warehouse, got none. Run `tidemark run crm` first"
    ):
        run_report(
            warehouse,
            "customers",
            "SELECT u.id FROM crm.users AS u JOIN coupbot.roster AS r ON r.member_id = u.id",
            AS_OF,
        )


def test_sql_that_only_fails_when_it_runs_names_the_file(warehouse: PostgresWarehouse) -> None:
    with pytest.raises(
        ConfigError, match='conf/reports/kings.sql: .*column "crown" does not exist.*Correct the report'
    ):
        run_report(warehouse, "kings", "SELECT crown FROM coupbot.roster", AS_OF)


def test_a_report_cannot_write(warehouse: PostgresWarehouse) -> None:
    warehouse._execute("""
        CREATE FUNCTION coupbot.sly() RETURNS int LANGUAGE sql AS
        'INSERT INTO coupbot.roster VALUES (4, ''Di''); SELECT 4'
    """)

    with pytest.raises(ConfigError, match="read-only transaction"):
        run_report(warehouse, "sly", "SELECT coupbot.sly() FROM coupbot.roster", AS_OF)
