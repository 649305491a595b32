"""The program of a step gets what EMR gives it and nothing else, and nothing of it is left. Each test names the document of its rule."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.integration.local_aws.emr_account import (
    EmrAccount,
    is_alive,
    running_account,
    shell,
    start_server,
    step,
    wait_until,
)

JOB_ROLE = "arn:aws:iam::123456789012:role/job"


def test_the_environment_holds_only_what_a_node_has(account: EmrAccount) -> None:
    """EMR release guide, "Run commands and scripts on an EMR cluster": a program runs on the primary node, not on the caller's machine."""
    cluster = account.cluster()
    (made,) = account.add(cluster, ["env"], ExecutionRoleArn=JOB_ROLE)
    account.wait_for(cluster, made)
    names = {line.partition("=")[0] for line in account.log(cluster, made, "stdout").splitlines()}
    assert names == {
        "PATH",
        "HOME",
        "JAVA_HOME",
        "SPARK_HOME",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ALLOW_HTTP",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    }


def test_a_step_calls_as_its_runtime_role(account: EmrAccount) -> None:
    """EMR management guide, "Runtime roles for Amazon EMR steps": the job uses the runtime role to reach AWS."""
    assert _caller(account, ExecutionRoleArn=JOB_ROLE).startswith("arn:aws:sts::123456789012:assumed-role/job/s-")


def test_a_step_without_a_runtime_role_calls_as_the_node(account: EmrAccount) -> None:
    """EMR management guide, "Runtime roles for Amazon EMR steps": otherwise the permissions are those of the instance profile."""
    assert _caller(account).startswith("arn:aws:sts::123456789012:assumed-role/node/s-")


def test_a_runtime_role_that_does_not_trust_the_nodes_fails_the_step(account: EmrAccount) -> None:
    """EMR management guide, "Runtime roles for Amazon EMR steps": its trust policy must allow sts:AssumeRole and sts:TagSession to
    the role of the instance profile."""
    cluster = account.cluster()
    (made,) = account.add(cluster, shell("exit 0"), ExecutionRoleArn=JOB_ROLE.replace("/job", "/stranger"))
    status = account.wait_for(cluster, made)
    assert status["State"] == "FAILED"
    assert "not authorized to perform: sts:AssumeRole" in status["FailureDetails"]["Message"]


def test_python_is_this_version_and_has_nothing_installed(account: EmrAccount) -> None:
    """EMR release guide, release 8.0.0: Python comes with the node; what a job imports beyond it must come with the job."""
    cluster = account.cluster()
    tells = (
        "import importlib.util, sys; "
        "print(sys.version_info[:2], [n for n in ('pydantic', 'pip', 'jobs') if importlib.util.find_spec(n)])"
    )
    (made,) = account.add(cluster, ["python3", "-c", tells])
    account.wait_for(cluster, made)
    assert account.log(cluster, made, "stdout").strip() == f"{sys.version_info[:2]} []"


def test_every_step_has_an_empty_working_folder_and_home(account: EmrAccount) -> None:
    """EMR management guide, "View log files": a step works below /mnt/var/lib/hadoop/steps/<step id>, its own folder."""
    cluster = account.cluster()
    first, second = account.add(cluster, *[shell("pwd; echo $HOME; ls -A . $HOME | grep -v :; touch left ~/left")] * 2)
    account.wait_for(cluster, second)
    of_first, of_second = (account.log(cluster, made, "stdout").split() for made in (first, second))
    assert (len(of_first), len(of_second), set(of_first) & set(of_second)) == (2, 2, set())
    assert not Path(of_first[0]).exists()


def test_logs_lie_where_emr_puts_them(account: EmrAccount) -> None:
    """EMR management guide, "View log files": <LogUri>/<cluster id>/steps/<step id>/ with controller, stdout, stderr and syslog, gzipped."""
    cluster = account.cluster()
    (made,) = account.add(cluster, shell("echo told; echo warned >&2"))
    account.wait_for(cluster, made)
    prefix = f"emr/{cluster}/steps/"
    found = account.s3.list_objects_v2(Bucket="logs", Prefix=prefix)["Contents"]
    assert {each["Key"].removeprefix(prefix) for each in found} == {
        f"{made}/{file}.gz" for file in ("controller", "stdout", "stderr", "syslog")
    }
    assert (account.log(cluster, made, "stdout"), account.log(cluster, made, "stderr")) == ("told\n", "warned\n")
    assert "ended with exit code 0" in account.log(cluster, made, "controller")


def test_logs_are_pushed_while_the_step_runs(account: EmrAccount, tmp_path: Path) -> None:
    """EMR management guide, "Configure logging": log files go to S3 at intervals, not only at the end."""
    cluster = account.cluster()
    (made,) = account.add(cluster, shell(f"echo begun; until [ -e {tmp_path}/go ]; do sleep 0.1; done"))
    key = f"emr/{cluster}/steps/{made}/stdout.gz"
    wait_until(lambda: account.s3.list_objects_v2(Bucket="logs", Prefix=key).get("Contents"))
    meanwhile = account.states(cluster, made), account.log(cluster, made, "stdout")
    (tmp_path / "go").touch()
    account.wait_for(cluster, made)
    assert meanwhile == (["RUNNING"], "begun\n")


def test_a_cluster_without_a_log_uri_keeps_no_logs(account: EmrAccount) -> None:
    """EMR API reference, RunJobFlow, LogUri: "If a value is not provided, logs are not created"."""
    cluster = account.cluster(LogUri="")
    (made,) = account.add(cluster, shell("exit 1"))
    status = account.wait_for(cluster, made)
    assert status["FailureDetails"] == {"Reason": "Unknown Error"}


def test_logs_that_may_not_be_written_do_not_fail_the_step(account: EmrAccount) -> None:
    """EMR management guide, "Service role for cluster EC2 instances": the nodes write the logs, with the rights that they have."""
    cluster = account.cluster(LogUri="s3://nothing/")
    (made,) = account.add(cluster, shell("exit 0"))
    assert account.wait_for(cluster, made)["State"] == "COMPLETED"


def test_a_program_that_is_not_there_fails_the_step(account: EmrAccount) -> None:
    """EMR release guide, "Run commands and scripts on an EMR cluster": command-runner.jar takes what is on the node's PATH."""
    cluster = account.cluster()
    (made,) = account.add(cluster, ["tidemark", "run"])
    status = account.wait_for(cluster, made)
    assert status["State"] == "FAILED"
    assert "Cannot run program 'tidemark'" in status["FailureDetails"]["Message"]


def test_what_a_step_leaves_running_ends_with_it(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, AddJobFlowSteps: a step is complete when everything that it started has completed."""
    cluster = account.cluster()
    # a group of its own, as Spark's Python workers have
    script = f"set -m; nohup sleep 600 >/dev/null 2>&1 & echo $! > {tmp_path}/pid; exit 0"
    (made,) = account.add(cluster, shell(script))
    account.wait_for(cluster, made)
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_no_process_survives_the_server(tmp_path: Path) -> None:
    """Ours, not AWS's: the cluster is gone with the machine that imitates it, also where a step ignores every signal."""
    stubborn = f"trap '' TERM INT HUP; set -m; sleep 600 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/pid; wait"
    with running_account(tmp_path) as account:
        account.cluster(Steps=[step(shell(stubborn))])
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    pids = [int((tmp_path / name).read_text()) for name in ("pid", "child")]
    assert [pid for pid in pids if is_alive(pid)] == []


def test_nothing_of_an_ended_server_stays_on_disk(tmp_path: Path) -> None:
    """Ours, not AWS's."""
    os.environ["TMPDIR"], before = str(tmp_path), os.environ.get("TMPDIR")
    try:
        server, variables = start_server(tmp_path)
    finally:
        del os.environ["TMPDIR"]
        os.environ.update({"TMPDIR": before} if before else {})
    account = EmrAccount(server, variables)
    account.prepare()
    account.cluster(keep_alive=False, Steps=[step(shell("exit 0"))])
    os.kill(server.pid, signal.SIGTERM)
    server.wait(30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.err", "server.out"]


def _caller(account: EmrAccount, **role: str) -> str:
    """The ARN that a step's own credentials belong to."""
    cluster = account.cluster()
    tells = shell("echo $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN")
    (made,) = account.add(cluster, tells, **role)
    account.wait_for(cluster, made)
    key, secret, token = account.log(cluster, made, "stdout").split()
    sts = account.client("sts", aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)
    return str(sts.get_caller_identity()["Arn"])
