"""Secrets of the environment, fetched when they are needed and never kept."""

from __future__ import annotations

import boto3

from jobs.errors import ConfigError
from jobs.runtime.aws import aws_errors, client


def secret_text(session: boto3.Session, name: str) -> str:
    """The text of a secret. Raises ConfigError where there is none, CredentialsError, AwsUnavailableError."""
    secrets = client(session, "secretsmanager")
    with aws_errors(f"Reading the secret {name}"):
        try:
            found = secrets.get_secret_value(SecretId=name).get("SecretString")
        except secrets.exceptions.ResourceNotFoundException:
            found = None
    if not found:
        raise ConfigError(
            f"Reading the secret {name}: expected postgresql://… in it, got nothing. "
            "Put it in as infra/terraform/modules/secrets/README.md says, then run the same command again."
        )
    return str(found)
