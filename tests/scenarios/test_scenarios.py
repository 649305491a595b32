"""Every folder `<pipeline>/<case>/` beside this file is a scenario: deliver, run, compare, step by step. A new case needs no Python.

`input/<step>/` is laid over the night in `<pipeline>/_night/` (a file of no bytes named `<name>.absent` takes `<name>` away) and
delivered below `raw/<pipeline>/`. Then the pipeline runs. `expected/<step>.yaml` says what must be true: `exit` (code), `message`
(part of the error), `batches` (statuses), `tables` (whole contents, in curated and in the warehouse alike), `quarantine` (table,
record, reason).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from deltalake import DeltaTable
from pydantic import SecretStr
from pyspark.sql import SparkSession

from jobs.config import Settings, load_project
from jobs.run.pipeline_run import RunReport, run_pipeline
from jobs.run.session import Session
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.progress import Progress

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/README.md"))


def test_there_are_scenarios() -> None:
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_scenario(case: Path, tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres) -> None:
    system = ScenarioSystem(case, tmp_path, spark, postgres_server)
    steps = sorted(path.name for path in (case / "input").iterdir())
    assert steps == [f"{path.stem}" for path in sorted((case / "expected").glob("*.yaml"))]
    for step in steps:
        expected = yaml.safe_load((case / "expected" / f"{step}.yaml").read_text())
        system.deliver(step)
        report = system.run(expected.pop("as_of"))
        assert system.seen(report, expected) == expected, [str(error) for error in report.errors]


class ScenarioSystem:
    """One pipeline with a lake and a warehouse of its own."""

    def __init__(self, case: Path, home: Path, spark: SparkSession, server: EmbeddedPostgres) -> None:
        self.case, self.pipeline, self.lake = case, case.parent.name, home / "lake"
        self.warehouse = server.url(f"scenario_{case.parent.name}_{case.name}")
        self.spark, self.home = spark, home

    def deliver(self, step: str) -> None:
        for day in sorted((self.case / "input" / step).iterdir()):
            target = self.lake / "raw" / self.pipeline / day.name
            if not target.exists():
                shutil.copytree(self.case.parent / "_night", target)
            for file in day.iterdir():
                if file.suffix == ".absent":
                    (target / file.stem).unlink()
                else:
                    shutil.copy(file, target / file.name)

    def run(self, as_of: datetime) -> RunReport:
        project = load_project(HERE.parents[1], "local")
        settings = Settings(self.home, str(self.lake), SecretStr(self.warehouse), {})
        with ExitStack() as stack:
            session = Session(project, settings, Progress(), stack)
            session.spark = lambda: self.spark
            context = session.context(self.pipeline, as_of=as_of.replace(tzinfo=UTC))
            return run_pipeline(context, list(project.pipelines[self.pipeline].feeds))

    def seen(self, report: RunReport, wanted: dict[str, Any]) -> dict[str, Any]:
        """What is the case, for the keys of `wanted`."""
        found: dict[str, Any] = {"exit": report.exit_code}
        if "message" in wanted:
            texts = [str(error) for error in report.errors]
            found["message"] = wanted["message"] if any(wanted["message"] in text for text in texts) else texts
        if "batches" in wanted:
            found["batches"] = [outcome.status for feed in report.curated for _, outcome in feed.batches]
        if "tables" in wanted:
            found["tables"] = {name: self.rows(name) for name in wanted["tables"]}
        if "quarantine" in wanted:
            found["quarantine"] = list(self.rejects())
        return found

    def rows(self, name: str) -> list[list[Any]] | str:
        """The rows of a table without `_batch`, sorted; curated and warehouse must agree."""
        curated = (
            DeltaTable(str(self.lake / "curated" / self.pipeline / name)).to_pyarrow_table().drop_columns(["_batch"])
        )
        with psycopg.connect(self.warehouse) as connection:
            names = ", ".join(f'"{column}"' for column in curated.column_names)
            published = connection.execute(f'SELECT {names} FROM "{self.pipeline}"."{name}"').fetchall()  # type: ignore[arg-type]
        first = sorted(([_plain(value) for value in row.values()] for row in curated.to_pylist()), key=repr)
        second = sorted(([_plain(value) for value in row] for row in published), key=repr)
        return first if first == second else f"curated {first} and warehouse {second} differ"

    def rejects(self) -> Iterator[list[Any]]:
        for log in sorted((self.lake / "quarantine" / self.pipeline).glob("*/_delta_log")):
            for row in sorted(
                DeltaTable(str(log.parent)).to_pyarrow_table().to_pylist(),
                key=lambda row: (row["_batch"], row["record"]),
            ):
                yield [row["table"], row["record"], *row["reasons"]]


def _plain(value: Any) -> Any:
    """Times as text in UTC, so that YAML, Delta and Postgres speak alike."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat(sep=" ")
    return value
