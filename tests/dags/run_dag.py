"""Runs DAGs by `dag.test()` in a process of its own: `python -m tests.dags.run_dag FILE RUNS`. RUNS is JSON, a list of [dag, day, conf];
FILE gets what became of them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseSensorOperator


def main(file: str, runs: str) -> None:
    root = Path.cwd()
    told = [run(root, dag, day, conf) for dag, day, conf in json.loads(runs)]
    Path(file).write_text(json.dumps(told))


def run(root: Path, dag_id: str, day: str, conf: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    # Parsed anew: parameters of an earlier run would stay with the DAG.
    dag = DagBag(root / "orchestration/dags", bundle_path=root, bundle_name="tidemark").dags[dag_id]
    for task in dag.tasks:
        task.retries = 0  # a retry is another call
        if isinstance(task, BaseSensorOperator):
            task.poke_interval = 1
    # Asked for at that time: the run's id comes from it, so that the same day again is the same run, cleared.
    ran = dag.test(run_after=moment, logical_date=moment, run_conf=conf)
    return {
        "run_id": ran.run_id,
        "state": str(ran.state),
        "tasks": {task.task_id: str(task.state) for task in ran.get_task_instances()},
        "modules": sorted(sys.modules),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
