"""Curated tables in the Glue catalogue, as moto keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from jobs.config.table import Table
from jobs.errors import CredentialsError
from jobs.runtime.aws import client
from jobs.tables.glue import register

LOCATION = "s3://lake/curated/shop/users"
COLUMNS = {"id": "bigint", "name": "varchar(40)", "amount": "numeric(10,2)"}


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    pretended = mock_aws()
    pretended.start(reset=False)  # an embedded AWS of other tests may live in this process
    made = client(boto3.Session(region_name="eu-central-1"), "glue")
    made.create_database(DatabaseInput={"Name": "dev_shop"})
    yield made
    made.delete_database(Name="dev_shop")
    pretended.stop()


def table(**columns: str) -> Table:
    return Table.model_validate(
        {
            "from": "f",
            "key": ["id"],
            "columns": COLUMNS | columns,
            "load": {"mode": "upsert", "newest_by": ["id"], "deletes": {"reconcile": "soft"}},
            "readers": ["athena"],
        }
    )


def kept(glue: Any) -> dict[str, Any]:
    return dict(glue.get_table(DatabaseName="dev_shop", Name="users")["Table"])


def columns(glue: Any) -> dict[str, str]:
    return {each["Name"]: each["Type"] for each in kept(glue)["StorageDescriptor"]["Columns"]}


def test_a_table_is_registered_as_delta_with_the_columns_of_its_contract(glue: Any) -> None:
    register(glue, "dev_shop", "users", table(), LOCATION)
    assert kept(glue)["Parameters"]["table_type"] == "delta"
    assert kept(glue)["StorageDescriptor"]["Location"] == LOCATION
    assert columns(glue) == {
        "id": "bigint",
        "name": "string",
        "amount": "decimal(10,2)",
        "_deleted_at": "timestamp",
        "_batch": "bigint",
    }


def test_a_new_column_is_added_and_nothing_is_changed_without_need(glue: Any) -> None:
    register(glue, "dev_shop", "users", table(), LOCATION)
    register(glue, "dev_shop", "users", table(), LOCATION)
    versions = glue.get_table_versions(DatabaseName="dev_shop", TableName="users")["TableVersions"]
    assert len(versions) == 1
    register(glue, "dev_shop", "users", table(email="varchar(320)"), LOCATION)
    assert columns(glue)["email"] == "string"


def test_a_denied_catalogue_is_told_with_the_table(glue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_: Any) -> None:
        raise glue.exceptions.ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}},
            "GetTable",
        )

    monkeypatch.setattr(glue, "get_table", denied)
    with pytest.raises(CredentialsError, match=r"Registering dev_shop\.users in the Glue catalogue"):
        register(glue, "dev_shop", "users", table(), LOCATION)
