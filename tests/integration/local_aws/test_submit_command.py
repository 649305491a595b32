"""`tidemark submit`, `logs` and `cancel` as a person types them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from jobs.emr.requirements import LEFT_OUT
from tests.integration.local_aws.emr_account import EmrAccount, shell, wait_until
from tests.integration.local_aws.submitting import ARTIFACTS, environment

_numbers = count(1)

PIPELINE = """\
pipeline: {name}
owner: tests
feeds:
  files: {{type: csv, path: "{{YYYY}}-{{MM}}-{{DD}}/x_{{table}}.csv", late_by_days: 7}}
tables:
  boxes: {{from: files, key: [id], columns: {{id: bigint}}, load: {{mode: replace}}}}
"""
UV = '#!/bin/sh\nwhile [ "$1" != --target ]; do shift; done\nmkdir -p "$2"; touch "$2/brought.py"\n'


@dataclass(frozen=True)
class Desk:
    """A project folder of pipeline `name`, on whose shared cluster steps of others run; and a shell in it."""

    root: Path
    account: EmrAccount
    name: str
    cluster: str

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "jobs.cli", *arguments, "--env", "dev"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.root, env=self._variables(), text=True, stdout=pipe, stderr=pipe)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def add(self, run_id: str, script: str) -> str:
        """The id of a step that says that it does the run, and does `script`."""
        jar = {"Jar": "command-runner.jar", "Args": shell(script)}
        step = {"Name": f"tidemark {self.name} {run_id}", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
        made = self.account.emr.add_job_flow_steps(JobFlowId=self.cluster, Steps=[step])
        return str(made["StepIds"][0])

    def step_names(self) -> list[str]:
        return [step["Name"] for step in self.account.emr.list_steps(ClusterId=self.cluster)["Steps"]]

    def _variables(self) -> dict[str, str]:
        quiet = {
            "PYTHONPATH": os.fspath(Path(__file__).parents[3]),
            "PATH": os.environ["PATH"],
            "AWS_ALLOW_HTTP": "true",
        }
        return self.account.variables | quiet | {"HOME": os.fspath(self.root), "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def bucket(account: EmrAccount) -> str:
    for name in (ARTIFACTS, "lake-of-steps"):
        account.s3.create_bucket(Bucket=name)
    return ARTIFACTS


@pytest.fixture
def desk(account: EmrAccount, bucket: str, tmp_path: Path) -> Iterator[Desk]:
    name = f"desk{next(_numbers)}"
    cluster = account.cluster(StepConcurrencyLevel=4)
    for folder in ("conf/pipelines", "conf/environments", "requirements", ".tools/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / f"conf/pipelines/{name}.yaml").write_text(PIPELINE.format(name=name))
    described = environment(name, cluster).model_dump(mode="json", exclude_none=True)
    (tmp_path / "conf/environments/dev.yaml").write_text(json.dumps(described))
    (tmp_path / "requirements/runtime.txt").write_text(_locked())
    (tmp_path / ".tools/bin/uv").write_text(UV)
    (tmp_path / ".tools/bin/uv").chmod(0o755)
    yield Desk(tmp_path, account, name, cluster)
    account.emr.terminate_job_flows(JobFlowIds=[cluster])


def test_a_failed_step_ends_the_command_with_its_cause_and_uploads_nothing_twice(desk: Desk) -> None:
    """The step's Python has none of our packages, as the uv of this project brings none: its import fails."""
    done = desk.run("submit", desk.name, "--run-id", "night")
    again = desk.run("submit", desk.name, "--run-id", "night", "--detach")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named" in done.stderr
    assert f"s3://logs/emr/{desk.cluster}/steps/s-" in done.stderr
    assert [line.split(": ")[1].split(" ")[0] for line in again.stderr.splitlines()].count("uploaded") == 3
    assert desk.step_names() == [f"tidemark {desk.name} night attempt 2", f"tidemark {desk.name} night"]


def test_a_killed_submitter_that_is_started_again_makes_no_second_step(desk: Desk) -> None:
    first = desk.start("submit", desk.name, "--run-id", "night")
    wait_until(lambda: desk.step_names())
    first.send_signal(signal.SIGKILL)
    first.communicate()
    again = desk.run("submit", desk.name, "--run-id", "night", "--detach")
    assert again.returncode == 0, again.stderr
    assert desk.step_names() == [f"tidemark {desk.name} night"]
    assert "attached, as it is asked the same" in again.stderr


