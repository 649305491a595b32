"""Every module and root by itself: style, syntax, its own tests, and what checkov says."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.infra.conftest import TERRAFORM, Terraform, checkov_findings

MODULES = sorted(path.parent.name for path in TERRAFORM.glob("modules/*/main.tf"))
ENVIRONMENTS = sorted(path.parent.name for path in TERRAFORM.glob("environments/*/main.tf"))


def test_there_are_all_modules_and_environments() -> None:
    assert set(MODULES) == {
        "catalog", "emr", "events", "guardrails", "lake", "network", "orchestration", "secrets", "warehouse",
    }  # fmt: skip
    assert ENVIRONMENTS == ["dev", "prod"]


def test_everything_is_formatted(terraform: Terraform) -> None:
    done = terraform(TERRAFORM, "fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_valid(terraform: Terraform, environment: str) -> None:
    folder = TERRAFORM / "environments" / environment
    assert terraform(folder, "init", "-input=false", "-backend=false").returncode == 0
    done = terraform(folder, "validate", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["main.tf", "variables.tf", "outputs.tf", "versions.tf"])
def test_environments_differ_in_their_settings_only(file: str) -> None:
    assert len({(TERRAFORM / "environments" / name / file).read_text() for name in ENVIRONMENTS}) == 1


@pytest.mark.parametrize("folder", ["bootstrap", *[f"modules/{name}" for name in MODULES]])
def test_the_modules_own_tests_pass(terraform: Terraform, folder: str) -> None:
    assert list((TERRAFORM / folder / "tests").glob("*.tftest.hcl"))
    assert terraform(TERRAFORM / folder, "init", "-input=false", "-backend=false").returncode == 0
    done = terraform(TERRAFORM / folder, "test", "-no-color")
    assert done.returncode == 0 and "Success!" in done.stdout, done.stdout + done.stderr


def test_checkov_finds_what_was_reviewed_and_nothing_else() -> None:
    with (Path(__file__).parent / "reviewed_checks.csv").open(newline="") as file:
        reviewed = {(row["check"], row["resource"]) for row in csv.DictReader(file) if row["reason"]}
    assert checkov_findings(TERRAFORM) == reviewed


@pytest.mark.parametrize("module", MODULES)
def test_a_modules_readme_tells_every_input_and_output(module: str) -> None:
    readme = (TERRAFORM / "modules" / module / "README.md").read_text()
    declared = [
        line.split('"')[1]
        for file in ("variables.tf", "outputs.tf")
        for line in (TERRAFORM / "modules" / module / file).read_text().splitlines()
        if line.startswith(("variable ", "output "))
    ]
    assert declared
    assert [name for name in declared if f"`{name}" not in readme] == []
    assert "cost when idle" in readme.lower()
