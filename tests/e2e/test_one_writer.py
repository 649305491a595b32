"""Two steps of one feed, and a holder that answers no more: one writes, the other is refused by name, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import yaml

from tests.e2e.two_environments import AS_OF, Project, two_environments

LATE_SECONDS = 3.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with two_environments(tmp_path_factory.mktemp("one_writer")) as made:
        file = made.root / "conf/environments/dev.yaml"
        file.write_text(yaml.safe_dump(made.dev | {"late_request_seconds": LATE_SECONDS}))
        made.tidemark("sample", "stackoverflow", "--day", "1", "--rows", "500")
        yield made


def wait_until(is_so: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)
    return found


def holder(project: Project) -> dict[str, Any] | None:
    leases = json.loads(project.tidemark("lease", "show", "stackoverflow", "--env", "dev", "--json"))
    return leases["database"]["holder"]


def stopped(project: Project, run_id: str) -> dict[str, Any]:
    """The holder of the feed, once it is the run of that id; its processes answer no more."""
    bucket = project.dev["lake_url"].removeprefix("s3://")
    storage = project.client("s3")

    def held() -> dict[str, Any] | None:
        listed = storage.list_objects_v2(Bucket=bucket, Prefix="ledger/stackoverflow/database/lease/").get(
            "Contents", []
        )
        newest = max((each["Key"] for each in listed if not each["Key"].endswith("released.json")), default=None)
        found = json.loads(storage.get_object(Bucket=bucket, Key=newest)["Body"].read()) if newest else {}
        return found if found.get("run_id") == run_id else None

    found = dict(wait_until(held))
    for process in ("jvm", "python"):
        os.kill(found[process]["pid"], signal.SIGSTOP)
    return found


def test_a_second_run_is_refused_until_the_stopped_first_one_is_ended(project: Project) -> None:
    first = project.start("submit", "stackoverflow", "--env", "dev", "--as-of", AS_OF, "--run-id", "first")
    held = stopped(project, "first")
    second = ("submit", "stackoverflow", "--env", "dev", "--as-of", AS_OF, "--run-id", "second")
    refused = project.tidemark(*second, exit_code=1)
    assert "got run first, step s-" in refused and "tidemark lease break stackoverflow database --env dev" in refused

    broken = project.tidemark("lease", "break", "stackoverflow", "database", "--env", "dev")
    assert "is CANCELLED" in broken
    assert not psutil.pid_exists(held["python"]["pid"]) and not psutil.pid_exists(held["jvm"]["pid"])
    out, errors = first.communicate(timeout=120)
    assert first.returncode == 1 and "CANCELLED" in out + errors

    assert project.tidemark(*second)
    project.tidemark("run", "stackoverflow", "--as-of", AS_OF)
    local = project.rows("local", "stackoverflow", "posts")
    assert local and project.rows("dev", "stackoverflow", "posts") == local
    assert holder(project) is None


def test_on_the_cluster_itself_a_second_step_is_refused_and_names_the_first(project: Project) -> None:
    """Whoever adds a step without asking the ledger first, for instance by the console."""
    project.tidemark("sample", "stackoverflow", "--day", "2")
    third = project.start("submit", "stackoverflow", "--env", "dev", "--as-of", AS_OF, "--run-id", "third")
    held = stopped(project, "third")
    emr, shared = project.client("emr"), project.dev["compute"]["shared_cluster"]
    running = emr.list_clusters(ClusterStates=["RUNNING"])["Clusters"]
    steps = [step for cluster in running for step in emr.list_steps(ClusterId=cluster["Id"])["Steps"]]
    arguments = next(step["Config"]["Args"] for step in steps if step["Name"].endswith("third"))
    by_hand = {
        "Name": "by hand",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": [*arguments[:-1], "fourth"]},
    }
    role = project.dev["compute"]["job_roles"]["stackoverflow"]
    added = emr.add_job_flow_steps(JobFlowId=shared, Steps=[by_hand], ExecutionRoleArn=role)["StepIds"][0]

    def state() -> str:
        return str(emr.describe_step(ClusterId=shared, StepId=added)["Step"]["Status"]["State"])

    wait_until(lambda: state() in ("FAILED", "COMPLETED"))
    assert state() == "FAILED"
    assert "expected it to be free, got run third" in project.log(shared, added)
    for process in ("jvm", "python"):
        os.kill(held[process]["pid"], signal.SIGCONT)
    third.communicate(timeout=240)  # it may have lost its connections meanwhile; the same run id finishes what is open
    assert project.tidemark("submit", "stackoverflow", "--env", "dev", "--as-of", AS_OF, "--run-id", "third")
    assert holder(project) is None
