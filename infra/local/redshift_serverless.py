"""Redshift Serverless: namespaces and workgroups, as far as Terraform and a Data API client ask. moto has none of it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.backends import get_backend

from infra.local.json_service import JsonService, ServiceError

Given = dict[str, Any]

# A workgroup answers with all of them, whatever it was given (API reference, CreateWorkgroup, configParameters).
_PARAMETERS = {
    "auto_mv": "true",
    "datestyle": "ISO, MDY",
    "enable_case_sensitive_identifier": "false",
    "enable_user_activity_logging": "true",
    "max_query_execution_time": "14400",
    "query_group": "default",
    "require_ssl": "false",
    "search_path": "$user, public",
    "use_fips_ssl": "false",
}


class RedshiftServerless(JsonService):
    """Everything is available as soon as it is made; one account, any region."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._namespaces: dict[str, Given] = {}
        self._workgroups: dict[str, Given] = {}
        self._tags: dict[str, dict[str, str]] = {}

    # --- namespaces ---------------------------------------------------------------------------------------------------

    def create_namespace(self, region: str, **given: Any) -> Given:
        name, tags = given["namespaceName"], given.pop("tags", [])
        if name in self._namespaces:
            raise ServiceError("ConflictException", f"Namespace {name} already exists.")
        made = self._identity("namespace", name, region) | {
            "status": "AVAILABLE",
            "dbName": "dev",
            "iamRoles": [],
            "logExports": [],
        }
        if given.pop("manageAdminPassword", False):
            made["adminPasswordSecretArn"] = self._admin_secret(region, name, given)
        given.pop("adminUserPassword", None)
        self._namespaces[name] = made | given
        self._tag(made["namespaceArn"], tags)
        return {"namespace": self._namespaces[name]}

    def get_namespace(self, region: str, namespaceName: str) -> Given:
        return {"namespace": _found(self._namespaces, "Namespace", namespaceName)}

    def update_namespace(self, region: str, namespaceName: str, **given: Any) -> Given:
        namespace = _found(self._namespaces, "Namespace", namespaceName)
        given.pop("manageAdminPassword", None)
        namespace.update(given)
        return {"namespace": namespace}

    def delete_namespace(self, region: str, namespaceName: str, **_: Any) -> Given:
        namespace = _found(self._namespaces, "Namespace", namespaceName)
        if any(each["namespaceName"] == namespaceName for each in self._workgroups.values()):
            raise ServiceError("ConflictException", f"Namespace {namespaceName} still has a workgroup.")
        if arn := namespace.get("adminPasswordSecretArn"):
            _secrets(self._account, region).delete_secret(arn, None, True)
        del self._namespaces[namespaceName]
        return {"namespace": namespace | {"status": "DELETING"}}

    # --- workgroups ---------------------------------------------------------------------------------------------------

    def create_workgroup(self, region: str, **given: Any) -> Given:
        name, tags = given["workgroupName"], given.pop("tags", [])
        if name in self._workgroups:
            raise ServiceError("ConflictException", f"Workgroup {name} already exists.")
        _found(self._namespaces, "Namespace", given["namespaceName"])
        self._check_zones(region, given.get("subnetIds", []))
        made = self._identity("workgroup", name, region) | {
            "status": "AVAILABLE",
            "baseCapacity": 128,
            "enhancedVpcRouting": False,
            "publiclyAccessible": False,
            "port": 5439,
            "trackName": "current",
            "ipAddressType": "ipv4",
            "configParameters": _parameters({}, given.pop("configParameters", [])),
        }
        made["endpoint"] = {
            "address": f"{name}.{self._account}.{region}.redshift-serverless.amazonaws.com",
            "port": 5439,
            "vpcEndpoints": [],
        }
        self._workgroups[name] = made | given
        self._tag(made["workgroupArn"], tags)
        return {"workgroup": self._workgroups[name]}

    def get_workgroup(self, region: str, workgroupName: str) -> Given:
        return {"workgroup": _found(self._workgroups, "Workgroup", workgroupName)}

    def update_workgroup(self, region: str, workgroupName: str, **given: Any) -> Given:
        workgroup = _found(self._workgroups, "Workgroup", workgroupName)
        if "configParameters" in given:
            given["configParameters"] = _parameters(workgroup, given["configParameters"])
        workgroup.update(given)
        return {"workgroup": workgroup}

    def delete_workgroup(self, region: str, workgroupName: str) -> Given:
        workgroup = _found(self._workgroups, "Workgroup", workgroupName)
        del self._workgroups[workgroupName]
        return {"workgroup": workgroup | {"status": "DELETING"}}

    # --- tags -----------------------------------------------------------------------------------------------------------

    def list_tags_for_resource(self, region: str, resourceArn: str) -> Given:
        return {"tags": [{"key": key, "value": value} for key, value in self._tags.get(resourceArn, {}).items()]}

    def tag_resource(self, region: str, resourceArn: str, tags: list[Given]) -> Given:
        self._tag(resourceArn, tags)
        return {}

    def untag_resource(self, region: str, resourceArn: str, tagKeys: list[str]) -> Given:
        for key in tagKeys:
            self._tags.get(resourceArn, {}).pop(key, None)
        return {}

    # --------------------------------------------------------------------------------------------------------------------

    def _tag(self, arn: str, tags: list[Given]) -> None:
        self._tags.setdefault(arn, {}).update({tag["key"]: tag["value"] for tag in tags})

    def _identity(self, kind: str, name: str, region: str) -> Given:
        made = str(uuid4())
        arn = f"arn:aws:redshift-serverless:{region}:{self._account}:{kind}/{made}"
        return {f"{kind}Id": made, f"{kind}Arn": arn, "creationDate": datetime.now(UTC).isoformat()}

    def _admin_secret(self, region: str, namespace: str, given: Given) -> str:
        """A managed password is a secret of the account, which Redshift owns and nobody sets."""
        user = given.get("adminUsername", "admin")
        secret = _secrets(self._account, region).create_managed_secret(
            "redshift",
            f"redshift!{namespace}-{user}",
            secret_string=f'{{"username":"{user}","password":"{secrets.token_urlsafe(24)}"}}',
            kms_key_id=given.get("adminPasswordSecretKmsKeyId"),
        )
        return str(secret.arn)

    def _check_zones(self, region: str, subnets: list[str]) -> None:
        """Three subnets in three zones (Redshift management guide, "Considerations when using Amazon Redshift Serverless")."""
        network = get_backend("ec2")[self._account][region]
        zones = {network.get_subnet(subnet).availability_zone for subnet in subnets}
        if len(zones) < 3:
            raise ServiceError(
                "ValidationException", f"Subnets must span at least three Availability Zones, got {len(zones)}."
            )


def _found(made: dict[str, Given], kind: str, name: str) -> Given:
    if name not in made:
        raise ServiceError("ResourceNotFoundException", f"{kind} {name} does not exist.")
    return made[name]


def _parameters(workgroup: Given, given: list[Given]) -> list[Given]:
    known = {each["parameterKey"]: each["parameterValue"] for each in workgroup.get("configParameters", [])} or dict(
        _PARAMETERS
    )
    chosen = {each["parameterKey"]: each["parameterValue"] for each in given}
    if unknown := sorted(chosen.keys() - known.keys()):
        raise ServiceError("ValidationException", f"Unknown config parameter {unknown[0]}.")
    return [{"parameterKey": key, "parameterValue": value} for key, value in (known | chosen).items()]


def _secrets(account: str, region: str) -> Any:
    return get_backend("secretsmanager")[account][region]
