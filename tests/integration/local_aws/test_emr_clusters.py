"""Clusters of the embedded EMR start, run and end as AWS documents it. Each test names the document that its rule is from."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.integration.local_aws.emr_account import EmrAccount, is_alive, shell, step, wait_until

FLEETS = {
    "Ec2SubnetIds": ["subnet-1", "subnet-2"],
    "InstanceFleets": [
        {
            "InstanceFleetType": kind,
            "TargetOnDemandCapacity": 1,
            "InstanceTypeConfigs": [{"InstanceType": "m6i.xlarge"}],
        }
        for kind in ("MASTER", "CORE")
    ],
}
GROUPS = {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m6i.xlarge", "InstanceCount": 1}]}


def test_a_cluster_that_is_kept_alive_starts_and_then_waits(account: EmrAccount) -> None:
    """EMR management guide, "Understanding the cluster lifecycle": STARTING first; WAITING when it has no step to run."""
    cluster = account.cluster()
    first = account.cluster_status(cluster)["State"]
    account.wait_for_cluster(cluster, "WAITING")
    assert first == "STARTING"


def test_a_cluster_is_running_while_a_step_runs(account: EmrAccount, tmp_path: Path) -> None:
    """EMR management guide, "Understanding the cluster lifecycle": RUNNING while a step runs, then WAITING."""
    cluster = account.cluster()
    (made,) = account.add(cluster, shell(f"until [ -e {tmp_path}/go ]; do sleep 0.1; done"))
    account.wait_for(cluster, made, "RUNNING")
    meanwhile = account.cluster_status(cluster)["State"]
    (tmp_path / "go").touch()
    account.wait_for_cluster(cluster, "WAITING")
    assert meanwhile == "RUNNING"


def test_a_cluster_that_is_not_kept_alive_ends_after_its_last_step(account: EmrAccount) -> None:
    """EMR API reference, JobFlowInstancesConfig, KeepJobFlowAliveWhenNoSteps; ClusterStateChangeReason, ALL_STEPS_COMPLETED."""
    cluster = account.cluster(keep_alive=False, Steps=[step(shell("exit 0")), step(shell("exit 1"))])
    ended = account.wait_for_cluster(cluster, "TERMINATED", "TERMINATED_WITH_ERRORS")
    states = [found["Status"]["State"] for found in account.emr.list_steps(ClusterId=cluster)["Steps"]]
    assert (ended["State"], ended["StateChangeReason"]["Code"]) == ("TERMINATED", "ALL_STEPS_COMPLETED")
    assert states == ["FAILED", "COMPLETED"]


def test_terminating_cancels_every_step_that_is_not_done(account: EmrAccount, tmp_path: Path) -> None:
    """EMR API reference, TerminateJobFlows: "any step not yet completed is canceled" and the instances are stopped."""
    cluster = account.cluster()
    first, second = account.add(cluster, shell(f"echo $$ > {tmp_path}/pid; sleep 600"), shell("exit 0"))
    pid = wait_until(lambda: _number(tmp_path / "pid"))
    account.emr.terminate_job_flows(JobFlowIds=[cluster])
    ended = account.wait_for_cluster(cluster, "TERMINATED", "TERMINATED_WITH_ERRORS")
    assert (ended["State"], ended["StateChangeReason"]["Code"]) == ("TERMINATED", "USER_REQUEST")
    assert account.states(cluster, first, second) == ["CANCELLED", "CANCELLED"]
    assert not is_alive(pid)


def test_a_protected_cluster_is_not_terminated(account: EmrAccount) -> None:
    """EMR API reference, SetTerminationProtection: locks the cluster against termination by API call."""
    cluster = account.cluster(instances=GROUPS | {"TerminationProtected": True})
    account.wait_for_cluster(cluster, "WAITING")
    with pytest.raises(ClientError, match="termination protected"):
        account.emr.terminate_job_flows(JobFlowIds=[cluster])
    assert account.cluster_status(cluster)["State"] == "WAITING"


def test_nodes_end_with_their_cluster(account: EmrAccount) -> None:
    """EMR API reference, TerminateJobFlows: "the Amazon EC2 instances on which the cluster is running are stopped"."""
    cluster = account.cluster(keep_alive=False)
    account.wait_for_cluster(cluster, "TERMINATED")
    nodes = [node["Ec2InstanceId"] for node in account.emr.list_instances(ClusterId=cluster)["Instances"]]
    found = account.client("ec2").describe_instances(InstanceIds=nodes)["Reservations"]
    assert [node["State"]["Name"] for each in found for node in each["Instances"]] == ["terminated"]


@pytest.mark.parametrize("instances", [GROUPS, FLEETS], ids=["groups", "fleets"])
def test_a_lost_cluster_ends_with_errors_and_leaves_pending_steps_pending(
    account: EmrAccount, tmp_path: Path, instances: dict[str, object]
) -> None:
    """EMR API reference, ClusterStateChangeReason, INSTANCE_FAILURE: the primary node is gone, and with it who would end its steps."""
    cluster = account.cluster(instances=instances)
    first, second = account.add(cluster, shell(f"echo $$ > {tmp_path}/pid; sleep 600"), shell("exit 0"))
    pid = wait_until(lambda: _number(tmp_path / "pid"))
    primary = account.emr.list_instances(ClusterId=cluster)["Instances"]
    account.client("ec2").terminate_instances(InstanceIds=[node["Ec2InstanceId"] for node in primary])
    ended = account.wait_for_cluster(cluster, "TERMINATED", "TERMINATED_WITH_ERRORS")
    assert (ended["State"], ended["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE")
    assert account.states(cluster, first, second) == ["INTERRUPTED", "PENDING"]
    assert not is_alive(pid)


def test_nodes_without_a_profile_end_the_cluster_with_errors(account: EmrAccount) -> None:
    """EMR management guide, "Service role for cluster EC2 instances"; ClusterStateChangeReason, VALIDATION_ERROR."""
    cluster = account.cluster(JobFlowRole="nobody")
    ended = account.wait_for_cluster(cluster, "TERMINATED_WITH_ERRORS")
    assert ended["StateChangeReason"] == {"Code": "VALIDATION_ERROR", "Message": "Invalid InstanceProfile: nobody."}


def test_fleets_are_listed_as_they_were_asked_for(account: EmrAccount) -> None:
    """EMR API reference, ListInstanceFleets; JobFlowInstancesConfig, Ec2SubnetIds: one of the subnets is chosen."""
    cluster = account.cluster(instances=FLEETS)
    described = account.emr.describe_cluster(ClusterId=cluster)["Cluster"]
    fleets = account.emr.list_instance_fleets(ClusterId=cluster)["InstanceFleets"]
    assert [(fleet["InstanceFleetType"], fleet["ProvisionedOnDemandCapacity"]) for fleet in fleets] == [
        ("MASTER", 1),
        ("CORE", 1),
    ]
    assert described["InstanceCollectionType"] == "INSTANCE_FLEET"
    assert described["Ec2InstanceAttributes"]["Ec2SubnetId"] == "subnet-1"
    with pytest.raises(ClientError, match="mutually exclusive"):
        account.emr.list_instance_groups(ClusterId=cluster)


@pytest.mark.parametrize(
    ("instances", "refusal"),
    [(FLEETS | GROUPS, "mutually exclusive"), (GROUPS | {"Ec2SubnetIds": ["subnet-1"]}, "Ec2SubnetIds")],
)
def test_a_cluster_has_either_fleets_or_groups(account: EmrAccount, instances: dict[str, object], refusal: str) -> None:
    """EMR API reference, RunJobFlow: "can contain InstanceFleets parameters or InstanceGroups parameters, but not both"."""
    with pytest.raises(ClientError, match=refusal):
        account.cluster(instances=instances)


def test_automatic_termination_is_kept_with_the_cluster(account: EmrAccount) -> None:
    """EMR API reference, RunJobFlow, AutoTerminationPolicy."""
    cluster = account.cluster(AutoTerminationPolicy={"IdleTimeout": 3600})
    found = account.emr.get_auto_termination_policy(ClusterId=cluster)["AutoTerminationPolicy"]
    assert found == {"IdleTimeout": 3600}


@pytest.mark.parametrize("level", [0, 257])
def test_the_number_of_concurrent_steps_has_bounds(account: EmrAccount, level: int) -> None:
    """EMR API reference, ModifyCluster: "a minimum of 1 step and a maximum of 256 steps"."""
    cluster = account.cluster()
    with pytest.raises(ClientError, match="StepConcurrencyLevel"):
        account.emr.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=level)


@pytest.mark.parametrize("operation", ["describe_cluster", "list_steps"])
def test_a_cluster_that_never_was_is_refused(account: EmrAccount, operation: str) -> None:
    """EMR API reference, common errors: InvalidRequestException, not an internal error that clients try again."""
    with pytest.raises(ClientError, match="Cluster id 'j-NOTHING' is not valid") as refused:
        getattr(account.emr, operation)(ClusterId="j-NOTHING")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"


def _number(file: Path) -> int:
    """0 until the file holds one."""
    return int(file.read_text().strip() or 0) if file.exists() else 0
