"""EMR clusters that live: they start, run their steps and end, and end with the server at the latest. moto keeps what they look like.

To lose a cluster, as a test may want to, end its primary node: TerminateInstances of EC2, with the instance that ListInstances names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from moto.backends import get_backend
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend
from moto.emr.exceptions import ValidationException
from moto.emr.models import Cluster
from moto.emr.responses import ElasticMapReduceResponse
from moto.iam.exceptions import NotFoundException

from infra.local.cluster_life import BY_USER, ClusterLife, Ending, LiveStep, life_of
from infra.local.emr_fleets import make_fleets, require_one_kind
from infra.local.emr_steps import require_runtime_role, require_steps
from infra.local.operations import put_into
from infra.local.primary_node import PrimaryNode
from infra.local.role_sessions import s3_client
from infra.local.step_logs import StepLogs
from infra.local.step_run import StepRun

_MOST_CONCURRENT_STEPS = 256  # EMR API reference, ModifyCluster

Response = ElasticMapReduceResponse


def install() -> None:
    put_into(
        Cluster,
        run_bootstrap_actions=_stay_starting,
        terminate=lambda cluster: life_of(cluster).terminate(BY_USER),
        status=property(_status),
    )
    put_into(Response, modify_cluster=_modify_cluster, terminate_job_flows=_terminate_job_flows)
    put_into(EC2Backend, terminate_instances=_with_lost_clusters(EC2Backend.terminate_instances))


@contextmanager
def running_clusters(endpoint: str) -> Iterator[None]:
    """Clusters that RunJobFlow makes meanwhile live, with steps that talk to `endpoint`. No process of theirs is alive afterwards."""
    lives: list[ClusterLife] = []
    run_job_flow = Response.run_job_flow
    with TemporaryDirectory(prefix="emr-", ignore_cleanup_errors=True) as folder:
        put_into(Response, run_job_flow=_with_life(run_job_flow, endpoint, Path(folder), lives))
        try:
            yield
        finally:
            put_into(Response, run_job_flow=run_job_flow)
            for life in lives:
                life.lose()
            for life in lives:
                life.join()


def _with_life(run_job_flow: Any, endpoint: str, folder: Path, lives: list[ClusterLife]) -> Callable[[Response], Any]:
    def run(self: Response) -> ActionResult:
        given = json.loads(self.body)
        role_arn = given.get("StepExecutionRoleArn")
        require_one_kind(given["Instances"])
        require_steps(given.get("Steps", []))
        require_runtime_role(self.backend, given.get("SecurityConfiguration"), role_arn)
        made: ActionResult = run_job_flow(self)
        cluster = self.backend.clusters[vars(made)["_result"]["JobFlowId"]]
        make_fleets(cluster, given["Instances"])
        for step in cluster.steps:
            vars(step)["execution_role_arn"] = role_arn
        life = _begin(cluster, endpoint, folder / cluster.id)
        lives.append(life)
        return made

    return run


def _begin(cluster: Cluster, endpoint: str, folder: Path) -> ClusterLife:
    role_arn = _role_of_profile(cluster)
    node = PrimaryNode(cluster, role_arn or "", endpoint, folder)
    life = ClusterLife(cluster, lambda step: _run_of(step, cluster, node), _release)
    vars(cluster)["life"] = life
    life.begin()
    if role_arn is None:
        life.terminate(
            Ending("TERMINATED_WITH_ERRORS", "VALIDATION_ERROR", f"Invalid InstanceProfile: {cluster.role}.")
        )
    return life


def _role_of_profile(cluster: Cluster) -> str | None:
    """The role of the nodes: it writes their logs, and stands in for steps without a role of their own."""
    try:
        profile = get_backend("iam")[cluster.emr_backend.account_id]["aws"].get_instance_profile(cluster.role)
    except NotFoundException:
        return None
    return profile.roles[0].arn if profile.roles else None


def _run_of(step: LiveStep, cluster: Cluster, node: PrimaryNode) -> StepRun:
    uri = f"{cluster.log_uri.rstrip('/')}/{cluster.id}/steps/{step.id}/" if cluster.log_uri else None
    logs = StepLogs(node.folder / "logs" / step.id, uri, s3_client(node.session(cluster.id)))
    return StepRun(node, step.id, list(step.args), step.execution_role_arn, logs)


def _stay_starting(self: Cluster) -> None:
    """moto would have the cluster wait, or end, before RunJobFlow returns."""


def _status(self: Cluster) -> dict[str, Any]:
    ending: Ending | None = vars(self).get("ended_with")
    return {
        "State": self.state,
        "StateChangeReason": {"Code": ending.code, "Message": ending.message} if ending else {},
        "Timeline": {
            "CreationDateTime": self.creation_datetime,
            "ReadyDateTime": self.ready_datetime,
            "EndDateTime": self.end_datetime,
        },
    }


def _modify_cluster(self: Response) -> ActionResult:
    given = json.loads(self.body)
    level = given["StepConcurrencyLevel"]
    if not 1 <= level <= _MOST_CONCURRENT_STEPS:
        raise ValidationException(f"StepConcurrencyLevel must be from 1 to {_MOST_CONCURRENT_STEPS}.")
    life_of(self.backend.describe_cluster(given["ClusterId"])).set_concurrency(level)
    return ActionResult({"StepConcurrencyLevel": level})


def _terminate_job_flows(self: Response) -> EmptyResult:
    ids = json.loads(self.body)["JobFlowIds"]
    for cluster_id in ids:
        self.backend.describe_cluster(cluster_id)  # raises for an unknown one before any of the others ends
    self.backend.terminate_job_flows(ids)
    return EmptyResult()


def _with_lost_clusters(terminate_instances: Any) -> Callable[[EC2Backend, list[str]], Any]:
    def terminate(self: EC2Backend, instance_ids: list[str]) -> Any:
        ended = terminate_instances(self, instance_ids)
        for cluster in get_backend("emr")[self.account_id][self.region_name].clusters.values():
            for instance in cluster.ec2_instances:
                if instance.instance_group.role == "MASTER" and instance.ec2_instance_id in instance_ids:
                    life_of(cluster).lose()
        return ended

    return terminate


def _release(cluster: Cluster) -> None:
    """The nodes end with their cluster."""
    for instance in cluster.ec2_instances:
        instance.instance_group.state = "TERMINATED"
    if cluster.ec2_instances:
        cluster.emr_backend.ec2_backend.terminate_instances([node.ec2_instance_id for node in cluster.ec2_instances])
