"""`make bench-dags`: what parsing the DAGs takes, ours beside Airflow's own part, with 5 and with 205 pipelines.

Every figure is the median of several fresh processes that have done what Airflow's DAG processor does before it parses: import itself
and freeze the garbage collector. Ours: importing `jobs` and `orchestration`, reading conf/, making the DAGs.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[1]

_PARSE = """
import gc, json, time
start = time.perf_counter()
import airflow.dag_processing.manager
gc.freeze()
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator, EmrTerminateJobFlowOperator
from airflow.providers.amazon.aws.sensors.emr import EmrStepSensor
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import DAG
airflow = time.perf_counter()
from orchestration.dags import pipelines
ours = time.perf_counter()
print(json.dumps([airflow - start, ours - airflow, len(pipelines.pipeline_dags())]))
"""


def main(runs: Annotated[int, typer.Option(min=1, help="Processes for each figure.")] = 5) -> None:
    """Print seconds for Airflow's own imports and for ours, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "conf", root / "conf", ignore=shutil.ignore_patterns("dev.yaml", "prod.yaml"))
        shutil.copy(ROOT / "tests/dags/dev.yaml", root / "conf/environments")
        for part in ("jobs", "orchestration"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        for more in (0, 200):
            _add_pipelines(root, more)
            figures = [_parse(root) for _ in range(runs + 1)][1:]  # the first one writes .pyc files
            airflow, ours = (statistics.median(column) for column in list(zip(*figures, strict=True))[:2])
            assert {figure[2] for figure in figures} == {5 + more}
            print(
                f"{5 + more:3} DAGs: Airflow's imports {airflow:.2f} s, ours {ours:.2f} s ({ours / airflow:.2f} of Airflow's)"
            )


def _add_pipelines(root: Path, count: int) -> None:
    """Copies of shop, which has the most tables, under other names."""
    lines = (root / "conf/pipelines/shop.yaml").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("reports:"))
    for number in range(count):
        copy = text.replace("pipeline: shop", f"pipeline: shop_{number}")
        (root / f"conf/pipelines/shop_{number}.yaml").write_text(copy, encoding="utf-8")


def _parse(root: Path) -> tuple[float, float, int]:
    named = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEMARK_"))}
    named |= {"AIRFLOW_HOME": str(root / "airflow"), "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", _PARSE], cwd=root, env=named, check=True, capture_output=True, text=True
    )
    airflow, ours, dags = json.loads(done.stdout.splitlines()[-1])
    return airflow, ours, dags


if __name__ == "__main__":
    typer.run(main)
