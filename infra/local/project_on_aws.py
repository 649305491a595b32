"""A copy of the project whose environment `dev` is on the embedded AWS, with sources beside it: what `make airflow` and tests run in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml

from infra.local.dev_resources import REGION, make_resources
from jobs.runtime.embedded_postgres import EmbeddedPostgres, running_postgres

ROOT = Path(__file__).parents[2]
PIPELINES = ("coupbot", "shop", "fflogs", "social", "stackoverflow")
SHARED = ("social", "stackoverflow")
"""Those that run on the shared cluster."""

_PARTS = ("conf", "infra/terraform", "jobs", "orchestration", "requirements")
_FILES = ("pyproject.toml", ".airflowignore")


@dataclass(frozen=True)
class ProjectOnAws:
    """A copy of the project at `root`; `variables` name the embedded AWS and $TIDEMARK_HOME. `sources`: one database per pipeline."""

    root: Path
    variables: Mapping[str, str]
    sources: EmbeddedPostgres = field(repr=False)

    @property
    def home(self) -> Path:
        return Path(self.variables["TIDEMARK_HOME"])

    @property
    def dev(self) -> dict[str, Any]:
        """The environment file of dev."""
        text = (self.root / "conf/environments/dev.yaml").read_text(encoding="utf-8")
        return dict(yaml.safe_load(text))

    def make_dev(self) -> None:
        """What Terraform would make for runs to touch, made by boto3 in seconds; then the secrets."""
        make_resources(self.root, keys(self.variables), list(PIPELINES), list(SHARED))
        self.put_secrets()

    def put_secrets(self) -> None:
        """They name the databases of the sources."""
        for pipeline, connection in self.dev["connections"].items():
            url = self.sources.url(f"source_{pipeline}")
            self.client("secretsmanager").put_secret_value(SecretId=connection["secret"], SecretString=url)

    def client(self, service: str) -> Any:
        return boto3.client(service, REGION, **keys(self.variables))

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """`tidemark …` in the copy, by its own code."""
        named = {**os.environ, **self.variables, **more, "PYTHONPATH": str(self.root)}
        named["PATH"] = f"{ROOT / '.tools/bin'}:{named['PATH']}"  # uv, which packages the dependencies
        called = [sys.executable, "-m", "jobs.cli", *arguments]
        return subprocess.Popen(
            called, cwd=self.root, env=named, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def deliver(self) -> None:
        """What the local lake's raw/ holds, to that of dev as well."""
        bucket, raw = self.dev["lake_url"].removeprefix("s3://"), self.home / "lake/raw"
        for path in sorted(path for path in raw.rglob("*") if path.is_file()):
            self.client("s3").upload_file(str(path), bucket, f"raw/{path.relative_to(raw)}")


def keys(variables: Mapping[str, str]) -> dict[str, str]:
    """Arguments of a boto3 client."""
    return {
        "endpoint_url": variables["AWS_ENDPOINT_URL"],
        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
    }


@contextmanager
def project_on_aws(folder: Path) -> Iterator[ProjectOnAws]:
    """In `folder`, which is empty: a copy of the project, a Postgres for its sources, and an AWS in which nothing is yet."""
    root, home = folder / "project", folder / "home"
    unwanted = shutil.ignore_patterns("__pycache__", ".terraform*", "dev.yaml", "prod.yaml")
    for part in _PARTS:
        shutil.copytree(ROOT / part, root / part, ignore=unwanted)
    for file in _FILES:
        shutil.copy(ROOT / file, root)
    with embedded_aws_process(folder) as address, running_postgres(home) as sources:
        yield ProjectOnAws(root, {**address, "TIDEMARK_HOME": str(home), "AWS_REGION": REGION}, sources)


@contextmanager
def embedded_aws_process(folder: Path) -> Iterator[dict[str, str]]:
    """The variables that `python -m infra.local` prints, while its process lives; its output is in `folder`."""
    output, errors = folder / "aws.out", folder / "aws.err"
    with output.open("wb") as out, errors.open("wb") as err:
        server = subprocess.Popen(
            [sys.executable, "-m", "infra.local", "--port", "0"], cwd=ROOT, stdout=out, stderr=err
        )
    try:
        while "AWS_SHARED_CREDENTIALS_FILE" not in output.read_text():
            if server.poll() is not None:
                raise RuntimeError(f"Starting the embedded AWS: it ended. {errors.read_text()[-2000:]}")
            time.sleep(0.05)
        lines = [line.removeprefix("export ") for line in output.read_text().splitlines()]
        yield dict(line.split("=", 1) for line in lines)
    finally:
        server.terminate()
        server.wait(60)
