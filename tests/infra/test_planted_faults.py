"""Faults that somebody may plant, each in a copy of infra/terraform: something that runs in CI catches each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra.conftest import Terraform, checkov_findings

Plant = Callable[[str, str, str], Path]


def module_tests(terraform: Terraform, folder: Path) -> tuple[int, str]:
    assert terraform(folder, "init", "-input=false", "-backend=false").returncode == 0
    done = terraform(folder, "test", "-no-color")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "modules/emr/iam.tf",
            'actions   = ["s3:GetObject", "s3:GetObjectVersion"] # a plan names the version that it saw',
            'actions   = ["s3:*"]',
            "lets_no_job_write_to_raw",
        ),
        (
            "modules/lake/main.tf",
            "block_public_policy     = true",
            "block_public_policy     = false",
            "no_bucket_is_public",
        ),
        (
            "modules/warehouse/serverless.tf",
            "manage_admin_password            = true",
            'admin_user_password              = "Sesame-Open-1"',
            "serverless_is_private_encrypted_and_asks_for_tls",
        ),
        (
            "modules/network/endpoints.tf",
            "cidr_ipv4         = each.value",
            'cidr_ipv4         = "0.0.0.0/0"',
            "lets_only_https_of_the_private_subnets_into_the_endpoints",
        ),
    ],
    ids=["a wildcard", "a public bucket", "a plaintext password", "an open security group"],
)
def test_a_modules_own_tests_catch(
    terraform: Terraform, planted: Plant, file: str, old: str, new: str, told: str
) -> None:
    folder = (planted(file, old, new) / file).parent
    code, output = module_tests(terraform, folder)
    assert code == 1 and f'run "{told}"... fail' in output, output[-3000:]


def test_checkov_catches_a_public_bucket_as_well(planted: Plant) -> None:
    copy = planted("modules/lake/main.tf", "block_public_policy     = true", "block_public_policy     = false")
    assert ("CKV_AWS_54", "aws_s3_bucket_public_access_block.bucket") in checkov_findings(copy)
