"""An embedded AWS in a process of its own, and what the EMR tests do in it: make clusters, add steps, wait for states, read logs."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psutil

ROOT = Path(__file__).parents[3]
LOGS = "logs"
RELEASE = "emr-spark-8.0.0"
_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")


@contextmanager
def running_account(folder: Path) -> Iterator[EmrAccount]:
    """A server with its output in `folder`; in it a bucket for logs, profile `nodes` of role `node`, security configuration `roles`, and
    two runtime roles: `job`, and `stranger`, which the nodes may not take on."""
    account = EmrAccount(*start_server(folder))
    try:
        account.prepare()
        yield account
    finally:
        account.stop()


def start_server(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """The process of `python -m infra.local` and the client variables that it prints."""
    output = folder / "server.out"
    with output.open("wb") as out, (folder / "server.err").open("wb") as errors:
        command = [sys.executable, "-m", "infra.local", "--port", "0"]
        server = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=errors)
    wait_until(lambda: "AWS_SHARED_CREDENTIALS_FILE" in output.read_text() or server.poll() is not None)
    assert server.poll() is None, (folder / "server.err").read_text()[-2000:]
    lines = [line.removeprefix("export ") for line in output.read_text().splitlines()]
    return server, dict(line.split("=", 1) for line in lines)


def wait_until(is_so: Callable[[], Any], seconds: float = 60) -> Any:
    """What `is_so` gives once it is true. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class EmrAccount:
    server: subprocess.Popen[bytes]
    variables: dict[str, str]

    def client(self, service: str, **credentials: str) -> Any:
        own = {
            "aws_access_key_id": self.variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.variables["AWS_SECRET_ACCESS_KEY"],
        }
        endpoint = self.variables["AWS_ENDPOINT_URL"]
        return boto3.client(service, region_name="us-east-1", endpoint_url=endpoint, **(own | credentials))

    @cached_property
    def emr(self) -> Any:
        return self.client("emr")

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    def prepare(self) -> None:
        iam = self.client("iam")
        for role, trusted in (("node", "node"), ("job", "node"), ("stranger", "somebody")):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=_trust(trusted))
        iam.create_instance_profile(InstanceProfileName="nodes")
        iam.add_role_to_instance_profile(InstanceProfileName="nodes", RoleName="node")
        settings = {"AuthorizationConfiguration": {"IAMConfiguration": {"EnableApplicationScopedIAMRole": True}}}
        self.emr.create_security_configuration(Name="roles", SecurityConfiguration=json.dumps(settings))
        self.s3.create_bucket(Bucket=LOGS)

    def stop(self) -> None:
        self.server.terminate()
        try:
            self.server.wait(30)
        except subprocess.TimeoutExpired:
            self.server.kill()
            raise

    def cluster(self, keep_alive: bool = True, instances: dict[str, Any] | None = None, **more: Any) -> str:
        """The id of a new cluster; with steps of `more` from the beginning."""
        one = {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m6i.xlarge", "InstanceCount": 1}]}
        given = {
            "Name": "test",
            "ReleaseLabel": RELEASE,
            "LogUri": f"s3://{LOGS}/emr/",
            "JobFlowRole": "nodes",
            "ServiceRole": "node",
            "SecurityConfiguration": "roles",
            "Instances": (instances or one) | {"KeepJobFlowAliveWhenNoSteps": keep_alive},
        }
        return str(self.emr.run_job_flow(**(given | more))["JobFlowId"])

    def add(self, cluster: str, *programs: list[str], on_failure: str = "CONTINUE", **more: str) -> list[str]:
        """The ids of new steps, one a program."""
        steps = [step(program, on_failure) for program in programs]
        return list(self.emr.add_job_flow_steps(JobFlowId=cluster, Steps=steps, **more)["StepIds"])

    def status(self, cluster: str, step_id: str) -> dict[str, Any]:
        return dict(self.emr.describe_step(ClusterId=cluster, StepId=step_id)["Step"]["Status"])

    def states(self, cluster: str, *step_ids: str) -> list[str]:
        return [self.status(cluster, step_id)["State"] for step_id in step_ids]

    def wait_for(self, cluster: str, step_id: str, *states: str) -> dict[str, Any]:
        """The step's status once it is in one of `states`, by default at its end."""
        return dict(
            wait_until(
                lambda: found if (found := self.status(cluster, step_id))["State"] in (states or _ENDED) else None, 120
            )
        )

    def cluster_status(self, cluster: str) -> dict[str, Any]:
        return dict(self.emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"])

    def wait_for_cluster(self, cluster: str, *states: str) -> dict[str, Any]:
        return dict(wait_until(lambda: found if (found := self.cluster_status(cluster))["State"] in states else None))

    def log(self, cluster: str, step_id: str, file: str) -> str:
        """Raises botocore's ClientError if the log is not in S3."""
        key = f"emr/{cluster}/steps/{step_id}/{file}.gz"
        return gzip.decompress(self.s3.get_object(Bucket=LOGS, Key=key)["Body"].read()).decode()


def _trust(role: str) -> str:
    principal = {"AWS": f"arn:aws:iam::123456789012:role/{role}"}
    allowed = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


def step(program: list[str], on_failure: str = "CONTINUE") -> dict[str, Any]:
    jar = {"Jar": "command-runner.jar", "Args": program}
    return {"Name": "test", "ActionOnFailure": on_failure, "HadoopJarStep": jar}


def shell(script: str) -> list[str]:
    return ["bash", "-c", script]


def is_alive(pid: int) -> bool:
    """False for a process that has ended and waits for a parent to notice: in some containers nobody ever does."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
