"""The driver's own messages: what Terraform says, told with the remedy; no AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.provision.account import account_of, environment_folder
from infra.provision.provider_mirror import cli_settings, plugin_mirror
from infra.provision.terraform import RootModule, terraform_program
from jobs.errors import (
    ConfigError,
    CredentialsError,
    LeaseHeldError,
    ProvisioningError,
    RuntimeMismatchError,
    UsageError,
)
from tests.infra.conftest import ROOT

EXISTS = """
│ Error: creating Kinesis Stream (tidemark-dev-events): operation error Kinesis: CreateStream, https response error StatusCode: 400, ResourceInUseException: taken
│
│   with module.events.aws_kinesis_stream.events,
│   on ../../modules/events/main.tf line 9, in resource "aws_kinesis_stream" "events":
"""
LOCKED = """
│ Error: Error acquiring the state lock
│ Error message: operation error S3: PutObject, RequestID: 4FH2, api error PreconditionFailed
│ Lock Info:
│   ID:        3f2c
│   Path:      bucket/dev/terraform.tfstate
│   Operation: OperationTypeApply
│   Who:       ada@laptop
│   Version:   1.11.4
│   Created:   2026-01-02 03:04:05 +0000 UTC
"""


@pytest.fixture
def fake_terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program on PATH that says what a test puts into `told`, and fails."""
    program = tmp_path / "bin/terraform"
    program.parent.mkdir()
    told = tmp_path / "told"
    version = '{"terraform_version": "1.11.4"}'
    program.write_text(f"#!/bin/sh\n[ \"$1\" = version ] && echo '{version}' && exit 0\ncat {told} >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return told


def failure(told: Path, text: str, tmp_path: Path) -> str:
    told.write_text(text)
    module = RootModule("dev", ROOT / "infra/terraform/environments/dev", tmp_path / "data")
    with pytest.raises((ProvisioningError, LeaseHeldError)) as raised:
        module.run("Applying", "apply")
    return str(raised.value)


def test_a_held_lock_is_told_with_its_holder_and_the_command_that_frees_it(
    fake_terraform: Path, tmp_path: Path
) -> None:
    told = failure(fake_terraform, LOCKED, tmp_path)
    assert "ada@laptop holds since 2026-01-02 03:04:05" in told and "make tf-unlock ENV=dev ID=3f2c" in told


def test_what_exists_already_is_told_with_the_command_that_takes_it_over(fake_terraform: Path, tmp_path: Path) -> None:
    told = failure(fake_terraform, EXISTS, tmp_path)
    assert "make tf-import ENV=dev ADDRESS='module.events.aws_kinesis_stream.events' ID='tidemark-dev-events'" in told


def test_any_other_failure_says_that_the_same_command_goes_on(fake_terraform: Path, tmp_path: Path) -> None:
    assert "run the same command again" in failure(fake_terraform, "Error: no\n", tmp_path)


def test_terraform_that_is_absent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeMismatchError, match="expected 1.11 or later on PATH, got none"):
        terraform_program()


def test_an_old_terraform_is_told(fake_terraform: Path) -> None:
    program = fake_terraform.parent / "bin/terraform"
    program.write_text(program.read_text().replace("1.11.4", "1.10.9"))
    with pytest.raises(RuntimeMismatchError, match="got 1.10.9"):
        terraform_program()


def test_an_unknown_environment_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="expected one of dev, prod, got 'staging'"):
        environment_folder(ROOT, "staging")


def test_settings_without_a_region_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a line region"):
        account_of(tmp_path)


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CredentialsError, match="Log in again, or name a profile in AWS_PROFILE"):
        account_of(ROOT / "infra/terraform/environments/dev")


def test_a_mirror_is_found_where_the_variable_says(tmp_path: Path) -> None:
    (tmp_path / "mirror/some.host/hashicorp/aws/5.100.0").mkdir(parents=True)
    assert plugin_mirror("5.100.0", {"TF_PLUGIN_MIRROR": str(tmp_path)}) == tmp_path / "mirror"
    settings = cli_settings(ROOT, tmp_path / "data", {"TF_PLUGIN_MIRROR": str(tmp_path)})
    assert str(tmp_path / "mirror") in Path(settings["TF_CLI_CONFIG_FILE"]).read_text()


def test_a_mirror_of_another_version_is_none(tmp_path: Path) -> None:
    (tmp_path / "some.host/hashicorp/aws/5.99.0").mkdir(parents=True)
    assert plugin_mirror("5.100.0", {"TF_PLUGIN_MIRROR": str(tmp_path)}) is None


def test_the_users_own_configuration_of_terraform_stays(tmp_path: Path) -> None:
    own = tmp_path / "own.tfrc"
    own.touch()
    assert cli_settings(ROOT, tmp_path, {"TF_CLI_CONFIG_FILE": str(own)}) == {}
