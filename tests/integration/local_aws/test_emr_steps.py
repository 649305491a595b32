"""Steps of the embedded EMR queue, run, fail and are cancelled as AWS documents it. Each test names the document that its rule is from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local_aws.emr_account import EmrAccount, is_alive, shell, step, wait_until

JOB_ROLE = "arn:aws:iam::123456789012:role/job"

# A shell that waits for a child of its own gets a signal at once.
_SLEEP = "sleep 600 & while kill -0 $!; do wait; done"


def test_steps_run_one_after_another_by_default(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, AddJobFlowSteps: "executes each step in the order listed"; RunJobFlow, StepConcurrencyLevel: the default is 1."""
    cluster = account.cluster()
    steps = account.add(cluster, *[_until(tmp_path / "go")] * 2)
    meanwhile = _states_when_settled(account, cluster, steps, running=1)
    (tmp_path / "go").touch()
    account.wait_for(cluster, steps[1])
    assert meanwhile == ["RUNNING", "PENDING"]
    assert account.states(cluster, *steps) == ["COMPLETED", "COMPLETED"]


def test_no_more_steps_run_at_once_than_the_cluster_allows(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, RunJobFlow and ModifyCluster, StepConcurrencyLevel: "the number of steps that can be executed concurrently"."""
    cluster = account.cluster(StepConcurrencyLevel=2)
    steps = account.add(cluster, *[_until(tmp_path / "go")] * 4)
    of_two = _states_when_settled(account, cluster, steps, running=2)
    account.emr.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=3)
    of_three = _states_when_settled(account, cluster, steps, running=3)
    (tmp_path / "go").touch()
    account.wait_for(cluster, steps[3])
    assert of_two == ["RUNNING", "RUNNING", "PENDING", "PENDING"]
    assert of_three == ["RUNNING", "RUNNING", "RUNNING", "PENDING"]


def test_a_failed_step_tells_the_cause_and_where_it_stands(account: EmrAccount) -> None:
    """EMR API reference, FailureDetails: reason "Unknown Error", "text from an error log", the path of the log file."""
    cluster = account.cluster()
    (made,) = account.add(cluster, ["python3", "-c", "raise ValueError('no such pipeline')"])
    status = account.wait_for(cluster, made)
    assert status["State"] == "FAILED"
    assert status["FailureDetails"] == {
        "Reason": "Unknown Error",
        "Message": "ValueError: no such pipeline",
        "LogFile": f"s3://logs/emr/{cluster}/steps/{made}/stderr.gz",
    }


@pytest.mark.parametrize(
    ("on_failure", "of_next", "of_cluster"),
    [
        ("CONTINUE", "COMPLETED", "WAITING"),
        ("CANCEL_AND_WAIT", "CANCELLED", "WAITING"),
        ("TERMINATE_CLUSTER", "CANCELLED", "TERMINATED_WITH_ERRORS"),
    ],
)
def test_a_failure_has_the_consequence_that_the_step_names(
    account: EmrAccount, on_failure: str, of_next: str, of_cluster: str
) -> None:
    """EMR API reference, StepConfig, ActionOnFailure: continues, cancels what is pending and waits, or shuts the cluster down."""
    cluster = account.cluster(Steps=[step(shell("exit 3"), on_failure), step(shell("exit 0"))])
    account.wait_for_cluster(cluster, of_cluster)
    steps = account.emr.list_steps(ClusterId=cluster)["Steps"]
    assert [found["Status"]["State"] for found in steps] == [of_next, "FAILED"]


def test_a_protected_cluster_outlives_a_failing_step(account: EmrAccount) -> None:
    """EMR API reference, RunJobFlow: termination protection also holds "in the event of a job flow error"."""
    instances: dict[str, Any] = {"MasterInstanceType": "m6i.xlarge", "InstanceCount": 1, "TerminationProtected": True}
    failing = [step(shell("exit 3"), "TERMINATE_CLUSTER")]
    cluster = account.cluster(instances=instances, Steps=failing)
    account.wait_for_cluster(cluster, "WAITING")
    assert account.emr.list_steps(ClusterId=cluster)["Steps"][0]["Status"]["State"] == "FAILED"


def test_concurrent_steps_must_continue_on_failure(account: EmrAccount) -> None:
    """EMR API reference, StepConfig: with a StepConcurrencyLevel above 1 other settings are refused, and the step is not submitted."""
    cluster = account.cluster(StepConcurrencyLevel=2)
    with pytest.raises(ClientError, match="ActionOnFailure TERMINATE_CLUSTER is not valid"):
        account.add(cluster, shell("exit 0"), on_failure="TERMINATE_CLUSTER")
    assert account.emr.list_steps(ClusterId=cluster)["Steps"] == []


def test_the_same_request_twice_makes_two_steps(account: EmrAccount) -> None:
    """EMR API reference, AddJobFlowSteps: its request has no token by which a retry would be known."""
    cluster = account.cluster()
    once, again = account.add(cluster, shell("exit 0")), account.add(cluster, shell("exit 0"))
    listed = account.emr.list_steps(ClusterId=cluster)["Steps"]
    assert [found["Id"] for found in listed] == [*again, *once]


def test_no_more_than_256_steps_are_active(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, AddJobFlowSteps; management guide, "Considerations for submitting steps": 256 pending and running steps."""
    cluster = account.cluster()
    account.add(cluster, *[_until(tmp_path / "go")] * 256)
    with pytest.raises(ClientError, match="Maximum number of active steps"):
        account.add(cluster, shell("exit 0"))
    account.emr.terminate_job_flows(JobFlowIds=[cluster])


def test_a_cluster_that_ends_takes_no_more_steps(account: EmrAccount) -> None:
    """EMR API reference, AddJobFlowSteps: only in the states STARTING, BOOTSTRAPPING, RUNNING and WAITING."""
    cluster = account.cluster(keep_alive=False)
    account.wait_for_cluster(cluster, "TERMINATED")
    with pytest.raises(ClientError, match="may not be modified"):
        account.add(cluster, shell("exit 0"))


def test_a_step_has_at_most_10240_characters(account: EmrAccount) -> None:
    """EMR API reference, AddJobFlowSteps: "cannot exceed a total of 10240 characters"."""
    cluster = account.cluster()
    with pytest.raises(ClientError, match="10240"):
        account.add(cluster, shell("#" * 10_240))


def test_steps_are_listed_newest_first_in_pages_of_50(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, ListSteps: "in reverse order", at most 50 steps, Marker for the next ones."""
    cluster = account.cluster()
    steps = account.add(cluster, *[_until(tmp_path / "go")] * 60)
    page = account.emr.list_steps(ClusterId=cluster)
    account.add(cluster, shell("exit 0"))  # must not shift the page that follows
    rest = account.emr.list_steps(ClusterId=cluster, Marker=page["Marker"])
    account.emr.terminate_job_flows(JobFlowIds=[cluster])
    found = [found["Id"] for found in page["Steps"] + rest["Steps"]]
    assert (len(page["Steps"]), found, "Marker" in rest) == (50, steps[::-1], False)


def test_steps_are_listed_by_state_in_their_own_order(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, ListSteps: "in reverse order unless you specify stepIds with the request or filter by StepStates"."""
    cluster = account.cluster()
    first, *pending = account.add(cluster, *[_until(tmp_path / "go")] * 3)
    account.wait_for(cluster, first, "RUNNING")
    listed = account.emr.list_steps(ClusterId=cluster, StepStates=["PENDING"])["Steps"]
    (tmp_path / "go").touch()
    assert [found["Id"] for found in listed] == pending


def test_a_step_that_never_was_is_refused(account: EmrAccount) -> None:
    """EMR API reference, DescribeStep, errors: InvalidRequestException."""
    cluster = account.cluster()
    with pytest.raises(ClientError, match="Step id 's-NOTHING' is not valid"):
        account.status(cluster, "s-NOTHING")


def test_a_pending_step_is_cancelled_and_never_runs(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, CancelSteps: steps in state PENDING can be cancelled."""
    cluster = account.cluster()
    first, second = account.add(cluster, _until(tmp_path / "go"), shell(f"touch {tmp_path}/ran"))
    account.wait_for(cluster, first, "RUNNING")
    (told,) = account.emr.cancel_steps(ClusterId=cluster, StepIds=[second])["CancelStepsInfoList"]
    (tmp_path / "go").touch()
    account.wait_for_cluster(cluster, "WAITING")
    assert told["Status"] == "SUBMITTED"
    assert account.states(cluster, first, second) == ["COMPLETED", "CANCELLED"]
    assert not (tmp_path / "ran").exists()


def test_an_interrupted_step_may_finish_what_it_does(account: EmrAccount, tmp_path: Path) -> None:
    """EMR management guide, "Cancel steps": SEND_INTERRUPT is the default and lets the step exit; API reference, StepStatus:
    CANCEL_PENDING before CANCELLED."""
    cluster = account.cluster()
    finishes = f"until [ -e {tmp_path}/go ]; do sleep 0.1; done; touch {tmp_path}/finished; exit 1"
    (made,) = account.add(cluster, shell(f"trap '{finishes}' TERM; touch {tmp_path}/on; {_SLEEP}"))
    wait_until((tmp_path / "on").exists)
    account.emr.cancel_steps(ClusterId=cluster, StepIds=[made])
    meanwhile = account.states(cluster, made)
    (tmp_path / "go").touch()
    ended = account.wait_for(cluster, made)["State"]
    assert (meanwhile, ended) == (["CANCEL_PENDING"], "CANCELLED")
    assert (tmp_path / "finished").exists()


def test_a_terminated_process_has_no_say(account: EmrAccount, tmp_path: Path) -> None:
    """EMR management guide, "Cancel steps": TERMINATE_PROCESS forces the step to exit."""
    cluster = account.cluster()
    (made,) = account.add(cluster, shell(f"trap '' TERM INT; echo $$ > {tmp_path}/pid; {_SLEEP}"))
    pid = wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    account.emr.cancel_steps(ClusterId=cluster, StepIds=[made], StepCancellationOption="TERMINATE_PROCESS")
    assert account.wait_for(cluster, made)["State"] == "CANCELLED"
    assert not is_alive(int(pid))


def test_a_step_that_has_ended_cannot_be_cancelled(account: EmrAccount) -> None:
    """EMR API reference, CancelSteps and CancelStepsInfo: only PENDING and RUNNING steps; else FAILED with the reason."""
    cluster = account.cluster()
    (made,) = account.add(cluster, shell("exit 0"))
    account.wait_for(cluster, made)
    (told,) = account.emr.cancel_steps(ClusterId=cluster, StepIds=[made])["CancelStepsInfoList"]
    assert told == {"StepId": made, "Status": "FAILED", "Reason": "Cannot cancel a step that is COMPLETED."}


def test_a_runtime_role_must_exist(account: EmrAccount) -> None:
    """EMR management guide, "Runtime roles for Amazon EMR steps": the step runs as that role."""
    cluster = account.cluster()
    with pytest.raises(ClientError, match="role/nobody does not exist"):
        account.add(cluster, shell("exit 0"), ExecutionRoleArn="arn:aws:iam::123456789012:role/nobody")


def test_a_runtime_role_needs_a_cluster_that_knows_runtime_roles(account: EmrAccount) -> None:
    """EMR management guide, "Runtime roles for Amazon EMR steps": a security configuration with EnableApplicationScopedIAMRole."""
    account.emr.create_security_configuration(Name="plain", SecurityConfiguration="{}")
    cluster = account.cluster(SecurityConfiguration="plain")
    with pytest.raises(ClientError, match="Runtime roles are not enabled"):
        account.add(cluster, shell("exit 0"), ExecutionRoleArn=JOB_ROLE)


def test_steps_of_a_new_cluster_get_their_own_role(account: EmrAccount) -> None:
    """EMR API reference, RunJobFlow, StepExecutionRoleArn: for the steps of this request only."""
    cluster = account.cluster(Steps=[step(shell("exit 0"))], StepExecutionRoleArn=JOB_ROLE)
    (second,) = account.add(cluster, shell("exit 0"))
    first = account.emr.list_steps(ClusterId=cluster)["Steps"][1]["Id"]
    roles = [
        account.emr.describe_step(ClusterId=cluster, StepId=made)["Step"].get("ExecutionRoleArn")
        for made in (first, second)
    ]
    assert roles == [JOB_ROLE, None]


def test_a_program_that_only_aws_has_is_refused_aloud(account: EmrAccount) -> None:
    """EMR release guide, "Run commands and scripts on an EMR cluster": of the two jars only command-runner.jar is imitated."""
    cluster = account.cluster()
    given = step(shell("exit 0"))
    given["HadoopJarStep"]["Jar"] = "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"
    with pytest.raises(ClientError, match="command-runner.jar only"):
        account.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[given])


def _until(file: Path) -> list[str]:
    return shell(f"until [ -e {file} ]; do sleep 0.1; done")


def _states_when_settled(account: EmrAccount, cluster: str, steps: list[str], running: int) -> list[str]:
    """When so many run, and the cluster has started all that it means to: before that it takes no further step."""
    account.wait_for(cluster, steps[running - 1], "RUNNING")
    account.add(cluster, shell("exit 0"))
    return account.states(cluster, *steps)
