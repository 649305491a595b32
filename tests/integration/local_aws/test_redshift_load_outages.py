"""Rights, room and outages of Redshift: one clear message, nothing half-loaded, and the same load works once the cause is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from jobs.errors import AwsRefusedError, AwsUnavailableError, ConfigError, CredentialsError, WarehouseUnavailableError
from jobs.runtime.storage import Lake
from tests.integration.local_aws.emr_account import EmrAccount
from tests.integration.local_aws.redshift_loading import LoadedRedshift, load, loadable_redshift, new_pipeline, started
from tests.integration.local_aws.redshift_loading import refusal_after_one_batch as refusal
from tests.integration.test_warehouse_modes import REPLACE, UPSERT, Part, committed


@pytest.fixture(scope="module")
def redshift(account: EmrAccount) -> Iterator[LoadedRedshift]:
    with loadable_redshift(account) as running:
        yield running


@pytest.fixture
def lake(redshift: LoadedRedshift) -> Lake:
    return redshift.new_lake()


@pytest.fixture
def pipeline() -> str:
    return new_pipeline()


def test_a_missing_copy_role_is_named(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))
    elsewhere = redshift.config.model_copy(update={"copy_role": "arn:aws:iam::123456789012:role/elsewhere"})

    told = refusal(replace(redshift, config=elsewhere), lake, pipeline, batches, CredentialsError)

    assert "The requested role arn:aws:iam::123456789012:role/elsewhere is not associated to cluster" in told
    assert load(redshift, lake, pipeline, batches) == [2]


def test_files_that_the_copy_role_may_not_read_are_named(redshift: LoadedRedshift, pipeline: str) -> None:
    outside = Lake(f"s3://{redshift.bucket}")

    with pytest.raises(CredentialsError, match=r"copy role of .* to read the exported files, got .*Access ?Denied"):
        load(redshift, outside, pipeline, {1: committed(outside, 1, {"t": Part(UPSERT, [(1, "a")])})})


def test_expired_credentials_are_told(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))
    expired = boto3.Session(aws_access_key_id="AKIAEXPIRED000000000", aws_secret_access_key="expired")

    with pytest.raises(CredentialsError, match=f"of {pipeline}.feed in workgroup .*: expected valid AWS credentials"):
        load(redshift, lake, pipeline, batches, expired)

    assert load(redshift, lake, pipeline, batches) == [2]


def test_a_caller_without_the_loaders_role_is_told_which_tag_it_needs(
    redshift: LoadedRedshift, lake: Lake, pipeline: str
) -> None:
    iam = redshift.account.client("iam")
    iam.create_user(UserName=pipeline)
    key = iam.create_access_key(UserName=pipeline)["AccessKey"]
    stranger = boto3.Session(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    batches = {1: committed(lake, 1, {"t": Part(UPSERT, [(1, "a")])})}

    with pytest.raises(CredentialsError, match="permission denied for database .*RedshiftDbRoles = tidemark_loader"):
        load(redshift, lake, pipeline, batches, stranger)

    assert load(redshift, lake, pipeline, batches) == [1]


def test_a_workgroup_that_is_not_there_is_named(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    gone = redshift.config.model_copy(update={"workgroup": "gone"})

    with pytest.raises(AwsRefusedError, match="in workgroup gone: .*endpoint doesn't exist"):
        load(replace(redshift, config=gone), lake, pipeline, {1: committed(lake, 1, {})})


def test_a_database_that_is_not_there_is_named(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    elsewhere = redshift.config.model_copy(update={"database": "elsewhere"})

    with pytest.raises(ConfigError, match="expected the environment's database in workgroup"):
        load(replace(redshift, config=elsewhere), lake, pipeline, {1: committed(lake, 1, {})})


class _Failing:
    """A session whose Data API fails once it is asked for a statement with these words in it."""

    def __init__(self, real: Any, words: str, error: Exception | None = None, text: str = "") -> None:
        self._real, self._words, self._error, self._text = real, words, error, text
        self._failed = ""

    def client(self, *given: Any, **named: Any) -> _Failing:
        return _Failing(self._real.client(*given, **named), self._words, self._error, self._text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def batch_execute_statement(self, **named: Any) -> Any:
        if any(self._words in sql for sql in named["Sqls"]):
            if self._error:
                raise self._error
            self._failed = "failed"
            return {"Id": "failed"}
        return self._real.batch_execute_statement(**named)

    def describe_statement(self, Id: str) -> Any:
        if Id == self._failed:
            return {"Status": "FAILED", "Error": self._text, "SubStatements": []}
        return self._real.describe_statement(Id=Id)


@pytest.mark.parametrize("words", ["CREATE TABLE", "COPY", "LOCK"])
def test_a_warehouse_that_does_not_answer_is_told(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, words: str
) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]), u=Part(REPLACE, [(1, "a")]))
    dead = _Failing(redshift.session, words, EndpointConnectionError(endpoint_url="https://redshift-data"))

    with pytest.raises(AwsUnavailableError, match="Run the same command again"):
        load(redshift, lake, pipeline, batches, dead)

    assert redshift.ids(pipeline) == [(1,)]
    assert load(redshift, lake, pipeline, batches) == [2]


@pytest.mark.parametrize(
    "told",
    [
        "ERROR: Disk Full\n  Detail: \n  -----\n  error:  Disk Full\n  code:      1016\n  context:   node: 0\n  query: 7",
        "ERROR: Transaction 2000 is aborted due to exceeding the disk space quota in schema(s): (Schema: shop, Quota: 2048)",
    ],
    ids=["disk", "schema"],
)
def test_a_full_warehouse_is_told(redshift: LoadedRedshift, lake: Lake, pipeline: str, told: str) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))
    full = _Failing(redshift.session, "COPY", text=f"Query #2 failed with {told}")

    with pytest.raises(WarehouseUnavailableError, match=r"expected room in workgroup .*raise the schema's quota"):
        load(redshift, lake, pipeline, batches, full)

    assert redshift.ids(pipeline) == [(1,)]
    assert load(redshift, lake, pipeline, batches) == [2]


def test_a_transaction_that_somebody_cancels_is_told(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))
    cancelled = _Failing(
        redshift.session, "LOCK", text="Query #1 failed with ERROR: Query (7) cancelled on user's request"
    )

    with pytest.raises(WarehouseUnavailableError, match="cancelled on user's request"):
        load(redshift, lake, pipeline, batches, cancelled)

    assert load(redshift, lake, pipeline, batches) == [2]
