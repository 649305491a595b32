"""One embedded AWS with a workgroup and a cluster for all tests here, in this process, so that a test can move its clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from threading import Event

import pytest

from infra.local import redshift_clock, redshift_session
from infra.local.redshift_translation import Translated
from infra.local.server import running_aws
from tests.integration.local_aws.redshift.data_api import BUCKET, CLUSTER, DATABASE, REGION, WORKGROUP, Aws, Redshift


@dataclass(frozen=True)
class Depot:
    """An account with a warehouse: its caller, the secret of the administrator, and the role that COPY names."""

    aws: Aws
    secret: str
    copy_role: str


@pytest.fixture(scope="session")
def depot() -> Iterator[Depot]:
    with running_aws() as variables:
        aws = Aws(variables)
        copy_role = make_role(aws, "depot-copy", f"arn:aws:s3:::{BUCKET}/export/*")
        aws.client("s3").create_bucket(Bucket=BUCKET)
        serverless, ec2 = aws.client("redshift-serverless"), aws.client("ec2")
        network = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=network, CidrBlock=f"10.20.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
            for n, zone in enumerate("abc")
        ]
        namespace = serverless.create_namespace(
            namespaceName="depot", dbName=DATABASE, adminUsername="boss", manageAdminPassword=True, iamRoles=[copy_role]
        )["namespace"]
        serverless.create_workgroup(
            workgroupName=WORKGROUP, namespaceName="depot", subnetIds=[subnet["SubnetId"] for subnet in subnets]
        )
        aws.client("redshift").create_cluster(
            ClusterIdentifier=CLUSTER,
            DBName=DATABASE,
            NodeType="ra3.large",
            ClusterType="single-node",
            MasterUsername="boss",
            MasterUserPassword=f"Aa1{token_hex(8)}",
        )
        yield Depot(aws, namespace["adminPasswordSecretArn"], copy_role)


@pytest.fixture
def redshift(depot: Depot) -> Redshift:
    """As the administrator, with an empty schema."""
    made = Redshift(depot.aws, depot.copy_role, depot.secret, f"s{token_hex(4)}")
    made.run("CREATE SCHEMA {s}")
    return made


def make_role(aws: Aws, name: str, readable: str, service: str = "redshift.amazonaws.com") -> str:
    """The ARN of a role that a service may take, with the right to read objects."""
    allow = {"Effect": "Allow"}
    trust = {"Statement": [allow | {"Action": "sts:AssumeRole", "Principal": {"Service": service}}]}
    rights = {"Version": "2012-10-17", "Statement": [allow | {"Action": "s3:GetObject", "Resource": readable}]}
    iam = aws.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=json.dumps(rights))
    return str(arn)


@pytest.fixture
def move_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    def move(distance: timedelta) -> None:
        monkeypatch.setattr(redshift_clock, "now", lambda: datetime.now(UTC) + distance)

    return move


class Pause:
    """A statement with `-- pause` in it waits, in its transaction, until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = Event()
        self._released = Event()

    def wait(self) -> None:
        self.reached.set()
        assert self._released.wait(60)

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pause]:
    pause, translate = Pause(), redshift_session.translate

    def translate_after_pause(sql: str, parameters: dict[str, str], in_batch: bool) -> Translated:
        if "-- pause" in sql:
            pause.wait()
        return translate(sql, parameters, in_batch)

    monkeypatch.setattr(redshift_session, "translate", translate_after_pause)
    yield pause
    pause.release()
