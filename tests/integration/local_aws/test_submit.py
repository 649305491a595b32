"""A run becomes one step on EMR, whoever asks for it how often, and its end is told with its cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from jobs.emr import submit as submitting_module
from jobs.emr.cancel import cancel
from jobs.emr.follow import Pace, follow
from jobs.emr.submit import require_emr
from jobs.errors import ClusterError, ConfigError
from jobs.runtime.aws import aws_session
from jobs.runtime.progress import Progress
from tests.integration.local_aws.emr_account import EmrAccount, shell, wait_until
from tests.integration.local_aws.submitting import ARTIFACTS, QUICK, ROLE, TAGS, Submitter, environment

_numbers = count(1)

Make = Callable[..., Submitter]


@pytest.fixture(scope="module")
def aws(account: EmrAccount) -> Iterator[EmrAccount]:
    account.s3.create_bucket(Bucket=ARTIFACTS)
    yield account


@pytest.fixture
def submitter(aws: EmrAccount, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes the submitter of a pipeline of its own, on a shared cluster if asked."""
    for name, value in aws.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(submitting_module, "_PAUSES_SECONDS", (0.1, 0.1))

    def make(*, shared: bool = False, **more: Any) -> Submitter:
        pipeline = f"depot{next(_numbers)}"
        cluster = aws.cluster(StepConcurrencyLevel=4) if shared else None
        return Submitter(aws, aws_session(environment(pipeline, cluster)), pipeline, cluster, **more)

    return make


@pytest.fixture
def held(tmp_path: Path) -> tuple[str, str]:
    """Options of a job that runs until the file is there."""
    return "--until", str(tmp_path / "go")


def test_a_run_is_done_by_a_cluster_of_its_own_that_ends_with_it(aws: EmrAccount, submitter: Make) -> None:
    depot = submitter()
    step = depot.submit("--as-of", "2024-03-02T00:00:00", run_id="night").step
    ended = depot.follow(step)
    assert (ended.error, ended.step.state) == (None, "COMPLETED")
    aws.wait_for_cluster(step.cluster, "TERMINATED")
    told = aws.log(step.cluster, step.id, "stdout").splitlines()
    asked = f"arguments run {depot.pipeline} --as-of 2024-03-02T00:00:00 --env dev --run-id night"
    assert told[:2] == [asked, "conf was read from the archive"]


def test_a_launched_cluster_carries_the_environments_tags_name_and_role(aws: EmrAccount, submitter: Make) -> None:
    depot = submitter()
    step = depot.submit(run_id="night").step
    cluster = aws.emr.describe_cluster(ClusterId=step.cluster)["Cluster"]
    assert {tag["Key"]: tag["Value"] for tag in cluster["Tags"]} == TAGS
    assert cluster["Name"] == f"tidemark-dev {depot.pipeline} night"
    assert aws.emr.describe_step(ClusterId=step.cluster, StepId=step.id)["Step"]["ExecutionRoleArn"] == ROLE


def test_the_same_run_id_attaches_to_the_running_step(submitter: Make, held: tuple[str, str]) -> None:
    depot = submitter(shared=True)
    first = depot.submit(*held, run_id="night")
    second = depot.submit(*held, run_id="night")
    Path(held[1]).touch()
    assert (second.step.id, first.is_new, second.is_new) == (first.step.id, True, False)
    assert (len(depot.steps()), depot.delivered) == (1, 1)


def test_the_same_arguments_without_a_run_id_attach_on_a_transient_cluster(
    submitter: Make, held: tuple[str, str]
) -> None:
    depot = submitter()
    first = depot.submit(*held, fresh_id="first")
    second = depot.submit(*held, fresh_id="second")
    Path(held[1]).touch()
    assert (second.step.id, second.is_new) == (first.step.id, False)


