"""The walk over policies knows each fault when it sees one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.applied import Policy
from tests.infra.policy_walk import faults, wildcards


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            {"Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "x"}}},
            "any role",
        ),
        ({"Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/a"}, "any service"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*", "Principal": "*"}, "everybody"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*", "Principal": {"AWS": "*"}}, "everybody"),
        ({"NotAction": "s3:GetObject", "Action": "x", "Resource": "arn:aws:s3:::a"}, "not about"),
        (
            {"Action": "s3:GetObject", "Resource": "a", "Condition": {"StringNotEquals": {"aws:SourceVpce": "v"}}},
            "COPY",
        ),
    ],
)
def test_the_walk_knows_a_fault_when_it_sees_one(statement: dict[str, Any], fault: str) -> None:
    found = list(faults(Policy("role x", "iam_role_policy", {"Statement": {"Effect": "Allow", **statement}})))
    assert len(found) == 1 and fault in found[0]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:*", "arn:aws:s3:::lake/raw/*"),
        ("s3:GetObject", "*"),
        ("s3:GetObject", "arn:aws:s3:::*"),
        ("ec2:TerminateInstances", "arn:aws:ec2:eu-central-1:1:instance/*"),
    ],
)
def test_the_walk_knows_a_wildcard_when_it_sees_one(action: str, resource: str) -> None:
    statement = {"Effect": "Allow", "Action": [action], "Resource": [resource]}
    assert list(wildcards(Policy("role x", "iam_role_policy", {"Statement": [statement]}))) == [
        ("role x", action, resource)
    ]


def test_a_prefix_is_no_wildcard() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/raw/shop/*"}
    assert list(wildcards(Policy("role x", "iam_role_policy", {"Statement": statement}))) == []
