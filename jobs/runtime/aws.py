"""AWS as one environment sees it: a session in its region and its role, clients of that session, and what AWS's refusals mean.

The only place that makes boto3 sessions and clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, TokenRetrievalError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.session import Session as CoreSession

from jobs.config.environment import Environment
from jobs.errors import AwsRefusedError, AwsUnavailableError, CredentialsError, TidemarkError, UsageError

_SESSION_NAME = "tidemark"

_INVALID_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "UnauthorizedOperation"}
_THROTTLED = {"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"}

_CONNECTIONS = {"connect_timeout": 10, "read_timeout": 60}
_RETRIED = Config(retries={"mode": "adaptive", "total_max_attempts": 8}, **_CONNECTIONS)
_TRIED_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, **_CONNECTIONS)


def aws_session(environment: Environment) -> boto3.Session:
    """A session in the environment's region that acts as its `role_arn`, whose credentials are renewed before they expire.

    Without a role, and where the caller has that role already (a DAG on Airflow's machine), it acts as the caller.

    Raises: UsageError for an environment that is not on AWS; CredentialsError, AwsUnavailableError.
    """
    if environment.region is None:
        raise UsageError(
            f"Opening AWS for {environment.environment}: expected an environment on AWS, got one without a region. "
            "Name another with --env; `make env` writes the file of one that Terraform made."
        )
    with aws_errors(f"Opening AWS for {environment.environment}"):
        own = boto3.Session(region_name=environment.region)
        caller = client(own, "sts").get_caller_identity()["Arn"]
    role = environment.role_arn
    if role is None or _is_session_of(caller, role):
        return own
    with aws_errors(f"Taking on the role {role}"):
        return _in_role(own, role)


def client(session: boto3.Session, service: str, *, retried: bool = True) -> Any:
    """A client. `retried=False` for requests that AWS may have carried out although their answer was lost: those are
    the caller's to repeat, after it has looked. All others wait out throttling and short failures."""
    return session.client(service, config=_RETRIED if retried else _TRIED_ONCE)


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Raises what AWS refuses as our own errors, with the remedy; `doing` begins the message: `Listing the steps of j-1`.

    Raises: CredentialsError, AwsUnavailableError, AwsRefusedError.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise _ours(doing, error) from error


def code_of(error: Exception) -> str:
    """AWS's own code of a refusal; '' for any other error."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else ""


def _is_unavailable(error: BotoCoreError | ClientError) -> bool:
    """No answer, a failure of AWS itself, or throttling: all but the last may have carried the request out."""
    if isinstance(error, ClientError):
        return code_of(error) in _THROTTLED or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    return isinstance(error, HTTPClientError | NoConnection)


def _ours(doing: str, error: BotoCoreError | ClientError) -> TidemarkError:
    code, told = code_of(error), _told(error)
    if code in _INVALID_CREDENTIALS or isinstance(error, TokenRetrievalError) or "Credential" in type(error).__name__:
        return CredentialsError(
            f"{doing}: expected valid AWS credentials, got {told!r}. Log in to AWS again (for instance `aws sso login`), or set "
            "AWS_PROFILE to a profile that works; then run the same command again."
        )
    if code in _DENIED:
        return CredentialsError(
            f"{doing}: expected the right to, got {told!r}. Use the environment's own role, or have the right granted; "
            "then run the same command again."
        )
    if _is_unavailable(error):
        return AwsUnavailableError(
            f"{doing}: expected an answer from AWS, got {told!r}. Run the same command again; it goes on where this one stopped."
        )
    return AwsRefusedError(
        f"{doing}: expected AWS to accept it, got {told!r}. Correct what it names and run the same command again."
    )


def _told(error: BotoCoreError | ClientError) -> str:
    if isinstance(error, ClientError):
        return f"{code_of(error)}: {error.response['Error'].get('Message', '')}".rstrip(": ")
    return str(error)


def _is_session_of(caller: str, role: str) -> bool:
    """Whether `arn:…:sts::<account>:assumed-role/<name>/<session>` is of the role `arn:…:iam::<account>:role/<path><name>`."""
    account, name = role.split(":")[4], role.rsplit("/", 1)[-1]
    return f"::{account}:assumed-role/{name}/" in caller


def _in_role(own: boto3.Session, role: str) -> boto3.Session:
    fetcher = AssumeRoleCredentialFetcher(
        partial(CoreSession().create_client, region_name=own.region_name),
        own.get_credentials(),
        role,
        extra_args={"RoleSessionName": _SESSION_NAME},
    )
    provider = _RoleProvider(DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role"))
    provider.credentials.get_frozen_credentials()  # a role that is refused is refused here, not somewhere later
    core = CoreSession()
    core.register_component("credential_provider", CredentialResolver([provider]))
    return boto3.Session(botocore_session=core, region_name=own.region_name)


class _RoleProvider:
    """botocore's way to be handed credentials: a chain of one."""

    METHOD = "assume-role"

    def __init__(self, credentials: DeferredRefreshableCredentials) -> None:
        self.credentials = credentials

    def load(self) -> DeferredRefreshableCredentials:
        return self.credentials
