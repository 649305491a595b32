"""EMR's operations on steps, in place of moto's, which start none."""

from __future__ import annotations

import json
from typing import Any

from moto.backends import get_backend
from moto.core.responses import ActionResult
from moto.emr.exceptions import InvalidRequestException, ValidationException
from moto.emr.models import Cluster, ElasticMapReduceBackend
from moto.emr.responses import ElasticMapReduceResponse
from moto.iam.exceptions import NotFoundException

from infra.local.cluster_life import LiveStep, life_of, require_room
from infra.local.operations import put_into

# EMR API reference: AddJobFlowSteps, ListSteps, CancelSteps.
_MOST_CHARACTERS = 10_240
_STEPS_PER_PAGE = 50
_MOST_LISTED_BY_ID = 10
_MOST_CANCELLED = 256

Response = ElasticMapReduceResponse


def install() -> None:
    put_into(Cluster, add_steps=_add_first_steps)
    put_into(
        Response,
        add_job_flow_steps=_add_job_flow_steps,
        cancel_steps=_cancel_steps,
        describe_step=_describe_step,
        list_steps=_list_steps,
    )


def require_steps(given: list[dict[str, Any]]) -> None:
    """Raises ValidationException for steps that AWS does not take, NotImplementedError for a program that only AWS has."""
    require_room(given, [])
    for step in given:
        if step["HadoopJarStep"]["Jar"] != "command-runner.jar":
            raise NotImplementedError(f"steps of {step['HadoopJarStep']['Jar']!r}: command-runner.jar only")
        if not step["HadoopJarStep"].get("Args"):
            raise ValidationException("command-runner.jar needs the program as its first argument.")
        if len("".join(_texts(step["HadoopJarStep"]))) > _MOST_CHARACTERS:
            raise ValidationException(f"HadoopJarStep cannot exceed a total of {_MOST_CHARACTERS} characters.")


def require_runtime_role(
    backend: ElasticMapReduceBackend, security_configuration: str | None, role_arn: str | None
) -> None:
    """Raises ValidationException for a role that is not there, or on a cluster that knows none (EMR management guide,
    "Runtime roles for Amazon EMR steps")."""
    if role_arn is None:
        return
    named = backend.get_security_configuration(security_configuration) if security_configuration else None
    settings = json.loads(named.security_configuration) if named else {}
    of_roles = settings.get("AuthorizationConfiguration", {}).get("IAMConfiguration", {})
    if of_roles.get("EnableApplicationScopedIAMRole") is not True:
        raise ValidationException("Runtime roles are not enabled in the security configuration of this cluster.")
    try:
        get_backend("iam")[backend.account_id]["aws"].get_role_by_arn(role_arn)
    except NotFoundException:
        raise ValidationException(f"The runtime role {role_arn} does not exist.") from None


def _add_first_steps(self: Cluster, steps: list[dict[str, Any]]) -> None:
    """Those of RunJobFlow, while moto makes the cluster."""
    self.steps.extend(map(_made, steps))


def _add_job_flow_steps(self: Response) -> ActionResult:
    given = json.loads(self.body)
    cluster, role_arn = self.backend.describe_cluster(given["JobFlowId"]), given.get("ExecutionRoleArn")
    require_steps(given["Steps"])
    require_runtime_role(self.backend, cluster.security_configuration, role_arn)
    steps = [_made(step) for step in given["Steps"]]
    for step in steps:
        if cluster.step_concurrency_level > 1 and step.action_on_failure != "CONTINUE":
            raise ValidationException(
                f"ActionOnFailure {step.action_on_failure} is not valid when the StepConcurrencyLevel is greater than 1."
            )
        step.execution_role_arn = role_arn
    life_of(cluster).add(steps)
    return ActionResult({"StepIds": [step.id for step in steps]})


def _list_steps(self: Response) -> ActionResult:
    """Newest first; in their own order when ids or states are asked for."""
    given = json.loads(self.body)
    ids, states = given.get("StepIds"), given.get("StepStates")
    if len(ids or ()) > _MOST_LISTED_BY_ID:
        raise ValidationException(f"A maximum of {_MOST_LISTED_BY_ID} step ids can be listed.")
    cluster = self.backend.describe_cluster(given["ClusterId"])
    steps = list(cluster.steps)
    if not ids and not states:
        steps.reverse()
    found = [step for step in steps if (not ids or step.id in ids) and (not states or step.state in states)]
    # the marker is the last step of the page before: a number would shift with every step that is added meanwhile
    begin = found.index(_found(cluster, given["Marker"])) + 1 if given.get("Marker") else 0
    page = found[begin : begin + _STEPS_PER_PAGE]
    more = {"Marker": page[-1].id} if begin + len(page) < len(found) else {}
    return ActionResult({"Steps": page} | more)


def _describe_step(self: Response) -> ActionResult:
    given = json.loads(self.body)
    return ActionResult({"Step": _found(self.backend.describe_cluster(given["ClusterId"]), given["StepId"])})


def _cancel_steps(self: Response) -> ActionResult:
    given = json.loads(self.body)
    cluster = self.backend.describe_cluster(given["ClusterId"])
    if len(given["StepIds"]) > _MOST_CANCELLED:
        raise ValidationException(f"A maximum of {_MOST_CANCELLED} steps can be cancelled in one request.")
    told = []
    for step in [_found(cluster, step_id) for step_id in given["StepIds"]]:
        if life_of(cluster).cancel(step, given.get("StepCancellationOption", "SEND_INTERRUPT")):
            told.append({"StepId": step.id, "Status": "SUBMITTED"})
        else:
            reason = f"Cannot cancel a step that is {step.state}."
            told.append({"StepId": step.id, "Status": "FAILED", "Reason": reason})
    return ActionResult({"CancelStepsInfoList": told})


def _found(cluster: Cluster, step_id: str) -> LiveStep:
    for step in cluster.steps:
        if step.id == step_id and isinstance(step, LiveStep):
            return step
    raise InvalidRequestException(f"Step id '{step_id}' is not valid.")


def _made(given: dict[str, Any]) -> LiveStep:
    return LiveStep(given["Name"], given["HadoopJarStep"], given.get("ActionOnFailure", "TERMINATE_CLUSTER"))


def _texts(value: object) -> list[str]:
    """All text in a JSON value."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]
