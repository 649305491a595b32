"""DAGs whose step fails, whose worker is lost, and what a backfill by parameters leaves alone; social, the pipeline of events, as well."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

from tests.dags.airflow_project import AirflowProject

NIGHT = "2024-03-01"


def wait_until(is_so: Callable[[], Any], seconds: float = 180) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.1)
    return found


def test_a_failing_step_fails_the_run_with_its_cause_and_a_cleared_one_is_tried_again(
    running: AirflowProject, spark: SparkSession
) -> None:
    client, secret = running.project.client("secretsmanager"), running.project.dev["connections"]["shop"]["secret"]
    right = client.get_secret_value(SecretId=secret)["SecretString"]
    client.put_secret_value(SecretId=secret, SecretString="postgresql://reader:wrong@127.0.0.1:1/shop")
    failed = running.run("shop", NIGHT)
    assert (failed.state, failed.tasks["step"], failed.tasks["load"]) == ("failed", "failed", "upstream_failed")
    assert failed.tasks["remove_cluster"] == "success"  # and the run is failed all the same
    assert "error: Running step s-" not in failed.log  # that is how a person at a desk reads it
    assert "expected it to complete, got FAILED" in failed.log and "source of shop" in failed.log

    client.put_secret_value(SecretId=secret, SecretString=right)
    again = running.run("shop", NIGHT)
    assert (again.run_id, again.state) == (failed.run_id, "success"), again.log[-6000:]
    names = sorted(name for cluster in running.clusters_of("shop") for name in running.steps_on(cluster))
    assert names == [f"tidemark shop {again.run_id}", f"tidemark shop {again.run_id} attempt 2"]
    running.assert_as_on_a_laptop(spark, "shop", NIGHT)


def test_after_a_lost_worker_the_running_step_is_found_again(running: AirflowProject, spark: SparkSession) -> None:
    lost = running.start([("stackoverflow", NIGHT, {})])
    step = wait_until(lambda: running.running_step("tidemark stackoverflow"))
    holder = wait_until(lambda: running.holder("stackoverflow", "database"))
    for process in ("jvm", "python"):
        os.kill(holder[process]["pid"], signal.SIGSTOP)
    os.killpg(lost.pid, signal.SIGKILL)
    lost.communicate()

    again = running.start([("stackoverflow", NIGHT, {})])
    time.sleep(20)  # it has found the step by then, or made another
    for process in ("jvm", "python"):
        os.kill(holder[process]["pid"], signal.SIGCONT)
    out, _ = again.communicate(timeout=300)
    assert running.told(out)[0].state == "success", out[-6000:]
    assert running.steps_on(running.shared_cluster, "tidemark stackoverflow") == [step]
    running.assert_as_on_a_laptop(spark, "stackoverflow", NIGHT)


def test_a_backfill_by_parameters_reads_the_stretch_and_moves_no_bound(running: AirflowProject) -> None:
    before, rows = running.outcomes("stackoverflow", "database"), running.project.rows("dev", "stackoverflow", "posts")
    ran = running.run("stackoverflow", "2024-03-05", {"from": "1", "to": "50"})
    assert ran.state == "success", ran.log[-6000:]
    after = running.outcomes("stackoverflow", "database")
    assert len(after) == len(before) + 1
    assert after[-1]["landed"]["posts"]["records"] == sum(row["id"] <= 50 for row in rows) > 0
    assert running.project.rows("dev", "stackoverflow", "posts") == rows
    assert (before[-1]["next_bounds"] != {}, after[-1]["next_bounds"]) == (True, {})


def test_social_runs_on_the_shared_cluster(running: AirflowProject, spark: SparkSession) -> None:
    ran = running.run("social", NIGHT)
    assert ran.state == "success", ran.log[-6000:]
    assert "cluster" not in ran.tasks
    running.assert_as_on_a_laptop(spark, "social", NIGHT)
