"""One scenario's world: a pipeline with a source, a lake and a warehouse of its own, and what can be seen in them.

The format of a scenario is described in `test_scenarios`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import yaml
from deltalake import DeltaTable
from psycopg import sql
from pydantic import SecretStr
from pyspark.sql import SparkSession

from jobs.config import Settings, load_project
from jobs.config.project import Project
from jobs.run.pipeline_run import RunReport, run_pipeline
from jobs.run.session import Session
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.progress import Progress
from jobs.warehouse.postgres import open_warehouse
from jobs.warehouse.reports import run_report
from tests.delta_rows import delta_rows

PROJECT = Path(__file__).parents[2]
_NOT_DELIVERED = ("source.sql", "open.sql")
_SESSION = "-c timezone=UTC -c lock_timeout=10s"  # a statement that waits for the open session would wait for ever
_JUST_NOW = timedelta(hours=1)


class ScenarioSystem:
    """Deliver, run, see. Made by `open_scenario`."""

    def __init__(self, case: Path, home: Path, spark: SparkSession, server: EmbeddedPostgres) -> None:
        self.pipeline, self.folder, self.lake, self.spark = case.parent.name, case.parent, home / "lake", spark
        self.source, self.warehouse = (server.url(f"{self.pipeline}_{case.name}_{of}") for of in ("source", "lake"))
        self.project = _project_of(case, home)
        self.settings = Settings(
            home, str(self.lake), SecretStr(self.warehouse), {self.pipeline: SecretStr(self.source)}
        )
        self.open_session: psycopg.Connection | None = None
        self.began = datetime.now(UTC).replace(tzinfo=None)
        self._execute(self.folder / "_source.sql")

    def deliver(self, delivery: Path) -> None:
        """Ends the open session of the step before; then what the source's users and the files' senders do before the run."""
        self.commit_open_session()
        if (delivery / "open.sql").exists():
            self.open_session = psycopg.connect(self.source, options=_SESSION)
            self.open_session.execute((delivery / "open.sql").read_bytes())
        self._execute(delivery / "source.sql")
        raw, night = self.lake / "raw" / self.pipeline, self.folder / "_night"
        for file in sorted(path for path in delivery.rglob("*") if path.is_file() and path.name not in _NOT_DELIVERED):
            target = raw / file.relative_to(delivery)
            if night.exists() and not target.parent.exists():
                shutil.copytree(night, target.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".absent":
                target.with_suffix("").unlink()
            else:
                shutil.copy(file, target)

    def commit_open_session(self) -> None:
        if self.open_session:
            self.open_session.commit()
            self.open_session.close()
            self.open_session = None

    def forget(self, patterns: Sequence[str]) -> None:
        """Takes files from the lake. Each pattern must fit some, or the crash would be none."""
        for pattern in patterns:
            files = list(self.lake.glob(pattern))
            assert files, f"nothing in the lake fits {pattern!r}"
            for file in files:
                file.unlink()

    def run(self, as_of: datetime, feeds: Sequence[str] = (), **options: Any) -> RunReport:
        with ExitStack() as stack:
            session = Session(self.project, self.settings, Progress(), stack)
            session.spark = lambda: self.spark
            context = session.context(self.pipeline, as_of=as_of.replace(tzinfo=UTC), **options)
            self.as_of = context.as_of
            return run_pipeline(context, [*feeds] or list(context.pipeline.batched))

    def seen_and_wanted(self, report: RunReport, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is the case, for the keys of `wanted`; and `wanted`, with values and rows in the same form."""
        wanted = self._plain(wanted)
        seen: dict[str, Any] = {"exit": report.exit_code}
        if "message" in wanted:
            texts = [str(error) for error in report.errors]
            seen["message"] = wanted["message"] if any(wanted["message"] in text for text in texts) else texts
        if "batches" in wanted:
            seen["batches"] = [outcome.status for feed in report.curated for _, outcome in feed.batches]
        if "tables" in wanted:
            seen["tables"] = {name: self._rows(name) for name in wanted["tables"]}
            wanted["tables"] = {name: sorted(rows, key=repr) for name, rows in wanted["tables"].items()}
        if "quarantine" in wanted:
            seen["quarantine"] = list(self._rejects())
        if "reports" in wanted:
            seen["reports"] = {name: self._report(name) for name in wanted["reports"]}
        return seen, wanted

    def _execute(self, script: Path) -> None:
        if script.exists():
            with psycopg.connect(self.source, options=_SESSION) as connection:
                connection.execute(script.read_bytes())

    def _rows(self, name: str) -> list[list[Any]] | str:
        """The rows of a table without `_batch`, sorted; what differs if curated and warehouse do not agree."""
        path = self.lake / "curated" / self.pipeline / name
        columns = [field.name for field in DeltaTable(path).schema().fields if field.name != "_batch"]
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(self.pipeline, name)
        )
        with psycopg.connect(self.warehouse) as connection:
            published = self._sorted(connection.execute(query).fetchall())
        curated = self._sorted([row[column] for column in columns] for row in delta_rows(path))
        return curated if curated == published else f"curated {curated} and warehouse {published} differ"

    def _sorted(self, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        return sorted((self._plain(row) for row in rows), key=repr)

    def _rejects(self) -> Iterator[list[Any]]:
        for log in sorted((self.lake / "quarantine" / self.pipeline).glob("*/_delta_log")):
            for row in sorted(delta_rows(log.parent), key=lambda row: (row["_batch"], row["record"])):
                yield [row["table"], row["record"], *row["reasons"]]

    def _report(self, name: str) -> list[list[Any]]:
        with open_warehouse(self.warehouse) as warehouse:
            report = run_report(warehouse, name, self.project.report_sql(name), self.as_of)
        return [self._plain(row) for row in report.rows]

    def _plain(self, value: Any) -> Any:
        """Values in one form, so that YAML, Delta and Postgres speak alike: times in UTC, decimals and floats as text."""
        match value:
            case datetime():
                moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
                return "now" if moment > self.began - _JUST_NOW else moment.isoformat(sep=" ")
            case date():
                return value.isoformat()
            case float() | Decimal():
                return str(value)
            case dict():
                return {key: self._plain(each) for key, each in value.items()}
            case list() | tuple():
                return [self._plain(each) for each in value]
        return value


@contextmanager
def open_scenario(case: Path, home: Path, spark: SparkSession, server: EmbeddedPostgres) -> Iterator[ScenarioSystem]:
    system = ScenarioSystem(case, home, spark, server)
    try:
        yield system
    finally:
        system.commit_open_session()


def _project_of(case: Path, home: Path) -> Project:
    """The project; where the case has a `conf.yaml`, a copy with that laid over the pipeline's file."""
    if not (case / "conf.yaml").exists():
        return load_project(PROJECT, "local")
    shutil.copytree(PROJECT / "conf", home / "conf")
    file = home / "conf/pipelines" / f"{case.parent.name}.yaml"
    pipeline = _laid_over(yaml.safe_load(file.read_text()), yaml.safe_load((case / "conf.yaml").read_text()))
    file.write_text(yaml.safe_dump(pipeline, sort_keys=False))
    return load_project(home, "local")


def _laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _laid_over(below.get(key), value) for key, value in above.items()}