def test_other_arguments_without_a_run_id_are_another_run(submitter: Make, held: tuple[str, str]) -> None:
    depot = submitter(shared=True)
    first = depot.submit(*held, fresh_id="first")
    second = depot.submit(*held, "--full", fresh_id="second")
    Path(held[1]).touch()
    assert first.step.id != second.step.id


@pytest.mark.parametrize("shared", [True, False])
def test_a_failed_run_gets_a_new_attempt_under_its_id(submitter: Make, shared: bool) -> None:
    depot = submitter(shared=shared)
    depot.follow(depot.submit("--refuse", run_id="night").step)
    again = depot.submit(run_id="night")
    assert again.step.name == f"tidemark {depot.pipeline} night attempt 2"
    assert depot.follow(again.step).error is None


def test_a_completed_run_is_not_run_again(submitter: Make) -> None:
    depot = submitter(shared=True)
    first = depot.submit(run_id="night").step
    depot.follow(first)
    assert depot.submit(run_id="night").step.id == first.id


def test_a_completed_step_without_its_work_in_the_ledger_is_a_failure_and_is_run_again(submitter: Make) -> None:
    depot = submitter(shared=True)
    depot.ledger.left = ["database: batch 3 without an outcome"]
    ended = depot.follow(depot.submit(run_id="night").step)
    assert "expected the ledger to have its work, got database: batch 3 without an outcome" in str(ended.error)
    assert depot.submit(run_id="night").step.name.endswith("night attempt 2")


def test_a_refusal_of_our_own_is_the_cause_of_a_failed_step(submitter: Make) -> None:
    depot = submitter(shared=True)
    error = depot.follow(depot.submit("--refuse", run_id="night").step).error
    assert "got FAILED:\nLanding depot: expected a file, got none. Deliver it.\n" in str(error)


def test_the_last_exception_is_the_cause_of_a_failed_step_and_shows_no_secret(submitter: Make) -> None:
    depot = submitter(shared=True)
    error = depot.follow(depot.submit("--raise", run_id="night").step).error
    assert "\nValueError: no such table, password=***\n" in str(error)


def test_new_output_is_shown_once_while_the_step_runs(submitter: Make, held: tuple[str, str]) -> None:
    depot = submitter(shared=True)
    step = depot.submit(*held, run_id="night").step
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(depot.follow, step)
        wait_until(lambda: "  conf was read from the archive" in depot.shown.getvalue())
        Path(held[1]).touch()
        assert following.result().error is None
    assert depot.shown.getvalue().count("conf was read") == 1


@pytest.mark.parametrize(
    ("log_uri", "told"),
    [("s3://logs/elsewhere/", "its logs tell no cause"), ("s3://nobody-has-this/emr/", "NoSuchBucket")],
)
def test_a_failed_step_whose_logs_cannot_be_read_is_still_told(submitter: Make, log_uri: str, told: str) -> None:
    depot = submitter(shared=True)
    step = depot.submit("--refuse", run_id="night").step
    depot.account.wait_for(step.cluster, step.id)
    compute = require_emr(depot.environment).model_copy(update={"log_uri": log_uri})
    pace = Pace(step=0.1, late_logs=0.3)
    error = follow(depot.session, compute, step, Progress(), depot.ledger, pace).error
    assert "expected it to complete, got FAILED" in str(error)
    assert told in str(error)


@pytest.mark.parametrize("shared", [True, False])
def test_a_request_whose_answer_is_lost_makes_one_step(submitter: Make, shared: bool, held: tuple[str, str]) -> None:
    depot = submitter(shared=shared)
    operation = "AddJobFlowSteps" if shared else "RunJobFlow"
    lost = _once(depot.session, f"needs-retry.emr.{operation}", ReadTimeoutError(endpoint_url="emr"))
    made = depot.submit(*held, run_id="night")
    Path(held[1]).touch()
    assert (len(lost), [step.id for step in depot.steps()]) == (1, [made.step.id])


