"""One project with two environments: local, and dev on an embedded AWS, both reading the same sources."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
import yaml

from jobs.runtime.embedded_postgres import running_postgres
from tests.delta_rows import delta_rows
from tests.e2e.resources import make_resources
from tests.infra.applied import Environment
from tests.integration.local_aws.emr_account import start_server

ROOT = Path(__file__).parents[2]
AS_OF = "2024-03-02"
PIPELINES = ("coupbot", "shop", "fflogs", "social", "stackoverflow")
SHARED = ["social", "stackoverflow"]


@dataclass(frozen=True)
class Project:
    """A copy of the project at `root`; `variables` name the embedded AWS and $TIDEMARK_HOME."""

    root: Path
    variables: Mapping[str, str]
    password: str = field(repr=False)
    """Of every source."""
    seen_processes: set[str] = field(default_factory=set, repr=False)
    """Command lines of this machine while pipelines ran."""

    @property
    def home(self) -> Path:
        return Path(self.variables["TIDEMARK_HOME"])

    def tidemark(self, *arguments: str, exit_code: int = 0, **more: str) -> str:
        """What the command printed to stdout. Raises AssertionError on any other exit code than the expected."""
        done = self.start(*arguments, **more)
        out, errors = done.communicate(timeout=420)
        assert done.returncode == exit_code, f"{arguments}: {done.returncode}\n{out[-2000:]}\n{errors[-6000:]}"
        return out if exit_code == 0 else out + errors

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        named = {**os.environ, **self.variables, **more, "PYTHONPATH": str(self.root)}
        named["PATH"] = f"{ROOT / '.tools/bin'}:{named['PATH']}"  # uv, which packages the dependencies
        called = [sys.executable, "-m", "jobs.cli", *arguments]
        return subprocess.Popen(
            called, cwd=self.root, env=named, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def client(self, service: str) -> Any:
        return boto3.client(service, "eu-central-1", **keys(self.variables))

    def log(self, cluster: str, step: str) -> str:
        """What a step has written, stdout and stderr; in client mode Spark sends the driver's errors to stdout."""
        bucket, _, prefix = self.dev["compute"]["log_uri"].removeprefix("s3://").partition("/")
        names = [f"{prefix}{cluster}/steps/{step}/{file}.gz" for file in ("stdout", "stderr")]
        stored = [self.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read() for name in names]
        return "".join(gzip.decompress(each).decode() for each in stored)

    def stored(self) -> Iterator[tuple[str, bytes]]:
        """(bucket/key, content) of every object but the archives that steps run; gz unpacked."""
        storage = self.client("s3")
        for bucket in (each["Name"] for each in storage.list_buckets()["Buckets"]):
            for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for key in (each["Key"] for each in page.get("Contents", ()) if not each["Key"].endswith(".zip")):
                    content = storage.get_object(Bucket=bucket, Key=key)["Body"].read()
                    yield f"{bucket}/{key}", gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content

    def step_arguments(self) -> str:
        emr = self.client("emr")
        clusters = [each["Id"] for page in emr.get_paginator("list_clusters").paginate() for each in page["Clusters"]]
        assert clusters
        return json.dumps([emr.list_steps(ClusterId=cluster)["Steps"] for cluster in clusters], default=str)

    @contextmanager
    def watching_processes(self) -> Iterator[None]:
        """Notes the command line of every process, ten times a second."""
        ended = Event()

        def watch() -> None:
            while not ended.wait(0.1):
                for process in psutil.process_iter():
                    with suppress(psutil.Error):
                        self.seen_processes.add(" ".join(process.cmdline()))

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    @property
    def dev(self) -> dict[str, Any]:
        """The environment file of dev."""
        text = (self.root / "conf/environments/dev.yaml").read_text()
        return dict(yaml.safe_load(text))

    def rows(self, env: str, pipeline: str, table: str) -> list[dict[str, Any]]:
        """The business columns of a curated table, in order of all of them. Read by another library than wrote them."""
        if env == "local":
            found = delta_rows(self.home / "lake/curated" / pipeline / table)
        else:
            options = {name: value for name, value in self.variables.items() if name.startswith("AWS_")}
            found = delta_rows(f"{self.dev['lake_url']}/curated/{pipeline}/{table}", storage=options)
        rows = [{name: value for name, value in row.items() if not name.startswith("_")} for row in found]
        return sorted(rows, key=lambda row: [str(value) for value in row.values()])

    def report(self, env: str, name: str) -> Any:
        return json.loads(self.tidemark("report", name, "--as-of", AS_OF, "--env", env, "--json"))


def keys(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        "endpoint_url": variables["AWS_ENDPOINT_URL"],
        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
    }


@contextmanager
def two_environments(folder: Path, *, with_terraform: bool) -> Iterator[Project]:
    """Both empty: sources and lakes hold nothing yet, the secrets name databases of one running Postgres."""
    root, home = folder / "project", folder / "home"
    unwanted = shutil.ignore_patterns("__pycache__", ".terraform*", "dev.yaml")
    for part in ("conf", "infra/terraform", "jobs", "orchestration", "requirements"):
        shutil.copytree(ROOT / part, root / part, ignore=unwanted)
    for file in ("pyproject.toml", ".airflowignore"):
        shutil.copy(ROOT / file, root)
    server, address = start_server(folder)
    try:
        variables = {**address, "TIDEMARK_HOME": str(home), "AWS_REGION": "eu-central-1"}
        if with_terraform:
            code, told = Environment(root, address).run("apply", "dev", "--yes")
            assert code == 0, told[-4000:]
        else:
            make_resources(root, keys(address), list(PIPELINES), SHARED)
        with running_postgres(home) as sources:
            password = urlsplit(sources.url("source_shop")).password or ""
            project = Project(root, variables, password)
            for pipeline, connection in project.dev["connections"].items():
                url = sources.url(f"source_{pipeline}")
                project.client("secretsmanager").put_secret_value(SecretId=connection["secret"], SecretString=url)
            yield project
    finally:
        server.terminate()
        server.wait(60)


def deliver(project: Project) -> None:
    """What the local lake's raw/ holds, to that of dev as well."""
    bucket, raw = project.dev["lake_url"].removeprefix("s3://"), project.home / "lake/raw"
    files = [path for path in raw.rglob("*") if path.is_file()]
    assert files
    for path in files:
        project.client("s3").upload_file(str(path), bucket, f"raw/{path.relative_to(raw)}")
