"""A project on the embedded AWS, and an Airflow that has its DAGs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.two_environments import ROOT, Project

BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


@dataclass(frozen=True)
class DagRun:
    """What became of a DAG run. `log`: what its tasks wrote."""

    run_id: str
    state: str
    tasks: Mapping[str, str]
    modules: frozenset[str]
    log: str


def airflow_variables(root: Path, home: Path) -> dict[str, str]:
    """An Airflow whose home is `home` and whose only bundle is the project in `root`."""
    bundle = {"name": "tidemark", "classpath": BUNDLE, "kwargs": {"path": str(root)}}
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "PYTHONPATH": str(root),
        "TIDEMARK_ENV": "dev",
    }


@dataclass(frozen=True)
class AirflowProject:
    """`project` with an Airflow in `home`, whose database is made."""

    project: Project
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        connection = json.dumps({"conn_type": "aws", "extra": {"region_name": "eu-central-1"}})
        return {
            **os.environ,
            **self.project.variables,
            **airflow_variables(self.project.root, self.home),
            "AIRFLOW_CONN_TIDEMARK_DEV": connection,
            "PYTHONPATH": f"{self.project.root}:{ROOT}",  # its own code first; the tests' from here
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def migrate(self) -> None:
        self._python("-m", "airflow", "db", "migrate")

    def run(self, dag: str, day: str, conf: Mapping[str, Any] | None = None, **more: str) -> DagRun:
        """The DAG run of that day, by `dag.test()`; the same day again clears it first."""
        told = self.project.root / "dag_run.json"
        told.unlink(missing_ok=True)
        log = self._python("-m", "tests.dags.run_dag", dag, day, json.dumps(conf or {}), **more)
        assert told.is_file(), log[-6000:]
        found = json.loads(told.read_text())
        return DagRun(found["run_id"], found["state"], found["tasks"], frozenset(found["modules"]), log)

    def _python(self, *arguments: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.project.root,
            env={**self.variables, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        return done.stdout
