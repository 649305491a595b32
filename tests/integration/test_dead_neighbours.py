"""Sources and warehouses that are dead, or refuse us: one message, the right exit code, and the same command works afterwards."""

from __future__ import annotations

import shutil
import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from pyspark.sql import SparkSession

from jobs.config import Settings, load_project
from jobs.errors import CredentialsError, SourceUnavailableError, WarehouseUnavailableError
from jobs.run.pipeline_run import RunReport, run_pipeline
from jobs.run.session import Session
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
NIGHT = ROOT / "tests/scenarios/coupbot/_night"


def run(
    pipeline: str, home: Path, *, source: str = "", warehouse: str = "", spark: SparkSession | None = None
) -> RunReport:
    """One run; without `spark` it must not need any."""

    def session_of_the_suite() -> SparkSession:
        assert spark is not None, "this run was not to start Spark"
        return spark

    project = load_project(ROOT, "local")
    settings = Settings(home, str(home / "lake"), SecretStr(warehouse), {pipeline: SecretStr(source)})
    with ExitStack() as stack:
        session = Session(project, settings, Progress(), stack)
        session.spark = session_of_the_suite
        context = session.context(pipeline, as_of=datetime(2024, 3, 1, 6, tzinfo=UTC))
        return run_pipeline(context, list(context.pipeline.feeds))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_wrong_password_is_bad_input_and_is_not_shown(tmp_path: Path, postgres_server: EmbeddedPostgres) -> None:
    host = postgres_server.url("postgres").rsplit("@", 1)[1]
    report = run("stackoverflow", tmp_path, source=f"postgresql://tidemark:not-the-password@{host}")

    (error,) = report.errors
    assert isinstance(error, CredentialsError) and report.exit_code == 2
    assert "TIDEMARK_CONN_STACKOVERFLOW_URL" in str(error) and "not-the-password" not in str(error)


def test_a_dead_source_is_named_and_nothing_is_claimed(tmp_path: Path) -> None:
    report = run(
        "stackoverflow", tmp_path, source=f"postgresql://tidemark:not-to-be-shown@127.0.0.1:{closed_port()}/source"
    )

    (error,) = report.errors
    assert isinstance(error, SourceUnavailableError) and report.exit_code == 1
    assert "not-to-be-shown" not in str(error)
    assert not list((tmp_path / "lake").rglob("*.plan.json"))


@pytest.fixture
def delivered(tmp_path: Path) -> Path:
    shutil.copytree(NIGHT, tmp_path / "lake/raw/coupbot/2024-03-01")
    return tmp_path


def test_curation_goes_on_without_the_warehouse_and_the_next_run_publishes(
    delivered: Path, spark: SparkSession, postgres_server: EmbeddedPostgres
) -> None:
    dead = f"postgresql://tidemark:not-to-be-shown@127.0.0.1:{closed_port()}/warehouse"

    without = run("coupbot", delivered, warehouse=dead, spark=spark)

    (error,) = without.errors
    assert isinstance(error, WarehouseUnavailableError) and without.exit_code == 1
    assert [outcome.status for _, outcome in without.curated[0].batches] == ["committed"]
    warehouse = postgres_server.url("dead_neighbours")

    then = run("coupbot", delivered, warehouse=warehouse)

    assert (then.exit_code, [load.number for load in then.published[0].loads]) == (0, [1])
    with psycopg.connect(warehouse) as connection:
        assert connection.execute("SELECT member_id FROM coupbot.roster ORDER BY 1").fetchall() == [(1,), (2,)]
