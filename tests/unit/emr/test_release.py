"""Terraform makes clusters of the release that jobs/versions.py names."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.versions import EMR_RELEASE

VARIABLES = Path(__file__).parents[3] / "infra/terraform/modules/emr/variables.tf"


def test_terraforms_default_is_the_pinned_release() -> None:
    declared = re.search(r'variable "release_label" \{.*?default\s*=\s*"([^"]+)"', VARIABLES.read_text(), re.DOTALL)
    assert declared and declared[1] == EMR_RELEASE
