"""Who we are on AWS, and what its refusals become: one message, the right exit code, and patience where that helps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from jobs.config.environment import Environment
from jobs.emr import package
from jobs.emr.archives import named
from jobs.errors import AwsRefusedError, AwsUnavailableError, CredentialsError, TidemarkError, UsageError
from jobs.runtime.aws import aws_errors, aws_session, client
from jobs.runtime.progress import Progress
from tests.integration.local_aws.emr_account import EmrAccount
from tests.integration.local_aws.submitting import ROLE, environment

THROTTLED = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'


@pytest.fixture
def as_engineer(account: EmrAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmrAccount]:
    for name, value in account.variables.items():
        monkeypatch.setenv(name, value)
    yield account


def in_role(role: str | None) -> Environment:
    return environment("depot", None).model_copy(update={"role_arn": role})


def caller(session: boto3.Session) -> str:
    return str(client(session, "sts").get_caller_identity()["Arn"])


def test_a_session_acts_as_the_environments_role(as_engineer: EmrAccount) -> None:
    assert caller(aws_session(in_role(ROLE))).startswith("arn:aws:sts::123456789012:assumed-role/job/")


def test_without_a_role_a_session_acts_as_the_caller(as_engineer: EmrAccount) -> None:
    assert caller(aws_session(in_role(None))) == "arn:aws:iam::123456789012:user/engineer"


def test_who_has_the_role_already_keeps_its_session(as_engineer: EmrAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    given = as_engineer.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="airflow")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])
    assert caller(aws_session(in_role(ROLE))).endswith("assumed-role/job/airflow")


def test_a_role_is_taken_on_again_before_its_credentials_expire(
    as_engineer: EmrAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = aws_session(in_role(ROLE))
    credentials = session.get_credentials()
    first = credentials.get_frozen_credentials().access_key
    assert credentials.get_frozen_credentials().access_key == first

    def soon() -> datetime:
        return datetime.now(UTC) + timedelta(minutes=50)

    monkeypatch.setattr(credentials, "_time_fetcher", soon)
    monkeypatch.setattr("botocore.credentials._local_now", soon)
    assert credentials.get_frozen_credentials().access_key != first


def test_nobody_without_credentials_is_asked_to_log_in(
    as_engineer: EmrAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(CredentialsError, match="Opening AWS for dev: expected valid AWS credentials") as refused:
        aws_session(in_role(None))
    assert refused.value.exit_code == 2


def test_an_environment_off_aws_is_named() -> None:
    local = Environment.model_validate(
        {"environment": "local", "warehouse": {"type": "embedded_postgres"}, "compute": {"type": "in_process"}}
    )
    with pytest.raises(UsageError, match="Opening AWS for local"):
        aws_session(local)


@pytest.mark.parametrize(
    ("code", "status", "ours"),
    [
        ("ExpiredToken", 400, CredentialsError),
        ("ExpiredTokenException", 400, CredentialsError),
        ("UnrecognizedClientException", 400, CredentialsError),
        ("AccessDeniedException", 400, CredentialsError),
        ("403", 403, CredentialsError),
        ("ThrottlingException", 400, AwsUnavailableError),
        ("InternalServerError", 500, AwsUnavailableError),
        ("ValidationException", 400, AwsRefusedError),
    ],
)
def test_a_refusal_becomes_the_error_of_its_remedy(code: str, status: int, ours: type[TidemarkError]) -> None:
    response = {"Error": {"Code": code, "Message": "told"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with pytest.raises(ours, match=f"Listing steps: expected .*'{code}: told'"), aws_errors("Listing steps"):
        raise boto3.client("emr", region_name="us-east-1").exceptions.ClientError(response, "ListSteps")


@pytest.mark.parametrize(
    ("error", "ours"),
    [(NoCredentialsError(), CredentialsError), (EndpointConnectionError(endpoint_url="emr"), AwsUnavailableError)],
)
def test_a_failure_before_any_answer_becomes_the_error_of_its_remedy(
    error: Exception, ours: type[TidemarkError]
) -> None:
    with pytest.raises(ours), aws_errors("Listing steps"):
        raise error


def test_an_upload_that_comes_second_overwrites_nothing(
    as_engineer: EmrAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_engineer.s3.create_bucket(Bucket="raced")
    (tmp_path / "file").write_text("second")
    monkeypatch.setattr(package, "_is_there", lambda *_: False)  # both looked before either put
    as_engineer.s3.put_object(Bucket="raced", Key="app.zip", Body=b"first")
    package._upload_if_absent(as_engineer.s3, "raced", "app.zip", named(tmp_path / "file", "app", ".zip"), Progress())
    assert as_engineer.s3.get_object(Bucket="raced", Key="app.zip")["Body"].read() == b"first"


def test_reads_wait_out_throttling(as_engineer: EmrAccount) -> None:
    session = aws_session(in_role(None))
    throttled = _throttle(session, "ListClusters", times=2)
    assert "Clusters" in client(session, "emr").list_clusters()
    assert len(throttled) == 2


def test_what_must_not_be_repeated_is_tried_once(as_engineer: EmrAccount) -> None:
    session = aws_session(in_role(None))
    throttled = _throttle(session, "AddJobFlowSteps", times=2)
    with pytest.raises(AwsUnavailableError), aws_errors("Adding a step"):
        client(session, "emr", retried=False).add_job_flow_steps(JobFlowId="j-1", Steps=[])
    assert len(throttled) == 1


def _throttle(session: boto3.Session, operation: str, times: int) -> list[str]:
    """Answers the operation's first `times` requests as AWS does when there are too many; the list holds which."""
    throttled: list[str] = []

    def answer(**_: Any) -> AWSResponse | None:
        if len(throttled) == times:
            return None
        throttled.append(operation)
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        return AWSResponse("emr", 400, headers, SimpleNamespace(stream=lambda: iter([THROTTLED])))

    session.events.register(f"before-send.emr.{operation}", answer)
    return throttled
