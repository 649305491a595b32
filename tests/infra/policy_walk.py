"""The walk over policy documents: what no policy may hold, and which wildcards there are, for people to review."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.infra.applied import Policy
from tests.infra.iam import Statement, listed


def wildcards(policy: Policy) -> Iterator[tuple[str, str, str]]:
    """(policy, action, resource) of each allowing statement that takes in more than it names: an action with *, or a resource that is
    * or every one of a kind (instance/*). A prefix (bucket/raw/shop/*, table/shop/*) names what it takes in, and * in the policy of a
    key is that key."""
    for statement in listed(policy.document["Statement"]):
        for action in listed(statement["Action"]) if statement["Effect"] == "Allow" else ():
            for resource in listed(statement.get("Resource", "the role itself")):
                is_its_own_key = resource == "*" and policy.kind == "kms_key"
                kind, _, rest = resource.rpartition(":")[2].partition("/")
                every_one = rest == "*" and ":s3:" not in resource
                if "*" in action or ("*" in kind and not is_its_own_key) or every_one:
                    yield policy.name, action, resource


def faults(policy: Policy) -> Iterator[str]:
    """What no policy may hold, reviewed or not."""
    for statement in listed(policy.document["Statement"]):
        where = f"{policy.name}: {json.dumps(statement)[:200]}"
        if {"NotAction", "NotResource", "NotPrincipal"} & statement.keys():
            yield f"{where}: says what it is not about"
        if statement["Effect"] == "Allow" and "iam:PassRole" in listed(statement["Action"]):
            if any("*" in resource for resource in listed(statement["Resource"])):
                yield f"{where}: passes any role"
            if "iam:PassedToService" not in json.dumps(statement.get("Condition", {})):
                yield f"{where}: passes a role to any service"
        if statement["Effect"] == "Allow" and _admits_everybody(statement):
            yield f"{where}: is for everybody"
        if "aws:SourceVpce" in json.dumps(statement.get("Condition", {})):
            yield f"{where}: asks for the VPC endpoint, which Redshift's COPY does not come through"


def _admits_everybody(statement: Statement) -> bool:
    principal: Any = statement.get("Principal", {})
    everybody = principal == "*" or "*" in listed(principal.get("AWS", []) if isinstance(principal, dict) else [])
    of_one_account = {"aws:sourceowner", "aws:sourceaccount"} & {
        key.lower() for key in statement.get("Condition", {}).get("StringEquals", {})
    }
    return everybody and not of_one_account
