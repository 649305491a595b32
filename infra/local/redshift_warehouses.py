"""Which warehouse a call of the Data API means, and as whom it logs in: workgroups, clusters, secrets, callers."""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError, ServiceException

from infra.local.json_service import ServiceError
from infra.local.redshift_serverless import RedshiftServerless

# The key with which the request under way was signed; set by the service for each request.
ACCESS_KEY: ContextVar[str] = ContextVar("ACCESS_KEY", default="")


@dataclass(frozen=True)
class Warehouse:
    """`key` is the same for all that share its data. `iam_roles` are the ARNs that COPY may name."""

    key: str
    name: str
    region: str
    database: str
    admin: str
    admin_password: str
    iam_roles: frozenset[str]


@dataclass(frozen=True)
class Login:
    """A database user. Without a password it has temporary credentials and the database roles of the caller's tag."""

    user: str
    password: str | None = None
    roles: tuple[str, ...] = ()


def workgroup(account: str, region: str, serverless: RedshiftServerless, name: str) -> Warehouse:
    """Raises ServiceError: there is none of that name."""
    try:
        found = serverless.get_workgroup(region, workgroupName=name)["workgroup"]
    except ServiceError as error:
        raise ServiceError("ValidationException", "Redshift endpoint doesn't exist in this region.") from error
    namespace = serverless.get_namespace(region, namespaceName=found["namespaceName"])["namespace"]
    managed = namespace.get("adminPasswordSecretArn")
    return Warehouse(
        key=namespace["namespaceId"],
        name=name,
        region=region,
        database=namespace["dbName"],
        admin=namespace.get("adminUsername", "admin"),
        admin_password=_secret(account, region, managed)["password"] if managed else "",
        iam_roles=frozenset(namespace["iamRoles"]),
    )


def cluster(account: str, region: str, identifier: str) -> Warehouse:
    """Raises ServiceError: there is none of that name."""
    found = get_backend("redshift")[account][region].clusters.get(identifier)
    if found is None:
        raise ServiceError("ValidationException", "Redshift endpoint doesn't exist in this region.")
    return Warehouse(
        key=f"cluster-{found.unique_cluster_id}",
        name=identifier,
        region=region,
        database=found.db_name,
        admin=found.master_username,
        admin_password=found.master_user_password or "",
        iam_roles=frozenset(found.iam_roles_arn),
    )


def login_by_secret(account: str, region: str, secret: str) -> Login:
    """Raises ServiceError: no such secret, or one without user and password."""
    held = _secret(account, region, secret)
    if not {"username", "password"} <= held.keys():
        raise ServiceError("ValidationException", "The secret must contain username and password.")
    return Login(held["username"], held["password"])


def login_by_caller(account: str) -> Login:
    """IAM:<user> or IAMR:<role>, with the database roles of the tag RedshiftDbRoles, separated by colons (management guide,
    "Defining database roles to grant to federated users in Amazon Redshift Serverless").

    Raises:
        ServiceError: nobody has the request's access key.
    """
    iam, key = get_backend("iam")[account]["aws"], ACCESS_KEY.get()
    assumed = get_backend("sts")[account]["aws"].get_assumed_role_from_access_key(key)
    if assumed is not None:
        role = iam.get_role(assumed.role_arn.rpartition("/")[2])
        return Login(f"IAMR:{role.name}", roles=_database_roles(iam.list_role_tags(role.name, None)[0]))
    for user in iam.list_users(None, None, None):
        if any(each.access_key_id == key for each in user.access_keys):
            return Login(f"IAM:{user.name}", roles=_database_roles(iam.list_user_tags(user.name)))
    raise ServiceError("UnrecognizedClientException", "The security token included in the request is invalid.")


def _database_roles(tags: list[dict[str, str]]) -> tuple[str, ...]:
    named = next((tag["Value"] for tag in tags if tag["Key"] == "RedshiftDbRoles"), "")
    return tuple(name for name in named.split(":") if name)


def _secret(account: str, region: str, secret: str) -> dict[str, Any]:
    try:
        value = get_backend("secretsmanager")[account][region].get_secret_value(secret, "", "")
    except (JsonRESTError, ServiceException) as error:
        raise ServiceError("ValidationException", str(error)) from error
    held: dict[str, Any] = json.loads(value["SecretString"])
    return held
