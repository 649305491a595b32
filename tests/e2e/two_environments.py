"""One project with two environments: local, and dev on an embedded AWS, both reading the same sources."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import psutil

from infra.local.project_on_aws import ProjectOnAws, project_on_aws
from tests.delta_rows import delta_rows
from tests.infra.applied import Environment

AS_OF = "2024-03-02"


@dataclass(frozen=True)
class Project:
    """As tests look at it: its commands, its rows, what it leaves behind."""

    on_aws: ProjectOnAws
    seen_processes: set[str] = field(default_factory=set, repr=False)
    """Command lines of this machine while pipelines ran."""

    @property
    def root(self) -> Path:
        return self.on_aws.root

    @property
    def variables(self) -> Mapping[str, str]:
        return self.on_aws.variables

    @property
    def home(self) -> Path:
        return self.on_aws.home

    @property
    def dev(self) -> dict[str, Any]:
        return self.on_aws.dev

    @property
    def password(self) -> str:
        """Of every source."""
        return urlsplit(self.on_aws.sources.url("source_shop")).password or ""

    def client(self, service: str) -> Any:
        return self.on_aws.client(service)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return self.on_aws.start(*arguments, **more)

    def tidemark(self, *arguments: str, exit_code: int = 0, **more: str) -> str:
        """What the command printed to stdout. Raises AssertionError on any other exit code than the expected."""
        return ended(self.start(*arguments, **more), exit_code)

    def log(self, cluster: str, step: str) -> str:
        """What a step has written, stdout and stderr; in client mode Spark sends the driver's errors to stdout."""
        bucket, _, prefix = self.dev["compute"]["log_uri"].removeprefix("s3://").partition("/")
        names = [f"{prefix}{cluster}/steps/{step}/{file}.gz" for file in ("stdout", "stderr")]
        stored = [self.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read() for name in names]
        return "".join(gzip.decompress(each).decode() for each in stored)

    def stored(self) -> Iterator[tuple[str, bytes]]:
        """(bucket/key, content) of every object but rows as Parquet and the archives that steps run; gz unpacked."""
        storage = self.client("s3")

        def read(bucket: str, key: str) -> tuple[str, bytes]:
            content: bytes = storage.get_object(Bucket=bucket, Key=key)["Body"].read()
            return f"{bucket}/{key}", gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content

        for bucket in (each["Name"] for each in storage.list_buckets()["Buckets"]):
            pages = storage.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            found = [each["Key"] for page in pages for each in page.get("Contents", ())]
            with ThreadPoolExecutor(4) as readers:
                yield from readers.map(
                    partial(read, bucket), [key for key in found if not key.endswith((".parquet", ".zip"))]
                )

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

    def rows(self, env: str, pipeline: str, table: str) -> list[dict[str, Any]]:
        """The business columns of a curated table, in order of all of them. Read by another library than wrote them."""
        if env == "local":
            found = delta_rows(self.home / "lake/curated" / pipeline / table)
        else:
            options = {name: value for name, value in self.variables.items() if name.startswith("AWS_")}
            found = delta_rows(f"{self.dev['lake_url']}/curated/{pipeline}/{table}", storage=options)
        rows = [{name: value for name, value in row.items() if not name.startswith("_")} for row in found]
        return sorted(rows, key=lambda row: [str(value) for value in row.values()])

    def reports(self, name: str, *environments: str, as_of: str = AS_OF) -> list[Any]:
        """The same report in each environment, all at once."""
        asked = [self.start("report", name, "--as-of", as_of, "--env", env, "--json") for env in environments]
        return [json.loads(ended(each)) for each in asked]


def ended(command: subprocess.Popen[str], exit_code: int = 0) -> str:
    """What it printed to stdout; after a failure that is expected stderr too."""
    out, errors = command.communicate(timeout=420)
    assert command.returncode == exit_code, f"{command.args}: {command.returncode}\n{out[-2000:]}\n{errors[-6000:]}"
    return out if exit_code == 0 else out + errors


@contextmanager
def two_environments(folder: Path) -> Iterator[Project]:
    """Both empty, dev without Terraform."""
    with sources_and_aws(folder) as project:
        project.on_aws.make_dev()
        yield project


@contextmanager
def sources_and_aws(folder: Path) -> Iterator[Project]:
    """`local` is empty, and in AWS there is nothing yet."""
    with project_on_aws(folder) as made:
        yield Project(made)


def apply_dev(project: Project) -> None:
    """dev, as Terraform makes it."""
    code, told = Environment(project.root, project.variables).run("apply", "dev", "--yes")
    assert code == 0, told[-4000:]
    project.on_aws.put_secrets()
