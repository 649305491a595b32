"""One real report through `fflogs`, end to end: eight parses in Postgres and eight lines of CSV become the row that the original shows.

The oracle are the CSV files themselves. The original swaps spots 6 and 7 against its own input; here the input rules.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from pyspark.sql import SparkSession

from jobs.config import Settings, load_project
from jobs.run.pipeline_run import run_pipeline
from jobs.run.session import Session
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.progress import Progress
from jobs.warehouse.postgres import open_warehouse
from jobs.warehouse.reports import run_report
from tests.delta_rows import delta_rows

PROJECT = Path(__file__).parents[2]
GOLDEN = PROJECT.parent / "shared" / "data" / "fflogs_seed_golden"
SPOTS = [f"spot_{spot}" for spot in range(1, 9)]
USER_PARSE = (
    "CREATE TABLE public.user_parse (Zone varchar(10), BossEncounter varchar(20), CharacterID varchar(50), Parse int, "
    "Date timestamp, DPS decimal(8,3), UniqueID varchar(30), Server varchar(20))"
)

pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden report does not lie beside the project")


@dataclass(frozen=True)
class Fflogs:
    """The golden input, delivered: the parses into the source, the review as the file of 2021-08-16."""

    home: Path
    spark: SparkSession
    source: str
    warehouse: str

    @classmethod
    def delivered(cls, home: Path, spark: SparkSession, server: EmbeddedPostgres) -> Fflogs:
        source, warehouse = (server.url(f"{home.name}_{name}") for name in ("source", "warehouse"))
        with psycopg.connect(source) as connection:
            connection.execute(USER_PARSE)
            with connection.cursor().copy("COPY public.user_parse FROM STDIN (FORMAT csv, HEADER)") as copy:
                copy.write((GOLDEN / "ParseData.csv").read_bytes())
        day = home / "lake/raw/fflogs/2021-08-16"
        day.mkdir(parents=True)
        shutil.copy(GOLDEN / "party_review.csv", day)
        return cls(home, spark, source, warehouse)

    def run(self, as_of: datetime, *feeds: str) -> None:
        settings = Settings(
            self.home, str(self.home / "lake"), SecretStr(self.warehouse), {"fflogs": SecretStr(self.source)}
        )
        with ExitStack() as stack:
            session = Session(load_project(PROJECT, "local"), settings, Progress(), stack)
            session.spark = lambda: self.spark
            context = session.context("fflogs", as_of=as_of)
            assert run_pipeline(context, list(feeds or context.pipeline.batched)).errors == []

    def report(self, as_of: datetime) -> list[dict[str, Any]]:
        sql = load_project(PROJECT, "local").report_sql("party_scores")
        with open_warehouse(self.warehouse) as warehouse:
            found = run_report(warehouse, "party_scores", sql, as_of)
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def rows_of(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(newline="") as file:
        return list(csv.DictReader(file))


def jobs_by_spot() -> dict[str, str]:
    """Who plays what where, as the input says."""
    return {f"spot_{row['partyspot']}": row["classid"] for row in rows_of("party_review.csv")}


def test_the_original_differs_from_its_own_input_in_spots_6_and_7_only() -> None:
    (shown,), given = rows_of("expected_report.csv"), jobs_by_spot()
    differing = {spot: (shown[spot], given[spot]) for spot in SPOTS if shown[spot] != given[spot]}
    assert differing == {"spot_6": ("Ninja", "BlackMage"), "spot_7": ("BlackMage", "Ninja")}


def test_the_report_is_the_published_one_to_the_digit(
    tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres
) -> None:
    as_of = datetime(2021, 8, 16, tzinfo=UTC)
    fflogs = Fflogs.delivered(tmp_path, spark, postgres_server)
    fflogs.run(as_of)
    (shown,) = rows_of("expected_report.csv")
    typed = {
        "partydps": Decimal(shown["partydps"]),
        "partyscore": int(shown["partyscore"]),
        "insertdate": date.fromisoformat(shown["insertdate"]),
    }
    assert fflogs.report(as_of) == [shown | typed | jobs_by_spot()]


def test_the_insert_date_is_the_day_of_the_run(
    tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres
) -> None:
    fflogs = Fflogs.delivered(tmp_path, spark, postgres_server)
    fflogs.run(datetime(2021, 9, 3, 23, 59, tzinfo=UTC), "reviews", "party")
    dates = [row["insertdate"] for row in delta_rows(tmp_path / "lake/curated/fflogs/party")]
    assert dates == [date(2021, 9, 3)]


def test_the_second_day_writes_only_what_changed(
    tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres
) -> None:
    fflogs = Fflogs.delivered(tmp_path, spark, postgres_server)
    fflogs.run(datetime(2021, 8, 16, tzinfo=UTC), "parses")
    with psycopg.connect(fflogs.source) as connection:
        connection.execute("UPDATE user_parse SET parse = 94, date = '2021-08-17' WHERE characterid = 'eksu%20plosion'")
        connection.execute(
            "INSERT INTO user_parse SELECT zone, '78', characterid, parse, date, dps, uniqueid, server FROM user_parse LIMIT 1"
        )
    fflogs.run(datetime(2021, 8, 17, tzinfo=UTC), "parses")
    batches = Counter(row["_batch"] for row in delta_rows(tmp_path / "lake/curated/fflogs/user_parse"))
    assert batches == {1: 7, 2: 2}