def test_an_interrupted_submitter_leaves_the_step_and_says_how_to_go_on(desk: Desk, tmp_path: Path) -> None:
    step = desk.add("night", f"until [ -e {tmp_path}/go ]; do sleep 0.1; done")
    process = desk.start("submit", desk.name, "--run-id", "night")
    assert process.stderr
    told = [next(process.stderr), next(process.stderr)]  # attached; the state, so it follows
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    (tmp_path / "go").touch()
    assert process.returncode == 1, (told, rest)
    assert f"tidemark submit {desk.name} --env dev --run-id night" in rest
    assert f"tidemark cancel {desk.name} --env dev --run-id night" in rest
    assert desk.account.wait_for(desk.cluster, step)["State"] == "COMPLETED"


def test_a_step_that_completes_without_a_trace_in_the_ledger_fails_the_command(desk: Desk) -> None:
    desk.add("night", "sleep 3")
    done = desk.run("submit", desk.name, "--run-id", "night", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["run_id"]) == (1, "COMPLETED", "night")
    assert "got files: no trace of the run" in document["errors"][0]["message"]


def test_logs_prints_what_the_newest_step_wrote(desk: Desk) -> None:
    desk.add("first", "echo of the first")
    step = desk.add("second", "echo of the second; echo warned >&2")
    desk.account.wait_for(desk.cluster, step)
    done = desk.run("logs", desk.name)
    assert (done.returncode, done.stdout) == (0, "of the second\nwarned\n"), done.stderr


def test_logs_prints_those_of_a_run_or_a_step_that_is_named(desk: Desk) -> None:
    step = desk.add("first", "echo of the first")
    desk.account.wait_for(desk.cluster, desk.add("second", "echo of the second"))
    desk.account.wait_for(desk.cluster, step)
    assert desk.run("logs", desk.name, "--run-id", "first").stdout == "of the first\n"
    assert json.loads(desk.run("logs", desk.name, "--step", step, "--json").stdout)["stdout"] == "of the first\n"


def test_cancel_ends_the_step_and_says_so(desk: Desk) -> None:
    step = desk.add("night", "sleep 600")
    desk.account.wait_for(desk.cluster, step, "RUNNING")
    done = desk.run("cancel", desk.name, "--json")
    assert (done.returncode, [step["state"] for step in json.loads(done.stdout)["steps"]]) == (0, ["CANCELLED"]), (
        done.stderr
    )
    assert desk.account.states(desk.cluster, step) == ["CANCELLED"]


def test_cancel_of_two_asks_which(desk: Desk) -> None:
    steps = [desk.add(name, "sleep 600") for name in ("first", "second")]
    done = desk.run("cancel", desk.name)
    assert done.returncode == 2
    assert "expected one run with pending or running steps, got second, first. Choose one with --run-id." in done.stderr
    assert "CANCELLED" not in desk.account.states(desk.cluster, *steps)


def test_cancel_ends_all_steps_of_a_run_whose_feeds_go_side_by_side(desk: Desk) -> None:
    steps = [desk.add(name, "sleep 600") for name in ("night of left", "night of right")]
    done = desk.run("cancel", desk.name)
    assert done.returncode == 0, done.stderr
    assert desk.account.states(desk.cluster, *steps) == ["CANCELLED", "CANCELLED"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("submit", "nobody"), "Looking for pipeline 'nobody'"),
        (("logs", "{name}"), "expected a step on EMR, got none"),
        (("cancel", "{name}"), "expected one run with pending or running steps, got none"),
        (("submit", "{name}", "--run-id", "two words"), "Reading --run-id"),
    ],
)
def test_bad_input_is_one_message_and_exit_2(desk: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = desk.run(*(argument.format(name=desk.name) for argument in arguments))
    assert (done.returncode, done.stderr.count("error:")) == (2, 1)
    assert told in done.stderr


def test_a_bucket_that_denies_is_one_message_and_no_step(desk: Desk, bucket: str) -> None:
    """A bucket policy, which the embedded S3 judges as AWS does."""
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    desk.account.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    (desk.root / "requirements/runtime.txt").write_text(_locked() + "# another archive\n")
    (desk.root / ".tools/bin/uv").write_text(UV.replace("brought.py", f"of_{desk.name}.py"))
    try:
        done = desk.run("submit", desk.name)
    finally:
        desk.account.s3.delete_bucket_policy(Bucket=bucket)
    assert (done.returncode, desk.step_names()) == (2, [])
    assert "Uploading app-" in done.stderr
    assert "expected the right to, got" in done.stderr


def _locked() -> str:
    return "".join(f"{name}==1.0 \\\n    --hash=sha256:00\n    # via -r runtime.in\n" for name in LEFT_OUT)
