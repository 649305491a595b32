"""Runs one DAG by `dag.test()` in a process of its own: `python -m tests.dags.run_dag FILE DAG DAY CONF`. FILE gets what became of it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseSensorOperator


def main(file: str, dag_id: str, day: str, conf: str) -> None:
    root = Path.cwd()
    bag = DagBag(root / "orchestration/dags", bundle_path=root, bundle_name="tidemark")
    dag = bag.dags[dag_id]
    for task in dag.tasks:
        task.retries = 0  # a retry is another call
        if isinstance(task, BaseSensorOperator):
            task.poke_interval = 1
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    # Asked for at that time: the run's id comes from it, so that the same day again is the same run, cleared.
    run = dag.test(run_after=moment, logical_date=moment, run_conf=json.loads(conf))
    told = {
        "run_id": run.run_id,
        "state": str(run.state),
        "tasks": {task.task_id: str(task.state) for task in run.get_task_instances()},
        "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    }
    Path(file).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
