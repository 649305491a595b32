"""Parses the DAGs of the project in the current folder as Airflow does: `python -m tests.dags.parse`. Prints what it found as JSON.

Any connection to a network, and any client of AWS, is an error in this process.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import botocore.session
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG


def refuse(*arguments: Any, **more: Any) -> NoReturn:
    raise AssertionError(f"while parsing: {arguments[1:]}")


def main() -> None:
    root = Path.cwd()
    socket.socket.connect = refuse
    socket.getaddrinfo = refuse
    botocore.session.Session.create_client = refuse  # type: ignore[method-assign]
    bag = DagBag(root, bundle_path=root, bundle_name="tidemark")
    told = {
        "dags": {name: picture(dag) for name, dag in sorted(bag.dags.items())},
        "errors": bag.import_errors,
        "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    }
    print(json.dumps(told))


def picture(dag: DAG) -> str:
    """Schedule and owner, then every task with its kind, its trigger rule and what comes after it."""
    schedule = getattr(dag.timetable, "expression", None) or "by hand"
    lines = [f"{dag.dag_id} · {schedule} · {dag.owner} · catchup={dag.catchup} · max_active_runs={dag.max_active_runs}"]
    for task in dag.topological_sort():
        assets = ", ".join(sorted(asset.name for asset in task.outlets))
        mark = "teardown " if task.is_teardown else "setup " if task.is_setup else ""
        lines.append(f"{task.task_id}: {mark}{type(task).__name__}, if {task.trigger_rule.value}")
        lines += [f"    assets {assets}"] if assets else []
        lines += [f"    ─▶ {below}" for below in sorted(task.downstream_task_ids)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
