"""An environment without Terraform: the resources that runs touch, made by boto3 on the embedded AWS, and the same environment file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3

from infra.provision.environment_file import write_environment_file

REGION = "eu-central-1"
PREFIX = "tidemark-dev"
DELTA = {"delta.enabled": "true"}


def make_resources(root: Path, keys: dict[str, str], pipelines: list[str], shared: list[str]) -> None:
    """Buckets, roles, secrets, a security configuration, the shared cluster, a serverless warehouse: as module outputs name them."""

    def client(service: str) -> Any:
        return boto3.client(service, REGION, **keys)

    account = client("sts").get_caller_identity()["Account"]
    buckets = {name: f"{PREFIX}-{name}-{account}" for name in ("lake", "artifacts", "logs")}
    for bucket in buckets.values():
        client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    node = _role(client("iam"), "emr-node", {"Service": "ec2.amazonaws.com"})
    service = _role(client("iam"), "emr-service", {"Service": "elasticmapreduce.amazonaws.com"})
    copy = _role(client("iam"), "warehouse-copy", {"Service": "redshift.amazonaws.com"})
    reading = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    client("iam").put_role_policy(RoleName=f"{PREFIX}-warehouse-copy", PolicyName="copy", PolicyDocument=policy)
    own = client("sts").get_caller_identity()["Arn"]
    airflow = _role(client("iam"), "airflow", {"AWS": own}, [{"Key": "RedshiftDbRoles", "Value": "tidemark_loader"}])
    client("iam").create_instance_profile(InstanceProfileName=f"{PREFIX}-emr-node")
    client("iam").add_role_to_instance_profile(InstanceProfileName=f"{PREFIX}-emr-node", RoleName=f"{PREFIX}-emr-node")
    job_roles = {name: _role(client("iam"), f"job-{name}", {"AWS": node}) for name in pipelines}
    for name in pipelines:
        client("secretsmanager").create_secret(Name=f"{PREFIX}/connection/{name}")
    settings = {"AuthorizationConfiguration": {"IAMConfiguration": {"EnableApplicationScopedIAMRole": True}}}
    client("emr").create_security_configuration(Name=f"{PREFIX}-emr", SecurityConfiguration=json.dumps(settings))
    subnets = [subnet["SubnetId"] for subnet in client("ec2").describe_subnets()["Subnets"]]
    _warehouse(client("redshift-serverless"), client("redshift-data"), copy, subnets)
    compute = {
        "type": "emr",
        "release_label": "emr-spark-8.0.0",
        "applications": ["Spark"],
        "configurations": [{"classification": "delta-defaults", "properties": DELTA}],
        "service_role": service.rsplit("/", 1)[-1],
        "instance_profile": f"{PREFIX}-emr-node",
        "subnet_ids": subnets,
        "security_groups": {"primary": "sg-1", "core": "sg-2", "service": "sg-3"},
        "security_configuration": f"{PREFIX}-emr",
        "log_uri": f"s3://{buckets['logs']}/emr/",
        "artifacts_uri": f"s3://{buckets['artifacts']}/jobs/",
        "instances": dict.fromkeys(("primary_type", "core_type", "task_type"), "m6i.xlarge")
        | {"core_count": 1, "task_spot_count": 0},
        "tags": {"project": "tidemark", "tidemark-clusters": PREFIX},
        "job_roles": job_roles,
        "shared_cluster": _shared_cluster(client("emr"), buckets["logs"], subnets[0]),
    }
    write_environment_file(
        root,
        "dev",
        {
            "environment": "dev",
            "region": REGION,
            "role_arn": airflow,
            "lake_url": f"s3://{buckets['lake']}",
            "connections": {name: {"secret": f"{PREFIX}/connection/{name}"} for name in pipelines},
            "warehouse": {
                "type": "redshift",
                "database": "warehouse",
                "workgroup": f"{PREFIX}-warehouse",
                "copy_role": copy,
            },
            "compute": compute,
            "pipelines": {name: {"cluster": "shared"} for name in shared},
        },
    )


def _role(iam: Any, name: str, principal: dict[str, str], tags: Sequence[dict[str, str]] = ()) -> str:
    allowed = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    made = iam.create_role(RoleName=f"{PREFIX}-{name}", AssumeRolePolicyDocument=trust, Tags=list(tags))
    return str(made["Role"]["Arn"])


def _warehouse(serverless: Any, data: Any, copy_role: str, subnets: list[str]) -> None:
    name = f"{PREFIX}-warehouse"
    made = serverless.create_namespace(
        namespaceName=name, dbName="warehouse", manageAdminPassword=True, iamRoles=[copy_role], adminUsername="admin"
    )
    serverless.create_workgroup(workgroupName=name, namespaceName=name, subnetIds=subnets)
    for sql in ("CREATE ROLE tidemark_loader", "GRANT CREATE ON DATABASE warehouse TO ROLE tidemark_loader"):
        secret = made["namespace"]["adminPasswordSecretArn"]
        statement = data.execute_statement(WorkgroupName=name, Database="warehouse", SecretArn=secret, Sql=sql)["Id"]
        while (found := data.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED"):
            pass
        assert found["Status"] == "FINISHED", found.get("Error")


def _shared_cluster(emr: Any, logs: str, subnet: str) -> str:
    made = emr.run_job_flow(
        Name=f"{PREFIX}-shared",
        ReleaseLabel="emr-spark-8.0.0",
        LogUri=f"s3://{logs}/emr/",
        JobFlowRole=f"{PREFIX}-emr-node",
        ServiceRole=f"{PREFIX}-emr-service",
        SecurityConfiguration=f"{PREFIX}-emr",
        StepConcurrencyLevel=2,
        Applications=[{"Name": "Spark"}],
        Configurations=[{"Classification": "delta-defaults", "Properties": DELTA}],
        Tags=[{"Key": "tidemark-clusters", "Value": PREFIX}],
        Instances={
            "Ec2SubnetId": subnet,
            "KeepJobFlowAliveWhenNoSteps": True,
            "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m6i.xlarge", "InstanceCount": 1}],
        },
    )
    return str(made["JobFlowId"])
