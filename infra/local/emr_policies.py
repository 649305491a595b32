"""EMR's managed scaling and automatic termination as records of a cluster; nothing here scales or ends anything. moto has neither."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.emr.exceptions import ValidationException
from moto.emr.responses import ElasticMapReduceResponse

from infra.local.operations import put_into

# AWS EMR API reference, AutoTerminationPolicy: from one minute to seven days, in seconds.
_SHORTEST_IDLE, _LONGEST_IDLE = 60, 604_800

_POLICIES = ("ManagedScalingPolicy", "AutoTerminationPolicy")

Response = ElasticMapReduceResponse


def install() -> None:
    for policy in _POLICIES:
        name = camelcase_to_underscores(policy)
        put_into(
            Response, **{f"put_{name}": _put(policy), f"get_{name}": _get(policy), f"remove_{name}": _remove(policy)}
        )
    put_into(Response, run_job_flow=_with_policies(Response.run_job_flow), list_instance_fleets=_no_fleets)


def _put(policy: str) -> Callable[[Response], ActionResult]:
    def put(self: Response) -> ActionResult:
        given = json.loads(self.body)
        _keep(self, given["ClusterId"], policy, given[policy])
        return EmptyResult()

    return put


def _get(policy: str) -> Callable[[Response], ActionResult]:
    def get(self: Response) -> ActionResult:
        kept = _policies(self, json.loads(self.body)["ClusterId"]).get(policy)
        return ActionResult({policy: kept} if kept else {})

    return get


def _remove(policy: str) -> Callable[[Response], ActionResult]:
    def remove(self: Response) -> ActionResult:
        _policies(self, json.loads(self.body)["ClusterId"]).pop(policy, None)
        return EmptyResult()

    return remove


def _with_policies(run_job_flow: Callable[[Response], ActionResult]) -> Callable[[Response], ActionResult]:
    def run(self: Response) -> ActionResult:
        made = run_job_flow(self)
        for policy, given in json.loads(self.body).items():
            if policy in _POLICIES:
                _keep(self, _identified(made), policy, given)
        return made

    return run


def _identified(made: ActionResult) -> str:
    """The id of the cluster that RunJobFlow made."""
    result: dict[str, str] = made.__dict__["_result"]
    return result["JobFlowId"]


def _no_fleets(self: Response) -> ActionResult:
    """What AWS says of a cluster of instance groups, which is all that moto makes."""
    raise ValidationException("Instance fleets and instance groups are mutually exclusive.")


def _keep(self: Response, cluster: str, policy: str, given: dict[str, Any]) -> None:
    idle = given.get("IdleTimeout", _SHORTEST_IDLE)
    if not _SHORTEST_IDLE <= idle <= _LONGEST_IDLE:
        raise ValidationException(f"IdleTimeout must be from {_SHORTEST_IDLE} to {_LONGEST_IDLE} seconds.")
    _policies(self, cluster)[policy] = given


def _policies(self: Response, cluster: str) -> dict[str, Any]:
    found: dict[str, Any] = self.backend.describe_cluster(cluster).__dict__.setdefault("policies", {})
    return found
