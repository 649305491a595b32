"""Where moto 5.2 answers otherwise than AWS, so that a correct policy or request fails: put right, one function per cause."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from inspect import signature
from typing import Any

from flask import request
from moto.core.responses import ActionResult
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.emr.responses import ElasticMapReduceResponse
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.kinesis.responses import KinesisResponse
from moto.s3.models import FakeBucket, S3Backend

from infra.local.operations import put_into


def install() -> None:
    _judge_bucket_policies_with_their_conditions()
    _let_a_wider_prefix_admit_access_logs()
    _name_the_instance_groups_that_were_added()
    _describe_rules_of_every_kind()
    _tag_streams_as_they_are_made()


def _judge_bucket_policies_with_their_conditions() -> None:
    """moto takes a condition that it does not know as a refusal, whoever asks for whatever: a TLS-only Deny would block everything,
    an Allow for a service everybody else. Here a statement whose condition does not hold, or that is about a service, says nothing
    (IAM user guide, "Policy evaluation logic")."""
    judged_by_moto = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(self: IAMPolicyStatement, *arguments: Any, **named: Any) -> PermissionResult:
        statement: dict[str, Any] = self._statement
        if "Principal" not in statement or "Resource" not in statement:
            return judged_by_moto(self, *arguments, **named)
        for_a_service = isinstance(statement["Principal"], dict) and set(statement["Principal"]) == {"Service"}
        if for_a_service or not _holds(statement.get("Condition", {})):
            return PermissionResult.NEUTRAL
        unconditional = {name: part for name, part in statement.items() if name != "Condition"}
        return judged_by_moto(IAMPolicyStatement(unconditional), *arguments, **named)

    put_into(IAMPolicyStatement, is_action_permitted=is_action_permitted)


def _holds(condition: dict[str, dict[str, str | list[str]]]) -> bool:
    """Whether the request meets every part of a bucket policy's condition. Raises NotImplementedError for a key that is not known here."""
    facts = {
        "aws:SecureTransport": "true",  # loopback stands for TLS
        "s3:if-none-match": request.headers.get("If-None-Match"),
        "s3:ObjectCreationOperation": str("partNumber" not in request.args).lower(),
    }
    for operator, wanted in condition.items():
        for key, values in wanted.items():
            if operator not in ("Bool", "Null") or key not in facts:
                raise NotImplementedError(f"bucket policy condition {operator} {key}")
            fact = str(facts[key] is None).lower() if operator == "Null" else facts[key]
            if fact not in ([values] if isinstance(values, str) else values):
                return False
    return True


def _let_a_wider_prefix_admit_access_logs() -> None:
    """moto wants the policy of the target bucket to name the very prefix; any resource that covers it will do
    (S3 user guide, "Permissions for log delivery")."""

    def covers(target_bucket: FakeBucket, target_prefix: str | None) -> bool:
        policy = json.loads(target_bucket.policy or b'{"Statement": []}')
        delivered = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
        return any(
            statement["Effect"] == "Allow"
            and statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
            and "s3:PutObject" in _listed(statement["Action"])
            and any(fnmatchcase(delivered, resource) for resource in _listed(statement["Resource"]))
            for statement in policy["Statement"]
        )

    put_into(S3Backend, _log_permissions_enabled_policy=staticmethod(covers))


def _name_the_instance_groups_that_were_added() -> None:
    """moto answers AddInstanceGroups with the groups in place of their ids (API reference, AddInstanceGroupsOutput)."""

    def add_instance_groups(self: ElasticMapReduceResponse) -> ActionResult:
        given = json.loads(self.body)
        groups = self.backend.add_instance_groups(given["JobFlowId"], self._get_param("InstanceGroups"))
        return ActionResult({"JobFlowId": given["JobFlowId"], "InstanceGroupIds": [group.id for group in groups]})

    put_into(ElasticMapReduceResponse, add_instance_groups=add_instance_groups)


def _describe_rules_of_every_kind() -> None:
    """moto tells the description of a security group rule only where its other side is an address range."""

    made_by_moto = SecurityGroupRule.__init__

    def make(self: SecurityGroupRule, *arguments: Any, **named: Any) -> None:
        made_by_moto(self, *arguments, **named)
        given = signature(made_by_moto).bind(self, *arguments, **named).arguments
        other_sides = [given.get(side) or {} for side in ("ip_range", "source_group", "prefix_list_id")]
        vars(self)["described"] = next((side["Description"] for side in other_sides if "Description" in side), None)

    put_into(SecurityGroupRule, __init__=make, description=property(lambda self: vars(self)["described"]))


def _tag_streams_as_they_are_made() -> None:
    """moto drops the tags that CreateStream is given."""
    made_by_moto = KinesisResponse.create_stream

    def create_stream(self: KinesisResponse) -> ActionResult:
        made, given = made_by_moto(self), json.loads(self.body)
        self.kinesis_backend.add_tags_to_stream(None, given["StreamName"], given.get("Tags", {}))
        return made

    put_into(KinesisResponse, create_stream=create_stream)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
