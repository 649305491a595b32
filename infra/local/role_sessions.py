"""Temporary credentials of a role, who may have them, and clients that call with them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from moto.backends import get_backend

_HOURS = 12


def role_session(role_arn: str, name: str, endpoint: str, region: str) -> dict[str, str]:
    """The client variables of a session of `role_arn`: its calls are made as `assumed-role/<role>/<name>`, here and nowhere else."""
    account = role_arn.split(":")[4]
    session = get_backend("sts")[account]["aws"].assume_role(
        region_name=region,
        role_session_name=name,
        role_arn=role_arn,
        policy="",
        duration=_HOURS * 3600,
        external_id="",
    )
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def require_trust(role_arn: str, node_role: str) -> None:
    """Raises PermissionError unless the role lets the nodes take it on and tag the session (EMR management guide, "Runtime roles for
    Amazon EMR steps"); moto hands any role to anybody."""
    account = node_role.split(":")[4]
    role = get_backend("iam")[account]["aws"].get_role_by_arn(role_arn)
    for action in ("sts:AssumeRole", "sts:TagSession"):
        statements = json.loads(role.assume_role_policy_document).get("Statement", [])
        if not any(_allows(statement, action, node_role, account) for statement in statements):
            raise PermissionError(f"{node_role} is not authorized to perform: {action} on resource: {role_arn}")


def _allows(statement: dict[str, Any], action: str, principal: str, account: str) -> bool:
    trusted = statement["Principal"].get("AWS", []) if isinstance(statement["Principal"], dict) else []
    return (
        statement["Effect"] == "Allow"
        and action in _listed(statement["Action"])
        and bool({principal, account, f"arn:aws:iam::{account}:root"} & set(_listed(trusted)))
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def s3_client(session: Mapping[str, str]) -> Any:
    """S3 as that session sees it, whatever this process itself is set up for."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=session["AWS_ENDPOINT_URL"],
        region_name=session["AWS_REGION"],
        aws_access_key_id=session["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=session["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=session["AWS_SESSION_TOKEN"],
    )
