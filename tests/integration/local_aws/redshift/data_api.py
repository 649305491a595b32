"""A client of the embedded Redshift: runs SQL through the Data API and waits for its end; puts files for COPY."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

WORKGROUP, CLUSTER, DATABASE, BUCKET = "depot-warehouse", "depot-cluster", "warehouse", "depot-lake"
REGION = "us-east-1"
_ENDED = ("FINISHED", "FAILED", "ABORTED")


@dataclass(frozen=True)
class Aws:
    """The keys of one caller."""

    variables: Mapping[str, str]
    token: str | None = None

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self.token,
        )

    def as_role(self, arn: str) -> Aws:
        keys = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        mine = {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"]}
        return Aws({**self.variables, **mine}, keys["SessionToken"])


class Redshift:
    """The warehouse as one user: the administrator's secret, or whoever `aws` is. `schema` is the test's own."""

    def __init__(self, aws: Aws, copy_role: str, secret: str | None, schema: str) -> None:
        self.aws = aws
        self.copy_role = copy_role
        self.schema = schema
        self.api = aws.client("redshift-data")
        self.where = {"WorkgroupName": WORKGROUP, "Database": DATABASE} | ({"SecretArn": secret} if secret else {})

    def start(self, sql: str | list[str], **given: Any) -> str:
        """The id of what now runs. `{s}` in a text is the test's schema."""
        given = self.where | given
        if isinstance(sql, str):
            return str(self.api.execute_statement(Sql=self._placed(sql), **given)["Id"])
        return str(self.api.batch_execute_statement(Sqls=[self._placed(text) for text in sql], **given)["Id"])

    def ended(self, id_: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while (told := self.api.describe_statement(Id=id_))["Status"] not in _ENDED:
            assert time.monotonic() < deadline, told
            time.sleep(0.01)
        return dict(told)

    def try_(self, sql: str | list[str], **given: Any) -> dict[str, Any]:
        """The description of the ended statement, whatever became of it."""
        return self.ended(self.start(sql, **given))

    def run(self, sql: str | list[str], **given: Any) -> dict[str, Any]:
        told = self.try_(sql, **given)
        assert told["Status"] == "FINISHED", told
        return told

    def error(self, sql: str | list[str], **given: Any) -> str:
        told = self.try_(sql, **given)
        assert told["Status"] == "FAILED", told
        return str(told["Error"])

    def rows(self, sql: str, **given: Any) -> list[tuple[Any, ...]]:
        return self.result(self.run(sql, **given)["Id"])

    def result(self, id_: str) -> list[tuple[Any, ...]]:
        pages = self.api.get_paginator("get_statement_result").paginate(Id=id_)
        return [tuple(_value(field) for field in record) for page in pages for record in page["Records"]]

    def wait_until_one_waits_for_a_lock(self) -> None:
        deadline = time.monotonic() + 60
        while self.rows("SELECT COUNT(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
            assert time.monotonic() < deadline

    # --- files for COPY -------------------------------------------------------------------------------------------------

    def put_parquet(self, key: str, table: pa.Table, **options: Any) -> dict[str, Any]:
        """The manifest's entry for it."""
        content = BytesIO()
        pq.write_table(table, content, **options)
        self.put(key, content.getvalue())
        url, size = f"s3://{BUCKET}/export/{self.schema}/{key}", len(content.getvalue())
        return {"url": url, "mandatory": True, "meta": {"content_length": size}}

    def put(self, key: str, content: bytes) -> None:
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=f"export/{self.schema}/{key}", Body=content)

    def copy(self, table: str, *entries: dict[str, Any], role: str | None = None) -> str:
        """The statement that loads what the entries name, by a manifest that is put for it."""
        self.put("manifest", json.dumps({"entries": entries}).encode())
        source = f"s3://{BUCKET}/export/{self.schema}/manifest"
        return f"COPY {{s}}.{table} FROM '{source}' IAM_ROLE '{role or self.copy_role}' FORMAT AS PARQUET MANIFEST"

    def _placed(self, sql: str) -> str:
        return sql.replace("{s}", self.schema)


def _value(field: dict[str, Any]) -> Any:
    ((kind, value),) = field.items()
    return None if kind == "isNull" else value
