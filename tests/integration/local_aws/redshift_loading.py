"""A Redshift of the embedded AWS to load into: its warehouse, a lake on S3, and the engine itself for looking at what was loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import boto3
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from jobs.batches import Outcome
from jobs.config.aws import RedshiftWarehouse
from jobs.errors import TidemarkError
from jobs.runtime.storage import Lake
from jobs.warehouse.load import publish_feed
from jobs.warehouse.redshift import DataApiWarehouse, open_redshift
from tests.integration.local_aws.emr_account import EmrAccount
from tests.integration.local_aws.redshift.data_api import Aws, Redshift
from tests.integration.test_warehouse_modes import UPSERT, Part, committed

DATABASE, REGION = "warehouse", "us-east-1"
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class LoadedRedshift:
    """`administrator` runs SQL through the Data API as the superuser; `engine` is the address of the Postgres behind."""

    account: EmrAccount
    session: boto3.Session
    bucket: str
    config: RedshiftWarehouse
    administrator: Redshift
    engine: str = field(repr=False)  # holds a password

    @contextmanager
    def opened(self, session: Any = None) -> Iterator[DataApiWarehouse]:
        """A client of its own, as a fresh process has; by default of a session that all share, as making one takes long."""
        with open_redshift(session or self.session, self.config) as warehouse:
            yield warehouse

    def new_lake(self) -> Lake:
        """Empty; the copy role may read its export/."""
        return Lake(f"s3://{self.bucket}/{token_hex(4)}")

    def rows(self, sql: str) -> Rows:
        """Straight from the engine, as any reader sees it; fails where it would wait for a lock."""
        with psycopg.connect(self.engine, autocommit=True, options="-c lock_timeout=10s") as connection:
            return connection.execute(sql).fetchall()  # type: ignore[call-overload]

    def table(self, pipeline: str, name: str) -> Rows:
        return sorted(self.rows(f"SELECT * FROM {pipeline}.{name}"), key=repr)

    def ids(self, pipeline: str) -> Rows:
        return self.rows(f"SELECT id FROM {pipeline}.t ORDER BY id")

    def staging(self, pipeline: str) -> list[str]:
        listed = f"SELECT tablename FROM pg_tables WHERE schemaname = '{pipeline}' AND starts_with(tablename, 'tidemark_staging_')"
        return [name for (name,) in self.rows(listed)]


def new_pipeline() -> str:
    return f"shop_{token_hex(4)}"


def load(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, batches: Mapping[int, Outcome], session: Any = None
) -> list[int]:
    with redshift.opened(session) as warehouse:
        return [loaded.number for loaded in publish_feed(warehouse, lake, pipeline, "feed", batches)]


def refusal_after_one_batch(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, batches: Mapping[int, Outcome], error: type[TidemarkError]
) -> str:
    """The message of a load that fails after batch 1; batch 1 stays as it was, and no staging is left."""
    with pytest.raises(error) as refused:
        load(redshift, lake, pipeline, batches)
    assert redshift.rows(f"SELECT n FROM {pipeline}.tidemark_loads") == [(1,)]
    assert redshift.rows(f"SELECT id, _batch FROM {pipeline}.t") == [(1, 1)]
    assert redshift.staging(pipeline) == []
    return str(refused.value)


def started(redshift: LoadedRedshift, lake: Lake, pipeline: str, second: Part, **more: Part) -> dict[int, Outcome]:
    """Two batches, of which the first, row 1 of table t, is loaded."""
    batches = {1: committed(lake, 1, {"t": Part(UPSERT, [(1, "a")])})}
    assert load(redshift, lake, pipeline, batches) == [1]
    return {**batches, 2: committed(lake, 2, {"t": second, **more})}


@contextmanager
def loadable_redshift(account: EmrAccount) -> Iterator[LoadedRedshift]:
    """A new one. This process's own clients talk to the embedded AWS meanwhile, as an engineer whose database role may make schemas."""
    name = f"loads-{token_hex(4)}"
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {**account.variables, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}.items():
            patch.setenv(variable, value)
        patch.setenv("AWS_ALLOW_HTTP", "true")
        account.s3.create_bucket(Bucket=name)
        copy_role = _copy_role(account, name)
        secret = _warehouse(account, name, copy_role)
        administrator = Redshift(Aws(account.variables), copy_role, secret, "public")
        administrator.where |= {"WorkgroupName": name}
        administrator.run("CREATE ROLE tidemark_loader")
        administrator.run(f"GRANT CREATE ON DATABASE {DATABASE} TO ROLE tidemark_loader")
        tags = [{"Key": "RedshiftDbRoles", "Value": "tidemark_loader"}]
        account.client("iam").tag_user(UserName="engineer", Tags=tags)
        config = RedshiftWarehouse(type="redshift", database=DATABASE, workgroup=name, copy_role=copy_role)
        yield LoadedRedshift(
            account, boto3.Session(), name, config, administrator, _engine(account, administrator, secret)
        )


def _copy_role(account: EmrAccount, name: str) -> str:
    """It may read export/ of every lake in the bucket of the same name."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "redshift.amazonaws.com"}}
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*/export/*"}
    iam = account.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [read]})
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=policy)
    return str(made["Role"]["Arn"])


def _warehouse(account: EmrAccount, name: str, copy_role: str) -> str:
    """The ARN of the administrator's secret."""
    ec2, serverless = account.client("ec2"), account.client("redshift-serverless")
    network = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.30.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
        for n, zone in enumerate("abc")
    ]
    namespace = serverless.create_namespace(
        namespaceName=name, dbName=DATABASE, adminUsername="boss", manageAdminPassword=True, iamRoles=[copy_role]
    )["namespace"]
    subnet_ids = [subnet["SubnetId"] for subnet in subnets]
    serverless.create_workgroup(workgroupName=name, namespaceName=name, subnetIds=subnet_ids)
    return str(namespace["adminPasswordSecretArn"])


def _engine(account: EmrAccount, administrator: Redshift, secret: str) -> str:
    ((port,),) = administrator.rows("SHOW port")
    held = json.loads(account.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    login = {"user": held["username"], "password": held["password"]}
    return make_conninfo(host="127.0.0.1", port=port, dbname=DATABASE, **login)
