"""`make release ENV=dev`: DAGs, operators, conf and the code that they import, uploaded as one set that never changes afterwards.

A set lies in the artifacts bucket under `airflow/<version>/`, where the version is the digest of all that is in it. Airflow reads it as
a DAG bundle; to change versions is to change that one setting, so that no task ever sees half of one version and half of another.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer

from jobs.config import load_project
from jobs.config.project import Project
from jobs.config.settings import load_settings
from jobs.emr.package import Package, deliver
from jobs.emr.submit import require_emr
from jobs.errors import TidemarkError
from jobs.runtime.aws import aws_errors, aws_session, client
from jobs.runtime.progress import Progress
from orchestration.operators.work import RELEASE, ROOT, connection_of

_REQUIREMENTS = "requirements/orchestration.txt"


def main(env: Annotated[str, typer.Argument(help="The environment that the DAGs are for.")]) -> None:
    """Upload the DAGs of an environment as one version, and say how Airflow takes it."""
    progress = Progress()
    try:
        project = load_project(ROOT, env)
        address = release(project, progress)
    except TidemarkError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    bundle = {
        "name": "tidemark",
        "classpath": "airflow.providers.amazon.aws.bundles.s3.S3DagBundle",
        "kwargs": {"aws_conn_id": connection_of(env), "bucket_name": bucket, "prefix": prefix},
    }
    extra = {"region_name": project.environment.region, "role_arn": project.environment.role_arn}
    typer.echo(
        f"released: {address}\n"
        f"Airflow's packages: pip install --require-hashes -r orchestration.txt, from {address}/{_REQUIREMENTS}\n"
        f"Its connection: airflow connections add {connection_of(env)} --conn-type aws --conn-extra '{json.dumps(extra)}'\n"
        f"Its bundle: AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='{json.dumps([bundle])}'"
    )


def release(project: Project, progress: Progress) -> str:
    """Uploads what is not there yet, the mark that the set is whole last; its address.

    Asked as whoever runs it: Airflow's own role may read releases, not write them.
    Raises: UsageError (no environment on EMR), PackagingError, CredentialsError, AwsUnavailableError, AwsRefusedError.
    """
    compute = require_emr(project.environment)
    session = aws_session(project.environment.model_copy(update={"role_arn": None}))
    package = deliver(session, compute.artifacts_uri, project.root, load_settings(project).home, progress)
    files = contents(project.root, project.environment.environment, package)
    bucket = compute.artifacts_uri.removeprefix("s3://").partition("/")[0]
    prefix = f"airflow/{version_of(files)}"
    _upload(session, bucket, prefix, files, progress)
    return f"s3://{bucket}/{prefix}"


def contents(root: Path, environment: str, package: Package) -> dict[str, bytes]:
    """By their paths in the set. Of conf/environments only the chosen one: it is then the one that the DAGs take."""
    chosen = f"conf/environments/{environment}.yaml"
    paths = [*(root / "jobs").rglob("*.py"), *(root / "orchestration").rglob("*.py"), *(root / "conf").rglob("*.*")]
    named = {
        path.relative_to(root).as_posix(): path for path in (*paths, root / ".airflowignore", root / _REQUIREMENTS)
    }
    files = {
        name: path.read_bytes()
        for name, path in sorted(named.items())
        if path.is_file() and (name == chosen or not name.startswith("conf/environments/"))
    }
    return {**files, RELEASE: json.dumps({"package": asdict(package)}, indent=1).encode()}


def version_of(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _upload(session: boto3.Session, bucket: str, prefix: str, files: dict[str, bytes], progress: Progress) -> None:
    s3: Any = client(session, "s3")
    with aws_errors(f"Uploading to s3://{bucket}/{prefix}/"):
        there = {
            each["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
            for each in page.get("Contents", ())
        }
        missing = [name for name in files if f"{prefix}/{name}" not in there]
        if not missing:
            progress.say("this version is released already")
            return
        with progress.steps("uploading", len(missing), f"{len(missing)} files") as steps:
            for name in sorted(missing, key=lambda name: name == RELEASE):
                s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=files[name])
                steps.done("")


if __name__ == "__main__":
    typer.run(main)
