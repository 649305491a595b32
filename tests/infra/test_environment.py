"""dev, really applied on the embedded AWS: by a driver that is interrupted, refused and repeated; who may do what there; and at the end
everything taken away."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from jobs.config import load_project
from jobs.config.aws import Emr
from tests.infra.applied import Environment, Policy, policies
from tests.infra.conftest import Begun
from tests.infra.iam import Request, allows, listed
from tests.infra.policy_walk import faults, wildcards

STATE = "tidemark-state-123456789012-eu-central-1"


def table(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / name).open(newline="") as file:
        return list(csv.DictReader(file))


ROWS = table("access.csv")
REVIEWED = {(row["policy"], row["action"], row["resource"]): row["reason"] for row in table("reviewed_wildcards.csv")}


def test_a_plan_before_the_first_apply_says_which_command_makes_the_bucket_of_states(begun: Begun) -> None:
    code, told = begun.plan
    assert code == 1 and STATE in told and "make tf-bootstrap ENV=dev" in told


def test_an_interrupted_apply_says_how_to_go_on(begun: Begun) -> None:
    assert "Applying dev: expected Terraform to finish" in begun.told and "run the same command again" in begun.told


def test_the_next_apply_finishes_and_writes_the_environment_file(applied: Environment) -> None:
    compute = load_project(applied.root, "dev").environment.compute
    assert isinstance(compute, Emr) and set(compute.job_roles) == {
        path.stem for path in (applied.root / "conf/pipelines").glob("*.yaml")
    }


def test_every_resource_of_the_configuration_was_made(applied: Environment) -> None:
    declared = {
        line.split('"')[1]
        for path in (applied.root / "infra/terraform/modules").glob("*/*.tf")
        for line in path.read_text().splitlines()
        if line.startswith("resource ")
    }
    made = {resource["type"] for resource in applied.state}
    only_for_a_provisioned_warehouse = {kind for kind in declared if kind.startswith("aws_redshift_")}
    assert len(made) > 40 and declared - made == only_for_a_provisioned_warehouse


def test_a_second_plan_is_empty(applied: Environment) -> None:
    code, told = applied.run("plan", "dev")
    assert code == 0 and "No changes." in told, told[-4000:]


def test_no_secret_is_in_the_state(applied: Environment) -> None:
    text = json.dumps(applied.state)
    secrets = _client(applied, "secretsmanager")
    values = [
        secrets.get_secret_value(SecretId=secret["ARN"]).get("SecretString", "")
        for secret in secrets.list_secrets()["SecretList"]
        if secret["Name"].startswith("redshift!")
    ]
    passwords = [json.loads(value)["password"] for value in values]
    assert passwords and not any(password in text for password in passwords)
    given = {
        (resource["address"], name)
        for resource in applied.state
        for name, value in resource["values"].items()
        if "password" in name and isinstance(value, str) and value
    }
    assert {name for _, name in given} <= {
        "admin_password_secret_arn",
        "admin_password_secret_kms_key_id",
        "master_password_secret_arn",
    }


def test_a_second_apply_while_one_runs_names_it_and_the_remedy(begun: Begun) -> None:
    code, told = begun.second
    assert code == 1
    assert re.search(r"got a lock that \S+@\S+ holds since \d{4}-", told), told[-2000:]
    assert re.search(r"make tf-unlock ENV=dev ID=[0-9a-f-]{36}", told), told[-2000:]


def test_the_lock_of_a_killed_run_is_taken_away_by_its_id(applied: Environment) -> None:
    lock = {
        "ID": "11111111-2222-3333-4444-555555555555",
        "Operation": "OperationTypeApply",
        "Who": "ada@laptop",
        "Version": "1.11.4",
        "Created": "2026-01-02T03:04:05Z",
        "Path": f"{STATE}/dev/terraform.tfstate",
    }
    storage = _client(applied, "s3")
    storage.put_object(Bucket=STATE, Key="dev/terraform.tfstate.tflock", Body=json.dumps(lock))
    assert applied.run("plan", "dev")[0] == 1
    assert applied.run("unlock", "dev", lock["ID"])[0] == 0
    assert applied.run("plan", "dev")[0] == 0


# --- policies ------------------------------------------------------------------------------------------------------


def granting(applied: Environment) -> list[Policy]:
    """All but those of VPC endpoints, which narrow what others grant."""
    return [policy for policy in policies(applied.state) if policy.kind != "vpc_endpoint"]


def test_no_policy_holds_what_none_may(applied: Environment) -> None:
    found = granting(applied)
    assert len(found) > 25
    assert [fault for policy in found for fault in faults(policy)] == []


def test_every_wildcard_was_reviewed_and_every_review_is_of_one(applied: Environment) -> None:
    found = {
        (name, action, applied.general(resource))
        for policy in granting(applied)
        for name, action, resource in wildcards(policy)
    }
    assert {each for each in found if each not in REVIEWED} == set()
    assert {each for each in REVIEWED if each not in found} == set()
    assert all(REVIEWED.values())


# --- who may do what: access.csv -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def names(applied: Environment) -> Mapping[str, str]:
    """What {…} in the table stands for."""
    return {name: value for resource in applied.state for name, value in _named(resource)}


def _named(resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind, values, key = resource["type"], resource["values"], resource.get("index", "")
    if kind == "aws_s3_bucket":
        yield str(key), values["arn"]
    elif kind == "aws_secretsmanager_secret":
        yield f"secret {key}", values["arn"]
    elif kind == "aws_iam_role":
        yield f"role {values['name'].removeprefix('tidemark-dev-')}", values["arn"]
    elif kind == "aws_redshiftserverless_namespace":
        yield "secret admin", values["admin_password_secret_arn"]
    single = {
        "aws_kms_key": "key",
        "aws_emr_cluster": "cluster",
        "aws_kinesis_stream": "stream",
        "aws_redshiftserverless_workgroup": "warehouse",
        "aws_iam_instance_profile": "profile",
    }
    if kind in single:
        yield single[kind], values["arn"]


def test_the_table_has_both_verdicts_of_every_role() -> None:
    assert len(ROWS) >= 80
    verdicts = {role: {row["verdict"] for row in ROWS if row["role"] == role} for role in {row["role"] for row in ROWS}}
    assert len(verdicts) == 7 and all(found == {"allowed", "denied"} for found in verdicts.values())


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{row['role']}-{row['action']}-{number}" for number, row in enumerate(ROWS)]
)
def test_a_role_may_do_what_the_table_says(applied: Environment, names: Mapping[str, str], row: dict[str, str]) -> None:
    def filled(text: str) -> str:
        return re.sub(r"\{([^}]+)\}", lambda match: names[match[1]], text)

    facts = dict(each.split("=", 1) for each in filled(row["facts"]).split("; ") if each)
    always = {"aws:SecureTransport": "true", "s3:ObjectCreationOperation": str(row["action"] == "s3:PutObject").lower()}
    request = Request(row["action"], filled(row["resource"]), {**always, **facts})
    own = list(_policies_of(row["role"], applied))
    assert own, f"no policy of {row['role']}"
    assert ("allowed" if allows([*own, *_refusals_of_buckets(applied)], request) else "denied") == row["verdict"]


def _policies_of(role: str, applied: Environment) -> Iterator[Mapping[str, Any]]:
    """Of "job shop" the policy job[shop]; of "airflow" all of airflow[…]."""
    name, _, key = role.partition(" ")
    wanted = re.compile(rf"\w+ iam_role_policy {name}" + (rf"\[{key}\]" if key else r"(\[\w+\])?"))
    return (policy.document for policy in policies(applied.state) if wanted.fullmatch(policy.name))


def _refusals_of_buckets(applied: Environment) -> Iterator[Mapping[str, Any]]:
    """What bucket policies deny to everybody; what they allow is for services."""
    for policy in policies(applied.state):
        if policy.kind == "s3_bucket_policy":
            yield {"Statement": [each for each in listed(policy.document["Statement"]) if each["Effect"] == "Deny"]}


# --- the end -------------------------------------------------------------------------------------------------------


def test_destroy_leaves_nothing_but_the_bucket_of_states(applied: Environment) -> None:
    code, told = applied.run("destroy", "dev", "--yes")
    assert code == 0 and "Destroy complete!" in told, told[-4000:]
    tagged = {"TagFilters": [{"Key": "project", "Values": ["tidemark"]}]}
    found = _client(applied, "resourcegroupstaggingapi").get_resources(**tagged)["ResourceTagMappingList"]
    left = {resource["ResourceARN"] for resource in found}
    assert _client(applied, "glue").get_databases()["DatabaseList"] == []
    left -= {arn for arn in left if arn.startswith("arn:aws:glue:")}  # moto remembers the tags of what is gone
    keys = {arn for arn in left if arn.startswith("arn:aws:kms:")}
    states = {_client(applied, "kms").describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] for arn in keys}
    assert states == {"PendingDeletion"}  # as on AWS, which waits for at least a week
    assert left - keys == {f"arn:aws:s3:::{STATE}"}
    roles = _client(applied, "iam").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles if role["RoleName"].startswith("tidemark")] == []


def _client(environment: Environment, service: str) -> Any:
    return boto3.client(service, "eu-central-1", **_keys(environment))


def _keys(environment: Environment) -> dict[str, str]:
    variables = environment.variables
    return {
        "endpoint_url": variables["AWS_ENDPOINT_URL"],
        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
    }
