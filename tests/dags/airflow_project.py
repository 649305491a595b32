"""A project on the embedded AWS, and an Airflow that runs its DAGs one at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from infra.local.airflow import airflow_variables
from infra.local.project_on_aws import ROOT
from jobs.config import load_project
from tests.command_here import tidemark_here
from tests.e2e.two_environments import Project

Asked = tuple[str, str, Mapping[str, Any]]
"""DAG, day, conf."""


@dataclass(frozen=True)
class DagRun:
    """What became of a DAG run. `modules`: what its process had imported; `log`: what its tasks wrote."""

    run_id: str
    state: str
    tasks: Mapping[str, str]
    modules: frozenset[str]
    log: str


@dataclass(frozen=True)
class AirflowProject:
    """`project` with an Airflow in `home`."""

    project: Project
    home: Path

    def migrate(self) -> None:
        """Makes Airflow's database."""
        self.home.mkdir()
        process = self._python("-m", "airflow", "db", "migrate")
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out[-3000:]

    # --- its DAGs -----------------------------------------------------------------------------------------------------

    def run(self, dag: str, day: str, conf: Mapping[str, Any] | None = None, without: Sequence[str] = ()) -> DagRun:
        """The DAG run of that day, by `dag.test()`; the same day again clears it first. `without`: variables that are not set."""
        return self.run_all([(dag, day, conf or {})], without)[0]

    def run_all(self, asked: Sequence[Asked], without: Sequence[str] = ()) -> list[DagRun]:
        """One after the other, in one process."""
        self._told.unlink(missing_ok=True)
        out, _ = self.start(asked, without).communicate(timeout=600)
        return self.told(out)

    def start(self, asked: Sequence[Asked], without: Sequence[str] = ()) -> subprocess.Popen[str]:
        """As `run_all`, without waiting; `told` has the results."""
        return self._python("-m", "tests.dags.run_dag", str(self._told), json.dumps(asked), without=without)

    def told(self, log: str) -> list[DagRun]:
        """`log`: what the process has written."""
        assert self._told.is_file(), log[-6000:]
        return [
            DagRun(run["run_id"], run["state"], run["tasks"], frozenset(run["modules"]), log)
            for run in json.loads(self._told.read_text())
        ]

    def release(self, environment: str, exit_code: int = 0) -> str:
        """What `make release` prints."""
        process = self._python("-m", "orchestration.release", environment)
        out, _ = process.communicate(timeout=300)
        assert process.returncode == exit_code, out[-4000:]
        return out

    @property
    def _told(self) -> Path:
        return self.home / "dag_run.json"

    def _python(self, *arguments: str, without: Sequence[str] = ()) -> subprocess.Popen[str]:
        """In a process group of its own."""
        variables = airflow_variables(self.project.on_aws, self.home)
        variables["PYTHONPATH"] = f"{self.project.root}:{ROOT}"  # its own code first; the tests' from here
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.project.root,
            env={name: value for name, value in variables.items() if name not in without},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def assert_as_on_a_laptop(self, spark: SparkSession, pipeline: str, day: str) -> None:
        """Every curated table of dev holds what a run on this machine makes of the same sources."""
        tidemark_here(self.project.root, self.project.home, spark, "run", pipeline, "--as-of", day)
        for table in load_project(self.project.root, "local").pipeline(pipeline).tables:
            local = self.project.rows("local", pipeline, table)
            assert local and self.project.rows("dev", pipeline, table) == local, table

    # --- what they leave behind ---------------------------------------------------------------------------------------

    @property
    def shared_cluster(self) -> str:
        return str(self.project.dev["compute"]["shared_cluster"])

    def clusters_of(self, pipeline: str) -> list[str]:
        """The transient ones, ended or not."""
        found = self.project.client("emr").list_clusters()["Clusters"]
        return [each["Id"] for each in found if each["Name"].startswith(f"tidemark-dev {pipeline} ")]

    def steps_on(self, cluster: str, prefix: str = "tidemark ") -> list[str]:
        """Their names."""
        found = self.project.client("emr").list_steps(ClusterId=cluster)["Steps"]
        return [step["Name"] for step in found if step["Name"].startswith(prefix)]

    def running_step(self, prefix: str) -> str | None:
        """The name of one on the shared cluster."""
        found = self.project.client("emr").list_steps(ClusterId=self.shared_cluster, StepStates=["RUNNING"])["Steps"]
        return next((step["Name"] for step in found if step["Name"].startswith(prefix)), None)

    def holder(self, pipeline: str, feed: str) -> dict[str, Any] | None:
        """Who has the lease of the feed."""
        epochs = self._ledger(pipeline, f"{feed}/lease/")
        newest = max((key for key in epochs if not key.endswith("released.json")), default=None)
        return epochs[newest] if newest else None

    def outcomes(self, pipeline: str, feed: str) -> list[dict[str, Any]]:
        """In the order of their batches."""
        found = self._ledger(pipeline, f"{feed}/")
        return [found[key] for key in sorted(found) if key.endswith(".outcome.json")]

    def versions(self, pipeline: str, *tables: str) -> list[int]:
        """How many commits each curated table has."""
        bucket, storage = self._bucket, self.project.client("s3")
        prefixes = [f"curated/{pipeline}/{table}/_delta_log/0" for table in tables]
        return [storage.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] for prefix in prefixes]

    def _ledger(self, pipeline: str, below: str) -> dict[str, dict[str, Any]]:
        storage = self.project.client("s3")
        listed = storage.list_objects_v2(Bucket=self._bucket, Prefix=f"ledger/{pipeline}/{below}").get("Contents", [])
        keys = [each["Key"] for each in listed]
        return {key: json.loads(storage.get_object(Bucket=self._bucket, Key=key)["Body"].read()) for key in keys}

    @property
    def _bucket(self) -> str:
        return str(self.project.dev["lake_url"]).removeprefix("s3://")
