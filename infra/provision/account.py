"""Which AWS account and region an environment is in, and the bucket that holds the account's Terraform states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.provision.terraform import RootModule
from jobs.errors import ConfigError, CredentialsError, UsageError

_REGION = re.compile(r'^\s*region\s*=\s*"([a-z0-9-]+)"', re.MULTILINE)
BOOTSTRAP_STATE = "bootstrap.tfstate"
"""In the bucket once it is complete: until then the bootstrap is repeated."""


@dataclass(frozen=True)
class Account:
    number: str
    region: str

    @property
    def state_bucket(self) -> str:
        return f"tidemark-state-{self.number}-{self.region}"


def environment_folder(root: Path, environment: str) -> Path:
    """Raises UsageError for an environment that infra/terraform does not have."""
    folder = root / "infra/terraform/environments" / environment
    if not (folder / "main.tf").is_file():
        known = sorted(path.parent.name for path in folder.parent.glob("*/main.tf"))
        raise UsageError(
            f"Choosing an environment: expected one of {', '.join(known)}, got {environment!r}. Name one: make … ENV=dev"
        )
    return folder


def account_of(folder: Path) -> Account:
    """The account that the credentials in use belong to, and the region of the environment's settings.

    Raises ConfigError without a region, CredentialsError where AWS knows nobody by these credentials."""
    settings = folder / "terraform.tfvars"
    found = _REGION.search(settings.read_text(encoding="utf-8")) if settings.is_file() else None
    if found is None:
        raise ConfigError(
            f'Reading {settings}: expected a line region = "…", got none. Add it, for example region = "eu-central-1".'
        )
    with _refusals_told(
        "Asking AWS whose credentials these are: expected an account", "Log in again, or name a profile in AWS_PROFILE."
    ):
        caller = boto3.client("sts", region_name=found[1]).get_caller_identity()
    return Account(caller["Account"], found[1])


def has_state_bucket(account: Account) -> bool:
    """Whether the bootstrap was finished, in a bucket that is this account's own. Raises CredentialsError."""
    with _refusals_told(
        f"Looking at {account.state_bucket}: expected to read it",
        "It has to be a bucket of this account, and the role needs s3:GetObject and s3:ListBucket on it.",
    ):
        try:
            boto3.client("s3", region_name=account.region).head_object(
                Bucket=account.state_bucket, Key=BOOTSTRAP_STATE, ExpectedBucketOwner=account.number
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
    return True


def make_state_bucket(root: Path, account: Account) -> None:
    """Goes on where an earlier attempt on this machine stopped; the bootstrap's own state then moves into the bucket."""
    data = root / ".tidemark/terraform" / f"bootstrap-{account.number}-{account.region}"
    module = RootModule("bootstrap", root / "infra/terraform/bootstrap", data, {"TF_VAR_region": account.region})
    state = data / BOOTSTRAP_STATE
    module.run("Preparing", "init", "-input=false", "-reconfigure", f"-backend-config=path={state}")
    module.run("Applying", "apply", "-input=false", "-auto-approve")
    with _refusals_told(
        f"Storing the bootstrap's state in {account.state_bucket}: expected to write it",
        "The role needs s3:PutObject on it.",
    ):
        boto3.client("s3", region_name=account.region).put_object(
            Bucket=account.state_bucket,
            Key=BOOTSTRAP_STATE,
            Body=state.read_bytes(),
            ExpectedBucketOwner=account.number,
        )


@contextmanager
def _refusals_told(expected: str, remedy: str) -> Iterator[None]:
    """Raises CredentialsError for what AWS refuses."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise CredentialsError(f"{expected}, got {error}. {remedy}") from error
