"""What the tests of submitting share: an environment on the embedded AWS, and a package whose job does what its options say."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import boto3
from rich.console import Console

from jobs.config.environment import Environment
from jobs.emr import launch
from jobs.emr.follow import Ended, Pace, follow
from jobs.emr.package import Package
from jobs.emr.request import RunRequest
from jobs.emr.steps import Step, steps_of
from jobs.emr.submit import Submitted, require_emr, submit
from jobs.runtime.progress import Progress
from tests.integration.local_aws.emr_account import LOGS, RELEASE, EmrAccount

ARTIFACTS = "artifacts-of-steps"
ROLE = "arn:aws:iam::123456789012:role/job"
TAGS = {"tidemark-clusters": "tidemark-dev", "environment": "dev"}
QUICK = Pace(step=0.2, logs=1, late_logs=30)

# In place of Tidemark's own: `brought` comes from the other archive, conf/ is read as a file.
SPARK_MAIN = """
import pathlib, sys, time

def main(arguments):
    import brought
    print("arguments", *arguments, flush=True)
    print("conf", pathlib.Path("conf/told.txt").read_text(), brought.WORD, flush=True)
    if "--until" in arguments:
        until = pathlib.Path(arguments[arguments.index("--until") + 1])
        while not until.exists():
            time.sleep(0.05)
    if "--raise" in arguments:
        raise ValueError("no such table, password=hunter2")
    if "--refuse" in arguments:
        print("error: Landing depot: expected a file, got none. Deliver it.", file=sys.stderr)
        return 2
    return 0
"""


@dataclass
class Ledger:
    """Its word on the runs that are asked about: `left` is what is not done."""

    left: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, run_id: str, since: datetime) -> list[str]:
        self.asked.append(run_id)
        return self.left


@dataclass
class Submitter:
    """One pipeline's `tidemark submit`, in process. `delivered` counts the packages that were made; `shown` is what was printed on the way."""

    account: EmrAccount
    session: boto3.Session
    pipeline: str
    shared_cluster: str | None = None
    role: str | None = ROLE
    release: str = RELEASE
    ledger: Ledger = field(default_factory=Ledger)
    delivered: int = 0
    shown: io.StringIO = field(default_factory=io.StringIO)

    @property
    def environment(self) -> Environment:
        return environment(self.pipeline, self.shared_cluster, self.role, self.release)

    def submit(self, *options: str, run_id: str | None = None, fresh_id: str = "made-up") -> Submitted:
        request = RunRequest("dev", self.pipeline, options, run_id or fresh_id, is_named=run_id is not None)
        return submit(self.session, self.environment, request, self._deliver, self.ledger)

    def follow(self, step: Step) -> Ended:
        return follow(
            self.session, require_emr(self.environment), step, Progress(Console(file=self.shown)), self.ledger, QUICK
        )

    def steps(self) -> list[Step]:
        """All of the pipeline, newest first."""
        return list(steps_of(self.account.emr, require_emr(self.environment), "dev", self.pipeline))

    def _deliver(self) -> Package:
        self.delivered += 1
        return stub_package(self.account)


def environment(
    pipeline: str, shared_cluster: str | None, role: str | None = ROLE, release: str = RELEASE
) -> Environment:
    """With the roles and the log bucket of `EmrAccount`; `pipeline` runs on the shared cluster if there is one."""
    return Environment.model_validate(
        {
            "environment": "dev",
            "region": "us-east-1",
            "lake_url": "s3://lake-of-steps",
            "warehouse": {"type": "embedded_postgres"},
            "pipelines": {pipeline: {"cluster": "shared"}} if shared_cluster else {},
            "compute": {
                "type": "emr",
                "release_label": release,
                "applications": ["Spark"],
                "configurations": [{"classification": "delta-defaults", "properties": {"delta.enabled": "true"}}],
                "service_role": "node",
                "instance_profile": "nodes",
                "subnet_ids": ["subnet-1", "subnet-2"],
                "security_groups": {"primary": "sg-1", "core": "sg-2", "service": "sg-3"},
                "security_configuration": "roles",
                "log_uri": f"s3://{LOGS}/emr/",
                "artifacts_uri": f"s3://{ARTIFACTS}/jobs/",
                "instances": {
                    "primary_type": "m6i.xlarge",
                    "core_type": "m6i.xlarge",
                    "core_count": 1,
                    "task_type": "m6i.xlarge",
                    "task_spot_count": 1,
                },
                "tags": TAGS,
                "job_roles": {pipeline: role} if role else {},
                "shared_cluster": shared_cluster,
            },
        }
    )


def stub_package(account: EmrAccount) -> Package:
    parts = {
        "app-0123456789abcdef.zip": zipped(
            {"jobs/__init__.py": "", "jobs/spark_main.py": SPARK_MAIN, "conf/told.txt": "was read"}
        ),
        "dependencies-0123456789abcdef.zip": zipped({"brought.py": "WORD = 'from the archive'"}),
        "launch-0123456789abcdef.py": Path(launch.__file__).read_bytes(),
    }
    for name, content in parts.items():
        account.s3.put_object(Bucket=ARTIFACTS, Key=f"jobs/{name}", Body=content)
    return Package(*(f"s3://{ARTIFACTS}/jobs/{name}" for name in parts))


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()