def test_a_request_that_never_arrived_is_sent_again(submitter: Make) -> None:
    depot = submitter(shared=True)
    lost = _once(depot.session, "before-send.emr.AddJobFlowSteps", ConnectTimeoutError(endpoint_url="emr"))
    depot.submit(run_id="night")
    assert (len(lost), len(depot.steps())) == (1, 1)


def test_a_cancelled_step_is_a_failure_of_whoever_follows_it(submitter: Make, held: tuple[str, str]) -> None:
    depot = submitter(shared=True)
    step = depot.submit(*held, run_id="night").step
    depot.account.wait_for(step.cluster, step.id, "RUNNING")
    assert cancel(depot.session, step, Progress(), grace=10, pace=QUICK).state == "CANCELLED"
    assert "expected it to complete, got CANCELLED" in str(depot.follow(step).error)


def test_a_cluster_that_is_lost_with_a_pending_step_is_a_failure(submitter: Make, held: tuple[str, str]) -> None:
    depot = submitter()
    step = depot.submit(*held, run_id="night").step
    nodes = wait_until(lambda: depot.account.emr.list_instances(ClusterId=step.cluster)["Instances"])
    depot.account.client("ec2").terminate_instances(InstanceIds=[node["Ec2InstanceId"] for node in nodes])
    error = depot.follow(step).error
    assert "its cluster TERMINATED_WITH_ERRORS" in str(error)


def test_a_shared_cluster_that_is_gone_asks_for_terraform(submitter: Make) -> None:
    depot = submitter(shared=True)
    depot.account.emr.terminate_job_flows(JobFlowIds=[depot.shared_cluster])
    with pytest.raises(ClusterError, match="make tf-apply"):
        depot.submit(run_id="night")


def test_a_shared_cluster_that_never_was_asks_for_terraform(submitter: Make) -> None:
    depot = submitter()
    depot.shared_cluster = "j-NOTHING"
    with pytest.raises(ClusterError, match="make tf-apply"):
        depot.submit(run_id="night")


def test_a_full_cluster_takes_no_more(submitter: Make, held: tuple[str, str]) -> None:
    depot = submitter(shared=True)
    waiting = [shell(f"until [ -e {held[1]} ]; do sleep 1; done")] * 256
    assert depot.shared_cluster
    depot.account.add(depot.shared_cluster, *waiting)
    with pytest.raises(ClusterError, match="expected fewer than 256 pending and running steps, got 256"):
        depot.submit(run_id="night")
    depot.account.emr.terminate_job_flows(JobFlowIds=[depot.shared_cluster])


def test_a_pipeline_without_a_role_is_refused(submitter: Make) -> None:
    with pytest.raises(ConfigError, match="expected a role for its steps"):
        submitter(role=None).submit(run_id="night")


def test_another_release_is_refused(submitter: Make) -> None:
    with pytest.raises(ConfigError, match="expected the release 'emr-spark-8.0.0'"):
        submitter(release="emr-spark-8.1.0").submit(run_id="night")


def test_a_cluster_of_the_name_without_our_tags_is_left_alone(
    aws: EmrAccount, submitter: Make, held: tuple[str, str]
) -> None:
    depot = submitter()
    cluster = aws.cluster(Name=f"tidemark-dev {depot.pipeline} night")
    foreign = {"Name": f"tidemark {depot.pipeline} night", "ActionOnFailure": "CONTINUE"}
    jar = {"Jar": "command-runner.jar", "Args": shell(f"until [ -e {held[1]} ]; do sleep 0.1; done")}
    aws.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[foreign | {"HadoopJarStep": jar}])
    with pytest.raises(ClusterError, match="expected the environment's tags"):
        depot.submit(run_id="night")
    Path(held[1]).touch()


def _once(session: boto3.Session, event: str, error: Exception) -> list[str]:
    """Raises the error at the event's first time; the list holds that it did."""
    raised: list[str] = []

    def fail(**_: Any) -> None:
        if not raised:
            raised.append(event)
            raise error

    session.events.register(event, fail)
    return raised
