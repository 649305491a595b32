"""One scenario's world: a pipeline with a source, a lake and a warehouse of its own, and what can be seen in them.

The format of a scenario is described in `test_scenarios`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
        self.source = server.url(f"source_{self.pipeline}_{case.name}")
        self.warehouse = server.url(f"warehouse_{self.pipeline}_{case.name}")
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
            context = session.context(self.pipeline, as_of=as_of, **options)
            return run_pipeline(context, [*feeds] or list(context.pipeline.batched))

    def seen(self, report: RunReport, as_of: datetime, wanted: dict[str, Any]) -> dict[str, Any]:
        """What is the case, for the keys of `wanted` and the exit code in any case."""
        texts = [str(error) for error in report.errors]
        outcomes = [outcome for feed in report.curated for _, outcome in feed.batches]
        looks: dict[str, Callable[[Any], Any]] = {
            "exit": lambda _: report.exit_code,
            "message": lambda part: part if any(part in text for text in texts) else texts,
            "batches": lambda _: [outcome.status for outcome in outcomes],
            "written": lambda names: {name: self._written(name, report) for name in names},
            "ignored": lambda _: next(outcome.objects.ignored for outcome in outcomes if outcome.objects),
            "tables": lambda names: {name: self._rows(name) for name in names},
            "quarantine": lambda _: list(self._rejects()),
            "reports": lambda names: {name: self._report(name, as_of) for name in names},
            "not_in_ledger": lambda texts: [text for text in texts if text not in self._ledger()],
        }
        return {key: looks[key](value) for key, value in {"exit": 0, **wanted}.items()}

    def plain_form(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """An expectation with its values and the rows of its tables in the form of what is `seen`."""
        tables = {name: self._sorted(rows) for name, rows in wanted.get("tables", {}).items()}
        return {key: tables if key == "tables" else self._plain(value) for key, value in wanted.items()}

    def _execute(self, script: Path) -> None:
        if script.exists():
            with psycopg.connect(self.source, options=_SESSION) as connection:
                connection.execute(script.read_bytes())

    def _rows(self, name: str) -> list[list[Any]] | str:
        """The rows of a table without `_batch`, sorted; what differs if curated and warehouse do not agree."""
        path = self.lake / "curated" / self.pipeline / name
        if not DeltaTable.is_deltatable(str(path)):
            return "no table yet"
        columns = [field.name for field in DeltaTable(path).schema().fields if field.name != "_batch"]
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(self.pipeline, name)
        )
        published: list[list[Any]] = []
        with suppress(psycopg.errors.UndefinedTable), psycopg.connect(self.warehouse) as connection:
            published = self._sorted(connection.execute(query).fetchall())
        curated = self._sorted([row[column] for column in columns] for row in delta_rows(path))
        return curated if curated == published else f"curated {curated} and warehouse {published} differ"

    def _written(self, name: str, report: RunReport) -> int:
        """How many rows of the table were last written by a batch of this run, as `_batch` tells."""
        holds = self.project.pipelines[self.pipeline].tables_of
        numbers = {plan.number for feed in report.curated if name in holds(feed.feed) for plan, _ in feed.batches}
        return sum(row["_batch"] in numbers for row in delta_rows(self.lake / "curated" / self.pipeline / name))

    def _sorted(self, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        return sorted((self._plain(row) for row in rows), key=repr)

    def _ledger(self) -> str:
        """All that the stages tell one another."""
        files = (self.lake / "ledger" / self.pipeline).rglob("*")
        return "\n".join(file.read_text() for file in files if file.is_file())

    def _rejects(self) -> Iterator[list[Any]]:
        for log in sorted((self.lake / "quarantine" / self.pipeline).glob("*/_delta_log")):
            for row in sorted(delta_rows(log.parent), key=lambda row: (row["_batch"], row["record"])):
                yield [row["table"], row["record"], *row["reasons"]]

    def _report(self, name: str, as_of: datetime) -> list[list[Any]]:
        with open_warehouse(self.warehouse) as warehouse:
            report = run_report(warehouse, name, self.project.report_sql(name), as_of)
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
