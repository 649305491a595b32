"""The clusters that steps run on: the environment's shared one, or one that is launched for a run and ends with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.config.aws import Emr
from jobs.errors import AwsRefusedError, ClusterError, ConfigError
from jobs.runtime.aws import aws_errors
from jobs.versions import EMR_RELEASE

ENDING = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")

# Whoever launched it terminates it; this is for the day on which nobody does.
_MOST_IDLE_SECONDS = 1800


@dataclass(frozen=True)
class Cluster:
    """`reason`: why it ended, in EMR's words; '' while there is none."""

    id: str
    state: str
    release: str
    tags: Mapping[str, str]
    reason: str


def require_release(compute: Emr) -> None:
    """Raises ConfigError for an environment of another release than ours."""
    if compute.release_label != EMR_RELEASE:
        raise ConfigError(
            f"Submitting to EMR: expected the release {EMR_RELEASE!r} that jobs/versions.py names, got {compute.release_label!r}. "
            "Run `make tf-apply` and `make env` with this version of the project, or use the version that made the environment."
        )


def described(emr: Any, cluster_id: str) -> Cluster:
    """The cluster as it is now. Raises ClusterError if EMR does not know it."""
    try:
        with aws_errors(f"Describing cluster {cluster_id}"):
            found = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    except AwsRefusedError as error:
        raise ClusterError(
            f"Describing cluster {cluster_id}: expected EMR to know it, got a refusal ({error.__cause__}). "
            "If it is the shared one, `make tf-apply` and `make env` make and name another."
        ) from error
    reason = found["Status"].get("StateChangeReason", {}).get("Message") or ""
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    return Cluster(cluster_id, found["Status"]["State"], found.get("ReleaseLabel", ""), tags, reason)


def require_ours(cluster: Cluster, compute: Emr) -> None:
    """Raises ClusterError for a cluster without the environment's tags: names are anybody's."""
    if not compute.tags.items() <= cluster.tags.items():
        raise ClusterError(
            f"Attaching to cluster {cluster.id}: expected the environment's tags on it, got others. "
            "Somebody else made a cluster of the run's name: submit with another --run-id."
        )


def require_shared(emr: Any, compute: Emr) -> Cluster:
    """The environment's shared cluster, ready for steps. Raises ConfigError if none is named, ClusterError if it takes none."""
    if compute.shared_cluster is None:
        raise ConfigError(
            "Looking for the shared cluster: expected its id in the environment's file, got none. Give the environment a shared cluster "
            "and run `make tf-apply` and `make env`, or let the pipeline run on a transient one."
        )
    cluster = described(emr, compute.shared_cluster)
    if cluster.state in ENDING:
        raise ClusterError(
            f"Submitting to cluster {cluster.id}: expected the shared cluster to take steps, got one that is {cluster.state} "
            f"({cluster.reason or 'no reason given'}). Run `make tf-apply`, which starts another, and `make env`; then the same command."
        )
    if cluster.release != EMR_RELEASE:
        raise ClusterError(
            f"Submitting to cluster {cluster.id}: expected the release {EMR_RELEASE!r}, got one that runs {cluster.release!r}. "
            "Run `make tf-apply`, which replaces it, and `make env`; then the same command."
        )
    return cluster


def clusters_named(emr: Any, prefix: str, *, days: int, active_only: bool = False) -> Iterator[str]:
    """Ids of clusters of the last `days` whose names begin with `prefix`, newest first. The name has the environment in it.

    EMR keeps ended clusters for two months.
    """
    wanted: dict[str, Any] = {"CreatedAfter": datetime.now(UTC) - timedelta(days=days)}
    if active_only:
        wanted["ClusterStates"] = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    with aws_errors("Listing the clusters"):
        pages = emr.get_paginator("list_clusters").paginate(**wanted)
        found = [cluster for page in pages for cluster in page["Clusters"] if cluster["Name"].startswith(prefix)]
    found.sort(key=lambda cluster: cluster["Status"]["Timeline"]["CreationDateTime"], reverse=True)
    yield from (cluster["Id"] for cluster in found)


def launch_request(compute: Emr, name: str, step: dict[str, Any], role_arn: str) -> dict[str, Any]:
    """What RunJobFlow is asked: a cluster with this one step from the beginning, which ends when the step has."""
    request = _cluster_request(compute, name, waits_for_steps=False)
    return {**request, "Steps": [step], "StepExecutionRoleArn": role_arn}


def waiting_cluster_request(compute: Emr, name: str, steps_at_once: int) -> dict[str, Any]:
    """What RunJobFlow is asked: a cluster that waits for steps until it is terminated, or has been idle for too long."""
    idle = {"AutoTerminationPolicy": {"IdleTimeout": _MOST_IDLE_SECONDS}}
    return {**_cluster_request(compute, name, waits_for_steps=True), "StepConcurrencyLevel": steps_at_once, **idle}


def _cluster_request(compute: Emr, name: str, *, waits_for_steps: bool) -> dict[str, Any]:
    groups = compute.security_groups
    return {
        "Name": name,
        "ReleaseLabel": compute.release_label,
        "LogUri": compute.log_uri,
        "Applications": [{"Name": application} for application in compute.applications],
        "Configurations": [
            {"Classification": each.classification, "Properties": dict(each.properties)}
            for each in compute.configurations
        ],
        "ServiceRole": compute.service_role,
        "JobFlowRole": compute.instance_profile,
        "SecurityConfiguration": compute.security_configuration,
        "Tags": [{"Key": key, "Value": value} for key, value in compute.tags.items()],
        "Instances": {
            "InstanceFleets": _fleets(compute),
            "Ec2SubnetIds": list(compute.subnet_ids),  # fleets only: EMR takes the one that has the nodes
            "EmrManagedMasterSecurityGroup": groups.primary,
            "EmrManagedSlaveSecurityGroup": groups.core,
            "ServiceAccessSecurityGroup": groups.service,
            "KeepJobFlowAliveWhenNoSteps": waits_for_steps,
            "TerminationProtected": False,
        },
    }


def _fleets(compute: Emr) -> list[dict[str, Any]]:
    nodes = compute.instances
    fleets = [
        _fleet("MASTER", nodes.primary_type, TargetOnDemandCapacity=1),
        _fleet("CORE", nodes.core_type, TargetOnDemandCapacity=nodes.core_count),
    ]
    if nodes.task_spot_count:
        # Where Spot has none for ten minutes, the nodes are taken on demand: a run costs more then, but is not lost.
        patience = {"TimeoutDurationMinutes": 10, "TimeoutAction": "SWITCH_TO_ON_DEMAND"}
        spot = {"LaunchSpecifications": {"SpotSpecification": patience}}
        fleets.append(_fleet("TASK", nodes.task_type, TargetSpotCapacity=nodes.task_spot_count, **spot))
    return fleets


def _fleet(kind: str, instance_type: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": kind.lower(),
        "InstanceFleetType": kind,
        "InstanceTypeConfigs": [{"InstanceType": instance_type}],
        **more,
    }
