"""What the tests of infra/terraform share: Terraform with its provider, checkov, and copies of the project to plant faults in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.local.server import running_aws
from infra.provision.provider_mirror import cli_settings, plugin_mirror, provider_version
from infra.provision.terraform import terraform_program
from jobs.errors import RuntimeMismatchError
from tests.infra.applied import Environment, interrupt, wait_for

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "infra/terraform"
Terraform = Callable[..., subprocess.CompletedProcess[str]]


def absent(what: str) -> None:
    """Skips on a laptop, fails in CI: there these tests are what proves the infrastructure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Runs Terraform in a folder, its own files elsewhere; the provider from a mirror where there is one."""
    try:
        program = terraform_program()
    except RuntimeMismatchError as error:
        absent(str(error))
    variables = {**os.environ, **cli_settings(ROOT, tmp_path_factory.mktemp("mirror")), "TF_IN_AUTOMATION": "1"}

    def run(folder: Path, *arguments: str, data: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        data = data or tmp_path_factory.getbasetemp() / "terraform" / str(folder).strip("/").replace("/", "-")
        called = [program, f"-chdir={folder}", *arguments]
        named = {**variables, "TF_DATA_DIR": str(data), **more}
        return subprocess.run(called, env=named, capture_output=True, text=True, check=False)

    probe = run(TERRAFORM / "modules/secrets", "init", "-input=false", "-backend=false")
    if probe.returncode:
        found = plugin_mirror(provider_version(ROOT))
        absent(f"The AWS provider {provider_version(ROOT)} cannot be had (mirror: {found}): {probe.stderr[-500:]}")
    return run


@pytest.fixture
def planted(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of infra/terraform with one text replaced by another: `planted("modules/lake/main.tf", old, new)`."""

    def plant(file: str, old: str, new: str) -> Path:
        copy = tmp_path / "terraform"
        shutil.copytree(TERRAFORM, copy, ignore=shutil.ignore_patterns(".terraform*"))
        text = (copy / file).read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}"
        (copy / file).write_text(text.replace(old, new), encoding="utf-8")
        return copy

    return plant


def checkov_findings(folder: Path) -> set[tuple[str, str]]:
    """(check, resource without module and key) of everything that checkov refuses below `folder`."""
    program = ROOT / ".tools/checkov/bin/checkov"
    if not program.is_file():
        absent(f"checkov is not at {program}: run `make test-infra`, which installs it.")
    options = ["--framework", "terraform", "--compact", "--quiet", "--skip-download", "-o", "json"]
    done = subprocess.run([program, "-d", folder, *options], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0 and report["summary"]["resource_count"] > 50, report["summary"]
    return {
        (failed["check_id"], ".".join(failed["resource"].partition("[")[0].split(".")[-2:]))
        for failed in report["results"]["failed_checks"]
    }


@dataclass(frozen=True)
class Begun:
    """dev before it is whole: a plan when nothing was there, an apply that was interrupted, and a second one while it ran."""

    environment: Environment
    plan: tuple[int, str]
    second: tuple[int, str]
    told: str


@pytest.fixture(scope="session")
def begun(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """In a copy of the project, on an embedded AWS of its own."""
    root = tmp_path_factory.mktemp("project")
    for part in ("infra/terraform", "conf"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns(".terraform*"))
    with running_aws() as variables:
        environment = Environment(root, variables)
        plan = environment.run("plan", "dev")
        process = environment.start("apply", "dev", "--yes")
        told = wait_for(process, "aws_kinesis_stream.events: Creation complete")
        second = environment.run("apply", "dev", "--yes")
        yield Begun(environment, plan, second, told + interrupt(process))


@pytest.fixture(scope="session")
def applied(begun: Begun) -> Environment:
    """dev after an apply that went on where the interrupted one stopped; its state is read before anything changes it."""
    assert not begun.environment.file.exists()
    code, told = begun.environment.run("apply", "dev", "--yes")
    assert code == 0, told[-4000:]
    assert begun.environment.state
    return begun.environment
