"""Instance fleets, which moto lacks: a cluster has groups or fleets, never both (EMR API reference, RunJobFlow)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.emr.exceptions import InvalidRequestException, ValidationException
from moto.emr.models import Cluster
from moto.emr.responses import ElasticMapReduceResponse
from moto.emr.utils import random_id

from infra.local.operations import put_into

Response = ElasticMapReduceResponse


def install() -> None:
    put_into(
        Response,
        list_instance_fleets=_with_fleets(vars(Response)["list_instance_fleets"]),
        list_instance_groups=_without_fleets(Response.list_instance_groups),
    )


def require_one_kind(instances: dict[str, Any]) -> None:
    """Raises ValidationException. Several subnets to choose from are for fleets only (JobFlowInstancesConfig)."""
    if not instances.get("InstanceFleets"):
        if instances.get("Ec2SubnetIds"):
            raise ValidationException("Ec2SubnetIds is for clusters of instance fleets. Give Ec2SubnetId.")
    elif {"InstanceGroups", "MasterInstanceType", "Ec2SubnetId"} & instances.keys():
        raise ValidationException("Instance fleets and instance groups are mutually exclusive.")


def make_fleets(cluster: Cluster, instances: dict[str, Any]) -> None:
    """Keeps the fleets as they were asked for, each with all of its capacity, in the first of the subnets."""
    fleets = [_fleet(given) for given in instances.get("InstanceFleets", [])]
    vars(cluster).update(fleets=fleets, instance_collection_type="INSTANCE_FLEET" if fleets else "INSTANCE_GROUP")
    if not fleets:
        return
    cluster.ec2_subnet_id = next(iter(instances.get("Ec2SubnetIds", [])), None)
    for fleet in fleets:  # moto has instances of groups only
        size = fleet["TargetOnDemandCapacity"] + fleet["TargetSpotCapacity"]
        kind = next(iter(fleet["InstanceTypeSpecifications"]))["InstanceType"]
        group = {"instance_count": size, "instance_role": fleet["InstanceFleetType"], "instance_type": kind}
        if size:
            (nodes,) = cluster.emr_backend.add_instance_groups(cluster.id, [group])
            cluster.emr_backend.run_instances(cluster.id, {"instance_count": size, "instance_type": kind}, nodes)


def _fleet(given: dict[str, Any]) -> dict[str, Any]:
    on_demand, spot = given.get("TargetOnDemandCapacity", 0), given.get("TargetSpotCapacity", 0)
    return {
        "Id": f"if-{random_id()}",
        "Name": given.get("Name", given["InstanceFleetType"]),
        "InstanceFleetType": given["InstanceFleetType"],
        "Status": {"State": "RUNNING"},
        "TargetOnDemandCapacity": on_demand,
        "ProvisionedOnDemandCapacity": on_demand,
        "TargetSpotCapacity": spot,
        "ProvisionedSpotCapacity": spot,
        "InstanceTypeSpecifications": given.get("InstanceTypeConfigs", []),
    }


def _with_fleets(of_groups: Callable[[Response], ActionResult]) -> Callable[[Response], ActionResult]:
    """In place of what `emr_policies` says of a cluster of instance groups."""

    def list_instance_fleets(self: Response) -> ActionResult:
        cluster = self.backend.describe_cluster(json.loads(self.body)["ClusterId"])
        fleets = vars(cluster).get("fleets")
        return ActionResult({"InstanceFleets": fleets}) if fleets else of_groups(self)

    return list_instance_fleets


def _without_fleets(of_groups: Callable[[Response], ActionResult]) -> Callable[[Response], ActionResult]:
    def list_instance_groups(self: Response) -> ActionResult:
        if vars(self.backend.describe_cluster(json.loads(self.body)["ClusterId"])).get("fleets"):
            raise InvalidRequestException("Instance fleets and instance groups are mutually exclusive.")
        return of_groups(self)

    return list_instance_groups
