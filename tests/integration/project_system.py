"""A project of one pipeline that a test writes itself, run in process on the suite's Spark session.

What comes out is read with DataFusion and psycopg, not with the product's readers.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr
from pyspark.sql import SparkSession

from jobs.batches import Outcome, Plan
from jobs.config import Settings, load_project
from jobs.ledger.feed_ledger import FeedLedger
from jobs.run.backfill import BackfillClaims, Stretch
from jobs.run.claimable import Claim
from jobs.run.context import RunContext
from jobs.run.pipeline_run import RunReport, run_pipeline
from jobs.run.rejected import Rejected, open_records
from jobs.run.replay import ReplayClaim
from jobs.run.session import Session
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.progress import Progress
from tests.delta_rows import delta_rows

NAME = "depot"
AS_OF = datetime(2024, 4, 1, tzinfo=UTC)
_ENVIRONMENT = "environment: local\nwarehouse: {type: embedded_postgres}\ncompute: {type: in_process}\n"


@dataclass(frozen=True)
class ProjectSystem:
    """Pipeline `depot` in a project folder of its own, with a lake, a source database and a warehouse."""

    root: Path
    spark: SparkSession
    source: str
    warehouse: str

    @classmethod
    def of(cls, root: Path, spark: SparkSession, server: EmbeddedPostgres) -> ProjectSystem:
        for folder in ("pipelines", "environments", "reports"):
            (root / "conf" / folder).mkdir(parents=True)
        (root / "conf/environments/local.yaml").write_text(_ENVIRONMENT)
        return cls(root, spark, server.url(f"source_{root.name}"), server.url(f"warehouse_{root.name}"))

    # --- what happens outside -----------------------------------------------------------------------------------------

    def configure(self, feeds_and_tables: str) -> None:
        (self.root / f"conf/pipelines/{NAME}.yaml").write_text(f"pipeline: {NAME}\nowner: tests\n{feeds_and_tables}")

    def reconfigure(self, old: str, new: str) -> None:
        file = self.root / f"conf/pipelines/{NAME}.yaml"
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))

    def deliver(self, key: str, content: str) -> None:
        file = self.root / f"lake/raw/{NAME}/{key}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode())

    def in_source(self, *statements: str) -> None:
        _execute(self.source, statements)

    # --- what a person does -------------------------------------------------------------------------------------------

    def context(self, **options: Any) -> RunContext:
        settings = Settings(
            self.root, str(self.root / "lake"), SecretStr(self.warehouse), {NAME: SecretStr(self.source)}
        )
        session = Session(load_project(self.root, "local"), settings, Progress(), ExitStack())
        session.spark = lambda: self.spark
        return session.context(NAME, **{"as_of": AS_OF} | options)

    def run(self, *feeds: str, **options: Any) -> RunReport:
        context = self.context(**options)
        return run_pipeline(context, list(feeds or context.pipeline.batched))

    def backfill(
        self, feed: str, start: date | int, end: date | int, days_per_part: int = 1, **options: Any
    ) -> RunReport:
        context = self.context(**options)
        claims: dict[str, Claim] = {feed: BackfillClaims(context, feed, Stretch(start, end, days_per_part))}
        return run_pipeline(context, [feed], claims)

    def replay(self, feed: str, *records: Rejected) -> RunReport:
        """All that are open, without a choice."""
        context = self.context()
        chosen = [each.id for each in records or self.open(feed)]
        claims: dict[str, Claim] = {feed: ReplayClaim(context, feed, chosen)}
        return run_pipeline(context, [feed], claims)

    def open(self, feed: str) -> list[Rejected]:
        """The records that `tidemark quarantine list` shows."""
        context = self.context()
        ledger = FeedLedger(context.lake, NAME, feed)
        return open_records(context.lake, ledger, ledger.state())

    # --- what is there afterwards -------------------------------------------------------------------------------------

    def curated(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of every row, sorted."""
        return sorted(_values(delta_rows(self.root / f"lake/curated/{NAME}/{table}"), columns), key=repr)

    def quarantined(self, feed: str, *columns: str) -> list[tuple[Any, ...]]:
        return sorted(_values(delta_rows(self.root / f"lake/quarantine/{NAME}/{feed}"), columns), key=repr)

    def published(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of every row that the warehouse has, sorted."""
        with psycopg.connect(self.warehouse) as connection:
            query = f'SELECT {", ".join(columns)} FROM {NAME}."{table}"'
            return sorted(connection.execute(query.encode()).fetchall(), key=repr)

    def in_warehouse(self, *statements: str) -> None:
        _execute(self.warehouse, statements)

    def outcomes(self, feed: str) -> list[dict[str, Any]]:
        """What the ledger holds of every ended batch, in order."""
        files = sorted((self.root / f"lake/ledger/{NAME}/{feed}").glob("*.outcome.json"))
        return [json.loads(file.read_text()) for file in files]

    def plans(self, feed: str) -> list[dict[str, Any]]:
        files = sorted((self.root / f"lake/ledger/{NAME}/{feed}").glob("*.plan.json"))
        return [json.loads(file.read_text()) for file in files]


def batches(report: RunReport) -> list[tuple[Plan, Outcome]]:
    """What a run that must succeed did, in order."""
    assert report.exit_code == 0, report.errors
    return [batch for feed in report.curated for batch in feed.batches]


def the_error(report: RunReport) -> str:
    """The message of the one error of a run that must be refused for bad input."""
    assert report.exit_code == 2, report.errors
    (error,) = report.errors
    return str(error)


def _execute(url: str, statements: tuple[str, ...]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _values(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]
